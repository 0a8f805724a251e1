"""Paths, bytes and open files as binary streams; files written whole or not at all."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
Target = str | os.PathLike[str] | BinaryIO


@contextmanager
def open_source(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """Give a seekable stream at the start of the data, and the bytes from there to its end.

    A file object is left open, and where it cannot seek it is read to its end.

    Raises:
        TypeError: neither a path, bytes nor a binary file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        # Pieces of a memoryview need not lie side by side, as BytesIO wants them.
        data = source.tobytes() if isinstance(source, memoryview) else source
        stream: BinaryIO = io.BytesIO(data)
    elif isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield file, _size(file)
        return
    elif hasattr(source, "read"):
        seekable = getattr(source, "seekable", None)
        stream = source if seekable and seekable() else io.BytesIO(source.read())
    else:
        raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")
    yield stream, _size(stream)


def _size(stream: BinaryIO) -> int:
    start = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    return end - start


def check_target(target: Target) -> None:
    """Raise TypeError unless ``target`` is a path or a file to write to."""
    if not isinstance(target, str | os.PathLike) and not hasattr(target, "write"):
        raise TypeError(f"expected a path or a binary file, not {type(target).__name__}")


def write_whole(target: Target, data: bytes) -> None:
    """Write ``data`` to an open binary file, or to a path: all of it, or the path stays as it was.

    A symbolic link is followed, and the permissions of a file that is replaced are kept.
    """
    check_target(target)
    if not isinstance(target, str | os.PathLike):
        # An unbuffered stream may take less than it is given.
        rest = memoryview(data)
        while rest:
            written = target.write(rest)
            if written is None and isinstance(target, io.RawIOBase):
                raise BlockingIOError("the file takes no data now")
            # Other files that say nothing have taken all.
            rest = rest[len(rest) if written is None else written :]
        return
    path = Path(os.path.realpath(target))
    try:
        mode: int | None = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        # A device or a pipe cannot be replaced.
        path.write_bytes(data)
        return
    temporary = path.with_name(f".kqf-{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
