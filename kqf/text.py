"""Text about files and errors, safe to print on one line of a terminal."""


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
