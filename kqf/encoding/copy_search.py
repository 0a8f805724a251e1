"""Rate-distortion search for labels that are copied (predictor copy).

What such a label costs depends on its neighbours across and down. So every other row is searched
at a time, between rows that stay as they are: labels of a row that make error + lambda x bits
small, of it and of the row below, are found among the nearest codewords of each pixel by Viterbi's
algorithm (A. Viterbi, 1967, doi:10.1109/TIT.1967.1054010), for all rows at once. It would be exact
if the costs of a label depended on the one to the left alone, and not on how that is stored.
"""

from dataclasses import dataclass, replace

import numpy as np

from kqf.encoding.layout import middle_rows
from kqf.encoding.rate_distortion import (
    FEW,
    SAMPLE,
    TAG_BITS,
    TAGS,
    Refined,
    code_bits,
    errors_from,
    gather,
    move_codewords,
    nearest_codewords,
    refined,
    tagged,
    to_costs,
)
from kqf.format import copying, prediction
from kqf.quantization.api import Quantized
from kqf.quantization.color_image import Box
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import are_among, bands_of
from kqf.quantization.nearest import assign
from kqf.threads import each, run

_CODES = 4
# More than any row costs, with room for the costs of a step.
_NEVER = np.int32(2**30)
# Steps after which totals are reduced: a cost is at most 2**24, those of so many steps 2**28.
_STEPS = 16
# Candidates of all pixels of a batch of rows, about, and the fewest rows: each step of the search
# takes longer to begin than to do for a few rows.
_BATCH = 2**21
_LEAST_ROWS = 32


@dataclass(frozen=True)
class _Costs:
    """What codes and new labels cost, int32, as ``tagged`` costs but without a candidate.

    Attributes:
        codes: (4, 4, 4) by the code above, the code to the left and the code.
        new: (K, K) by the label above and the label, without its code.
    """

    codes: np.ndarray
    new: np.ndarray


def refine_copied(
    quantized: Quantized,
    labels: np.ndarray,
    codebook: np.ndarray,
    candidates: int,
    lambda_: float,
    rounds: int,
) -> Refined:
    """Return labels and codebook with less of error + lambda x bits, copied, than those given.

    Arguments:
        labels: (H, W) uint8. codebook: (K, C) uint8. Found by a search for another predictor.
        candidates: nearest codewords to choose from, for each pixel, 1 to MAX_CANDIDATES.
        lambda_: squared error in the metric that one bit is worth, above 0.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
    """
    image, metric = quantized.image, quantized.metric
    color_labels = assign(image.histogram.colors, codebook, metric, image.threads)
    quantized = replace(quantized, codebook=codebook, color_labels=color_labels)
    fixed = are_among(codebook, quantized.fixed)
    boxes, threads = [(slice(None), slice(None))], 1
    if image.in_bands:
        pixels = image.band_pixels * FEW // max(candidates, FEW)
        boxes = [(rows, slice(None)) for rows in bands_of(labels.shape, pixels)]
        threads = image.band_threads
    else:
        nearest = nearest_codewords(quantized, candidates)
    for _ in range(rounds):
        costs = _costs_of(labels[middle_rows(labels.shape, SAMPLE)], codebook)
        codewords, before = to_points(codebook, metric), labels
        labels = np.empty_like(before)

        def search(
            box: Box,
            before: np.ndarray = before,
            labels: np.ndarray = labels,
            codewords: np.ndarray = codewords,
            costs: _Costs = costs,
        ) -> tuple[np.ndarray, np.ndarray, float]:
            part = quantized.part(box) if image.in_bands else quantized
            near = nearest_codewords(part, candidates) if image.in_bands else nearest
            errors = to_costs(errors_from(part, codewords, near), lambda_)
            index = part.samples.index
            labels[box] = _searched(
                before, box[0], index, near.labels, errors, costs, part.image.threads
            )
            return *gather(part, index, labels[box]), part.power

        found = list(each(search, boxes, threads))
        mass = np.sum([part[0] for part in found], axis=0)
        sums = np.sum([part[1] for part in found], axis=0)
        codebook = move_codewords(metric, codebook, mass, sums, fixed)
    power = sum(part[2] for part in found)
    return refined(labels, codebook, metric, mass, sums, power, fixed)


