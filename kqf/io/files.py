"""Sources and targets that the API takes: paths, URLs, bytes and open files."""

import errno
import io
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from kqf.io import remote
from kqf.io.remote import is_url
from kqf.io.replacing import replacing
from kqf.text import how_to_install

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | mmap.mmap | BinaryIO
Target = str | os.PathLike[str] | BinaryIO

# Bytes that are copied at a time.
_PIECE = 2**20


@contextmanager
def open_source(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """Give a seekable stream at the start of the data, and the bytes from there to its end.

    A file object is left open. One that cannot seek, such as a pipe, is read to its end.

    Raises:
        TypeError: neither a path, bytes nor a binary file. OSError: it can't be opened.
        BlockingIOError: a file that has no data now, and does not wait for any.
    """
    stream, is_owned = open_stream(source)
    try:
        yield stream, size_of(stream)
    finally:
        if is_owned:
            stream.close()


def open_stream(source: Source, **url_options: Any) -> tuple[BinaryIO, bool]:
    """Return a seekable stream at the start of the data, and whether it was opened here.

    Arguments:
        url_options: of the ``open`` of a URL's file system.

    Raises:
        TypeError: neither a path, bytes nor a binary file. OSError: it can't be opened.
        BlockingIOError: a file that has no data now, and does not wait for any.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        # BytesIO takes no memoryview whose parts do not lie side by side.
        return io.BytesIO(source.tobytes() if isinstance(source, memoryview) else source), True
    if isinstance(source, str | os.PathLike):
        check_name(source)
        if is_url(source):
            return open_url(str(source), "rb", **url_options), True
        if _is_special(Path(source)):
            return io.BytesIO(Path(source).read_bytes()), True
        return Path(source).open("rb"), True
    check_file(source)
    file = cast(BinaryIO, source)
    return (file, False) if _is_seekable(file) else (io.BytesIO(_read_to_end(file)), True)


def check_name(name: str | os.PathLike[str]) -> None:
    """Raise FileNotFoundError for an empty path, which Path takes for the current folder."""
    if not os.fspath(name):
        raise FileNotFoundError(errno.ENOENT, "the path is empty", "")


def check_file(source: object) -> None:
    """Raise TypeError unless ``source`` is a binary file to read from."""
    is_file = hasattr(source, "read") and not isinstance(source, io.TextIOBase)
    # An array on disk may have a method read for parts of it.
    if not is_file or hasattr(source, "__array__"):
        raise TypeError(
            f"expected a path, a URL, bytes or a binary file, not {type(source).__name__}"
        )


def _is_seekable(stream: BinaryIO) -> bool:
    if isinstance(stream, mmap.mmap):
        # Before Python 3.13 it has no method to say so.
        return True
    try:
        return bool(stream.seekable())
    except AttributeError:
        # Members of streamed tar archives have the method, but it fails.
        return False


def _read_to_end(stream: BinaryIO) -> bytes:
    data: bytes | None = stream.read()
    if data is None:
        raise BlockingIOError("the file gives no data now")
    return data


def size_of(stream: BinaryIO) -> int:
    """Return the bytes from where a file is to its end."""
    start = stream.tell()
    # What seek returns is None for some, mmap for one.
    stream.seek(0, os.SEEK_END)
    end = stream.tell()
    stream.seek(start)
    return end - start


def check_target(target: Target) -> None:
    """Check that ``target`` can be written to, before any long work is done for it.

    Of a URL nothing is checked.

    Raises:
        TypeError: it is neither a path, a URL nor a binary file. OSError: it is an empty path, a
        folder, in a folder that is missing, or a file that is read-only.
    """
    if not isinstance(target, str | os.PathLike):
        if not hasattr(target, "write") or isinstance(target, io.TextIOBase):
            raise TypeError(f"expected a path or a binary file, not {type(target).__name__}")
        return
    name = os.fspath(target)
    check_name(name)
    if is_url(name):
        return
    path = Path(name)
    if path.is_file() or path.is_dir():
        # A file that may not be written to could be replaced nevertheless.
        os.close(os.open(path, os.O_WRONLY))
    elif not path.exists():
        Path(os.path.realpath(path)).parent.stat()


def write_whole(
    target: Target, data: bytes, *, mode: int | None = None, exclusive: bool = False
) -> None:
    """Write all of ``data`` to a path, a URL or an open binary file; a file is whole or unchanged.

    A symbolic link is followed. A file that is replaced keeps its permissions and its owner.

    Arguments:
        mode: the permissions that a new file may have at most, before the umask.
        exclusive: never replace a file.

    Raises:
        FileExistsError: there is a file, and ``exclusive``. OSError: it cannot be written.
    """
    check_target(target)
    if not isinstance(target, str | os.PathLike):
        _write_all(target, data)
        return
    name = os.fspath(target)
    if is_url(name):
        if exclusive and remote.exists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        remote.write(name, data)
    elif _is_special(Path(name)):
        Path(name).write_bytes(data)
    else:
        with replacing(Path(name), mode=mode, exclusive=exclusive) as file:
            file.write(data)


def _write_all(target: BinaryIO, data: bytes) -> None:
    rest: bytes | memoryview = data
    while rest:
        written = target.write(rest)
        if written is None and isinstance(target, io.RawIOBase):
            raise BlockingIOError("the file takes no data now")
        # An unbuffered stream may take less than it is given. Others took all, whatever they say.
        if not (isinstance(written, int) and 0 < written < len(rest)):
            return
        rest = memoryview(rest)[written:]


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, which cannot be replaced."""
    return path.exists() and not path.is_file()


@contextmanager
def assembling(
    target: Target, *, mode: int | None = None, exclusive: bool = False
) -> Iterator[BinaryIO]:
    """Give a file to write in any order; at the end the target holds all of it, or on failure none.

    The file of a path is made beside it; any other target is written only at the end. Arguments,
    errors: those of write_whole.
    """
    check_target(target)
    if folder_of(target):
        with replacing(Path(target), mode=mode, exclusive=exclusive) as file:  # type: ignore[arg-type]
            yield file
        return
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "file").open("x+b") as file:
        yield file
        file.seek(0)
        if not isinstance(target, str | os.PathLike):
            _copy(file, target)
        elif is_url(os.fspath(target)):
            file.flush()
            remote.upload(os.fspath(target), file.name)
        else:
            with Path(target).open("wb") as special:
                _copy(file, special)


def folder_of(target: Target) -> Path | None:
    """Return the folder of a local file to make, which has room for it; None of other targets."""
    if not isinstance(target, str | os.PathLike) or is_url(os.fspath(target)):
        return None
    return None if _is_special(Path(target)) else Path(target).parent


def _copy(file: BinaryIO, target: BinaryIO) -> None:
    while piece := file.read(_PIECE):
        _write_all(target, piece)


def open_url(url: str, mode: str, **options: Any) -> BinaryIO:
    """Open what stands behind a URL. Options: of its file system's ``open``.

    Raises:
        ImportError: fsspec is not installed. OSError, ValueError: as fsspec has them.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"URLs need fsspec: {how_to_install('remote')}") from error
    opened: Any = fsspec.open(url, mode, **options)
    return cast(BinaryIO, opened.open())
