"""A file assembled from blocks, whose labels are kept in a temporary file meanwhile."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kqf.cluster.blocks import BLOCK_PIXELS, Blocks
from kqf.encoding.layout import (
    Layout,
    LayoutSettings,
    Ranking,
    best_ranking,
    count_pairs,
    deflate_tiles,
    head_of,
)
from kqf.format import chunks, writer
from kqf.format.header import Head
from kqf.format.streams import deflate, inflate
from kqf.io.files import Target, assembling, folder_of

# Pixels of the labels sent out at once: schedulers warn of graphs beyond 10 MB.
_SENT_PIXELS = 2**23
# Deflate level of labels in the temporary file.
_SPOOL_LEVEL = 1


@dataclass(frozen=True)
class _Labelled:
    """The labels of a block, deflated, and how often each follows each context."""

    stream: bytes
    shape: tuple[int, int]
    pairs: np.ndarray | None


def write_blocks(
    target: Target,
    blocks: Blocks,
    labels_of: Callable[[np.ndarray], np.ndarray],
    codebook: np.ndarray,
    layout: Layout,
    settings: LayoutSettings,
    metadata: Sequence[tuple[bytes, bytes]],
) -> None:
    """Label all blocks and write the file.

    Arguments:
        labels_of: returns the labels of a block's pixels; is sent to workers.
        layout: predictor and tiles of the file.
        metadata: types and payloads of chunks, from build_metadata.
    """
    from dask.base import compute
    from dask.delayed import delayed

    colors, channels = codebook.shape

    def label(pixels: np.ndarray) -> _Labelled:
        labels = labels_of(pixels)
        head = head_of(labels, codebook, layout)
        pairs = count_pairs(labels, head, colors, 1) if layout.predictor else None
        return _Labelled(deflate(labels, _SPOOL_LEVEL), labels.shape, pairs)

    head = Head(blocks.width, blocks.height, *layout.tile, channels, colors - 1, layout.predictor)
    with assembling(target) as file, tempfile.TemporaryFile(dir=folder_of(target)) as spool:
        spooled: dict[int, tuple[int, int, tuple[int, int]]] = {}
        pairs = np.zeros((colors, colors), np.int64)
        for numbers, parts in blocks.each(label):
            for number, part in zip(numbers, parts, strict=True):
                spooled[number] = spool.tell(), len(part.stream), part.shape
                spool.write(part.stream)
                if part.pairs is not None:
                    pairs += part.pairs
        ranking = None
        if layout.predictor:
            ranking = best_ranking(pairs, codebook, settings.effort.thresholds)

        def prologue(lengths: Sequence[int]) -> bytes:
            table = None if ranking is None else ranking.payload
            return writer.build_prologue(head, codebook, table, metadata, lengths)

        # Its size does not depend on the lengths, which are known last.
        file.write(prologue([0] * head.tiles))
        lengths: list[int] = []
        shared = delayed((head, ranking), traverse=False)
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


def deflate_block(
    stored_as: tuple[Head, Ranking | None], stream: bytes, shape: tuple[int, int], level: int
) -> list[bytes]:
    labels = np.frombuffer(inflate(stream, shape[0] * shape[1], "LABL"), np.uint8).reshape(shape)
    head, ranking = stored_as
    return deflate_tiles(labels, replace(head, height=shape[0], width=shape[1]), ranking, level, 1)
