"""The exceptions that kqf raises about files, and the warnings that it gives about them."""

import sys
import warnings
from types import FrameType

Box = tuple[int, int, int, int]

# Lost tiles, and runs of frames, that a message lists.
_LISTED = 6


class KqfError(Exception):
    """Root of every error that is about a file rather than about a caller's argument."""


class FormatError(KqfError, ValueError):
    """A file breaks a rule of the format.

    Arguments:
        chunk: type of the chunk at fault, or ``"file"`` for what lies outside any chunk.
        field: what was wrong in it, named as in the specification's tables.
        expected: what the specification allows there.
        found: what the file holds.
        message: the text of the error, where the four alone would say it badly.
    """

    def __init__(
        self, chunk: str, field: str, expected: object, found: object, message: str | None = None
    ) -> None:
        # All go to Exception so that the error survives pickling on its way out of a worker.
        super().__init__(chunk, field, expected, found, message)
        self.chunk = chunk
        self.field = field
        self.expected = expected
        self.found = found
        self.message = message

    def __str__(self) -> str:
        if self.message:
            return self.message
        return f"{self.chunk}: {self.field}: expected {self.expected}, found {self.found}"


class TruncatedError(FormatError):
    """The file ends before it should: the rest of it may be found elsewhere."""


class UnsupportedError(FormatError):
    """The file needs something that this version of kqf does not know: a newer one may read it."""


class LimitError(KqfError, ValueError):
    """A file exceeds a limit that the caller set; it need not break a rule of the format.

    Arguments:
        what: what there is too much of.
        limit: name of the argument that limits it.
        allowed: value of that argument.
        found: how much there is, or ``"more"``.
    """

    def __init__(self, what: str, limit: str, allowed: int, found: object) -> None:
        super().__init__(what, limit, allowed, found)
        self.what = what
        self.limit = limit
        self.allowed = allowed
        self.found = found

    def __str__(self) -> str:
        return f"{self.what}: expected at most {self.limit}={self.allowed}, found {self.found}"


class TargetError(KqfError, ValueError):
    """An image can't be stored as small, or as near to the original, as asked for."""


class DamageWarning(UserWarning):
    """A file is damaged, and its intact parts were read.

    Attributes:
        lost: (left, upper, right, lower) in pixels of each tile, or part of a tile, that could not
            be read.
        tiles: number of tiles that were to be read.
        notes: what else is damaged, in words.
        doubtful: (left, upper, right, lower) of the pixels that were read from a tile whose stream
            ends early, so that its checksum is missing; None if there are none.
        lost_frames: (first, last) numbers of frames of an animation in a row that could not be
            read: they repeat the one before.
        doubtful_frames: (first, last) of those that may have wrong pixels, as what they are painted
            on is lost in part.
    """

    def __init__(
        self,
        lost: tuple[Box, ...],
        tiles: int,
        notes: tuple[str, ...],
        doubtful: Box | None = None,
        lost_frames: tuple[tuple[int, int], ...] = (),
        doubtful_frames: tuple[tuple[int, int], ...] = (),
    ) -> None:
        super().__init__(lost, tiles, notes, doubtful, lost_frames, doubtful_frames)
        self.lost = lost
        self.tiles = tiles
        self.notes = notes
        self.doubtful = doubtful
        self.lost_frames = lost_frames
        self.doubtful_frames = doubtful_frames

    def __str__(self) -> str:
        texts = list(self.notes)
        if self.lost:
            boxes = ", ".join(map(str, self.lost[:_LISTED]))
            more = f" and {len(self.lost) - _LISTED} more" if len(self.lost) > _LISTED else ""
            part = ", one of them in part" if self.doubtful else ""
            texts.append(f"{len(self.lost)} of {self.tiles} tiles are lost{part}: {boxes}{more}")
        if self.doubtful:
            texts.append(f"{self.doubtful} was read without its checksum")
        if self.lost_frames:
            texts.append(f"lost, and shown as the one before: {_frames(self.lost_frames)}")
        if self.doubtful_frames:
            texts.append(f"perhaps wrong in part: {_frames(self.doubtful_frames)}")
        return "; ".join(texts)


def _frames(runs: tuple[tuple[int, int], ...]) -> str:
    """Return (first, last) numbers of frames in words."""
    texts = [f"{first}" if first == last else f"{first} to {last}" for first, last in runs]
    more = f" and {len(runs) - _LISTED} more runs" if len(runs) > _LISTED else ""
    is_one = len(runs) == 1 and runs[0][0] == runs[0][1]
    return f"frame{'' if is_one else 's'} {', '.join(texts[:_LISTED])}{more}"


def warn(warning: Warning) -> None:
    """Give a warning that names the line of the caller, outside of kqf and Pillow."""
    level = 1
    frame = sys._getframe()
    while (caller := frame.f_back) and _package_of(frame) in ("kqf", "PIL"):
        frame = caller
        level += 1
    warnings.warn(warning, stacklevel=level)


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
