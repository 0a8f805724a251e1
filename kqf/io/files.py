"""Paths, bytes and open files as binary streams; files written whole or not at all."""

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
Target = str | os.PathLike[str] | BinaryIO

# Bytes that are copied at a time.
_PIECE = 2**20


@contextmanager
def open_source(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """Give a seekable stream at the start of the data, and the bytes from there to its end.

    A file object is left open. What cannot seek, a pipe for one, is read to its end.

    Raises:
        TypeError: neither a path, bytes nor a binary file. BlockingIOError: a file that has no data
            now, and does not wait for any.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        # Pieces of a memoryview need not lie side by side, as BytesIO wants them.
        data = source.tobytes() if isinstance(source, memoryview) else source
        stream: BinaryIO = io.BytesIO(data)
    elif isinstance(source, str | os.PathLike):
        with _open_name(source) as file, open_source(file) as opened:
            yield opened
        return
    else:
        check_file(source)
        seekable = getattr(source, "seekable", None)
        stream = source if seekable and seekable() else io.BytesIO(_read_to_end(source))
    yield stream, size_of(stream)


def _open_name(name: str | os.PathLike[str]) -> BinaryIO:
    if isinstance(name, str) and "://" in name:
        return open_url(name, "rb")
    return Path(name).open("rb")


def check_file(source: object) -> None:
    """Raise TypeError unless ``source`` is a binary file to read from."""
    if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
        raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")


def _read_to_end(stream: BinaryIO) -> bytes:
    data: bytes | None = stream.read()
    if data is None:
        raise BlockingIOError("the file gives no data now")
    return data


def size_of(stream: BinaryIO) -> int:
    """Return the bytes from where a file is to its end."""
    start = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    return end - start


def check_target(target: Target) -> None:
    """See that ``target`` is a path or a file to write to, before any long work is done for it.

    Raises:
        TypeError: it is neither. OSError: a folder, in no folder, or a file that is read-only.
    """
    if not isinstance(target, str | os.PathLike):
        if not hasattr(target, "write") or isinstance(target, io.TextIOBase):
            raise TypeError(f"expected a path or a binary file, not {type(target).__name__}")
        return
    path = Path(target)
    if path.is_file() or path.is_dir():
        # A file that may not be written to could be replaced nevertheless.
        os.close(os.open(path, os.O_WRONLY))
    elif not path.exists():
        Path(os.path.realpath(path)).parent.stat()


def write_whole(target: Target, data: bytes) -> None:
    """Write ``data`` to an open binary file, or to a path: all of it, or the path stays as it was.

    A symbolic link is followed, and the permissions of a file that is replaced are kept.
    """
    check_target(target)
    if not isinstance(target, str | os.PathLike):
        _write_all(target, data)
    elif _is_special(Path(target)):
        Path(target).write_bytes(data)
    else:
        with replacing(Path(target)) as file:
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
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write and read; a path is its name at the end, if all went well.

    By then its data is on the disk: no power cut leaves anything but the old file or the new one.
    """
    path = Path(os.path.realpath(path))
    try:
        mode: int | None = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    temporary = path.with_name(f".kqf-{os.urandom(8).hex()}.tmp")
    unnamed = _unnamed(path.parent)
    try:
        with unnamed or temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if unnamed:
                if mode is None:
                    with suppress(FileExistsError):
                        _link(unnamed, path)
                        return
                _link(unnamed, temporary)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and str(temporary) in map(
            str, (error.filename, error.filename2)
        ):
            # A name that nobody gave says little.
            error.filename, error.filename2 = str(path), None
        raise


def _link(file: BinaryIO, path: Path) -> None:
    """Give an unnamed file a name that no file has."""
    # With a descriptor (of no use to a whole path), links are followed to the file.
    number = file.fileno()
    os.link(f"/proc/self/fd/{number}", path, src_dir_fd=number)


def _unnamed(folder: Path) -> BinaryIO | None:
    """Return a new file without a name, which ends with its process; None where there are none."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").exists():
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b")
    except OSError:
        # What is wrong with the folder itself, a named file tells.
        return None


@contextmanager
def assembling(target: Target) -> Iterator[BinaryIO]:
    """Give a file to write in any order; at the end the target holds all of it, or on failure none.

    The file of a path is made beside it; any other target is written at the end alone.
    """
    check_target(target)
    if folder_of(target):
        with replacing(Path(target)) as file:  # type: ignore[arg-type]
            yield file
        return
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        if isinstance(target, str | os.PathLike):
            with Path(target).open("wb") as special:
                _copy(file, special)
        else:
            _copy(file, target)


def folder_of(target: Target) -> Path | None:
    """Return the folder of a file to make, which has room for it; None of any other target."""
    if isinstance(target, str | os.PathLike) and not _is_special(Path(target)):
        return Path(target).parent
    return None


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
        raise ImportError("URLs need fsspec: pip install 'kqf[remote]'") from error
    file: BinaryIO = fsspec.open(url, mode, **options).open()
    return file
