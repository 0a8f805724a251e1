"""The groups of frames that follow the image of an animation, read one after another."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from kqf.errors import FormatError
from kqf.format.animation import parse_frame_index
from kqf.format.chunks import CRC_SIZE, FRAME_SIZE
from kqf.format.codebooks import parse as parse_codebook
from kqf.format.declarations import MAX_COLORS
from kqf.format.frames import Changes, Whole, parse_frames
from kqf.format.header import with_layout
from kqf.format.reader import ImageReader, check_ranking_length
from kqf.format.streams import inflate

# What stands in a group before its FRAM, in this order.
_ORDER = (b"CODE", b"PCOD", b"RANK", b"SHAP", b"FRAM")
_END_OF_INDEX = 4


Image = TypeVar("Image")


@dataclass(frozen=True)
class Group(Generic[Image]):
    """What one group says.

    Attributes:
        codebook: (K, C) uint8 from here on, None for the one in force.
        ranking: the zlib stream of its ``RANK``, None without one.
        shapes: the payload of its ``SHAP``, None without one.
        frames: what its ``FRAM`` says.
        image: of a whole frame, None for changes.
    """

    codebook: np.ndarray | None
    ranking: bytes | None
    shapes: bytes | None
    frames: Changes | Whole
    image: Image | None


class FrameReader:
    """The groups of one file, from the first or from a whole frame on.

    Arguments:
        reader: of the image, opened on the same file.

    Attributes:
        last_frame: number of the last frame read.
        whole: numbers of whole frames met so far and offsets of their groups.
    """

    def __init__(self, reader: ImageReader) -> None:
        self._reader = reader
        assert reader.timing is not None
        self._size, self._frames = (reader.head.width, reader.head.height), reader.timing.frames
        self.whole: dict[int, int] = {}
        self.restart()

    def seek(self, frame: int, offset: int | None) -> None:
        """Go to the group of a whole frame, to read it next.

        Arguments:
            offset: of the group in bytes; None for one that has been read before.

        Raises:
            TruncatedError: the file ends before it.
        """
        at = self.whole[frame] if offset is None else offset
        if at > self._chunks.size:
            raise self._chunks.truncated("fidx", "offset", f"{at} bytes", self._chunks.size)
        self._chunks.seek(at)
        self.last_frame, self._is_walked = frame - 1, False

    def restart(self) -> None:
        """Go to the first group."""
        self._chunks = self._reader.chunks_after_tiles()
        self._colors = self._reader.head.colors
        self.last_frame, self._is_walked = 0, True

    def lose(self, group: Group[ImageReader], error: FormatError) -> None:
        """Take note that a group can't be painted, which is an error here."""
        raise error

    def lose_image(self, error: FormatError) -> None:
        """Take note that the first frame can't be read, which is an error here."""
        raise error

    def read_index(self) -> dict[int, int]:
        """Return what ``fidx`` says, empty without one; the next group to be read stays the same.

        Nothing that it says may be believed before the group that it names is read.
        """
        chunks, here = self._chunks, self._chunks.offset
        end = chunks.size - FRAME_SIZE
        try:
            chunks.seek(max(end - CRC_SIZE - _END_OF_INDEX, here))
            length = int.from_bytes(chunks.read(_END_OF_INDEX, "fidx", "payload_length"))
            chunks.seek(max(end - length - FRAME_SIZE, here))
            kind, found = chunks.read_head()
            if kind == b"fidx" and found == length:
                return dict(parse_frame_index(chunks.read_body(kind, length)))
        except FormatError:
            # What looks like an index need not be one, and files do without.
            pass
        finally:
            chunks.seek(here)
        return {}

    def goes_on(self) -> bool:
        """Tell whether the first group goes on painting the image, of which nothing is read."""
        chunks, here = self._chunks, self._chunks.offset
        try:
            kind, length = chunks.read_head()
            is_new = kind in (b"CODE", b"PCOD")
            while is_new and kind in _ORDER[:-1]:
                chunks.skip_body(kind, length)
                kind, length = chunks.read_head()
            return is_new and kind == b"FRAM" and not any(chunks.read(4, "FRAM", "first_frame"))
        except FormatError:
            # What is wrong is said when the group is read.
            return False
        finally:
            chunks.seek(here)

    def next(self) -> Group[ImageReader] | None:
        """Return the next group; None at the end of the file, once all frames are there.

        The tiles of a whole frame must be read before the next group is.

        Raises:
            FormatError: a group breaks a rule.
        """
        chunks = self._chunks
        offset = chunks.offset
        found: dict[bytes, bytes] = {}
        at = 0
        while True:
            kind, length = chunks.read_head()
            if kind in (b"fidx", b"DONE") and not found:
                self._finish(kind, length)
                return None
            self._reader.refuse_unknown(kind)
            if kind not in _ORDER[at:] or (kind == b"PCOD" and b"CODE" in found):
                expected = "a group of frames, fidx or DONE"
                raise FormatError("file", "chunk order", expected, kind.decode())
            at = _ORDER.index(kind) + 1
            if kind == b"RANK":
                check_ranking_length(length, MAX_COLORS)
            elif kind in (b"CODE", b"PCOD") and length > 2 * MAX_COLORS * 4:
                raise FormatError(kind.decode(), "length", f"at most {8 * MAX_COLORS}", length)
            found[kind] = chunks.read_body(kind, length)
            if kind == b"FRAM":
                return self._group(offset, found)

    def _group(self, offset: int, found: dict[bytes, bytes]) -> Group[ImageReader]:
        codebook = parse_group_codebook(found, self._reader.head.channels)
        colors = self._colors if codebook is None else len(codebook)
        frames = parse_frames(found[b"FRAM"], self._size, colors - 1)
        self._check_numbers(frames, codebook)
        self._colors = colors
        image = None
        if isinstance(frames, Whole):
            if codebook is None:
                raise FormatError("FRAM", "codebook of a whole frame", "CODE or PCOD", "none")
            self.whole[frames.first_frame] = offset
            head = replace(self._reader.head, last_label=colors - 1)
            head = with_layout(head, frames.layout, "FRAM")
            image = self._reader.whole_frame(head, codebook, found, self._chunks)
        elif b"RANK" in found and not frames.is_ranked:
            raise FormatError("RANK", "count", "0 without ranked", 1)
        return Group(codebook, found.get(b"RANK"), found.get(b"SHAP"), frames, image)

    def _check_numbers(self, frames: Changes | Whole, codebook: np.ndarray | None) -> None:
        number, following = frames.first_frame, self.last_frame + 1
        goes_on = codebook is not None and isinstance(frames, Changes)
        if number != following and not (goes_on and number == self.last_frame):
            raise FormatError("FRAM", "first_frame", following, number)
        last = number + (len(frames) if isinstance(frames, Changes) else 1) - 1
        if last >= self._frames:
            raise FormatError("FRAM", "last frame", f"at most {self._frames - 1}", last)
        self.last_frame = last

    def _finish(self, kind: bytes, length: int) -> None:
        if self.last_frame + 1 < self._frames:
            raise FormatError("file", "frames", self._frames, self.last_frame + 1)
        if kind == b"fidx":
            listed = parse_frame_index(self._chunks.read_body(kind, length))
            if self._is_walked and listed != sorted(self.whole.items()):
                raise FormatError("fidx", "whole frames", sorted(self.whole.items()), listed)
            kind, length = self._chunks.read_head()
        if kind != b"DONE":
            raise FormatError("file", "chunk order", "DONE", kind.decode())
        self._reader.finish_with(self._chunks, length)


def parse_group_codebook(found: dict[bytes, bytes], channels: int) -> np.ndarray | None:
    """Return the codebook (K, channels) uint8 among the chunks of a group, None if it has none.

    Raises:
        FormatError: it breaks a rule.
    """
    kind = next((kind for kind in (b"CODE", b"PCOD") if kind in found), None)
    if kind is None:
        return None
    entries = found[kind]
    if kind == b"PCOD":
        entries = inflate(entries, MAX_COLORS * channels, "PCOD")
    colors = len(entries) // channels
    if not 1 <= colors <= MAX_COLORS or len(entries) != colors * channels:
        expected = f"1 to {MAX_COLORS} entries of {channels} bytes"
        raise FormatError(kind.decode(), "length", expected, len(entries))
    return parse_codebook(kind, entries, colors, channels)
