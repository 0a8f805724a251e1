"""Text about files and errors, safe to print on one line of a terminal."""

from typing import Any

# By the number of channels.
CHANNEL_NAMES = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}


def escape(text: object) -> str:
    """Return text for one line of a terminal: control characters as escapes.

    >>> escape("red\\x1b[31m")
    'red\\\\x1b[31m'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def reason(error: BaseException) -> str:
    """Return the text of an error, without the path that the operating system adds."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def how_to_install(extra: str) -> str:
    """Return how to install what an extra of KQF needs. KQF is on no package index yet.

    >>> how_to_install("ssim")
    "pip install '.[ssim]' in the clone of KQF"
    """
    return f"pip install '.[{extra}]' in the clone of KQF"


def describe(value: Any) -> str:
    """Name what a caller gave: type, and shape of an array."""
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and shape is not None:
        return f"{dtype} array of shape {shape}"
    return type(value).__name__
