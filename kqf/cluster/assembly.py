"""A file assembled from blocks, whose labels are kept in a temporary file meanwhile."""

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from kqf.cluster.blocks import BLOCK_PIXELS, Blocks
from kqf.encoding.drawn import DrawnLayout, copied_payload
from kqf.encoding.layout import (
    Layout,
    LayoutSettings,
    Ranking,
    best_ranking,
    count_pairs,
    cut,
    deflate_tiles,
    head_of,
)
from kqf.encoding.overviews import make_overviews, wants_overviews
from kqf.format import chunks, writer
from kqf.format.declarations import Predictor
from kqf.format.grid import slices_within
from kqf.format.header import Head
from kqf.format.streams import deflate, inflate
from kqf.io.files import Target, assembling, folder_of

# Pixels of the labels sent out at once: schedulers warn of graphs beyond 10 MB.
_SENT_PIXELS = 2**23
# Deflate level of labels in the temporary file.
_SPOOL_LEVEL = 1
# Labels of blocks kept in memory while overviews are made: boxes touch blocks several times where
# tiles are small.
_KEPT_LABELS = 2**26


@dataclass(frozen=True)
class _Labelled:
    """The labels of a block, deflated, and how often each follows each context."""

    stream: bytes
    shape: tuple[int, int]
    pairs: np.ndarray | None


@dataclass(frozen=True)
class CopiedLayout:
    """A way to store labels by predictor copy, which makes a file of version 2.

    Attributes:
        copied: codes to use, and whether new labels are ranks.
        tile: (width, height) in pixels; may exceed the image.
    """

    copied: DrawnLayout
    tile: tuple[int, int]
    predictor: Predictor = Predictor.COPY


def write_blocks(
    target: Target,
    blocks: Blocks,
    labels_of: Callable[[np.ndarray], np.ndarray],
    codebook: np.ndarray,
    layout: Layout | CopiedLayout,
    settings: LayoutSettings,
    metadata: Sequence[tuple[bytes, bytes]],
    asked: bool | None,
) -> None:
    """Label all blocks and write the file.

    Arguments:
        labels_of: returns the labels of a block's pixels; is sent to workers.
        layout: predictor and tiles of the file.
        metadata: types and payloads of chunks, from build_metadata.
        asked: whether there are to be overviews; None if the image's size is to tell.
    """
    from dask.base import compute
    from dask.delayed import delayed

    colors, channels = codebook.shape
    is_ranked = layout.predictor.is_ranked

    def label(pixels: np.ndarray) -> _Labelled:
        labels = labels_of(pixels)
        pairs = None
        if isinstance(layout, Layout) and is_ranked:
            pairs = count_pairs(labels, head_of(labels, codebook, layout), colors, 1)
        return _Labelled(deflate(labels, _SPOOL_LEVEL), labels.shape, pairs)

    head = Head(blocks.width, blocks.height, *layout.tile, channels, colors - 1, layout.predictor)
    copied = None
    if isinstance(layout, CopiedLayout):
        copied = layout.copied
        head = replace(head, version=2, ranked=copied.ranked)
    with assembling(target) as file, tempfile.TemporaryFile(dir=folder_of(target)) as spool:
        spooled: dict[int, tuple[int, int, tuple[int, int]]] = {}
        pairs = np.zeros((colors, colors), np.int64)
        for numbers, parts in blocks.each(label):
            for number, part in zip(numbers, parts, strict=True):
                spooled[number] = spool.tell(), len(part.stream), part.shape
                spool.write(part.stream)
                if part.pairs is not None:
                    pairs += part.pairs
        overviews: list[tuple[bytes, bytes]] = []
        if wants_overviews(asked, blocks.width, blocks.height):
            spooled_labels = _SpooledLabels(blocks, spool, spooled)
            size = sum(len(payload) for _, payload in metadata)
            overviews = make_overviews(
                blocks.width, blocks.height, codebook, spooled_labels.read, size
            )
        ranking = None
        if is_ranked:
            ranking = best_ranking(pairs, codebook, settings.effort.thresholds)

        def prologue(lengths: Sequence[int]) -> bytes:
            table = None if ranking is None else ranking.payload
            return writer.build_prologue(head, codebook, table, metadata, lengths)

        chunks_of_overviews = [chunks.build_chunk(*chunk) for chunk in overviews]

        # Its size does not depend on the lengths, which are known last.
        file.write(prologue([0] * head.tiles))
        file.writelines(chunks_of_overviews)
        lengths: list[int] = []
        shared = delayed((head, ranking, copied, codebook), traverse=False)
        do = delayed(deflate_block, pure=False)
        step = max(_SENT_PIXELS // BLOCK_PIXELS, 1)
        for first in range(0, len(blocks), step):
            tasks = []
            for number in range(first, min(first + step, len(blocks))):
                position, size, shape = spooled[number]
                spool.seek(position)
                tasks.append(do(shared, spool.read(size), shape, settings.effort.level))
            for streams in compute(*tasks):
                lengths += map(len, streams)
                file.writelines(map(writer.build_tile, streams))
        file.write(chunks.END)
        file.seek(0)
        file.write(prologue(lengths))


class _SpooledLabels:
    """The labels of blocks in a temporary file, read box by box.

    Arguments:
        places: offset, bytes and shape of each block's stream, by its number.
    """

    def __init__(
        self,
        blocks: Blocks,
        file: IO[bytes],
        places: dict[int, tuple[int, int, tuple[int, int]]],
    ) -> None:
        self._blocks = blocks
        self._file = file
        self._places = places
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._kept_bytes = 0

    def read(self, left: int, upper: int, right: int, lower: int) -> np.ndarray:
        """Return the labels (h, w) uint8 of a box."""
        labels = np.empty((lower - upper, right - left), np.uint8)
        for number in self._blocks.touched(left, upper, right, lower):
            rows, columns = self._blocks.box(number)
            box = columns.start, rows.start, columns.stop, rows.stop
            part = self._block(number)[slices_within(box, (left, upper, right, lower))]
            labels[slices_within((left, upper, right, lower), box)] = part
        return labels

    def _block(self, number: int) -> np.ndarray:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        position, size, shape = self._places[number]
        self._file.seek(position)
        labels = np.frombuffer(
            inflate(self._file.read(size), shape[0] * shape[1], "LABL"), np.uint8
        )
        # Where blocks are as large as the boxes that are read, none is needed again.
        self._kept[number] = labels.reshape(shape)
        self._kept_bytes += labels.size
        while self._kept_bytes > _KEPT_LABELS and len(self._kept) > 1:
            self._kept_bytes -= self._kept.popitem(last=False)[1].size
        return labels.reshape(shape)


def deflate_block(
    stored_as: tuple[Head, Ranking | None, DrawnLayout | None, np.ndarray],
    stream: bytes,
    shape: tuple[int, int],
    level: int,
) -> list[bytes]:
    """Return the payloads of the tiles of a block, as workers make them."""
    labels = np.frombuffer(inflate(stream, shape[0] * shape[1], "LABL"), np.uint8).reshape(shape)
    head, ranking, copied, codebook = stored_as
    head = replace(head, height=shape[0], width=shape[1])
    if copied is None:
        return list(deflate_tiles(labels, head, ranking, level, 1))
    return [copied_payload(tile, copied, codebook, level) for tile in cut(labels, head)]
