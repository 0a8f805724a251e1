"""Rate-distortion search: labels that cost few bits for little error.

The labels of a tile's row (predictor left) or column (up) form a chain: what a label costs depends
on the one before it. The chain that minimises error + lambda x bits is found exactly among the
nearest codewords of each pixel by Viterbi's algorithm (A. Viterbi, 1967,
doi:10.1109/TIT.1967.1054010), for all chains of all tiles at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kqf.encoding.layout import count_pairs
from kqf.format import prediction
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.quantization.api import Quantized
from kqf.quantization.colorspace import hold_alpha, snap, to_colors, to_points, translucency
from kqf.quantization.histogram import are_among, bands_of
from kqf.quantization.nearest import ban, errors_of, nearest_few, squared_error
from kqf.threads import each

# Costs are integers in this fraction of a bit: sums are then exact and the same everywhere.
_UNITS = 64
# Low bits of a cost that name the candidate it belongs to: room for 16 of them.
TAG_BITS = 4
TAGS = (1 << TAG_BITS) - 1
MAX_CANDIDATES = TAGS + 1
# Errors beyond this many bits' worth are all the same: too much.
_MAX_BITS = 2**14
# Steps after which totals are reduced: a cost is at most 2**24, the costs of so many steps 2**29.
_STEPS = 32
# Times that a label must follow a context to be listed in the rankings that costs come from.
_THRESHOLD = 4
# Most candidates, and fewest pixels, of a batch to search, and pixels that are worth a thread: with
# less to do at a time threads wait for one another.
_BATCH = 2**24
_LEAST_BATCH = 2**19
_THREAD_PIXELS = 2**21
# Candidates that bands of an image are made for.
FEW = 4
# Pixels of the part of an image in bands that tells whether searching all of it is worth its time.
PART = 2**19
# Pixels that are tried at the level of the file, at most, where layouts of two kinds are compared.
TRIED = 2**20
# Pixels of the part of an image that statistics come from.
SAMPLE = 2**20
# Added to each rank's count, so that a rank not seen yet costs much, but not infinitely much.
_PRIOR = 0.3


def lengths_of(counts: np.ndarray, codebook: np.ndarray, predictor: Predictor) -> np.ndarray:
    """Return what each label costs after each other, (256 * 256,) int32, in 1/64 bits.

    Arguments:
        counts: (K, K), how often each label follows each other along rows, or with predictor 2
            columns, of tiles.
    """
    if not predictor:
        return transition_lengths(counts)
    order = prediction.complete_lists(*prediction.list_frequent(counts, _THRESHOLD), codebook)
    return code_lengths(counts, prediction.invert(order))


def code_lengths(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return what each label costs after each context, (256 * 256,) int32, in 1/64 bits.

    Arguments:
        counts: (K, K), how often each label follows each context.
        ranks: (K, K) uint8 by context and label.
    """
    colors = len(counts)
    lengths = np.zeros((256, 256), np.int32)
    lengths[:colors, :colors] = code_bits(prediction.rank_histogram(counts, ranks))[ranks]
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


def code_bits(counts: np.ndarray) -> np.ndarray:
    """Return what symbols cost that occur as often as this, int32, in 1/64 bits.

    Arguments:
        counts: (..., n), of n symbols each.
    """
    likely = counts + _PRIOR
    bits: np.ndarray = np.rint(np.log2(likely.sum(axis=-1, keepdims=True) / likely) * _UNITS)
    return bits.astype(np.int32)


def to_costs(errors: np.ndarray, lambda_: float) -> np.ndarray:
    """Return squared errors as int32 costs; one bit is worth a squared error of ``lambda_``."""
    costs: np.ndarray = errors / lambda_
    np.minimum(costs, _MAX_BITS, out=costs)
    costs *= _UNITS
    np.rint(costs, out=costs)
    return costs.astype(np.int32)


def tagged(costs: np.ndarray) -> np.ndarray:
    """Return costs of candidates (C, ...) as best_chains takes them: with their number in them."""
    tags = np.arange(len(costs), dtype=np.int32).reshape(-1, *[1] * (costs.ndim - 1))
    tagged = costs << TAG_BITS
    tagged |= tags
    return tagged


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
    lengths = lengths << TAG_BITS
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
        np.bitwise_and(totals, TAGS, out=came_by[step], casting="unsafe")
        totals &= ~TAGS
        totals += costs[:, step]
        if not step % _STEPS:
            # Only differences matter: taking the least away keeps long chains from overflowing.
            totals -= totals.min(axis=0) & ~TAGS
    chosen = np.empty((steps, chains), np.uint8)
    chosen[-1] = totals.argmin(axis=0)
    chain = np.arange(chains)
    for step in range(steps - 1, 0, -1):
        before = np.multiply(chosen[step], chains, dtype=np.intp)
        before += chain
        came_by[step].take(before, None, chosen[step - 1], "clip")
    result: np.ndarray = labels[0].copy()
    for number in range(1, count):
        np.copyto(result, labels[number], where=chosen == number)
    return result


