"""The exceptions that kqf raises about files."""


class KqfError(Exception):
    """Root of every error that is about a file rather than about a caller's argument."""


class FormatError(KqfError, ValueError):
    """A file breaks a rule of the format.

    Arguments:
        chunk: type of the chunk at fault, or ``"file"`` for what lies outside any chunk.
        field: what was wrong in it, named as in the specification's tables.
        expected: what the specification allows there.
        found: what the file holds.
    """

    def __init__(self, chunk: str, field: str, expected: object, found: object) -> None:
        # All four go to Exception so that the error survives pickling on its way out of a worker.
        super().__init__(chunk, field, expected, found)
        self.chunk = chunk
        self.field = field
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.chunk}: {self.field}: expected {self.expected}, found {self.found}"


class TruncatedError(FormatError):
    """The file ends before it should: more data might mend it."""


class UnsupportedError(FormatError):
    """The file asks for something that this version does not know: a newer one might read it."""


class LimitError(FormatError):
    """The file is larger than the caller allows: a higher limit might admit it."""


class TargetError(KqfError, ValueError):
    """An image can't be stored as small, or as near to the original, as asked for."""
