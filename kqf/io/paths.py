"""Files by path and by URL alike."""

import os
from pathlib import Path

from kqf.io import remote
from kqf.io.files import write_whole
from kqf.io.remote import is_url as is_url

# What tells a folder that is an array or a group of zarr.
_ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup")


def localized(name: str) -> str:
    """Return the path that a URL of this machine's files stands for, any other name as it is."""
    if not name.startswith(("file://", "local://")):
        return name
    with remote.file_system(name) as (_, path):
        # A slash at the end says that it is a folder.
        return path.removesuffix("/") + "/" * name.endswith("/")


def absolute(name: str) -> str:
    """Return a name that means the same in every working directory."""
    return name if is_url(name) or not name else str(Path(name).absolute())


def identity(name: str) -> str:
    """Return the one spelling of all names of a file, whether or not it exists.

    Links are followed in the names of folders. The identity of a folder's own name ends with ``/``.
    """
    if is_url(name):
        protocol, _, path = name.partition("://")
        return f"{protocol}://{path.lstrip('/')}"
    folder, file = os.path.split(name)
    return os.path.realpath(folder).rstrip(os.sep) + os.sep + file


def read(name: str) -> bytes:
    """Return the bytes of a file."""
    return remote.read(name) if is_url(name) else Path(name).read_bytes()


def write(name: str, data: bytes, *, mode: int | None = None, exclusive: bool = False) -> None:
    """Write a file whole, or leave what was there; the folders above a URL are made.

    Arguments, errors: those of ``kqf.io.files.write_whole``.
    """
    write_whole(name, data, mode=mode, exclusive=exclusive)


def remove(name: str) -> None:
    """Remove a file if there is one."""
    if is_url(name):
        remote.remove(name)
    else:
        Path(name).unlink(missing_ok=True)


def exists(name: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    return remote.exists(name) if is_url(name) else os.path.lexists(name)


def is_folder(name: str) -> bool:
    """Tell whether there is a folder of this name; an image in zarr's format counts as a file."""
    if is_url(name):
        return remote.is_folder(name)
    return Path(name).is_dir() and not is_zarr(name)


def is_zarr(name: str) -> bool:
    """Tell whether a local folder is a store of zarr, by its suffix or by what is in it."""
    folder = Path(name)
    return folder.is_dir() and (
        folder.suffix.lower() == ".zarr" or any((folder / mark).is_file() for mark in _ZARR_MARKS)
    )


def is_same(name: str, other: str) -> bool:
    """Tell whether two names are those of one file that exists; URLs are compared as text."""
    if is_url(name) or is_url(other):
        return identity(name) == identity(other)
    return Path(name).exists() and Path(other).exists() and Path(name).samefile(other)


def modified(name: str) -> int | None:
    """Return the time of modification in ns since 1970, or None where it is not known.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return remote.modified(name) if is_url(name) else Path(name).stat().st_mtime_ns


def mode_of(name: str) -> int | None:
    """Return the permissions of a local file; None of a URL, or where there is no file."""
    try:
        return None if is_url(name) else Path(name).stat().st_mode & 0o777
    except OSError:
        return None


def renamed(name: str, file_name: str) -> str:
    """Return a path or URL with another file name in the same folder."""
    if is_url(name):
        return f"{name.rpartition('/')[0]}/{file_name}"
    return str(Path(name).with_name(file_name))


def joined(folder: str, relative: str) -> str:
    """Return the path or URL of a file in a folder."""
    if is_url(folder):
        return folder.removesuffix("/") + "/" + relative.replace(os.sep, "/")
    return str(Path(folder) / relative)


def file_name(name: str) -> str:
    """Return the last part of a path or URL.

    Raises:
        ValueError: it has none.
    """
    if last := name.rpartition("/")[2] if is_url(name) else Path(name).name:
        return last
    raise ValueError(f"{name} names no file")


def with_suffix(name: str, suffix: str) -> str:
    """Return a path or URL with another suffix."""
    return renamed(name, str(Path(file_name(name)).with_suffix(suffix)))
