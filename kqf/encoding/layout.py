"""The predictor and the tiles that make the smallest file of given labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kqf.format import prediction as ranking
from kqf.format.header import Head
from kqf.format.streams import deflate
from kqf.threads import each

# Labels of a tile at the most: ample for deflate's window, and room for threads and regions.
_TILE_PIXELS = 2**20
# Rows of a tile at the most, but for narrow tiles of fewer labels than these. Two tiles of 1,280
# rows take 0.0 to 0.3 % more than one of 2,560, at efforts 1 and 2 up to 1.3 %.
_TILE_ROWS = 1280
_TALL_PIXELS = 2**17
# Of the ranking table, while other things are compared.
_TRIAL_THRESHOLDS = (4,)
# Predictors this much larger than the best by trial are not tried with other tiles.
_CLOSE = 1.03
# Deflate level for ranking tables: they are short.
_TABLE_LEVEL = 12


@dataclass(frozen=True)
class Trials:
    """What to try.

    Attributes:
        trial_level: of deflate, to compare.
        level: of deflate, for the file.
        widths: of tiles, pixels.
        thresholds: of the ranking table.
        margin: share above the best trial up to which a layout is deflated for the file.
        all_pixels: size of images whose every layout is deflated for the file, without trial.
        pixels: to compare by at the most; a band from the middle of larger images.
    """

    trial_level: int
    level: int
    widths: tuple[int, ...]
    thresholds: tuple[int, ...]
    margin: float
    all_pixels: int
    pixels: int


@dataclass(frozen=True)
class Layout:
    """One way to lay out a file.

    Attributes:
        head: the fields of ``HEAD``.
        ranking: the payload of ``RANK``; None with predictor 0.
        ranks: (K, K) uint8 by context and label; None with predictor 0.
    """

    head: Head
    ranking: bytes | None = None
    ranks: np.ndarray | None = None


def best_layouts(
    labels: np.ndarray,
    codebook: np.ndarray,
    predictors: Sequence[int],
    tile: tuple[int, int] | None,
    trials: Trials,
    threads: int,
) -> Iterator[tuple[Layout, list[bytes]]]:
    """Yield the most promising layouts, each with the zlib stream of every tile.

    Arguments:
        predictors: to choose from. tile: (width, height), None to choose.
    """
    choices = rank_choices(labels, codebook, predictors, tile, trials, threads)
    least = choices[0].size * (1 + trials.margin)
    for choice in choices:
        if choice.size <= least:
            head, thresholds = choice.head, trials.thresholds
            layout = make_layout(labels, codebook, head.predictor, head.tile, thresholds, threads)
            yield layout, deflate_tiles(labels, layout, trials.level, threads)


@dataclass(frozen=True)
class Choice:
    """A predictor and tiles, and the bytes of labels and ranking table by trial."""

    head: Head
    size: int


def rank_choices(
    labels: np.ndarray,
    codebook: np.ndarray,
    predictors: Sequence[int],
    tile: tuple[int, int] | None,
    trials: Trials,
    threads: int,
) -> list[Choice]:
    """Return all choices of predictor and tiles, the most promising first.

    One choice alone, or any of a small image, costs no trial: its size is 0.
    """
    height, width = labels.shape
    sizes = [tile] if tile else tile_sizes(width, height, trials.widths)

    def choose(predictor: int, size: tuple[int, int], trial: bool) -> Choice:
        head = _head(labels, codebook, predictor, size)
        return Choice(head, trial_size(labels, codebook, head, trials, threads) if trial else 0)

    if len(predictors) * len(sizes) == 1 or labels.size <= trials.all_pixels:
        return [choose(predictor, size, False) for predictor in predictors for size in sizes]
    # Predictors differ more than tiles do: only the best are tried with other tiles.
    choices = [choose(predictor, sizes[-1], True) for predictor in predictors]
    least = min(choice.size for choice in choices) * _CLOSE
    close = [choice.head.predictor for choice in choices if choice.size <= least]
    choices += [choose(predictor, size, True) for predictor in close for size in sizes[:-1]]
    return sorted(choices, key=lambda choice: choice.size)


def trial_size(
    labels: np.ndarray, codebook: np.ndarray, head: Head, trials: Trials, threads: int
) -> int:
    """Return the bytes of labels and ranking table by trial, on a band of a large image."""
    band = _band(labels, trials.pixels)
    layout = make_layout(band, codebook, head.predictor, head.tile, _TRIAL_THRESHOLDS, threads)
    streams = deflate_tiles(band, layout, trials.trial_level, threads)
    return sum(map(len, streams)) + len(layout.ranking or b"")


def tile_sizes(width: int, height: int, widths: Sequence[int]) -> list[tuple[int, int]]:
    """Return sizes of equally large tiles near each of ``widths``, about as tall as may be."""
    columns = {-(-width // wanted) for wanted in widths}
    sides = sorted({-(-width // count) for count in columns})
    most = [min(_TILE_PIXELS // side, max(_TILE_ROWS, _TALL_PIXELS // side)) for side in sides]
    rows = [-(-height // max(limit, 1)) for limit in most]
    return [(side, -(-height // count)) for side, count in zip(sides, rows, strict=True)]


def _band(labels: np.ndarray, pixels: int) -> np.ndarray:
    height, width = labels.shape
    rows = min(height, max(pixels // width, 1))
    first = (height - rows) // 2
    return labels[first : first + rows]


def make_layout(
    labels: np.ndarray,
    codebook: np.ndarray,
    predictor: int,
    tile: tuple[int, int],
    thresholds: Sequence[int],
    threads: int,
) -> Layout:
    """Return a layout with the ranking table that suits the labels best."""
    head = _head(labels, codebook, predictor, tile)
    if not predictor:
        return Layout(head)
    return layout_of(count_pairs(labels, head, len(codebook), threads), codebook, head, thresholds)


def layout_of(
    counts: np.ndarray, codebook: np.ndarray, head: Head, thresholds: Sequence[int]
) -> Layout:
    """Return the layout with the ranking table that suits counts (K, K) from count_pairs best."""
    layouts = []
    for threshold in thresholds:
        table = ranking.build_table(counts, threshold)
        ranks = ranking.invert(ranking.parse_table(table, codebook))
        payload = deflate(table, _TABLE_LEVEL)
        size = ranking.entropy(ranking.rank_histogram(counts, ranks)) / 8 + len(payload)
        layouts.append((size, threshold, Layout(head, payload, ranks)))
    return min(layouts, key=lambda layout: layout[:2])[2]


def _head(labels: np.ndarray, codebook: np.ndarray, predictor: int, tile: tuple[int, int]) -> Head:
    height, width = labels.shape
    colors, channels = codebook.shape
    tile_width, tile_height = min(tile[0], width), min(tile[1], height)
    return Head(width, height, tile_width, tile_height, channels, colors - 1, predictor)


def count_pairs(labels: np.ndarray, head: Head, colors: int, threads: int) -> np.ndarray:
    """Return how often each label follows each context in all tiles, (K, K) int64."""
    counts = np.zeros((colors, colors), np.int64)
    tiles = _cut(labels, head)
    for part in each(
        lambda tile: ranking.count_pairs(tile, head.predictor, colors), tiles, threads
    ):
        counts += part
    return counts


def deflate_tiles(labels: np.ndarray, layout: Layout, level: int, threads: int) -> list[bytes]:
    """Return the zlib stream of each tile, in the order of the tiles."""

    def deflate_tile(tile: np.ndarray) -> bytes:
        if layout.ranks is not None:
            tile = ranking.rank(tile, layout.ranks, layout.head.predictor)
        return deflate(np.ascontiguousarray(tile), level)

    return list(each(deflate_tile, _cut(labels, layout.head), threads))


def _cut(labels: np.ndarray, head: Head) -> Iterator[np.ndarray]:
    for number in range(head.tiles):
        left, upper, right, lower = head.tile_box(number)
        yield labels[upper:lower, left:right]
