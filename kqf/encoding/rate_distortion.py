"""Rate-distortion search: labels that cost few bits for little error.

The labels of a tile's row (predictor left) or column (up) form a chain: what a label costs depends
on the one before it. The chain that minimises error + lambda x bits is found exactly among the
nearest codewords of each pixel by Viterbi's algorithm (A. Viterbi, 1967,
doi:10.1109/TIT.1967.1054010), for all chains of all tiles at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf.encoding.layout import count_pairs
from kqf.format import prediction as ranking
from kqf.format.header import Head
from kqf.quantization.colorspace import hold_alpha, snap, to_colors, to_points, translucency
from kqf.quantization.histogram import pack
from kqf.quantization.nearest import ban, nearest_few
from kqf.threads import each

# Costs are integers in this fraction of a bit: sums are then exact and the same everywhere.
_UNITS = 64
# Low bits of a cost that name the candidate it came by: room for 16 of them.
_TAG_BITS = 4
_TAGS = (1 << _TAG_BITS) - 1
MAX_CANDIDATES = _TAGS + 1
# Errors beyond this many bits' worth are all the same: too much.
_MAX_BITS = 2**14
# Steps after which totals are taken down: a cost is 2**24 at the most, of them all 2**29.
_STEPS = 32
# Times that a label must follow a context to be listed in the rankings that costs come from.
_THRESHOLD = 4
# Candidates of the pixels that are searched together at the most, pixels at least, and pixels that
# are worth a thread: with less to do at a time threads wait for one another.
_BATCH = 2**24
_LEAST_BATCH = 2**19
_THREAD_PIXELS = 2**21
# Pixels of the part of an image that statistics come from.
_SAMPLE = 2**20
# Added to each rank's count: a rank not seen yet costs much, not everything.
_PRIOR = 0.3


def lengths_of(counts: np.ndarray, codebook: np.ndarray, predictor: int) -> np.ndarray:
    """Return what each label costs after each other, (256 * 256,) int32, in 1/64 bits.

    Arguments:
        counts: (K, K), how often each label follows each other along rows, or with predictor 2
            columns, of tiles.
    """
    if not predictor:
        return transition_lengths(counts)
    order = ranking.parse_table(ranking.build_table(counts, _THRESHOLD), codebook)
    return code_lengths(counts, ranking.invert(order))


def code_lengths(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return what each label costs after each context, (256 * 256,) int32, in 1/64 bits.

    Arguments:
        counts: (K, K), how often each label follows each context.
        ranks: (K, K) uint8 by context and label.
    """
    colors = len(counts)
    lengths = np.zeros((256, 256), np.int32)
    lengths[:colors, :colors] = _lengths(ranking.rank_histogram(counts, ranks))[ranks]
    return lengths.ravel()


def transition_lengths(counts: np.ndarray) -> np.ndarray:
    """Return what each label costs after each other without a predictor, as code_lengths does.

    Deflate's matches make frequent sequences cheap: to it a label costs about what it costs to
    know it after the one before.

    Arguments:
        counts: (K, K), how often each label follows each other.
    """
    colors = len(counts)
    likely = counts + _PRIOR * counts.sum(axis=0) / counts.sum() + _PRIOR / colors
    bits = np.rint(np.log2(likely.sum(axis=1, keepdims=True) / likely) * _UNITS)
    lengths = np.zeros((256, 256), np.int32)
    lengths[:colors, :colors] = bits
    return lengths.ravel()


def _lengths(histogram: np.ndarray) -> np.ndarray:
    """Return the bits that symbols cost which occur as often as this, int32, in 1/64 bits."""
    histogram = histogram + _PRIOR
    bits: np.ndarray = np.rint(np.log2(histogram.sum() / histogram) * _UNITS)
    return bits.astype(np.int32)


def to_costs(errors: np.ndarray, trade: float) -> np.ndarray:
    """Return squared errors as int32 costs. ``trade`` (lambda) is squared error for one bit."""
    costs: np.ndarray = np.rint(np.minimum(errors / trade, _MAX_BITS) * _UNITS)
    return costs.astype(np.int32)


def tagged(costs: np.ndarray) -> np.ndarray:
    """Return costs of candidates (C, ...) as best_chains takes them: with their number in them."""
    tags = np.arange(len(costs), dtype=np.int32).reshape(-1, *[1] * (costs.ndim - 1))
    return (costs << _TAG_BITS) | tags


