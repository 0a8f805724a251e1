"""Images larger than memory, encoded block by block by whichever scheduler dask has.

Three passes: colours are counted; each pixel gets its label, and what follows what is counted; the
labels, kept in a temporary file, are ranked and deflated. Blocks are whole tiles, so the file does
not depend on chunks, scheduler or number of workers.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from kqf.encoding.layout import (
    Layout,
    count_pairs,
    deflate_tiles,
    layout_of,
    rank_choices,
    trial_size,
)
from kqf.encoding.options import (
    DEFAULT_EFFORT,
    DEFAULT_LEARNER,
    Colors,
    Options,
    Storage,
    Tile,
    as_pixels,
)
from kqf.encoding.quantizer import Plan, learn_codebook, plan_search
from kqf.encoding.rate_distortion import lengths_of, search_tiles, to_costs
from kqf.encoding.together import without_hidden
from kqf.format import chunks, writer
from kqf.format.declarations import MAX_COLORS, MAX_SIDE
from kqf.format.header import Head
from kqf.format.streams import deflate, inflate
from kqf.image import check_codebook
from kqf.io.files import Target, assembling, check_target, folder_of
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import count, pack, spread
from kqf.quantization.nearest import assign, ban, nearest_few, squared_error
from kqf.quantization.tally import Tally, merge

if TYPE_CHECKING:
    from dask.array import Array

# Width and height of tiles: small enough that a region touches few pixels around it.
_TILE = (256, 1024)
# Pixels of a block, of the blocks under way at once, and of labels sent out at once: schedulers
# warn of graphs beyond 10 MB.
_BLOCK = 2**20
_BATCH = 2**25
_SENT = 2**23
# Tiles by which predictor and search are chosen.
_SAMPLE = 16
# Deflate level of labels on their way through the temporary file.
_SPOOL_LEVEL = 1


def encode_dask(
    array: "Array",
    path_or_file: Target,
    *,
    colors: int = MAX_COLORS,
    metric: str = "mse",
    quality: int | None = None,
    palette: np.ndarray | None = None,
    learner: str = DEFAULT_LEARNER,
    keep: Colors | None = None,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Encode an image of any size and write the file, in bounded memory.

    Dask's scheduler does the work: its threads, or the cluster of a ``distributed.Client``. The
    same pixels and arguments give the same bytes with any scheduler and chunks, but others than
    ``kqf.encode`` gives: predictor and search are chosen by a sample of the tiles.

    Arguments:
        array: dask array, dtype and shape as ``kqf.encode`` has them.
        path_or_file: path or open binary file.
        tile: (width, height) of tiles in pixels, an int for square ones; None for 256 x 1024.
        others, errors: as of ``kqf.encode``. ImportError: dask is not installed.
    """
    options = Options(
        colors=colors,
        metric=metric,
        quality=quality,
        palette=palette,
        learner=learner,
        keep=keep,
        predictor=predictor,
        tile=tile,
        effort=effort,
        seed=seed,
        metadata=metadata,
    )
    check_target(path_or_file)
    blocks = _Blocks(array, options.tile_size, (np.uint8, np.bool_))
    channels = 1 if array.ndim == 2 else array.shape[2]
    given = None if options.palette is None else options.palette_for(channels)
    options.keep_for(channels)
    histogram = _count(blocks).histogram()
    alone = len(histogram.colors) <= options.colors
    if not alone:
        histogram = without_hidden(histogram)
    codebook = learn_codebook(histogram, options) if given is None else given
    found = assign(histogram.colors, codebook, options.metric)
    labelling = _Labelling(codebook, options.metric, hides=not alone)
    sample = blocks.sample()
    labels = labelling(sample)
    head = blocks.head(labels, codebook, options)
    if options.highest < 100 and not np.array_equal(codebook[found], histogram.colors):
        points, codewords = to_points(histogram.colors, metric), to_points(codebook, metric)
        error = squared_error(points, codewords, found, histogram.counts)
        plan = plan_search(error / int(histogram.counts.sum()), options.highest, options)
        labelling = _search(sample, labels, labelling, head, plan, options)
    _write(path_or_file, blocks, labelling, codebook, head, options)


