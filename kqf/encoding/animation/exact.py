"""Frames as labels without loss: of one codebook, or of as many as their colours take."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from kqf.encoding.animation.writer import AnimationWriter
from kqf.encoding.ordering import walk
from kqf.encoding.settings import StorageSettings
from kqf.format.declarations import MAX_COLORS
from kqf.quantization.histogram import pack, unpack
from kqf.reduction import nearest_entries

# Pixels of frames that wait for a codebook.
_WAITING_PIXELS = 2**22


class _Keys:
    """Colours as keys, and the label that each has.

    Arguments:
        keys: (K,) uint32, ascending. channels: of the colours.
    """

    def __init__(self, keys: np.ndarray, channels: int) -> None:
        colors = unpack(keys, channels)
        order = walk(colors)
        self.codebook = np.ascontiguousarray(colors[order])
        self._keys = keys
        self._labels = np.empty(len(keys), np.uint8)
        self._labels[order] = np.arange(len(keys))
        # The colour of label 0.
        self.first = keys[order[0]]

    def labels(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels of pixels (H, W) uint8, and which of them have one (H, W) bool."""
        found = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return self._labels[found], self._keys[found] == keys

    def painted(
        self, keys: np.ndarray, before: np.ndarray, changed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what AnimationWriter.add_changes takes of a frame.

        Arguments:
            keys, before: (H, W) uint32, colours of this frame and of the one before.
            changed: (H, W) bool.
        """
        labels, valid = self.labels(keys)
        contexts = labels.copy()
        shown, inverse = np.unique(before[changed], return_inverse=True)
        colors = unpack(shown, self.codebook.shape[1])
        contexts[changed] = nearest_entries(colors, self.codebook)[inverse]
        return labels, contexts, changed, valid


def distinct(frames: Iterable[np.ndarray], limit: int) -> np.ndarray | None:
    """Return the distinct colours of all frames as keys, ascending; None if there are more."""
    found = np.empty(0, np.uint32)
    before = None
    for frame in frames:
        keys = pack(frame)
        # Most pixels of most frames are those of the frame before.
        new = keys if before is None else keys[keys != before]
        found = np.union1d(found, new)
        if len(found) > limit:
            return None
        before = keys
    return found


def write_with_one_codebook(
    frames: Iterable[np.ndarray], keys: np.ndarray, settings: StorageSettings, groups: BinaryIO
) -> AnimationWriter:
    """Return a writer of frames (H, W, C) uint8 whose colours are ``keys``, all written."""
    pending = iter(frames)
    first = next(pending)
    table = _Keys(keys, first.shape[2])
    labels, _ = table.labels(pack(first))
    writer = AnimationWriter(labels, table.codebook, settings, groups)
    for frame in pending:
        labels, _ = table.labels(pack(frame))
        writer.add(labels)
    return writer


def write_with_codebooks(
    frames: Iterable[np.ndarray], settings: StorageSettings, groups: BinaryIO
) -> AnimationWriter:
    """Return a writer of frames (H, W, C) uint8 of any colours, all written.

    Frames that follow one another share a codebook as long as their changes have at most 256
    colours. A frame whose changes have more is painted in parts.
    """
    pending = iter(frames)
    first = next(pending)
    channels = first.shape[2]
    canvas = pack(first)
    keys, counts = np.unique(canvas, return_counts=True)
    # The most frequent colours, so that a program that shows the image alone shows most of it.
    kept = np.sort(keys[np.argsort(-counts, kind="stable")[:MAX_COLORS]])
    table = _Keys(kept, channels)
    labels, painted = table.labels(canvas)
    writer = AnimationWriter(labels, table.codebook, settings, groups)
    _paint_rest(writer, canvas, np.where(painted, canvas, table.first), ~painted)
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    union = np.empty(0, np.uint32)

    def flush() -> None:
        if not len(union):
            # Nothing changes, which no codebook is needed for.
            for _, _, changed in waiting:
                none = np.zeros(changed.shape, np.uint8)
                writer.add_changes(none, none, changed, changed)
        elif waiting:
            table = _Keys(union, channels)
            writer.change_codebook(table.codebook)
            for one in waiting:
                writer.add_changes(*table.painted(*one))
        waiting.clear()

    for frame in pending:
        keys = pack(frame)
        changed = keys != canvas
        colors = np.unique(keys[changed])
        both = np.union1d(union, colors)
        if len(both) > MAX_COLORS or (len(waiting) + 1) * keys.size > _WAITING_PIXELS:
            flush()
            both = colors
        if len(colors) > MAX_COLORS:
            part = np.isin(keys, colors[:MAX_COLORS])
            table = _Keys(colors[:MAX_COLORS], channels)
            writer.change_codebook(table.codebook)
            writer.add_changes(*table.painted(keys, canvas, changed & part))
            _paint_rest(writer, keys, canvas, changed & ~part)
            both = np.empty(0, np.uint32)
        else:
            waiting.append((keys, canvas, changed))
        union, canvas = both, keys
    flush()
    return writer


def _paint_rest(
    writer: AnimationWriter, keys: np.ndarray, before: np.ndarray, changed: np.ndarray
) -> None:
    """Go on painting a frame until all of its changed pixels are."""
    channels = writer.channels
    for colors in _parts(np.unique(keys[changed])):
        table = _Keys(colors, channels)
        writer.change_codebook(table.codebook, goes_on=True)
        writer.add_changes(*table.painted(keys, before, changed & np.isin(keys, colors)))


def _parts(colors: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(colors), MAX_COLORS):
        yield colors[first : first + MAX_COLORS]