def best_chains(labels: np.ndarray, costs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the cheapest label of each pixel, for many chains at once.

    Arguments:
        labels: (C, steps, chains) uint8 candidates, C at most 16.
        costs: (C, steps, chains) int32, ``tagged(to_costs(...))``.
        lengths: from code_lengths.

    Returns:
        (steps, chains) uint8.
    """
    count, steps, chains = labels.shape
    came_by = np.empty((steps, count, chains), np.uint8)
    lengths = lengths << _TAG_BITS
    following = labels[:, 0].astype(np.uint16)
    totals = lengths.take(following) + costs[:, 0]
    index = np.empty((count, count, chains), np.uint16)
    for step in range(1, steps):
        contexts = following << 8
        following = labels[:, step].astype(np.uint16)
        np.add(contexts[:, None], following, out=index)
        paths = lengths.take(index, mode="clip")
        paths += totals[:, None]
        # The least path carries in its low bits which candidate it came by.
        totals = paths.min(axis=0)
        np.bitwise_and(totals, _TAGS, out=came_by[step], casting="unsafe")
        totals &= ~_TAGS
        totals += costs[:, step]
        if not step % _STEPS:
            # Only differences matter: taking the least away keeps long chains from overflowing.
            totals -= totals.min(axis=0) & ~_TAGS
    places = np.empty((steps, chains), np.uint8)
    places[-1] = totals.argmin(axis=0)
    chain = np.arange(chains)
    for step in range(steps - 1, 0, -1):
        before = np.multiply(places[step], chains, dtype=np.intp)
        before += chain
        came_by[step].take(before, None, places[step - 1], "clip")
    result: np.ndarray = labels[0].copy()
    for place in range(1, count):
        np.copyto(result, labels[place], where=places == place)
    return result


@dataclass(frozen=True)
class Search:
    """How hard to look for labels.

    Attributes:
        candidates: nearest codewords to choose from, 1 to MAX_CANDIDATES.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
        layouts: predictors and tiles to search, the most promising ones.
    """

    candidates: int
    rounds: int
    layouts: int


@dataclass(frozen=True)
class Scene:
    """What labels are searched for.

    Attributes:
        index: (H, W) int32, the row of each pixel's colour in ``colors``.
        colors: (N, C) uint8, distinct. counts: (N,) pixels of each.
        metric: of ``colorspace.METRICS``.
        keep: (n, C) uint8, codewords that stay as they are, used or not.
    """

    index: np.ndarray
    colors: np.ndarray
    counts: np.ndarray
    metric: str
    keep: np.ndarray

    @cached_property
    def points(self) -> np.ndarray:
        return to_points(self.colors, self.metric)

    @cached_property
    def power(self) -> float:
        """Sum of the squares of all pixels' points."""
        return float((self.counts[:, None] * (self.points * self.points)).sum(dtype=np.float64))


@dataclass(frozen=True)
class Candidates:
    """The nearest codewords of each colour of a scene.

    Attributes:
        labels: (N, C) uint8, nearest first.
        errors: (N, C) float32, squared distances; infinite for a codeword that may not stand for
            the colour.
    """

    labels: np.ndarray
    errors: np.ndarray


def candidates(scene: Scene, codebook: np.ndarray, count: int, threads: int) -> Candidates:
    """Return at most ``count`` candidates for each colour of a scene."""
    codewords = to_points(codebook, scene.metric)
    banned, count = ban(scene.colors, codebook), min(count, len(codebook))
    return Candidates(*nearest_few(scene.points, codewords, count, banned, threads))


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        labels: (H, W) uint8. codebook: (K, C) uint8.
        error: squared error in the metric, summed over all pixels.
    """

    labels: np.ndarray
    codebook: np.ndarray
    error: float


def refine(
    scene: Scene,
    trade: float,
    labels: np.ndarray,
    codebook: np.ndarray,
    choices: Candidates,
    head: Head,
    rounds: int,
    threads: int,
) -> Found:
    """Return labels and codebook with less of error + ``trade`` x bits.

    Arguments:
        trade: squared error in the metric that one bit is worth (lambda), above 0.
        labels, codebook: to start from, (H, W) uint8 and (K, C) uint8.
        choices: from candidates, for that codebook.
        head: tiles and predictor.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
    """
    # Without a predictor, deflate still sees labels follow one another along rows.
    chains = head if head.predictor else replace(head, predictor=1)
    # Statistics of a part are as good: only the last round looks at all of a large image.
    stride = max(scene.index.size // _SAMPLE, 1) if rounds > 1 else 1
    index, part = scene.index, chains
    if stride > 1:
        index, labels, part = _thin(index, labels, part, stride)
    errors = choices.errors
    held = np.isin(pack(codebook[None])[0], pack(scene.keep[None])[0])
    for left in reversed(range(rounds)):
        counts = count_pairs(labels, part, len(codebook), threads) * stride
        lengths = lengths_of(counts, codebook, head.predictor)
        if not left:
            index, part = scene.index, chains
        costs = to_costs(errors, trade)
        labels = search_tiles(index, choices.labels, costs, lengths, part, threads)
        mass, sums = _gather(scene, index, labels, len(codebook), threads)
        codebook = _settle(scene.metric, codebook, mass, sums, held)
        codewords = to_points(codebook, scene.metric)
        if left:
            # Codewords move little: the nearest ones stay so, but not their errors.
            errors = _errors(scene.points, codewords, choices)
    used = held | (mass > 0)
    gained = mass[:, None] * codewords * codewords - 2 * sums * codewords
    error = scene.power + float(gained.sum())
    return Found((np.cumsum(used) - 1).astype(np.uint8)[labels], codebook[used], error)


def _errors(points: np.ndarray, codewords: np.ndarray, choices: Candidates) -> np.ndarray:
    """Return the squared distance of each point to its candidates, infinite as before."""
    errors = np.zeros(choices.labels.shape, np.float32)
    for axis, of_codewords in zip(points.T, codewords.T, strict=True):
        offsets = axis[:, None] - of_codewords.take(choices.labels)
        errors += offsets * offsets
    errors[np.isinf(choices.errors)] = np.inf
    return errors


def _thin(
    index: np.ndarray, labels: np.ndarray, head: Head, stride: int
) -> tuple[np.ndarray, np.ndarray, Head]:
    """Return every so many chains only: enough to learn from, in all rounds but the last."""
    # What lies beside a chain does not matter to it: a tile as wide as the image takes least steps.
    if head.predictor == 1:
        index, labels = index[::stride], labels[::stride]
        height = len(index)
        return index, labels, replace(head, height=height, tile_height=height)
    index, labels = index[:, ::stride], labels[:, ::stride]
    width = index.shape[1]
    return index, labels, replace(head, width=width, tile_width=width)


def search_tiles(
    index: np.ndarray,
    nearest: np.ndarray,
    costs: np.ndarray,
    lengths: np.ndarray,
    head: Head,
    threads: int,
) -> np.ndarray:
    """Return the cheapest labels of all tiles, (H, W) uint8.

    Arguments:
        index: (H, W), the row of each pixel's colour.
        nearest: (N, C) uint8, candidates of each colour. costs: (N, C) int32, from to_costs.
        lengths: from lengths_of.
        head: tiles and predictor, 1 or 2.
    """
    labels = np.empty(index.shape, np.uint8)
    axis = 1 if head.predictor == 1 else 0

    # One candidate of all pixels after another: less to move about than pixel by pixel.
    nearest, costs = np.ascontiguousarray(nearest.T), np.ascontiguousarray(tagged(costs.T))

    def search(boxes: list[tuple[slice, slice]]) -> None:
        chains = np.concatenate([np.moveaxis(index[box], axis, 0) for box in boxes], axis=1)
        found = best_chains(nearest.take(chains, axis=1), costs.take(chains, axis=1), lengths)
        for box, part in zip(boxes, np.array_split(found, len(boxes), axis=1), strict=True):
            labels[box] = np.moveaxis(part, 0, axis)

    threads = min(threads, max(index.size // _THREAD_PIXELS, 1))
    pixels = min(_BATCH // len(nearest), max(index.size // threads, _LEAST_BATCH))
    for _ in each(search, _batches(head, pixels), threads):
        pass
    return labels


def _batches(head: Head, pixels: int) -> Iterator[list[tuple[slice, slice]]]:
    """Yield tiles of one size together, of about so many pixels."""
    boxes: list[tuple[slice, slice]] = []
    size = None
    for number in range(head.tiles):
        left, upper, right, lower = head.tile_box(number)
        tile = (lower - upper, right - left)
        if boxes and (tile != size or (len(boxes) + 1) * tile[0] * tile[1] > pixels):
            yield boxes
            boxes = []
        size = tile
        boxes.append((slice(upper, lower), slice(left, right)))
    yield boxes


def _gather(
    scene: Scene, index: np.ndarray, labels: np.ndarray, colors: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many pixels have each label, (K,), and the sums of their points, (K, D)."""

    def gather(rows: slice) -> np.ndarray:
        band, pixels = labels[rows].ravel(), index[rows].ravel()
        sums = [np.bincount(band, axis.take(pixels), colors) for axis in scene.points.T]
        return np.stack([np.bincount(band, minlength=colors), *sums])

    # Sums over grid points are exact, in whatever parts they are added.
    mass, *sums = np.sum(list(each(gather, bands(labels), threads)), axis=0)
    return mass, np.stack(sums, axis=1)


def _settle(
    metric: str, codebook: np.ndarray, mass: np.ndarray, sums: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Move codewords to the middle of their pixels, but for those held and those without any."""
    means = snap(sums / np.maximum(mass, 1)[:, None])
    moved = to_colors(means, metric, codebook.shape[1])
    moved = hold_alpha(moved, translucency(codebook))
    still = held | (mass == 0)
    moved[still] = codebook[still]
    return moved


def bands(labels: np.ndarray) -> Iterator[slice]:
    """Yield slices of rows, of about 2**20 pixels each, to bound what is at work at once."""
    rows = max(2**20 // labels.shape[1], 1)
    for start in range(0, len(labels), rows):
        yield slice(start, start + rows)
