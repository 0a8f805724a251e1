"""The frames that can still be had of a damaged animation."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import numpy as np

from kqf.decoding.chunk_search import FoundChunk
from kqf.decoding.frames import MAX_WORK, FrameDecoder
from kqf.decoding.salvage import Salvager
from kqf.errors import DamageWarning, FormatError, KqfError
from kqf.format.animation import Timing
from kqf.format.chunks import CRC_SIZE, END, FRAME_SIZE, HEAD_SIZE, build_chunk, crc_of
from kqf.format.declarations import MAX_PIXELS, ChangesFields, FrameFields
from kqf.format.frame_reader import Group, parse_group_codebook
from kqf.format.frames import MAX_GROUP_FRAMES, Blocks, Changes, Whole, parse_frames
from kqf.format.header import build_header, with_layout
from kqf.format.signature import SIGNATURE

# Of frames whose times are lost.
_TICKS_PER_SECOND, _TICKS = 10, 1
_CODEBOOKS = (b"CODE", b"PCOD")
# A group of changes takes more bytes than this.
_LEAST_GROUP = FRAME_SIZE + FrameFields.sizeof() + ChangesFields.sizeof()


def salvage_frames(
    salvager: Salvager,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_work: int | None = MAX_WORK,
) -> tuple[FrameDecoder, DamageWarning | None]:
    """Return a decoder of all frames of an animation that may be damaged, and what is wrong.

    All of them are decoded once. The salvager gets the times of frames if it has none.

    Arguments:
        salvager: of the first frame. Others: those of FrameDecoder.

    Raises:
        FormatError: not even the first frame can be read. LimitError: the file exceeds a limit.
    """
    limits = threads, max_pixels, max_work
    broken = ""
    if salvager.strict is not None:
        decoder = FrameDecoder(salvager.strict, *limits)
        try:
            decoder.check()
        except FormatError as error:
            broken = str(error)
        else:
            return decoder, salvager.damage()
    groups = _SalvagedGroups(salvager)
    decoder = FrameDecoder(salvager, *limits, groups)
    decoder.check()
    if salvager.timing is None and groups.last_frame:
        durations = np.full(groups.last_frame + 1, _TICKS, np.uint32)
        salvager.timing = Timing(0, _TICKS_PER_SECOND, durations)
    return decoder, groups.damage(broken)


class _SalvagedGroups:
    """The groups of a damaged file, in place of those that a FrameReader finds.

    Lost frames come as a group in which nothing changes. A group of changes is painted if all that
    its labels refer to is known; what none of the intact groups changes is taken for unchanged.
    After a lost one, what it is painted on may be wrong, until the next whole frame.

    Arguments:
        salvager: of the first frame.

    Attributes:
        last_frame: number of the last frame read.
        whole: numbers of whole frames met so far, and where their groups are among the chunks.
    """

    def __init__(self, salvager: Salvager) -> None:
        self._salvager = salvager
        self._size = salvager.head.width, salvager.head.height
        self._chunks = list(_until_end(salvager))
        # Without ANIM, a number that is larger than the file allows for is none.
        self._most = salvager.timing.frames if salvager.timing else salvager.file_bytes
        self._changing = {chunk.kind for chunk in self._chunks}
        self._constant_codebook = self._same_codebook()
        self.whole: dict[int, int] = {}
        self._lost: list[tuple[int, int]] = []
        self._doubtful: list[tuple[int, int]] = []
        self._notes: list[str] = []
        self._is_reported = False
        self._begin(0, 0, 0)

    def _same_codebook(self) -> np.ndarray | None:
        """Return the codebook of the file, None if groups have others."""
        codebook = self._salvager.codebook
        for chunk in self._chunks:
            if chunk.kind in _CODEBOOKS and chunk.payload is not None:
                with suppress(FormatError):
                    found = {chunk.kind: chunk.payload}
                    other = parse_group_codebook(found, codebook.shape[1])
                    if other is None or not np.array_equal(other, codebook):
                        return None
        return codebook

    def _begin(self, index: int, offset: int, last_frame: int) -> None:
        """Go to a chunk before which nothing is lost that matters after it."""
        self._index, self._offset, self.last_frame = index, offset, last_frame
        # Of the codebook in force, None if it is lost; and what else is known that is in force.
        self._codebook: np.ndarray | None = None
        self._known = {b"RANK", b"SHAP"}
        # What groups whose FRAM is lost have put in force.
        self._carried: dict[bytes, bytes] = {}
        self._waiting: Group[Salvager] | None = None
        self._is_doubtful = False
        # The whole frame that is read before the next group.
        self._image: tuple[int, Salvager] | None = None

    def restart(self) -> None:
        """Go to the first group."""
        self._begin(0, self._salvager.after_tiles, 0)
        self._codebook, self._image = self._salvager.codebook, (0, self._salvager)

    def seek(self, frame: int, offset: int | None) -> None:
        """Go to the group of a whole frame that has been read before, to read it next."""
        index = self.whole[frame]
        self._begin(index, self._chunks[index].start, frame - 1)

    def read_index(self) -> dict[int, int]:
        """Return no whole frames: an index may be damaged, too."""
        return {}

    def lose(self, group: Group[Salvager], error: FormatError) -> None:
        """Take note that a group can't be painted."""
        self._note(str(error))
        self._add(self._lost, group.frames.first_frame, self.last_frame)
        self.whole.pop(group.frames.first_frame, None)
        self._forget()

    def lose_image(self, error: FormatError) -> None:
        """Take note that nothing of the first frame can be read.

        Raises:
            FormatError: there is no other frame either.
        """
        if not self._chunks or self._chunks[0].kind == b"DONE":
            raise error

    def damage(self, broken: str) -> DamageWarning:
        """Return what is wrong, once all groups were read.

        Arguments:
            broken: the rule that is broken, told if nothing else is.
        """
        self._is_reported = True
        image = self._salvager.damage()
        notes = (*(image.notes if image else ()), *self._notes)
        if not notes and not self._lost:
            notes = (broken,)
        return DamageWarning(
            image.lost if image else (),
            self._salvager.head.tiles,
            notes,
            image.doubtful if image else None,
            tuple(self._lost),
            tuple(self._doubtful),
        )

    def next(self) -> Group[Salvager] | None:
        """Return the next group; None at the end."""
        self._look_at_image()
        if self._waiting is None:
            self._waiting = self._found()
        group, following = self._waiting, self.last_frame + 1
        # At the end, all frames that there should be.
        first = self._end() if group is None else group.frames.first_frame
        if first > following or (group is not None and self._carried):
            self.last_frame = max(min(first, following + MAX_GROUP_FRAMES) - 1, self.last_frame)
            self._add(self._lost, following, self.last_frame)
            return self._unchanged(following)
        self._waiting = None
        if group is None:
            return None
        if group.image is not None:
            self.last_frame, self._is_doubtful = first, False
            self._image = first, group.image
        else:
            assert isinstance(group.frames, Changes)
            self.last_frame = first + len(group.frames) - 1
            if self._is_doubtful:
                self._add(self._doubtful, first, self.last_frame)
        return group

    def _end(self) -> int:
        timing = self._salvager.timing
        return timing.frames if timing else self.last_frame + 1

    def _look_at_image(self) -> None:
        """Doubt a whole frame if parts of it were lost when it was read."""
        if self._image is not None:
            number, salvager = self._image
            damage = salvager.damage()
            if damage and number:
                self._note(f"frame {number}: {damage}")
            if damage and (damage.lost or damage.doubtful):
                self._doubt(number)
            self._image = None

    def _unchanged(self, first: int) -> Group[Salvager]:
        """Return a group from a frame to the last one, in which nothing changes."""
        carried, self._carried = self._carried, {}
        count, nothing = self.last_frame + 1 - first, np.empty(0, np.uint8)
        blocks = Blocks(*self._size, 1)
        frames = Changes(first, blocks, False, [None] * count, [nothing] * count, nothing)
        return Group(
            parse_group_codebook(carried, self._salvager.head.channels),
            carried.get(b"RANK"),
            carried.get(b"SHAP"),
            frames,
            None,
        )

    def _found(self) -> Group[Salvager] | None:
        """Return the next group that can be painted, None if there is none."""
        found: dict[bytes, bytes] = {}
        start = self._index
        while self._index < len(self._chunks):
            chunk = self._chunks[self._index]
            if chunk.start != self._offset:
                self._forget()
                found = {}
            if not found:
                start = self._index
            self._index += 1
            self._offset = chunk.end
            kind, payload = chunk.kind, chunk.payload
            if kind == b"FRAM":
                group = None if payload is None else self._group(found, payload, start)
                if group is not None:
                    return group
                self._carry(found)
                found = {}
            elif kind in _CODEBOOKS:
                found = self._take_codebook(kind, payload)
            elif kind in (b"RANK", b"SHAP"):
                if payload is None:
                    self._known.discard(kind)
                else:
                    found[kind] = payload
                    if kind == b"RANK":
                        # It replaces a lost one, where shapes are only added to those.
                        self._known.add(kind)
            elif payload is None and kind != b"LABL":
                self._forget()
                found = {}
        is_ended = bool(self._chunks) and self._chunks[-1].kind == b"DONE"
        if not is_ended or self._salvager.file_bytes - self._offset > _LEAST_GROUP:
            self._forget()
        self._offset = self._salvager.file_bytes
        return None

    def _take_codebook(self, kind: bytes, payload: bytes | None) -> dict[bytes, bytes]:
        """Begin a group with a codebook, unless that is lost; return its chunks so far."""
        found = {} if payload is None else {kind: payload}
        self._forget(is_certain=payload is None)
        try:
            self._codebook = parse_group_codebook(found, self._salvager.head.channels)
        except FormatError as error:
            self._note(str(error))
            self._forget()
            return {}
        if found:
            self._known = {b"RANK", b"SHAP"}
        return found

    def _carry(self, found: dict[bytes, bytes]) -> None:
        """Keep in force what a group says whose frames are lost."""
        self._doubt(self.last_frame if found.keys() & set(_CODEBOOKS) else None)
        if b"SHAP" in self._carried and b"SHAP" in found:
            # The second shapes are numbered after the first ones.
            self._known.discard(b"SHAP")
        self._carried |= found

    def _group(
        self, found: dict[bytes, bytes], payload: bytes, start: int
    ) -> Group[Salvager] | None:
        """Return a group of its chunks, None if it can't be painted.

        Arguments:
            found: chunks before ``FRAM``. start: where they begin among all.
        """
        if self._codebook is None:
            return None
        try:
            frames = parse_frames(payload, self._size, len(self._codebook) - 1)
        except FormatError as error:
            self._note(str(error))
            return None
        has_codebook = bool(found.keys() & set(_CODEBOOKS))
        needed, last, image = set(), frames.first_frame, None
        least = self.last_frame + 1
        if isinstance(frames, Whole):
            needed = {b"RANK", b"SHAP"}
        else:
            last += len(frames) - 1
            least -= has_codebook
            needed |= {b"RANK"} if frames.is_ranked else set()
            needed |= {b"SHAP"} if any(map(len, frames.placements)) else set()
        if not needed <= self._known or not least <= frames.first_frame <= last < self._most:
            return None
        if isinstance(frames, Whole):
            image = self._whole(found, frames) if has_codebook else None
            if image is None:
                return None
            self.whole[frames.first_frame] = start
        own = self._codebook if has_codebook else None
        return Group(own, found.get(b"RANK"), found.get(b"SHAP"), frames, image)

    def _whole(self, found: dict[bytes, bytes], frames: Whole) -> Salvager | None:
        """Return the image of a whole frame, whose tiles come next, as a file of its own."""
        assert self._codebook is not None
        first = self._offset
        while self._index < len(self._chunks) and self._chunks[self._index].kind == b"LABL":
            self._offset = self._chunks[self._index].end
            self._index += 1
        more = self._chunks[self._index :]
        end = more[0].start if more else self._salvager.file_bytes
        head = replace(self._salvager.head, last_label=len(self._codebook) - 1, version=2)
        try:
            head = with_layout(head, frames.layout, "FRAM")
            chunks = {b"HEAD": build_header(head), **found}
            data = SIGNATURE + b"".join(build_chunk(*chunk) for chunk in chunks.items())
            data += self._salvager.search.bytes_at(first, end - first) + END
            return Salvager(BytesIO(data), len(data))
        except KqfError as error:
            self._note(str(error))
            return None

    def _forget(self, *, is_certain: bool = True) -> None:
        """Know nothing of what is in force, but for what is the same wherever it is known.

        Arguments:
            is_certain: whether something is lost; otherwise a new codebook comes.
        """
        self._codebook = self._constant_codebook
        self._known = {b"RANK", b"SHAP"} - self._changing
        self._carried = {}
        if is_certain:
            # It may have gone on painting the last frame.
            self._doubt(self.last_frame)

    def _doubt(self, frame: int | None) -> None:
        """Doubt all frames until the next whole one, and one that was read before."""
        self._is_doubtful = True
        if frame is not None:
            self._add(self._doubtful, frame, frame)

    def _add(self, runs: list[tuple[int, int]], first: int, last: int) -> None:
        """Take note of frames, which are not before those noted."""
        if self._is_reported or last < first:
            return
        if runs and first <= runs[-1][1] + 1:
            first = runs[-1][0]
            last = max(last, runs.pop()[1])
        runs.append((first, last))

    def _note(self, text: str) -> None:
        if not self._is_reported and text not in self._notes:
            self._notes.append(text)


def _until_end(salvager: Salvager) -> Iterator[FoundChunk]:
    """Yield the chunks of a file after the tiles of its image, also those whose heads are lost."""
    at = salvager.after_tiles
    while chunk := salvager.search.next_from(at):
        if chunk.start > at:
            between = salvager.search.bytes_at(at + HEAD_SIZE, chunk.start - at - HEAD_SIZE)
            payload, crc = between[:-CRC_SIZE], int.from_bytes(between[-CRC_SIZE:])
            for kind in (*_CODEBOOKS, b"RANK", b"SHAP", b"FRAM"):
                if crc_of(kind, payload) == crc:
                    yield FoundChunk(kind, payload, at, chunk.start)
        at = chunk.end
        yield chunk
        if chunk.kind == b"DONE":
            return
