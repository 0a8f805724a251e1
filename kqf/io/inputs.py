"""The files that names, folders and patterns stand for."""

import os
from collections.abc import Iterator
from glob import has_magic
from pathlib import Path

from PIL import Image

from kqf.io import remote
from kqf.io.paths import exists, file_name, identity, is_folder, is_url, joined

# macOS puts such a file, which holds no picture, beside each one on some disks.
_APPLE_DOUBLE = "._"
# How it begins, whatever its name is.
_APPLE_DOUBLE_MAGIC = b"\x00\x05\x16\x07"


def is_many(name: str) -> bool:
    """Tell whether a name stands for the files of a folder, or for those that match a pattern.

    Raises:
        OSError, ValueError, ImportError: it can't be found out.
    """
    return is_pattern(name) or _is_folder(name)


def sources_of(name: str, suffix: str | None, output: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a name stands for, each with its path relative to the name's folder.

    Arguments:
        name: path or URL of a file, which need not exist; of a folder, for all files in it with a
            suffix that Pillow reads; or a pattern.
        suffix: of the files to make. KQF files of a folder are left out if it is .kqf or None.
        output: path or URL of the folder to make them in, none of whose files is a source; empty if
            there is none.

    Raises:
        ValueError: nothing matches. OSError, ImportError: the files can't be listed.
    """
    by_pattern = is_pattern(name)
    if not by_pattern and not _is_folder(name):
        yield name, file_name(name)
        return
    folder, pattern = _split(name) if by_pattern else (name, "")
    if is_url(name):
        found = remote.listed(folder, pattern)
    else:
        # A quoted pattern reaches the command, and some shells know none.
        found = _matching(Path(folder), pattern) if pattern else list(_all_in(folder))
    # A URL's folder without files can't be told from a missing one.
    if not found and (by_pattern or is_url(name)):
        raise ValueError(f"nothing matches {name}")
    wanted = picture_suffixes() - ({".kqf"} if suffix in (None, ".kqf") else set())
    own = _relative(folder, output)
    for path in found:
        if (own and path.startswith(own)) or Path(path).name.startswith(_APPLE_DOUBLE):
            continue
        if by_pattern or Path(path).suffix.lower() in wanted:
            source = joined(folder, path)
            if is_url(source) or not _is_apple_double(Path(source)):
                yield source, path


def _is_apple_double(path: Path) -> bool:
    try:
        # Opening a named pipe would wait for someone to write to it.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_APPLE_DOUBLE_MAGIC)) == _APPLE_DOUBLE_MAGIC
    except OSError:
        # Converting it tells what is wrong with it.
        return False


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern, and not that of a file that looks like one."""
    return has_magic(name) and not _is_single(name) and not exists(name)


def _is_folder(name: str) -> bool:
    if not is_url(name):
        return is_folder(name)
    if _is_single(name):
        return False
    # Asking a server about each picture of a long list would take a while.
    return name.endswith("/") or (
        Path(name).suffix.lower() not in picture_suffixes() and is_folder(name)
    )


def _is_single(name: str) -> bool:
    """Tell whether a URL is of a kind that lists no files."""
    return is_url(name) and (name.startswith(("http://", "https://")) or "::" in name)


def picture_suffixes() -> set[str]:
    """Return the suffixes of pictures that can be read."""
    Image.init()
    known = {end for end, name in Image.registered_extensions().items() if name in Image.OPEN}
    return known | {".kqf"}


def _split(pattern: str) -> tuple[str, str]:
    """Return the folder in which a pattern begins, and the rest of it."""
    if not is_url(pattern):
        root = Path(pattern)
        while has_magic(str(root)):
            root = root.parent
        return str(root), str(Path(pattern).relative_to(root))
    protocol, _, path = pattern.partition("://")
    folder = path
    while has_magic(folder):
        folder = folder.rpartition("/")[0]
    return f"{protocol}://{folder}", path.removeprefix(folder).removeprefix("/")


def _matching(root: Path, pattern: str) -> list[str]:
    found = sorted(path for path in root.glob(pattern) if path.is_file())
    return [str(path.relative_to(root)) for path in found]


def _all_in(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            yield str((Path(folder) / name).relative_to(root))


def _relative(folder: str, output: str) -> str:
    """Return the path of a folder for output relative to another folder, empty if it is outside."""
    if not output:
        return ""
    outer, inner = (identity(name.removesuffix("/") + "/") for name in (folder, output))
    return inner.removeprefix(outer) if inner.startswith(outer) else ""
