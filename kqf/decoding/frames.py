"""The frames of an animation, painted one after another on a canvas."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from kqf.decoding.labels import Reader, read_labels
from kqf.errors import FormatError, LimitError
from kqf.format.declarations import MAX_PIXELS
from kqf.format.frame_reader import FrameReader, Group
from kqf.format.frames import Changes, most_shape_pixels, paint_frames
from kqf.format.header import Head
from kqf.format.prediction import read_table
from kqf.format.reader import ImageReader
from kqf.format.shapes import MAX_SHAPES, Shapes, joined_shapes, parse_shapes
from kqf.image import look_up, shaped
from kqf.reduction import nearest_entries

# The pixels of frames that may be decoded, as a multiple of those of a still.
_TIMES_A_STILL = 64
MAX_WORK = _TIMES_A_STILL * MAX_PIXELS
# What a frame with placements takes beside its pixels, and a shape in force that others join.
_WORK_OF_PLACEMENTS, _WORK_OF_SHAPE = 2**12, 2**4
# Up to this share of changed pixels, looking up theirs alone is faster.
_FEW = 0.3
# Colours of former codebooks from which on those are forgotten that no pixel shows.
_MANY_COLORS = 2**16
# Pixels worked on at once where colours are many.
_PIECE = 2**18
# In which the numbers of colours are stored.
_OCTETS = 4


class Canvas:
    """The pixels that are shown.

    Attributes:
        codebook: (K, C) uint8, the one in force.
    """

    def __init__(self, labels: np.ndarray, codebook: np.ndarray) -> None:
        self.codebook = codebook
        # The colours that pixels show, and their numbers: at first entries and labels.
        self._words, self._numbers = _words_of(codebook), labels
        # Of the first entry of the codebook in force.
        self._first = 0
        # The label nearest to each colour, -1 where nobody has asked; None if all are entries.
        self._nearest: np.ndarray | None = None
        # What was shown last, and the pixels that have changed since.
        self._shown: np.ndarray | None = None
        self._changed: list[np.ndarray] = []
        self._changes = 0

    @property
    def is_indexed(self) -> bool:
        """Whether all pixels have labels of ``codebook``."""
        return self._nearest is None

    @property
    def labels(self) -> np.ndarray:
        """The labels of pixels, (H, W) uint8, if ``is_indexed``."""
        return self._numbers

    @property
    def size(self) -> int:
        """How many pixels there are."""
        return self._numbers.size

    def change_codebook(self, codebook: np.ndarray) -> None:
        """Let labels mean other colours from now on; pixels keep theirs."""
        if self.is_indexed:
            self._numbers = self._numbers.astype(np.uint32)
        elif len(self._words) > max(_MANY_COLORS, self.size):
            self._forget_colors()
        self.codebook, self._first = codebook, len(self._words)
        self._nearest = np.full(self._first + len(codebook), -1, np.int16)
        self._nearest[self._first :] = np.arange(len(codebook))
        self._words = np.concatenate([self._words, _words_of(codebook)])

    def _forget_colors(self) -> None:
        numbers, is_shown = self._numbers.reshape(-1), np.zeros(len(self._words), np.bool_)
        pieces = [slice(first, first + _PIECE) for first in range(0, len(numbers), _PIECE)]
        for piece in pieces:
            is_shown[numbers[piece]] = True
        new = np.cumsum(is_shown, dtype=np.uint32) - np.uint32(1)
        for piece in pieces:
            numbers[piece] = new.take(numbers[piece])
        self._words = self._words[is_shown]

    def contexts(self, pixels: np.ndarray) -> np.ndarray:
        """Return the labels (n,) by which those of pixels (n,) indices are ranked."""
        numbers = self._numbers.reshape(-1).take(pixels)
        if self._nearest is None:
            return numbers
        labels = self._nearest.take(numbers)
        if labels.size and labels.min() < 0:
            is_asked = np.zeros(self._first, np.bool_)
            is_asked[numbers[labels < 0]] = True
            colors = _octets_of(self._words[: self._first][is_asked])
            self._nearest[: self._first][is_asked] = nearest_entries(
                colors[:, : self.codebook.shape[1]], self.codebook
            )
            labels = self._nearest.take(numbers)
        return labels

    def put(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Give pixels, (n,) indices, their labels (n,) uint8."""
        numbers = labels if self.is_indexed else labels + np.uint32(self._first)
        self._numbers.reshape(-1)[pixels] = numbers
        if self._shown is not None:
            self._changed.append(pixels)
            self._changes += len(pixels)
            if self._changes > _FEW * self.size:
                self._shown, self._changed, self._changes = None, [], 0

    def show(self, box: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """Return a copy of the pixels of some rows and columns, (h, w) or (h, w, C) uint8."""
        channels = self.codebook.shape[1]
        part = self._numbers[box]
        if part.size < self.size:
            return shaped(self._look_up(np.ascontiguousarray(part), channels), part.shape)
        return shaped(self._show_all(channels), part.shape).copy()

    def show_words(self) -> np.ndarray:
        """Return all pixels, not to be changed, (H, W, 4) uint8, 255 after the channels of RGB."""
        return self._show_all(_OCTETS).reshape(*self._numbers.shape, _OCTETS)

    def _show_all(self, octets: int) -> np.ndarray:
        """Return all pixels, (H * W, octets) uint8, of which few are looked up if few changed."""
        if self._shown is None or self._shown.shape[1] != octets:
            self._shown = self._look_up(self._numbers, octets)
        numbers = self._numbers.reshape(-1)
        for pixels in self._changed:
            words = self._words.take(numbers.take(pixels))
            if octets == _OCTETS:
                self._shown.view(np.uint32)[pixels, 0] = words
                continue
            # Much faster than all channels at once, and from contiguous memory.
            values = np.ascontiguousarray(_octets_of(words).T)
            for channel in range(octets):
                self._shown[:, channel][pixels] = values[channel]
        self._changed, self._changes = [], 0
        return self._shown

    def _look_up(self, numbers: np.ndarray, octets: int) -> np.ndarray:
        """Return the colours (n, octets) uint8 of numbers (H, W)."""
        if self.is_indexed and octets == self.codebook.shape[1]:
            return look_up(numbers, self.codebook).reshape(-1, octets)
        flat = numbers.reshape(-1)
        pixels = np.empty((flat.size, octets), np.uint8)
        for first in range(0, flat.size, _PIECE):
            words = self._words.take(flat[first : first + _PIECE])
            for channel, values in enumerate(_octets_of(words).T[:octets]):
                pixels[first : first + _PIECE, channel] = values
        return pixels


def _words_of(codebook: np.ndarray) -> np.ndarray:
    """Return each entry of a codebook (K, C) uint8 as one number, (K,) uint32."""
    octets = np.full((len(codebook), _OCTETS), 255, np.uint8)
    octets[:, : codebook.shape[1]] = codebook
    return octets.view(np.uint32)[:, 0]


def _octets_of(words: np.ndarray) -> np.ndarray:
    return words.view(np.uint8).reshape(-1, _OCTETS)


class Groups(Protocol):
    """The groups of an animation, as a FrameReader gives them."""

    last_frame: int
    whole: dict[int, int]

    def restart(self) -> None: ...

    def seek(self, frame: int, offset: int | None) -> None: ...

    def read_index(self) -> dict[int, int]: ...

    def next(self) -> Group[Any] | None: ...

    def lose(self, group: Group[Any], error: FormatError) -> None: ...

    def lose_image(self, error: FormatError) -> None: ...


class FrameDecoder:
    """The frames of one file, in their order, from the first or from any whole frame on.

    Arguments:
        reader: of the image, opened on the same file.
        threads: at most so many are used; None for one for each processor.
        max_pixels: pixels of the canvas; None for no limit.
        max_work: pixels and blocks of all frames that may be decoded; None for no limit.
        groups: of frames, in place of those that the reader finds.
        first: labels of the first frame (H, W) uint8, if they are known.

    Attributes:
        canvas: as the frame ``number`` shows it.
        number: of the last frame that was decoded.
    """

    def __init__(
        self,
        reader: Reader,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
        max_work: int | None = MAX_WORK,
        groups: Groups | None = None,
        first: np.ndarray | None = None,
    ) -> None:
        self._reader, self._threads = reader, threads
        self._max_pixels, self._max_work = max_pixels, max_work
        self._size = reader.head.width, reader.head.height
        if groups is None and isinstance(reader, ImageReader) and reader.timing:
            groups = FrameReader(reader)
        self._groups: Groups | None = groups
        self._index: dict[int, int] = self._groups.read_index() if self._groups else {}
        self._first = first
        self._frames = self._all()
        self.number = -1

    def decode(self, number: int) -> Canvas:
        """Return the canvas of a frame, to be read before the next call.

        Frames in between are decoded, unless there is a whole frame to begin with.

        Raises:
            FormatError: the file breaks a rule. LimitError: it exceeds a limit.
        """
        if number not in (self.number, self.number + 1):
            start = self._start(number)
            if number < self.number or (start or 0) > self.number + 1:
                self._frames = self._all(start)
                self.number = -1
        while self.number != number:
            try:
                self.number, self.canvas = next(self._frames)
            except BaseException:
                # A generator that failed has ended.
                self._frames, self.number = self._all(), -1
                raise
        return self.canvas

    def check(self) -> None:
        """Decode all frames for their errors alone."""
        for _ in self._all():
            pass

    def _start(self, number: int) -> int | None:
        """Return the last whole frame up to a frame, None for the image of the file."""
        known = self._index | (self._groups.whole if self._groups else {})
        return max((whole for whole in known if whole <= number), default=None)

    def _all(self, start: int | None = None) -> Iterator[tuple[int, Canvas]]:
        """Yield (number, canvas) of all frames from a whole one on, of the file's image for None.

        A frame is yielded once no group goes on painting it.
        """
        groups = self._groups
        self._work = 0
        if start is None:
            try:
                canvas, state = self._image(self._reader)
            except FormatError as error:
                if groups is None:
                    raise
                groups.lose_image(error)
                labels = np.zeros(self._size[::-1], np.uint8)
                canvas = Canvas(labels, self._reader.codebook)
                state = _State(self._reader.codebook, self._reader.shapes)
            if groups is None:
                yield 0, canvas
                return
            groups.restart()
        else:
            assert groups is not None
            groups.seek(start, self._index.get(start))
            group = groups.next()
            if group is None or group.image is None:
                raise FormatError("fidx", f"frame {start}", "a whole frame", "another")
            canvas, state = self._image(group.image)
        number = start or 0
        while (group := groups.next()) is not None:
            frames = group.frames
            if frames.first_frame != number:
                yield number, canvas
            if group.image is not None:
                try:
                    canvas, state = self._image(group.image)
                except FormatError as error:
                    groups.lose(group, error)
                number = frames.first_frame
                continue
            assert isinstance(frames, Changes)
            try:
                state = state.after(group, self._reader.head)
                if group.shapes is not None and state.shapes is not None:
                    self._count(len(state.shapes.labels) + _WORK_OF_SHAPE * len(state.shapes))
                if group.codebook is not None:
                    self._count(canvas.size)
                    canvas.change_codebook(group.codebook)
                for number in self._paint(canvas, frames, state):
                    if number < groups.last_frame:
                        yield number, canvas
            except FormatError as error:
                groups.lose(group, error)
                for lost in range(number + 1, groups.last_frame):
                    yield lost, canvas
                number = groups.last_frame
        yield number, canvas

    def _image(self, reader: Reader) -> "tuple[Canvas, _State]":
        self._count(reader.head.width * reader.head.height)
        labels = self._first if reader is self._reader else None
        if labels is None:
            labels = read_labels(reader, None, self._threads, self._max_pixels)
        else:
            self._first = None
        return Canvas(labels, reader.codebook), _State(reader.codebook, reader.shapes)

    def _count(self, work: int) -> None:
        self._work += work
        if self._max_work is not None and self._work > self._max_work:
            raise LimitError("pixels of all frames", "max_work", self._max_work, self._work)

    def _paint(self, canvas: Canvas, changes: Changes, state: "_State") -> Iterator[int]:
        """Paint frames, and yield the number of each when it is done."""
        self._count(changes.work)
        order = state.order.ravel() if changes.is_ranked else None
        colors = len(canvas.codebook)
        at = 0
        first = changes.first_frame
        painted = paint_frames(changes.placements, state.shapes, self._size, first)
        for number, bits in enumerate(changes.maps, first):
            for blocks in () if bits is None else changes.blocks.changed(bits):
                pixels = changes.blocks.pixels(blocks)
                labels = changes.labels[at : at + len(pixels)]
                at += len(pixels)
                if order is not None:
                    labels = order.take(canvas.contexts(pixels) * np.intp(colors) + labels)
                canvas.put(pixels, labels)
            if (placed := next(painted)) is not None:
                self._count(len(placed[0]) + _WORK_OF_PLACEMENTS)
                canvas.put(*placed)
            yield number


class _State:
    """What is in force for the groups of changes to come.

    Attributes:
        shapes: that they may place, None without any.
    """

    def __init__(
        self, codebook: np.ndarray, shapes: Shapes | None, ranking: bytes | None = None
    ) -> None:
        self._codebook, self.shapes, self._ranking = codebook, shapes, ranking
        self._order: np.ndarray | None = None

    @property
    def order(self) -> np.ndarray:
        """The ranking of each label before, (K, K) uint8."""
        if self._order is None:
            self._order = read_table(self._ranking, self._codebook)
        return self._order

    def after(self, group: Group[Any], head: Head) -> "_State":
        """Return what is in force from a group of changes on."""
        state = self
        if group.codebook is not None:
            state = _State(group.codebook, None)
        if group.ranking is not None:
            state = _State(state._codebook, state.shapes, group.ranking)
        if group.shapes is not None:
            known = state.shapes
            pixels = most_shape_pixels((head.width, head.height))
            pixels -= len(known.labels) if known else 0
            found = parse_shapes(group.shapes, len(state._codebook) - 1, pixels)
            shapes = joined_shapes(known, found) if known else found
            if len(shapes) > MAX_SHAPES:
                raise FormatError("SHAP", "shapes in force", f"at most {MAX_SHAPES}", len(shapes))
            order = state._order
            state = _State(state._codebook, shapes, state._ranking)
            state._order = order
        return state
