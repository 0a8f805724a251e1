"""The files that names stand for."""

import os
from collections.abc import Iterator
from glob import has_magic
from pathlib import Path

from PIL import Image

from kqf.io.paths import exists, file_name, identity, is_folder, is_url, joined, listed


def is_many(name: str) -> bool:
    """Tell whether a name stands for the files of a folder, or for those that match a pattern.

    Raises:
        OSError, ValueError, ImportError: it can't be found out.
    """
    return _is_pattern(name) or _is_folder(name)


def sources_of(name: str, suffix: str | None, output: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a name stands for, and their places in the folder that it names.

    Arguments:
        name: path or URL of a file, which need not be there; of a folder, for all files in it with
            a suffix that Pillow reads, KQF files only if ``suffix`` is another format's; or a
            pattern.
        suffix: of the files to make; None for .kqf.
        output: path or URL of the folder to make them in, none of whose files is a source; empty if
            there is none.

    Raises:
        ValueError: nothing matches. OSError, ImportError: the files can't be listed.
    """
    is_pattern = _is_pattern(name)
    if not is_pattern and not _is_folder(name):
        yield name, file_name(name)
        return
    folder, pattern = _split(name) if is_pattern else (name, "")
    if is_url(name):
        places = listed(folder, pattern)
    else:
        # Shells leave a pattern that is quoted, and some know none.
        places = _matching(Path(folder), pattern) if pattern else list(_all_in(folder))
    # There is no telling a URL's folder without files from none.
    if not places and (is_pattern or is_url(name)):
        raise ValueError(f"nothing matches {name}")
    wanted = _suffixes() - {".kqf"} if suffix in (None, ".kqf") else {".kqf"}
    own = _place_in(folder, output)
    for place in places:
        if own and place.startswith(own):
            continue
        if is_pattern or Path(place).suffix.lower() in wanted:
            yield joined(folder, place), place


def _is_pattern(name: str) -> bool:
    # A file may be called like a pattern.
    return has_magic(name) and not _is_single(name) and not exists(name)


def _is_folder(name: str) -> bool:
    if not is_url(name):
        return is_folder(name)
    if _is_single(name):
        return False
    # To ask of each picture in a long list would take a while.
    return name.endswith("/") or (Path(name).suffix.lower() not in _suffixes() and is_folder(name))


def _is_single(name: str) -> bool:
    """Tell whether a URL is of a kind that lists no files."""
    return is_url(name) and (name.startswith(("http://", "https://")) or "::" in name)


def _suffixes() -> set[str]:
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


def _place_in(folder: str, output: str) -> str:
    """Return the place of a folder for output in another folder, empty if it is none in there."""
    if not output:
        return ""
    outer, inner = (identity(name.removesuffix("/") + "/") for name in (folder, output))
    return inner.removeprefix(outer) if inner.startswith(outer) else ""
