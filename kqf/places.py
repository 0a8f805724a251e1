"""Files by path and by URL alike."""

import os
from datetime import UTC
from glob import has_magic
from pathlib import Path
from typing import Any

from kqf.files import write_whole


def is_url(name: str) -> bool:
    """Tell a URL from a path."""
    return "://" in name


def localized(name: str) -> str:
    """Return the path that a URL of this machine's files stands for, any other name as it is."""
    if not name.startswith(("file://", "local://")):
        return name
    # The end of a folder's name says that it is one.
    return _file_system(name)[1].removesuffix("/") + "/" * name.endswith("/")


def is_pattern(name: str) -> bool:
    """Tell whether a path or URL stands for all files that match it."""
    # What asks a web server looks like a pattern.
    return has_magic(name) and not name.startswith(("http://", "https://"))


def exists(name: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    if not is_url(name):
        return Path(name).exists()
    files, path = _file_system(name)
    return bool(files.exists(path))


def is_same(name: str, other: str) -> bool:
    """Tell whether two names are those of one file that exists."""
    if is_url(name) or is_url(other):
        return name == other
    return Path(name).exists() and Path(other).exists() and Path(name).samefile(other)


def modified(name: str) -> int | None:
    """Return the time of modification in ns since 1970, None where that is not known.

    Raises:
        FileNotFoundError: there is no such file, as far as its server tells.
    """
    if not is_url(name):
        return Path(name).stat().st_mtime_ns
    files, path = _file_system(name)
    try:
        time = files.modified(path)
    except NotImplementedError:
        if files.exists(path):
            return None
        raise FileNotFoundError(f"no file at {name}") from None
    # Those that name no zone mean UTC.
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 10**9)


def found(url: str) -> tuple[str, list[str]]:
    """Return the folder that a URL names or its pattern begins with, and the URLs of its files.

    Raises:
        OSError, ValueError, ImportError: they cannot be had.
    """
    files, path = _file_system(url)
    try:
        details = (files.glob if is_pattern(url) else files.find)(path, detail=True)
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:
        # Libraries of servers have errors of their own.
        raise OSError(f"{url}: {error}") from error
    folder = url
    while is_pattern(folder) or not folder.endswith("/"):
        folder = folder.removesuffix("/").rpartition("/")[0] + "/"
    # Names of one file system begin alike, whether their URL says so or not.
    start = files.unstrip_protocol(_file_system(folder)[1]).removesuffix("/") + "/"
    names = sorted(name for name, detail in details.items() if detail["type"] == "file")
    return folder, [folder + files.unstrip_protocol(name).removeprefix(start) for name in names]


def make_folder(name: str) -> None:
    """Make the folder that a file is to be in; where there are no folders, do nothing."""
    if is_url(name):
        files, path = _file_system(name)
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
    else:
        Path(name).parent.mkdir(parents=True, exist_ok=True)


def write(name: str, data: bytes) -> None:
    """Write a file whole, as ``write_whole`` does; a URL's as whole as its file system does."""
    if is_url(name):
        files, path = _file_system(name)
        files.pipe_file(path, data)
    else:
        write_whole(name, data)


def remove(name: str) -> None:
    """Remove a file if there is one."""
    if not is_url(name):
        Path(name).unlink(missing_ok=True)
    elif exists(name):
        files, path = _file_system(name)
        files.rm_file(path)


def renamed(name: str, file_name: str) -> str:
    """Return a path or URL with another file name in the same folder."""
    if is_url(name):
        return name.rpartition("/")[0] + "/" + file_name
    return str(Path(name).with_name(file_name))


def joined(folder: str, place: str) -> str:
    """Return the path or URL of a place in a folder."""
    if is_url(folder):
        return folder.removesuffix("/") + "/" + place.replace(os.sep, "/")
    return str(Path(folder) / place)


def with_suffix(name: str, suffix: str) -> str:
    """Return a path or URL with another suffix."""
    return renamed(name, Path(name).with_suffix(suffix).name)


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError("URLs need fsspec: pip install 'kqf[remote]'") from error
    files, path = url_to_fs(url)
    return files, path
