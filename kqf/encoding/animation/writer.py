"""The file of an animation, put together frame by frame."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from kqf.encoding.animation.deltas import Delta, delta_of
from kqf.encoding.animation.groups import InForce, encode_group
from kqf.encoding.drawn import smallest_trial
from kqf.encoding.layout import LayoutSettings
from kqf.encoding.settings import StorageSettings
from kqf.encoding.storage import smallest
from kqf.format import codebooks
from kqf.format.animation import Timing, build_animation, build_frame_index
from kqf.format.chunks import END, build_chunk, chunks_of
from kqf.format.declarations import Predictor
from kqf.format.frames import Whole, build_whole
from kqf.format.header import build_header, layout_of
from kqf.format.reader import ImageReader
from kqf.format.signature import SIGNATURE
from kqf.format.streams import deflate
from kqf.format.writer import build_codebook

# Changed pixels of a group: in longer ones deflate finds hardly more that repeats. Pixels of the
# boxes in which they lie, to bound memory.
_GROUP_PIXELS = 2**20
_GROUP_BOXES = 2**22
_GROUP_FRAMES = 2**12
# Pixels that may have to be decoded to reach a frame, at the most: some tenths of a second.
_SEEK_PIXELS = 2**24
# From this share of changed pixels on, a frame may take less when it is stored whole.
_MANY = 0.5
# A whole frame must be so much smaller: it forgets contexts and shapes.
_WORTHWHILE = 0.95
# How many frames are not tried after one that is better stored as changes, at the most.
_MOST_SKIPPED = 32
# At which codebooks are deflated.
_LEVEL = 12


class AnimationWriter:
    """Frames as labels, written one after another.

    Arguments:
        labels: (H, W) uint8 of the first frame. codebook: (K, C) uint8.
        settings: how to store them.
        groups: file to write groups to, which is emptied: they may take more than there is memory
            for.

    Attributes:
        frames: how many were added. channels: of codebooks.
        still: the file of the first frame alone.
    """

    def __init__(
        self,
        labels: np.ndarray,
        codebook: np.ndarray,
        settings: StorageSettings,
        groups: BinaryIO,
    ) -> None:
        self._settings = settings
        self._labels, self._in_force = labels.copy(), InForce(codebook)
        self._height, self._width = labels.shape
        self.channels = codebook.shape[1]
        data, reader, chunks = self._image(labels, codebook, settings.layout, settings.chunks)
        self._in_force.shapes = reader.shapes
        self.still, self._tiles = data, chunks.pop(b"LABL")
        chunks[b"HEAD"] = build_chunk(b"HEAD", build_header(replace(reader.head, version=2)))
        del chunks[b"DONE"]
        self._start = SIGNATURE + b"".join(chunks.values())
        # The tiles of whole frames are those of the first one.
        self._layout = replace(settings.layout, tile=reader.head.tile)
        self._groups = groups
        groups.seek(0)
        groups.truncate()
        self._whole: list[tuple[int, int]] = []
        self._codebook_chunk = b""
        self._deltas: list[Delta] = []
        self._first = 1
        self._pixels = self._boxes = self._pixels_to_seek = 0
        self._skipped = self._to_skip = 0
        self.frames = 1

    @property
    def _size(self) -> tuple[int, int]:
        return self._width, self._height

    def add(
        self,
        labels: np.ndarray,
        codebook: np.ndarray | None = None,
        predictor: Predictor | None = None,
    ) -> None:
        """Add a frame, (H, W) uint8, all of whose labels are right.

        Arguments:
            codebook: (K, C) uint8 from this frame on, None for the one in force.
            predictor: of a frame that was searched to be stored whole, None to choose.
        """
        if codebook is not None:
            self._add_whole(labels, codebook)
            return
        if predictor is not None:
            self._add_whole(labels, self._in_force.codebook, predictor)
            return
        changed = labels != self._labels
        delta = delta_of(labels, self._labels, changed)
        if self._is_better_whole(labels, delta):
            self._add_whole(labels, self._in_force.codebook)
            return
        self._add(delta)
        self._labels = labels.copy()

    def change_codebook(self, codebook: np.ndarray, *, goes_on: bool = False) -> None:
        """Let the labels of what is added from now on mean other colours.

        Arguments:
            goes_on: whether the frame that is added next goes on painting the one added last.
        """
        self._flush()
        if goes_on:
            self.frames -= 1
            self._first = self.frames
        packed = deflate(codebooks.build(codebook), _LEVEL)
        self._codebook_chunk = build_codebook(codebook, packed)
        self._in_force = InForce(codebook)

    def add_changes(
        self, labels: np.ndarray, before: np.ndarray, changed: np.ndarray, valid: np.ndarray
    ) -> None:
        """Add a frame of which some pixels alone have labels, after change_codebook.

        Arguments:
            labels: (H, W) uint8. before: (H, W) uint8, by which they may be ranked.
            changed: (H, W) bool, pixels to paint. valid: (H, W) bool, pixels with labels.
        """
        self._add(delta_of(labels, before, changed, valid))

    def finish(self, timing: Timing) -> tuple[bytes, bytes]:
        """Write what is left to be written, and return what stands before groups and after them."""
        self._flush()
        start = self._start + build_chunk(b"ANIM", build_animation(timing)) + self._tiles
        end = END
        if self._whole:
            offsets = [(number, len(start) + offset) for number, offset in self._whole]
            end = build_chunk(b"fidx", build_frame_index(offsets)) + END
        return start, end

    def size(self, timing: Timing) -> int:
        """Return how many bytes the file takes, once all frames were added."""
        if self.frames == 1:
            return len(self.still)
        return sum(map(len, self.finish(timing))) + self._groups.tell()

    def _add(self, delta: Delta) -> None:
        pixels, box = int(delta.changed.sum()), delta.labels.size
        if self._deltas and (
            self._pixels + pixels > _GROUP_PIXELS
            or self._boxes + box > _GROUP_BOXES
            or len(self._deltas) == _GROUP_FRAMES
        ):
            self._flush()
        self._deltas.append(delta)
        self._pixels += pixels
        self._boxes += box
        self._pixels_to_seek += pixels
        self.frames += 1

    def _flush(self) -> None:
        """Write the frames that wait."""
        if not self._deltas:
            return
        effort = self._settings.preset.layout
        group = encode_group(
            self._first,
            self._deltas,
            self._size,
            self._in_force,
            finds_shapes=effort.drawn,
            zopfli_bytes=effort.zopfli_bytes,
        )
        self._groups.write(self._codebook_chunk + group)
        self._codebook_chunk = b""
        self._deltas, self._pixels, self._boxes = [], 0, 0
        self._first = self.frames

    def _is_better_whole(self, labels: np.ndarray, delta: Delta) -> bool:
        """Tell whether a frame should be stored whole rather than as changes."""
        if self._pixels_to_seek + delta.labels.size > max(_SEEK_PIXELS, 8 * labels.size):
            return True
        if delta.changed.sum() < _MANY * labels.size:
            return False
        if self._skipped < self._to_skip:
            self._skipped += 1
            return False
        in_force = replace(self._in_force)
        changes = len(encode_group(self._first, [delta], self._size, in_force, finds_shapes=False))
        if smallest_trial(labels, self._in_force.codebook) < _WORTHWHILE * changes:
            self._skipped = self._to_skip = 0
            return True
        self._skipped, self._to_skip = 0, min(2 * self._to_skip + 1, _MOST_SKIPPED)
        return False

    def _add_whole(
        self, labels: np.ndarray, codebook: np.ndarray, predictor: Predictor | None = None
    ) -> None:
        self._flush()
        self._whole.append((self.frames, self._groups.tell()))
        layout = self._layout
        if predictor is not None:
            layout = replace(layout, predictors=[predictor])
        _, reader, chunks = self._image(labels, codebook, layout)
        whole = Whole(self.frames, layout_of(reader.head))
        chunks[b"FRAM"] = build_chunk(b"FRAM", build_whole(whole))
        for kind in (b"CODE", b"PCOD", b"RANK", b"SHAP", b"FRAM", b"LABL"):
            self._groups.write(chunks.get(kind, b""))
        self._in_force = InForce(codebook, reader.shapes)
        self._labels = labels.copy()
        self.frames += 1
        self._first, self._pixels_to_seek = self.frames, 0

    def _image(
        self,
        labels: np.ndarray,
        codebook: np.ndarray,
        layout: LayoutSettings,
        metadata: Sequence[tuple[bytes, bytes]] = (),
    ) -> tuple[bytes, ImageReader, dict[bytes, bytes]]:
        """Return an image's file, its reader, and the chunks in it by type."""
        data = smallest(labels, codebook, layout, metadata)
        reader = ImageReader(io.BytesIO(data), len(data))
        return data, reader, _chunks(data)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a file by type, those of one type together."""
    found: dict[bytes, bytes] = {}
    for kind, chunk in chunks_of(data):
        found[kind] = found.get(kind, b"") + chunk
    return found