@dataclass(frozen=True)
class SearchParameters:
    """How to search at one quality.

    Attributes:
        lambda_: squared error in the metric that one bit is worth.
        candidates: codewords for each pixel.
        rounds: of search.
        copy_candidates, copy_rounds: likewise, for labels to copy.
        most_copied: if labels take at most this share of their bytes copied, a search for labels to
            copy may save bytes.
    """

    lambda_: float
    candidates: int
    rounds: int
    copy_candidates: int
    copy_rounds: int
    most_copied: float


@dataclass(frozen=True)
class NearestCodewords:
    """The nearest codewords of each sample of an image.

    Attributes:
        labels: (R, C) uint8, nearest first.
        errors: (R, C) float32, weighted squared distances; infinite for a codeword that may not
            stand for the colour.
    """

    labels: np.ndarray
    errors: np.ndarray

    def first(self, count: int) -> "NearestCodewords":
        """Return the nearest ``count`` of them."""
        return NearestCodewords(self.labels[:, :count], self.errors[:, :count])


def nearest_codewords(quantized: Quantized, count: int) -> NearestCodewords:
    """Return at most ``count`` codewords for each sample of an image."""
    codebook, samples = quantized.codebook, quantized.samples
    codewords = to_points(codebook, quantized.metric)
    colors = quantized.image.histogram.colors
    banned = ban(colors.take(samples.colors, axis=0), codebook)
    count, threads = min(count, len(codebook)), quantized.image.threads
    labels, errors = nearest_few(quantized.points, codewords, count, banned, threads)
    # Not those that weigh nothing: their errors may be infinite.
    searched = slice(len(errors) - samples.held)
    errors[searched] *= samples.search_weights[searched, None]
    held = are_among(colors, quantized.fixed)[samples.colors]
    own = quantized.color_labels.take(samples.colors)
    if samples.held:
        held[-samples.held :] = True
        own[-samples.held :] = np.arange(samples.held)
    hold_labels(labels, errors, held, own[held])
    return NearestCodewords(labels, errors)


def hold_labels(labels: np.ndarray, errors: np.ndarray, held: np.ndarray, own: np.ndarray) -> None:
    """Leave colours that the codebook must keep no other choice than their own codewords, in place.

    Arguments:
        labels, errors: (R, C), candidates and their squared distances.
        held: (R,) bool, which rows. own: (n,) labels of their codewords.
    """
    labels[held] = own[:, None]
    errors[held, 0] = 0
    errors[held, 1:] = np.inf


@dataclass(frozen=True)
class Refined:
    """Labels found by a search.

    Attributes:
        labels: (H, W) uint8. codebook: (K, C) uint8.
        error: squared error in the metric, summed over all pixels.
        kept: (K,) which entries of the codebook that was searched these are.
    """

    labels: np.ndarray
    codebook: np.ndarray
    error: float
    kept: np.ndarray

    @classmethod
    def nearest(cls, quantized: Quantized) -> "Refined":
        """Return the nearest labels, without a search."""
        codebook = quantized.codebook
        kept = np.arange(len(codebook), dtype=np.uint8)
        return cls(quantized.labels, codebook, quantized.error, kept)


