"""The frames of an animation, painted one after another on a canvas."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from kqf.decoding.labels import Reader, read_labels
from kqf.errors import FormatError, LimitError
from kqf.format.declarations import MAX_PIXELS
from kqf.format.frame_reader import FrameReader, Group
from kqf.format.frames import Changes, most_shape_pixels, paint_frame
from kqf.format.header import Head
from kqf.format.prediction import nearest_entries, read_table
from kqf.format.reader import ImageReader
from kqf.format.shapes import MAX_SHAPES, Shapes, joined_shapes, parse_shapes
from kqf.image import look_up, shaped

# The pixels of frames that may be decoded, as a multiple of those of a still.
_TIMES_A_STILL = 64
MAX_WORK = _TIMES_A_STILL * MAX_PIXELS
# What a frame with placements takes beside its pixels, and a shape in force that others join.
_WORK_OF_PLACEMENTS, _WORK_OF_SHAPE = 2**12, 2**4
# Up to this share of changed pixels, looking up theirs alone is faster.
_FEW = 0.1


class Canvas:
    """The pixels that are shown.

    Attributes:
        labels: (H, W) uint8 of pixels that have one.
        codebook: (K, C) uint8, the one in force.
        is_indexed: whether all pixels have their colours from ``codebook`` by ``labels``.
    """

    def __init__(self, labels: np.ndarray, codebook: np.ndarray) -> None:
        self.labels, self.codebook = labels, codebook
        self._words = _words_of(codebook)
        # Where labels alone do not say them: the colour of each pixel as one number, (H * W,).
        self._colors: np.ndarray | None = None
        # The pixels without a label of the codebook in force.
        self._stale: np.ndarray | None = None
        # What was shown last, and the pixels that have changed since.
        self._shown: np.ndarray | None = None
        self._changed: list[np.ndarray] = []
        self._changes = 0

    @property
    def is_indexed(self) -> bool:
        return self._colors is None

    def change_codebook(self, codebook: np.ndarray) -> None:
        """Let labels mean other colours from now on; pixels keep theirs."""
        if self._colors is None:
            self._colors = self._words.take(self.labels.reshape(-1))
            self._forget_shown()
        self.codebook = codebook
        self._words = _words_of(codebook)
        self._stale = np.ones(self.labels.size, np.bool_)

    def contexts(self, pixels: np.ndarray) -> np.ndarray:
        """Return the labels (n,) uint8 by which those of pixels (n,) indices are ranked."""
        labels = self.labels.reshape(-1).take(pixels)
        if self._stale is not None and self._colors is not None:
            stale = np.flatnonzero(self._stale[pixels])
            # Few colours are shown by many pixels.
            words = self._colors.take(pixels.take(stale))
            keys = np.unique(words)
            colors = keys.view(np.uint8).reshape(-1, 4)[:, : self.codebook.shape[1]]
            # Faster than the inverse of unique, which sorts indices.
            found = nearest_entries(colors, self.codebook)
            labels[stale] = found.take(np.searchsorted(keys, words))
        return labels

    def put(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """Give pixels, (n,) indices, their labels (n,) uint8."""
        self.labels.reshape(-1)[pixels] = labels
        if self._stale is not None:
            self._stale[pixels] = False
        if self._colors is not None:
            self._colors[pixels] = self._words.take(labels)
        elif self._shown is not None:
            self._changed.append(pixels)
            self._changes += len(pixels)
            if self._changes > _FEW * self.labels.size:
                self._forget_shown()

    def show(self, box: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """Return a copy of the pixels of some rows and columns, (h, w) or (h, w, C) uint8."""
        if self._colors is None:
            part = self.labels[box]
            if part.size < self.labels.size:
                return look_up(np.ascontiguousarray(part), self.codebook)
            return self._show_all()
        part = np.ascontiguousarray(self._colors.reshape(self.labels.shape)[box])
        octets = part.view(np.uint8).reshape(-1, 4)
        pixels = np.empty((part.size, self.codebook.shape[1]), np.uint8)
        # Much faster than all channels at once.
        for channel in range(pixels.shape[1]):
            pixels[:, channel] = octets[:, channel]
        return shaped(pixels, part.shape)

    def _show_all(self) -> np.ndarray:
        """Return a copy of all pixels, of which only those that have changed are looked up."""
        flat = self.labels.reshape(-1)
        if self._shown is None:
            self._shown = look_up(self.labels, self.codebook).reshape(flat.size, -1)
        for pixels in self._changed:
            self._shown[pixels] = self.codebook[flat[pixels]]
        self._changed, self._changes = [], 0
        return shaped(self._shown, self.labels.shape).copy()

    def _forget_shown(self) -> None:
        self._shown, self._changed, self._changes = None, [], 0


def _words_of(codebook: np.ndarray) -> np.ndarray:
    """Return each entry of a codebook (K, C) uint8 as one number, (K,) uint32."""
    octets = np.zeros((len(codebook), 4), np.uint8)
    octets[:, : codebook.shape[1]] = codebook
    return octets.view(np.uint32)[:, 0]


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
    ) -> None:
        self._reader, self._threads = reader, threads
        self._max_pixels, self._max_work = max_pixels, max_work
        self._size = reader.head.width, reader.head.height
        if groups is None and isinstance(reader, ImageReader) and reader.timing:
            groups = FrameReader(reader)
        self._groups: Groups | None = groups
        self._index: dict[int, int] = self._groups.read_index() if self._groups else {}
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
                    self._count(canvas.labels.size)
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
        labels = read_labels(reader, None, self._threads, self._max_pixels)
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
        frames = zip(changes.maps, changes.placements, strict=True)
        for number, (bits, placements) in enumerate(frames, changes.first_frame):
            for blocks in () if bits is None else changes.blocks.changed(bits):
                pixels = changes.blocks.pixels(blocks)
                labels = changes.labels[at : at + len(pixels)]
                at += len(pixels)
                if order is not None:
                    labels = order.take(canvas.contexts(pixels) * np.intp(colors) + labels)
                canvas.put(pixels, labels)
            if placements.size:
                pixels, labels = paint_frame(placements, state.shapes, self._size, number)
                self._count(len(pixels) + _WORK_OF_PLACEMENTS)
                canvas.put(pixels, labels)
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
