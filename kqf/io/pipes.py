"""Stdin and stdout, as the file named ``-``, beside files of other names."""

import sys

from kqf.io.files import write_whole
from kqf.io.paths import read, write
from kqf.text import reason

PIPE = "-"


def read_input(name: str) -> bytes:
    """Return the bytes of a file, of a URL that fsspec knows, or of stdin."""
    if name != PIPE:
        return read(name)
    if sys.stdin is None:
        raise ValueError("stdin is closed")
    return sys.stdin.buffer.read()


def write_output(
    name: str, data: bytes, *, mode: int | None = None, exclusive: bool = False
) -> None:
    """Write a file whole, or to stdout. Arguments: those of ``kqf.io.files.write_whole``.

    Raises:
        ValueError: it cannot be written. BrokenPipeError: nobody reads stdout any more.
    """
    try:
        if name != PIPE:
            write(name, data, mode=mode, exclusive=exclusive)
            return
        write_whole(sys.stdout.buffer, data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ValueError(f"cannot write {name}: {reason(error)}") from error
