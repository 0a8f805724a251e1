"""Files by path and by URL alike."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Any

from kqf.io.files import write_whole


def is_url(name: str) -> bool:
    """Tell a URL from a path."""
    return "://" in name


def localized(name: str) -> str:
    """Return the path that a URL of this machine's files stands for, any other name as it is."""
    if not name.startswith(("file://", "local://")):
        return name
    with _file_system(name) as (_, path):
        # The end of a folder's name says that it is one.
        return path.removesuffix("/") + "/" * name.endswith("/")


def absolute(name: str) -> str:
    """Return a name that means the same in every working directory."""
    return name if is_url(name) or not name else str(Path(name).absolute())


def identity(name: str) -> str:
    """Return the one spelling of all names of a place, whether or not there is a file.

    Links are followed in the names of folders: that of a folder itself ends with ``/``.
    """
    if is_url(name):
        protocol, _, path = name.partition("://")
        return f"{protocol}://{path.lstrip('/')}"
    folder, file = os.path.split(name)
    return os.path.realpath(folder).rstrip(os.sep) + os.sep + file


def read(name: str) -> bytes:
    """Return the bytes of a file."""
    if not is_url(name):
        return Path(name).read_bytes()
    with _file_system(name) as (files, path):
        data: bytes = files.cat_file(path)
        return data


def write(name: str, data: bytes) -> None:
    """Write a file whole, or leave what was there; the folders above a URL are made."""
    if not is_url(name):
        write_whole(name, data)
        return
    with _file_system(name) as (files, path):
        try:
            _put(files, path, data)
        except Exception:
            # That a folder is missing, each says in words of its own.
            folder = PurePosixPath(_folder(path))
            if files.isdir(str(folder)):
                raise
            _, *levels = *reversed(folder.parents), folder
            # One by one, for other processes may be at it. No bucket is made in passing.
            for level in levels if _renames(files) else levels[1:]:
                with suppress(Exception):
                    files.mkdir(str(level), create_parents=False)
            _put(files, path, data)


def _put(files: Any, path: str, data: bytes) -> None:
    if not _renames(files):
        # Object stores show no half files.
        files.pipe_file(path, data)
        return
    temporary, aside = (f"{_folder(path)}/.kqf-{os.urandom(8).hex()}.tmp" for _ in range(2))
    try:
        files.pipe_file(temporary, data)
        try:
            files.mv(temporary, path)
        except Exception:
            # Some rename to no name that is taken.
            files.mv(path, aside)
            try:
                files.mv(temporary, path)
            except BaseException:
                files.mv(aside, path)
                raise
            files.rm_file(aside)
    except BaseException:
        with suppress(Exception):
            files.rm_file(temporary)
        raise


def _renames(files: Any) -> bool:
    """Tell whether a file system moves files by another way than copying them."""
    from fsspec import AbstractFileSystem

    return type(files).mv is not AbstractFileSystem.mv


def remove(name: str) -> None:
    """Remove a file if there is one."""
    if not is_url(name):
        Path(name).unlink(missing_ok=True)
    elif exists(name):
        with _file_system(name) as (files, path):
            files.rm_file(path)


def exists(name: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    if not is_url(name):
        return Path(name).exists()
    with _file_system(name) as (files, path):
        return bool(files.exists(path))


def is_folder(name: str) -> bool:
    """Tell whether there is a folder of this name."""
    if not is_url(name):
        return Path(name).is_dir()
    with _file_system(name) as (files, path):
        return bool(files.isdir(path))


def is_same(name: str, other: str) -> bool:
    """Tell whether two names are those of one file that exists, of a URL as far as they tell."""
    if is_url(name) or is_url(other):
        return identity(name) == identity(other)
    return Path(name).exists() and Path(other).exists() and Path(name).samefile(other)


def modified(name: str) -> int | None:
    """Return the time of modification in ns since 1970, None where there is no telling.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not is_url(name):
        return Path(name).stat().st_mtime_ns
    with _file_system(name) as (files, path):
        try:
            time = files.modified(path)
        except (RuntimeError, KeyError):
            # Not implemented, or missing in what the server says: of a file that is there.
            files.info(path)
            return None
    # Those that name no zone mean UTC.
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 10**9)


def listed(folder: str, pattern: str) -> list[str]:
    """Return the places in a URL's folder of the files that match a pattern; empty, of all."""
    with _file_system(folder) as (files, path):
        root = path.rstrip("/")
        if pattern:
            found = files.glob(f"{root}/{pattern}", detail=True)
        else:
            found = files.find(path, detail=True)
    return [
        name.removeprefix(root).lstrip("/")
        for name, detail in sorted(found.items())
        if detail["type"] != "directory"
    ]


def renamed(name: str, file_name: str) -> str:
    """Return a path or URL with another file name in the same folder."""
    if is_url(name):
        return f"{_folder(name)}/{file_name}"
    return str(Path(name).with_name(file_name))


def joined(folder: str, place: str) -> str:
    """Return the path or URL of a place in a folder."""
    if is_url(folder):
        return folder.removesuffix("/") + "/" + place.replace(os.sep, "/")
    return str(Path(folder) / place)


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


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


@contextmanager
def _file_system(url: str) -> Iterator[tuple[Any, str]]:
    """Give the file system of a URL, and the path there.

    Raises:
        OSError, ValueError: whatever goes wrong. ImportError: a package is missing.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError("URLs need fsspec: pip install 'kqf[remote]'") from error
    try:
        yield url_to_fs(url)
    except FileNotFoundError as error:
        # Some of them say no more than the path.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:
        # Libraries of servers have errors of their own.
        raise OSError(f"{type(error).__name__}: {error}") from error