def refine(
    quantized: Quantized, nearest: NearestCodewords, lambda_: float, head: Head, rounds: int
) -> Refined:
    """Return labels and codebook with less of error + lambda x bits than the nearest labels.

    Arguments:
        nearest: from nearest_codewords, to choose from.
        lambda_: squared error in the metric that one bit is worth, above 0.
        head: tiles and predictor.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
    """
    codebook, threads = quantized.codebook, quantized.image.threads
    labels = quantized.labels
    # Without a predictor, deflate still sees labels follow one another along rows.
    chains = whole_chains(head if head.predictor else replace(head, predictor=Predictor.LEFT))
    index = quantized.samples.index
    # Statistics of a part are good enough: only the last round looks at all of a large image.
    stride = max(index.size // SAMPLE, 1) if rounds > 1 else 1
    part_index, part = index, chains
    if stride > 1:
        part_index, labels, part = _thin(part_index, labels, part, stride)
    fixed = are_among(codebook, quantized.fixed)

    def search_round(
        labels: np.ndarray, codebook: np.ndarray, errors: np.ndarray, index: np.ndarray, head_: Head
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return new labels, the codebook moved to suit them, pixels of each label, their sums."""
        counts = count_pairs(labels, part, len(codebook), threads) * stride
        lengths = lengths_of(counts, codebook, head.predictor)
        costs = to_costs(errors, lambda_)
        labels = search_tiles(index, nearest.labels, costs, lengths, head_, threads)
        mass, sums = gather(quantized, index, labels)
        codebook = move_codewords(quantized.metric, codebook, mass, sums, fixed)
        return labels, codebook, mass, sums

    errors = nearest.errors
    for _ in range(rounds - 1):
        labels, codebook, _, _ = search_round(labels, codebook, errors, part_index, part)
        # Codewords move little: the nearest ones stay so, but not their errors.
        errors = errors_from(quantized, to_points(codebook, quantized.metric), nearest)
    labels, codebook, mass, sums = search_round(labels, codebook, errors, index, chains)
    return refined(labels, codebook, quantized.metric, mass, sums, quantized.power, fixed)


def refined(
    labels: np.ndarray,
    codebook: np.ndarray,
    metric: str,
    mass: np.ndarray,
    sums: np.ndarray,
    power: float,
    fixed: np.ndarray,
) -> Refined:
    """Return labels without codewords that no pixel has, and their error.

    Arguments:
        labels: (H, W) uint8, written. mass, sums: of their pixels, from gather.
        power: ``Quantized.power`` of all of the image.
        fixed: (K,) bool, codewords that stay.
    """
    codewords = to_points(codebook, metric)
    used = fixed | (mass > 0)
    gained = mass[:, None] * codewords * codewords - 2 * sums * codewords
    numbers = (np.cumsum(used) - 1).astype(np.uint8)
    for rows in bands_of(labels.shape):
        labels[rows] = numbers[labels[rows]]
    kept = np.flatnonzero(used).astype(np.uint8)
    return Refined(labels, codebook[used], power + float(gained.sum()), kept)


def error_of(
    quantized: Quantized, codewords: np.ndarray, index: np.ndarray, labels: np.ndarray
) -> float:
    """Return the weighted squared error in the metric of labels, summed over their pixels.

    Arguments:
        quantized: an image. codewords: (K, D) points.
        index: (h, w), the rows of some of its pixels in its samples. labels: (h, w) uint8.
    """
    index = index.ravel()
    points, weights = quantized.points.take(index, axis=0), quantized.samples.weights.take(index)
    return squared_error(points, codewords, labels.ravel(), weights)


def errors_from(
    quantized: Quantized, codewords: np.ndarray, nearest: NearestCodewords
) -> np.ndarray:
    """Return the weighted squared distance of each sample to its candidates, infinite as before."""
    errors = errors_of(quantized.points, codewords, nearest.labels)
    errors *= quantized.samples.search_weights[:, None]
    errors[np.isinf(nearest.errors)] = np.inf
    return errors


def whole_chains(head: Head) -> Head:
    """Return the head with chains that go on from tile to tile.

    A label after a tile's edge then costs a little else than the search believes, but no edge can
    be seen.
    """
    if head.predictor == Predictor.LEFT:
        return replace(head, tile_width=head.width)
    return replace(head, tile_height=head.height)


def _thin(
    index: np.ndarray, labels: np.ndarray, head: Head, stride: int
) -> tuple[np.ndarray, np.ndarray, Head]:
    """Return every so many chains only: enough to learn from, in all rounds but the last."""
    # What lies beside a chain does not matter to it: a tile as wide as the image takes least steps.
    if head.predictor == Predictor.LEFT:
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
    axis = 1 if head.predictor == Predictor.LEFT else 0

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
    """Yield batches of tiles of one size, of about so many pixels each."""
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


def gather(
    quantized: Quantized, index: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each label's pixels, (K,), and the sums of their points, (K, D)."""
    colors, weights = len(quantized.codebook), quantized.samples.weights
    values = [weights, *(axis * weights for axis in quantized.points.T)]

    def gather(rows: slice) -> np.ndarray:
        band, pixels = labels[rows].ravel(), index[rows].ravel()
        return np.stack([np.bincount(band, value.take(pixels), colors) for value in values])

    # Sums over grid points are exact, in whatever parts they are added.
    parts = each(gather, _bands(labels), quantized.image.threads)
    mass, *sums = np.sum(list(parts), axis=0)
    return mass, np.stack(sums, axis=1)


def add_up(
    parts: Sequence[tuple[np.ndarray, np.ndarray, float]],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mass, sums and power of an image, from those of its parts."""
    masses, sums, powers = zip(*parts, strict=True)
    return np.sum(masses, axis=0), np.sum(sums, axis=0), sum(powers)


def move_codewords(
    metric: str, codebook: np.ndarray, mass: np.ndarray, sums: np.ndarray, fixed: np.ndarray
) -> np.ndarray:
    """Move codewords to the middle of their pixels, except fixed ones and those without pixels."""
    means = snap(sums / np.maximum(mass, 1)[:, None])
    moved = to_colors(means, metric, codebook.shape[1])
    moved = hold_alpha(moved, translucency(codebook))
    still = fixed | (mass == 0)
    moved[still] = codebook[still]
    return moved


def _bands(labels: np.ndarray) -> Iterator[slice]:
    """Yield slices of rows of about 2**20 pixels each, to bound the memory at work."""
    rows = max(2**20 // labels.shape[1], 1)
    for start in range(0, len(labels), rows):
        yield slice(start, start + rows)