def _searched(
    labels: np.ndarray,
    band: slice,
    index: np.ndarray,
    nearest: np.ndarray,
    errors: np.ndarray,
    costs: _Costs,
    threads: int,
) -> np.ndarray:
    """Return new labels of a band of rows: every other row is searched, then the others.

    Arguments:
        labels: (H, W) uint8, of the whole image. band: which rows.
        index: (h, W), rows of the next two. nearest: (R, C) uint8, candidates.
        errors: (R, C) int32, their costs.
    """
    first, last, _ = band.indices(len(labels))
    # With a row more above and below, where there is one.
    above = min(first, 1)
    labels = labels[first - above : last + 1].copy()
    height, width = index.shape
    # One candidate of all pixels after another: less to move about than pixel by pixel.
    nearest, errors = np.ascontiguousarray(nearest.T), tagged(np.ascontiguousarray(errors.T))
    step = 2 * max(_BATCH // (width * len(nearest)), _LEAST_ROWS)
    for start in range(min(2, height)):
        codes, _, _ = copying.choose(labels)

        def search(top: int, codes: np.ndarray = codes) -> None:
            rows = np.arange(top, min(top + step, height), 2)
            here = index[rows].T
            some, their_errors = (table[:, here].swapaxes(0, 1) for table in (nearest, errors))
            labels[rows + above] = _best_rows(
                labels, codes, rows + above, some, their_errors, costs
            )

        run(search, range(start, height, step), threads)
    return labels[above : above + height]


def _costs_of(labels: np.ndarray, codebook: np.ndarray) -> _Costs:
    """Return what codes and new labels cost where they are as frequent as in labels (H, W)."""
    codes, above, _ = copying.choose(labels)
    left, up = np.zeros((2, *codes.shape), np.uint8)
    left[:, 1:], up[1:] = codes[:, :-1], codes[:-1]
    places = up * np.uint8(_CODES**2) + left * np.uint8(_CODES) + codes
    counts = np.bincount(places.ravel(), minlength=_CODES**3).reshape((_CODES,) * 3)
    # To deflate, whose symbols are four codes of a column and whose matches make runs of them
    # cheap, a code costs about what it costs to know it after both, or after that above alone.
    bits = (code_bits(counts) + code_bits(counts.sum(axis=1))[:, None]) // 2
    ranks = prediction.invert(prediction.read_table(None, codebook))
    new = codes == copying.NEW
    symbols = np.bincount(ranks[above[new], labels[new]], minlength=len(codebook))
    return _Costs(bits << TAG_BITS, code_bits(symbols)[ranks] << TAG_BITS)


def _best_rows(
    labels: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    candidates: np.ndarray,
    errors: np.ndarray,
    costs: _Costs,
) -> np.ndarray:
    """Return the cheapest labels of some rows that are not neighbours, (n, W) uint8.

    Arguments:
        labels, codes: (H, W) uint8 as they are.
        rows: (n,). candidates: (W, C, n) uint8. errors: (W, C, n) int32, their costs.
    """
    above = np.where(rows[:, None], labels[rows - 1], np.uint8(0)).T[:, None]
    corner = np.zeros_like(above)
    corner[:-1] = above[1:]
    others = np.full(candidates.shape, copying.NEW, np.uint8)
    others[candidates == corner] = copying.ABOVE_RIGHT
    others[candidates == above] = copying.ABOVE
    new = costs.new.ravel().take(above * np.intp(len(costs.new)) + candidates)
    new[others != copying.NEW] = 0
    errors += _costs_below(labels, codes, rows, candidates, costs)
    up = np.where(rows[:, None], codes[rows - 1], 0).T
    by_code = np.ascontiguousarray(np.moveaxis(costs.codes[up], 1, -1))
    return _best_chains(candidates, errors, others, new, by_code)


def _costs_below(
    labels: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    candidates: np.ndarray,
    costs: _Costs,
) -> np.ndarray:
    """Return what the labels below cost beneath each candidate, (W, C, n) int32."""
    last = rows + 1 == len(labels)
    under = np.where(last, 0, rows + 1)
    below = labels[under]
    left, corner, before = np.zeros((3, *below.shape), np.uint8)
    left[:, 1:], before[:, 1:] = below[:, :-1], codes[under, :-1]
    corner[:, :-1] = labels[rows, 1:]
    by_code = costs.codes[codes[rows], before].T
    below = below.T[:, None]
    copied = np.where(below == corner.T[:, None], by_code[copying.ABOVE_RIGHT][:, None], _NEVER)
    np.copyto(copied, by_code[copying.LEFT][:, None], where=below == left.T[:, None])
    total: np.ndarray = costs.new.ravel().take(candidates * np.intp(len(costs.new)) + below)
    total += by_code[copying.NEW][:, None]
    np.minimum(total, copied, out=total)
    np.copyto(total, by_code[copying.ABOVE][:, None], where=candidates == below)
    total[..., last] = 0
    return total


def _best_chains(
    candidates: np.ndarray,
    errors: np.ndarray,
    others: np.ndarray,
    new: np.ndarray,
    by_code: np.ndarray,
) -> np.ndarray:
    """Return the cheapest candidate of each pixel, for many rows at once, (n, W) uint8.

    Arguments:
        candidates: (W, C, n) uint8.
        errors: (W, C, n) int32, what each costs however it is stored, ``tagged``.
        others: (W, C, n) uint8, the code of each unless it is copied from the left.
        new: (W, C, n) int32, what it costs then beside its code.
        by_code: (W, 4, 4, n) int32, what codes cost by the code to the left.
    """
    steps, count, rows = candidates.shape
    column = np.arange(rows)
    # Which candidate to the left has the same label; the one after the last if none has.
    same = np.full(candidates.shape, count, np.uint8)
    for number in reversed(range(count)):
        is_same = candidates[1:] == candidates[:-1, number : number + 1]
        np.copyto(same[1:], np.uint8(number), where=is_same)
    came_by = np.empty(candidates.shape, np.uint8)
    totals = np.full((count + 1, rows), _NEVER)
    # Left of a row lie zeros.
    is_zero = (candidates[0] == 0) & (others[0] > copying.LEFT)
    chosen = np.where(is_zero, np.intp(copying.LEFT), others[0])
    totals[:-1] = by_code[0, 0].take(chosen * rows + column) + errors[0]
    totals[:-1] += np.where(chosen == copying.NEW, new[0], 0)
    least = np.empty((_CODES, rows), np.int32)
    for step in range(1, steps):
        costs = by_code[step]
        # The least total that ends in each code to the left, and then in each code here: its low
        # bits tell which candidate it came by.
        for code in range(_CODES):
            np.where(chosen == code, totals[:-1], _NEVER).min(axis=0, out=least[code])
        paths = (least[:, None] + costs).min(axis=0)
        cheapest = paths.take(others[step] * np.intp(rows) + column)
        cheapest += new[step]
        totals[:-1] += costs[:, copying.LEFT].take(chosen * rows + column)
        copied = totals.take(same[step] * np.intp(rows) + column)
        chosen = np.where(copied < cheapest, np.intp(copying.LEFT), others[step])
        np.minimum(copied, cheapest, out=cheapest)
        np.bitwise_and(cheapest, TAGS, out=came_by[step], casting="unsafe")
        cheapest &= ~TAGS
        if not step % _STEPS:
            # Only differences matter: taking the least away keeps long rows from overflowing.
            cheapest -= cheapest.min(axis=0)
        np.add(cheapest, errors[step], out=totals[:-1])
    result = np.empty((steps, rows), np.uint8)
    at = totals[:-1].argmin(axis=0)
    for step in range(steps - 1, -1, -1):
        result[step] = candidates[step, at, column]
        at = came_by[step, at, column]
    return result.T
