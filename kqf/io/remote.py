"""Files by URL, through fsspec.

universal-pathlib was tried in place of this module. Writing whole files, times (its ``stat`` says 0
for an unknown one), plain errors and protocols that it does not list would still need this code.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import PurePosixPath
from typing import Any

from kqf.text import how_to_install


def is_url(name: object) -> bool:
    """Tell a URL from a path."""
    return isinstance(name, str) and "://" in name


def read(url: str) -> bytes:
    """Return the bytes of a file."""
    with file_system(url) as (files, path):
        data: bytes = files.cat_file(path)
        return data


def write(url: str, data: bytes) -> None:
    """Write a file whole, or leave what was there; the folders above it are made."""
    with file_system(url) as (files, path):
        _put(files, path, lambda place: files.pipe_file(place, data))


def upload(url: str, file: str) -> None:
    """Write a copy of a local file, as ``write`` does."""
    with file_system(url) as (files, path):
        _put(files, path, lambda place: files.put_file(file, place))


def _put(files: Any, path: str, put: Callable[[str], object]) -> None:
    """Write a file by ``put``, which takes its path; make the folders above it if need be."""
    try:
        _put_whole(files, path, put)
    except Exception:
        # File systems say in different words that a folder is missing.
        folder = PurePosixPath(path.rpartition("/")[0])
        if files.isdir(str(folder)):
            raise
        _, *levels = *reversed(folder.parents), folder
        # One by one, as other processes may do the same. A bucket is never made in passing.
        for level in levels if _renames(files) else levels[1:]:
            with suppress(Exception):
                files.mkdir(str(level), create_parents=False)
        _put_whole(files, path, put)


def _put_whole(files: Any, path: str, put: Callable[[str], object]) -> None:
    if not _renames(files):
        # Object stores show no half files.
        put(path)
        return
    folder = path.rpartition("/")[0]
    temporary, aside = (f"{folder}/.kqf-{os.urandom(8).hex()}.tmp" for _ in range(2))
    try:
        put(temporary)
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


def has_ranges(file: object) -> bool:
    """Tell whether ranges of an open file can be had from its file system."""
    return hasattr(file, "path") and hasattr(getattr(file, "fs", None), "cat_ranges")


def read_ranges(file: Any, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of ranges (start, end) of a file that ``has_ranges``, one request for each.

    File systems that can make several requests at a time do. What is tried again after a failure,
    and how often, is a setting of theirs.

    Raises:
        OSError: a range can't be read.
    """
    starts, ends = ([place[at] for place in ranges] for at in (0, 1))
    try:
        found: list[bytes] = file.fs.cat_ranges(
            [file.path] * len(ranges), starts, ends, on_error="raise"
        )
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    return found


def remove(url: str) -> None:
    """Remove a file if there is one."""
    with file_system(url) as (files, path):
        if files.exists(path):
            files.rm_file(path)


def exists(url: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    with file_system(url) as (files, path):
        return bool(files.exists(path))


def is_folder(url: str) -> bool:
    """Tell whether there is a folder of this name."""
    with file_system(url) as (files, path):
        return bool(files.isdir(path))


def modified(url: str) -> int | None:
    """Return the time of modification in ns since 1970, or None where it is not known.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with file_system(url) as (files, path):
        try:
            time = files.modified(path)
        except (RuntimeError, KeyError):
            # Not implemented, or missing in what the server says: of a file that is there.
            files.info(path)
            return None
    # Those that name no zone mean UTC.
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 10**9)


def listed(folder: str, pattern: str) -> list[str]:
    """Return the paths, relative to a folder, of its files that match a pattern; empty for all."""
    with file_system(folder) as (files, path):
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


@contextmanager
def file_system(url: str) -> Iterator[tuple[Any, str]]:
    """Give the file system of a URL, and the path in it.

    Raises:
        OSError, ValueError: whatever goes wrong. ImportError: a package is missing.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(f"URLs need fsspec: {how_to_install('remote')}") from error
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