def encode_indexed_dask(
    labels: "Array",
    codebook: np.ndarray,
    path_or_file: Target,
    *,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Encode labels of any size, kept as they are with their codebook, as encode_dask does.

    Arguments:
        labels: dask array (H, W) of uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 to 4.
        others, errors: as of encode_dask. ValueError: a label is not below K.
    """
    check_codebook(codebook)
    storage = Storage(predictor=predictor, tile=tile, effort=effort, metadata=metadata)
    check_target(path_or_file)
    blocks = _Blocks(labels, storage.tile_size, (np.uint8,))
    if labels.ndim != 2:
        raise ValueError(f"labels must be (H, W), not {labels.shape}")
    checking = _Checking(len(codebook))
    head = blocks.head(checking(blocks.sample()), codebook, storage)
    _write(path_or_file, blocks, checking, codebook, head, storage)


class _Blocks:
    """An array in blocks: some tiles side by side, numbered row by row.

    Arguments:
        array: dask array. tile: (width, height), None for the usual one. kinds: dtypes to take.
    """

    def __init__(self, array: "Array", tile: tuple[int, int] | None, kinds: Sequence[Any]) -> None:
        _check_array(array, kinds)
        self.array = array
        self.height, self.width = map(int, array.shape[:2])
        wide, high = tile or _TILE
        self.tile = min(wide, self.width), min(high, self.height)
        wide, high = self.tile
        self._size = wide * max(_BLOCK // (wide * high), 1), high
        self.columns, self.rows = (
            -(-side // step)
            for side, step in zip((self.width, self.height), self._size, strict=True)
        )

    def __len__(self) -> int:
        return self.columns * self.rows

    def box(self, number: int) -> tuple[slice, slice]:
        """Return rows and columns of a block."""
        row, column = divmod(number, self.columns)
        width, height = self._size
        left, upper = column * width, row * height
        return (
            slice(upper, min(upper + height, self.height)),
            slice(left, min(left + width, self.width)),
        )

    def batches(self) -> Iterator[list[int]]:
        """Yield the numbers of blocks to work on together: about a square, as chunks may be."""
        across, down = (max(isqrt(_BATCH) // side, 1) for side in self._size)
        for row in range(0, self.rows, down):
            for column in range(0, self.columns, across):
                yield [
                    y * self.columns + x
                    for y in range(row, min(row + down, self.rows))
                    for x in range(column, min(column + across, self.columns))
                ]

    def sample(self) -> np.ndarray:
        """Return the pixels of some tiles spread over the image, below one another."""
        import dask

        width, height = self.tile
        across, down = self.width // width, self.height // height
        places = sorted({i * across * down // _SAMPLE for i in range(_SAMPLE)})
        tiles = []
        for place in places:
            row, column = divmod(place, across)
            rows = slice(row * height, (row + 1) * height)
            tiles.append(self.array[rows, column * width : (column + 1) * width])
        return np.concatenate([np.asarray(tile) for tile in dask.compute(*tiles)])

    def head(self, labels: np.ndarray, codebook: np.ndarray, storage: Storage) -> Head:
        """Return the fields of ``HEAD``, with the predictor that suits the labels of the sample."""
        trials = replace(storage.settings.trials, all_pixels=0)
        threads = storage.thread_count
        choices = rank_choices(labels, codebook, storage.predictors, self.tile, trials, threads)
        return replace(choices[0].head, width=self.width, height=self.height)


def _check_array(array: Any, kinds: Sequence[Any]) -> None:
    try:
        from dask.array import Array
    except ImportError as error:
        raise ImportError("images as dask arrays need dask: pip install 'kqf[dask]'") from error
    if not isinstance(array, Array):
        raise TypeError(f"expected a dask array, not {type(array).__name__}; encode takes numpy's")
    if array.dtype not in kinds:
        names = " or ".join(np.dtype(kind).name for kind in kinds)
        raise TypeError(f"expected a dask array of {names}, not {array.dtype}")
    if np.isnan(array.shape).any():
        raise ValueError("the array's shape is unknown: array.compute_chunk_sizes() finds it")
    sides = array.shape[:2]
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(f"expected (H, W) or (H, W, 1..4), not {array.shape}")
    if min(sides) < 1 or max(sides) > MAX_SIDE:
        raise ValueError(f"sides must be 1 to {MAX_SIDE}, not {array.shape}")


@dataclass(frozen=True)
class _Checking:
    """Labels as they are, each below ``colors``."""

    colors: int

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        if (highest := int(labels.max())) >= self.colors:
            raise ValueError(f"labels must be below {self.colors}, not {highest}")
        return labels


@dataclass(frozen=True)
class _Labelling:
    """From pixels to labels: the nearest ones, or with ``plan`` those that a search finds.

    Attributes:
        codebook: (K, C) uint8. metric: of ``colorspace.METRICS``.
        hides: whether colours that alpha 0 hides count as one.
        plan: how to search. lengths: from lengths_of. predictor: 1 or 2. tile: (width, height).
    """

    codebook: np.ndarray
    metric: str
    hides: bool
    plan: Plan | None = None
    lengths: np.ndarray | None = None
    predictor: int = 0
    tile: tuple[int, int] = (0, 0)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        pixels = as_pixels(pixels)
        channels = pixels.shape[2]
        keys = pack(pixels)
        if self.hides and channels in (2, 4):
            keys = np.where(keys & 0xFF, keys, np.uint32(0))
        histogram = count(keys, channels)
        if self.plan is None or self.lengths is None:
            return spread(keys, histogram, assign(histogram.colors, self.codebook, self.metric))
        numbers = np.arange(len(histogram.colors), dtype=np.int32)
        index = spread(keys, histogram, numbers)
        nearest, errors = nearest_few(
            to_points(histogram.colors, self.metric),
            to_points(self.codebook, self.metric),
            min(self.plan.candidates, len(self.codebook)),
            ban(histogram.colors, self.codebook),
        )
        head = _head_of(keys, self.codebook, self.tile, self.predictor)
        costs = to_costs(errors, self.plan.trade)
        return search_tiles(index, nearest, costs, self.lengths, head, 1)

    def error(self, pixels: np.ndarray, labels: np.ndarray) -> float:
        """Return the squared error in the metric, summed over all pixels."""
        colors = as_pixels(pixels).reshape(-1, self.codebook.shape[1])
        points, codewords = (to_points(each, self.metric) for each in (colors, self.codebook))
        return squared_error(points, codewords, labels.ravel())


def _head_of(
    labels: np.ndarray, codebook: np.ndarray, tile: tuple[int, int], predictor: int
) -> Head:
    """Return the fields of ``HEAD`` of a part of an image."""
    height, width = labels.shape
    colors, channels = codebook.shape
    return Head(width, height, *tile, channels, colors - 1, predictor)


def _count(blocks: _Blocks) -> Tally:
    def tally(pixels: np.ndarray) -> Tally:
        pixels = as_pixels(pixels)
        return Tally.of(count(pack(pixels), pixels.shape[2]))

    whole: list[Tally] = []
    for _, found in _each_block(blocks, tally):
        whole = [merge([*whole, *found])]
    return whole[0]


def _each_block(blocks: _Blocks, work: Any) -> Iterator[tuple[list[int], list[Any]]]:
    """Yield the numbers of some blocks and what ``work`` made of their pixels, for all blocks."""
    import dask

    do = dask.delayed(_on_array, pure=False)
    shared = dask.delayed(work, traverse=False)
    for numbers in blocks.batches():
        tasks = [do(shared, blocks.array[blocks.box(number)]) for number in numbers]
        yield numbers, list(dask.compute(*tasks))


def _on_array(work: Any, pixels: Any) -> Any:
    # Other arrays than numpy's may be in the chunks.
    return work(np.ascontiguousarray(pixels))


def _search(
    sample: np.ndarray,
    labels: np.ndarray,
    labelling: _Labelling,
    head: Head,
    plan: Plan,
    options: Options,
) -> _Labelling:
    """Return a labelling that searches, as learned from the sample and its nearest labels.

    Or the one given, if that is cheaper.
    """
    codebook, threads = labelling.codebook, options.thread_count
    small = _head_of(labels, codebook, head.tile, head.predictor)
    along = replace(small, predictor=head.predictor or 1)

    def cost(labels: np.ndarray) -> float:
        size = trial_size(labels, codebook, small, options.settings.trials, threads)
        return labelling.error(sample, labels) + plan.trade * 8 * size

    found, searching = labels, labelling
    for _ in range(plan.rounds):
        counts = count_pairs(found, along, len(codebook), threads)
        searching = replace(
            labelling,
            plan=plan,
            lengths=lengths_of(counts, codebook, head.predictor),
            predictor=along.predictor,
            tile=head.tile,
        )
        found = searching(sample)
    return searching if cost(found) < cost(labels) else labelling


@dataclass(frozen=True)
class _Labelled:
    """The labels of a block, deflated, and how often each follows each context."""

    stream: bytes
    shape: tuple[int, int]
    pairs: np.ndarray | None


def _write(
    target: Target,
    blocks: _Blocks,
    labelling: "_Labelling | _Checking",
    codebook: np.ndarray,
    head: Head,
    storage: Storage,
) -> None:
    import dask

    colors = len(codebook)

    def label(pixels: np.ndarray) -> _Labelled:
        labels = labelling(pixels)
        part = _head_of(labels, codebook, head.tile, head.predictor)
        pairs = count_pairs(labels, part, colors, 1) if head.predictor else None
        return _Labelled(deflate(labels, _SPOOL_LEVEL), labels.shape, pairs)

    with assembling(target) as file, tempfile.TemporaryFile(dir=folder_of(target)) as spool:
        places: dict[int, tuple[int, int, tuple[int, int]]] = {}
        pairs = np.zeros((colors, colors), np.int64)
        for numbers, parts in _each_block(blocks, label):
            for number, part in zip(numbers, parts, strict=True):
                places[number] = spool.tell(), len(part.stream), part.shape
                spool.write(part.stream)
                if part.pairs is not None:
                    pairs += part.pairs
        trials = storage.settings.trials
        layout = Layout(head)
        if head.predictor:
            layout = layout_of(pairs, codebook, head, trials.thresholds)

        def prologue(lengths: Sequence[int]) -> bytes:
            metadata = storage.metadata or {}
            return writer.build_prologue(head, codebook, layout.ranking, metadata, lengths)

        # Its size does not depend on the lengths, which come last.
        file.write(prologue([0] * head.tiles))
        lengths: list[int] = []
        shared = dask.delayed(layout, traverse=False)
        do = dask.delayed(_deflate_block, pure=False)
        waiting = iter(range(len(blocks)))
        while some := list(islice(waiting, max(_SENT // _BLOCK, 1))):
            tasks = []
            for number in some:
                at, size, shape = places[number]
                spool.seek(at)
                tasks.append(do(shared, spool.read(size), shape, trials.level))
            for streams in dask.compute(*tasks):
                lengths += map(len, streams)
                file.writelines(map(writer.build_tile, streams))
        file.write(chunks.END)
        file.seek(0)
        file.write(prologue(lengths))


def _deflate_block(
    layout: Layout, stream: bytes, shape: tuple[int, int], level: int
) -> list[bytes]:
    labels = np.frombuffer(inflate(stream, shape[0] * shape[1], "LABL"), np.uint8).reshape(shape)
    height, width = shape
    part = replace(layout, head=replace(layout.head, width=width, height=height))
    return deflate_tiles(labels, part, level, 1)
