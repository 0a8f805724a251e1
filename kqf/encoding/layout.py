"""How labels are laid out in a file: candidates are tried cheaply, the best ones in full.

These are the layouts of version 1, all in ``list_layouts``; ``drawn`` has those of version 2, and
``storage`` chooses between the two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kqf.format import prediction, writer
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.format.streams import deflate
from kqf.threads import each

# Labels of a tile at most: ample for deflate's window, with room for threads and regions.
_TILE_PIXELS = 2**20
# Rows of a tile at most, except in narrow tiles of fewer labels than _TALL_PIXELS. Two tiles of
# 1,280 rows take 0.0 to 0.3 % more than one of 2,560, at efforts 1 and 2 up to 1.3 %.
_TILE_ROWS = 1280
_TALL_PIXELS = 2**17
# Threshold of the ranking table in trials.
_TRIAL_THRESHOLDS = (4,)
# Predictors whose trial is this much larger than the best are not tried with other tiles.
_CLOSE = 1.03
# Deflate level for ranking tables: they are short.
_TABLE_LEVEL = 12


@dataclass(frozen=True)
class LayoutEffort:
    """How many layouts to try, and how thoroughly.

    Attributes:
        trial_level: deflate level of trials.
        level: deflate level of the file.
        widths: widths of tiles to try, pixels.
        thresholds: of the ranking table, to try for the file.
        margin: share above the best trial up to which a layout is tried in full.
        all_pixels: in images of at most so many pixels every layout is tried in full, without
            trials.
        pixels: trials use at most so many pixels, a band from the middle of larger images.
        drawn: whether to try the layouts of drawn images.
        zopfli_bytes: streams of small drawn images are deflated by zopfli, too, up to so many
            bytes.
    """

    trial_level: int
    level: int
    widths: tuple[int, ...]
    thresholds: tuple[int, ...]
    margin: float
    all_pixels: int
    pixels: int
    drawn: bool = False
    zopfli_bytes: int = 0


@dataclass(frozen=True)
class LayoutSettings:
    """Which layouts to choose from.

    Attributes:
        predictors: to choose from.
        tile: (width, height) in pixels, None to choose.
        effort: how many layouts to try.
        threads: at most so many are used.
    """

    predictors: Sequence[Predictor]
    tile: tuple[int, int] | None
    effort: LayoutEffort
    threads: int

    def at_final_level(self) -> "LayoutSettings":
        """Return the settings with trials at the level of the file."""
        return replace(self, effort=replace(self.effort, trial_level=self.effort.level))


@dataclass(frozen=True)
class Layout:
    """A way to store labels.

    Attributes:
        predictor: what labels are predicted from.
        tile: (width, height) in pixels; may exceed the image.
    """

    predictor: Predictor
    tile: tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """A layout with its size by trial, in bytes; 0 if it was not tried."""

    layout: Layout
    size: int = 0


@dataclass(frozen=True)
class Ranking:
    """The order in which labels are likely after each context.

    Attributes:
        payload: of ``RANK``.
        ranks: (K, K) uint8 by context and label.
    """

    payload: bytes
    ranks: np.ndarray


@dataclass(frozen=True)
class StoredLabels:
    """Labels stored in one layout.

    Attributes:
        head: the fields of ``HEAD``.
        ranking: None without a predictor.
        streams: the zlib stream of each tile, made as it is taken, once.
    """

    head: Head
    ranking: Ranking | None
    streams: Iterator[bytes]

    @property
    def table(self) -> bytes | None:
        """The payload of ``RANK``, None if there is none."""
        return None if self.ranking is None else self.ranking.payload

    def size(self) -> int:
        """Take all streams, and return their bytes with those of the ranking table."""
        return sum(map(len, self.streams)) + len(self.table or b"")


def smallest_file(
    labels: np.ndarray,
    codebook: np.ndarray,
    candidates: Sequence[Candidate],
    settings: LayoutSettings,
    metadata: Sequence[tuple[bytes, bytes]],
) -> bytes:
    """Return the smallest file of the most promising candidates.

    Arguments:
        candidates: from rank_candidates.
        metadata: types and payloads of chunks, from build_metadata.
    """
    effort, smallest = settings.effort, b""
    most = candidates[0].size * (1 + effort.margin)
    for candidate in candidates:
        if candidate.size <= most:
            stored = store(
                labels,
                codebook,
                candidate.layout,
                effort.thresholds,
                effort.level,
                settings.threads,
            )
            file = writer.build(stored.head, codebook, stored.table, metadata, stored.streams)
            # Of several large files, only one is kept.
            if not smallest or len(file) < len(smallest):
                smallest = file
    return smallest


def rank_candidates(
    labels: np.ndarray, codebook: np.ndarray, settings: LayoutSettings
) -> list[Candidate]:
    """Return all candidates, the most promising first.

    A single candidate, and those of a small image, are not tried.
    """
    height, width = labels.shape
    effort = settings.effort
    layouts = list_layouts(width, height, settings)
    if len(layouts) == 1 or labels.size <= effort.all_pixels:
        return [Candidate(layout) for layout in layouts]

    def tried(layout: Layout) -> Candidate:
        return Candidate(layout, trial_size(labels, codebook, layout, settings))

    # Predictors differ more than tiles do: only the best are tried with other tiles.
    widest = layouts[-1].tile
    candidates = [tried(layout) for layout in layouts if layout.tile == widest]
    most = min(candidate.size for candidate in candidates) * _CLOSE
    close = {candidate.layout.predictor for candidate in candidates if candidate.size <= most}
    others = [layout for layout in layouts if layout.tile != widest and layout.predictor in close]
    candidates += map(tried, others)
    return sorted(candidates, key=lambda candidate: candidate.size)


def list_layouts(width: int, height: int, settings: LayoutSettings) -> list[Layout]:
    """Return all layouts to choose from, for each predictor narrow tiles first."""
    tiles = [settings.tile] if settings.tile else tile_sizes(width, height, settings.effort.widths)
    # The search for labels needs one of these, whatever the file will have.
    ranked = [predictor for predictor in settings.predictors if predictor <= Predictor.UP]
    return [Layout(predictor, tile) for predictor in ranked or [Predictor.LEFT] for tile in tiles]


def trial_size(
    labels: np.ndarray, codebook: np.ndarray, layout: Layout, settings: LayoutSettings
) -> int:
    """Return the bytes of labels and ranking table by trial, for a band of a large image."""
    effort = settings.effort
    band = labels[middle_rows(labels.shape, effort.pixels)]
    return store(
        band, codebook, layout, _TRIAL_THRESHOLDS, effort.trial_level, settings.threads
    ).size()


def store(
    labels: np.ndarray,
    codebook: np.ndarray,
    layout: Layout,
    thresholds: Sequence[int],
    level: int,
    threads: int,
) -> StoredLabels:
    """Store labels in a layout.

    Arguments:
        thresholds: of the ranking table, to choose from.
        level: of deflate, 1 to 12.
    """
    head = head_of(labels, codebook, layout)
    ranking = None
    if layout.predictor:
        counts = count_pairs(labels, head, len(codebook), threads)
        ranking = best_ranking(counts, codebook, thresholds)
    return StoredLabels(head, ranking, deflate_tiles(labels, head, ranking, level, threads))


def tile_sizes(width: int, height: int, widths: Sequence[int]) -> list[tuple[int, int]]:
    """Return sizes of equally large tiles near each of ``widths``, as tall as allowed."""
    columns = {-(-width // wanted) for wanted in widths}
    sides = sorted({-(-width // count) for count in columns})
    most = [min(_TILE_PIXELS // side, max(_TILE_ROWS, _TALL_PIXELS // side)) for side in sides]
    rows = [-(-height // max(limit, 1)) for limit in most]
    return [(side, -(-height // count)) for side, count in zip(sides, rows, strict=True)]


def middle_rows(shape: tuple[int, ...], pixels: int) -> slice:
    """Return the rows of a band of at most so many pixels, from the middle of an image."""
    height, width = shape
    rows = min(height, max(pixels // width, 1))
    first = (height - rows) // 2
    return slice(first, first + rows)


def head_of(labels: np.ndarray, codebook: np.ndarray, layout: Layout) -> Head:
    """Return the fields of ``HEAD`` for an image or a part of one."""
    height, width = labels.shape
    colors, channels = codebook.shape
    tile_width, tile_height = min(layout.tile[0], width), min(layout.tile[1], height)
    return Head(width, height, tile_width, tile_height, channels, colors - 1, layout.predictor)


def best_ranking(counts: np.ndarray, codebook: np.ndarray, thresholds: Sequence[int]) -> Ranking:
    """Return the ranking that suits counts (K, K) from count_pairs best."""
    rankings = []
    for threshold in thresholds:
        lists = prediction.list_frequent(counts, threshold)
        ranks = prediction.invert(prediction.complete_lists(*lists, codebook))
        payload = deflate(prediction.build_table(*lists), _TABLE_LEVEL)
        bits = prediction.entropy(prediction.rank_histogram(counts, ranks))
        rankings.append((bits / 8 + len(payload), threshold, Ranking(payload, ranks)))
    return min(rankings, key=lambda ranking: ranking[:2])[2]


def count_pairs(labels: np.ndarray, head: Head, colors: int, threads: int) -> np.ndarray:
    """Return how often each label follows each context in all tiles, (K, K) int64."""
    counts = np.zeros((colors, colors), np.int64)

    def count(tile: np.ndarray) -> np.ndarray:
        return prediction.count_pairs(tile, head.predictor, colors)

    for part in each(count, cut(labels, head), threads):
        counts += part
    return counts


def deflate_tiles(
    labels: np.ndarray, head: Head, ranking: Ranking | None, level: int, threads: int
) -> Iterator[bytes]:
    """Yield the zlib stream of each tile, in the order of the tiles."""

    def deflate_tile(tile: np.ndarray) -> bytes:
        if ranking is not None:
            tile = prediction.rank(tile, ranking.ranks, head.predictor)
        return deflate(np.ascontiguousarray(tile), level)

    return each(deflate_tile, cut(labels, head), threads)


def cut(labels: np.ndarray, head: Head) -> Iterator[np.ndarray]:
    """Yield the labels of each tile (h, w), in the order of the tiles."""
    for number in range(head.tiles):
        left, upper, right, lower = head.tile_box(number)
        yield labels[upper:lower, left:right]
