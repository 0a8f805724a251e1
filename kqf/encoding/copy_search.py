"""Rate-distortion search for labels that are copied (predictor copy).

What such a label costs depends on its neighbours across and down. So every other row is searched
at a time, between rows that stay as they are: labels of a row that make error + lambda x bits
small, of it and of the row below, are found among the nearest codewords of each pixel by Viterbi's
algorithm (A. Viterbi, 1967, doi:10.1109/TIT.1967.1054010), for all rows at once. It would be exact
if the costs of a label depended on the one to the left alone, and not on how that is stored.
"""

from dataclasses import dataclass, replace

import numpy as np

from kqf.encoding.drawn import copied_size, has_shapes, is_noisy
from kqf.encoding.layout import Candidate, Layout, LayoutSettings, middle_rows, trial_size
from kqf.encoding.rate_distortion import (
    FEW,
    PART,
    SAMPLE,
    TAG_BITS,
    TAGS,
    TRIED,
    NearestCodewords,
    Refined,
    SearchParameters,
    add_up,
    code_bits,
    error_of,
    errors_from,
    gather,
    move_codewords,
    nearest_codewords,
    refined,
    tagged,
    to_costs,
)
from kqf.format import copying, prediction
from kqf.format.declarations import Predictor
from kqf.quantization.api import Quantized
from kqf.quantization.color_image import BAND, Box
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import are_among
from kqf.threads import each, run

_CODES = 4
# Labels that copy both across and down look better than streaks of the same error: so they may take
# somewhat more bytes.
_LOOKS_BETTER = 1.02
# More than any row costs, with room for the costs of a step.
_NEVER = np.int32(2**30)
# Columns that are worked on at once: a cost is at most 2**24, those of so many columns 2**28.
_COLUMNS = 16
# Pixels of a batch of rows, about, and the fewest rows.
_BATCH = 2**20
_LEAST_ROWS = 16
# Longer rows are searched in pieces, about so long, all at once: a step of the search takes longer
# to begin than to do for a few rows. Each goes some columns beyond its ends, by which it has mostly
# found what it would have found for the whole row: so no seams are left.
_PIECE = 1024
_BEYOND = 32


@dataclass(frozen=True)
class _Costs:
    """What codes and new labels cost, int32, as ``tagged`` costs but without a candidate.

    Attributes:
        codes: (4, 4, 4) by the code above, the code to the left and the code.
        new: (K, K) by the label above and the label, without its code.
    """

    codes: np.ndarray
    new: np.ndarray


def cheaper_copied(
    quantized: Quantized,
    found: Refined,
    nearest: NearestCodewords | None,
    candidate: Candidate,
    parameters: SearchParameters,
    settings: LayoutSettings,
) -> Refined | None:
    """Return labels to copy that cost less than those found; None if there are none.

    Arguments:
        found: by other searches. candidate: its layout and size by trial.
        nearest: as refine_copied has it.
        settings: of trials.
    """
    if not _is_asked_for(settings):
        # These are the nearest labels of noise, for which other searches found nothing either.
        if found.error == quantized.error and is_noisy(found.labels, len(found.codebook)):
            return None
        most = candidate.size * parameters.most_copied
        if copied_size(found.labels, found.codebook, settings) > most:
            return None
    # What is taken out as a shape should stay as it is.
    if has_shapes(found.labels, found.codebook):
        return None
    if quantized.image.in_bands:
        rows = middle_rows(found.labels.shape, PART)
        part = quantized.part((rows, slice(None)))
        few = _part_of(found, part, rows)
        if _cheaper(part, few, None, candidate.layout, parameters, settings) is None:
            return None
    return _cheaper(quantized, found, nearest, candidate.layout, parameters, settings)


def _cheaper(
    quantized: Quantized,
    found: Refined,
    nearest: NearestCodewords | None,
    layout: Layout,
    parameters: SearchParameters,
    settings: LayoutSettings,
) -> Refined | None:
    """Search for labels to copy, whatever they may gain, and return them if they cost less."""
    copied = refine_copied(quantized, found, nearest, parameters)
    # Streams of other kinds gain differently from a higher level.
    settings = settings.at_final_level()
    pixels = min(settings.effort.pixels, TRIED)
    settings = replace(settings, effort=replace(settings.effort, pixels=pixels))
    if _is_asked_for(settings):
        size = copied_size(found.labels, found.codebook, settings)
    else:
        size = trial_size(found.labels, found.codebook, layout, settings)
    its_size = copied_size(copied.labels, copied.codebook, settings)
    # No quality makes a larger file than 100 does, which may copy the nearest labels.
    if its_size > copied_size(quantized.labels, quantized.codebook, settings):
        return None
    rows = middle_rows(found.labels.shape, pixels)
    share = found.labels[rows].size / found.labels.size
    bit = 8 * parameters.lambda_ / share
    is_cheaper = copied.error + bit * its_size < found.error + bit * size * _LOOKS_BETTER
    return copied if is_cheaper else None


def _is_asked_for(settings: LayoutSettings) -> bool:
    """Whether labels are to be copied whatever else might be smaller."""
    return list(settings.predictors) == [Predictor.COPY]


def _part_of(found: Refined, part: Quantized, rows: slice) -> Refined:
    """Return what was found for some rows of an image, which are a part of it."""
    labels, codewords = found.labels[rows], to_points(found.codebook, part.metric)
    error = error_of(part, codewords, part.samples.index, labels)
    return replace(found, labels=labels, error=error)


def refine_copied(
    quantized: Quantized,
    found: Refined,
    nearest: NearestCodewords | None,
    parameters: SearchParameters,
) -> Refined:
    """Return labels and codebook that cost less than those found if they are copied.

    What they cost is error + lambda x bits.

    Arguments:
        found: by a search for another predictor.
        nearest: candidates for all of the image; None if they are still to be found.
    """
    image, metric, count = quantized.image, quantized.metric, parameters.copy_candidates
    fixed = are_among(quantized.codebook, quantized.fixed)
    codebook, labels = quantized.codebook.copy(), found.kept[found.labels]
    codebook[found.kept] = found.codebook
    boxes, threads = [(slice(None), slice(None))], 1
    if image.in_bands:
        # Whatever the number of threads: what is found depends on where bands begin.
        height, width = labels.shape
        step = max(BAND // 2 * FEW // max(count, FEW) // width, _LEAST_ROWS) // 2 * 2
        bands = (slice(top, min(top + step, height)) for top in range(0, height, step))
        boxes = [(rows, slice(None)) for rows in bands]
        threads = image.band_threads
    elif nearest is None:
        nearest = nearest_codewords(quantized, count)

    def search_round(
        before: np.ndarray, codebook: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
        """Return new labels, the codebook moved to suit them, and mass, sums and power."""
        costs = _costs_of(before[middle_rows(before.shape, SAMPLE)], codebook)
        codewords, labels = to_points(codebook, metric), np.empty_like(before)

        def search(box: Box) -> tuple[np.ndarray, np.ndarray, float]:
            part = quantized.part(box) if image.in_bands else quantized
            near = nearest_codewords(part, count) if nearest is None else nearest.first(count)
            errors = to_costs(errors_from(part, codewords, near), parameters.lambda_)
            index = part.samples.index
            labels[box] = _searched(
                before, box[0], index, near.labels, errors, costs, part.image.threads
            )
            return *gather(part, index, labels[box]), part.power

        mass, sums, power = add_up(list(each(search, boxes, threads)))
        codebook = move_codewords(metric, codebook, mass, sums, fixed)
        return labels, codebook, mass, sums, power

    for _ in range(parameters.copy_rounds - 1):
        labels, codebook, *_ = search_round(labels, codebook)
    labels, codebook, mass, sums, power = search_round(labels, codebook)
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
    # With a row more below, and two above, as the codes of the nearer one depend on the other.
    above = min(first, 2)
    labels = labels[first - above : last + 1].copy()
    height, width = index.shape
    # One candidate of all pixels after another: less to move about than pixel by pixel.
    nearest, errors = np.ascontiguousarray(nearest.T), tagged(np.ascontiguousarray(errors.T))
    step = 2 * max(_BATCH // width, _LEAST_ROWS)
    for start in range(min(2, height)):
        codes, _, _ = copying.choose(labels)

        def search(top: int, codes: np.ndarray = codes) -> None:
            rows = np.arange(top, min(top + step, height), 2)
            labels[rows + above] = _best_rows(
                labels, codes, rows + above, index[rows], nearest, errors, costs
            )

        run(search, range(start, height, step), threads)
    return labels[above : above + height]


def _costs_of(labels: np.ndarray, codebook: np.ndarray) -> _Costs:
    """Return what codes and new labels cost where they are as frequent as in labels (H, W)."""
    codes, above, _ = copying.choose(labels)
    left, up = np.zeros_like(codes), np.zeros_like(codes)
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
    index: np.ndarray,
    nearest: np.ndarray,
    errors: np.ndarray,
    costs: _Costs,
) -> np.ndarray:
    """Return the cheapest labels of some rows that are not neighbours, (n, W) uint8.

    Arguments:
        labels, codes: (H, W) uint8 as they are. rows: (n,).
        index: (n, W), columns of the next two.
        nearest: (C, R) uint8, candidates. errors: (C, R) int32, their costs, ``tagged``.
    """
    width, colors, new = labels.shape[1], np.intp(len(costs.new)), costs.new.ravel()
    above = np.where(rows[:, None], labels[rows - 1], np.uint8(0))
    corner = np.zeros_like(above)
    corner[:, :-1] = above[:, 1:]
    up = np.where(rows[:, None], codes[rows - 1], 0)
    rows_below = _costs_below(labels, codes, rows, costs)
    pieces = _Pieces(width, len(rows))
    index, up = pieces.cut(index), pieces.cut(up)
    above, corner, below, by_above, by_others, by_new = (
        pieces.cut(values)[:, None] for values in (above, corner, *rows_below)
    )
    chains = _Chains(len(nearest), index.shape)
    # Some columns at a time, which stay in the cache.
    for first in range(0, len(index), _COLUMNS):
        part = slice(first, first + _COLUMNS)
        candidates, own = (table[:, index[part]].swapaxes(0, 1) for table in (nearest, errors))
        others = np.full(candidates.shape, copying.NEW, np.uint8)
        np.copyto(others, copying.ABOVE_RIGHT, where=candidates == corner[part])
        np.copyto(others, copying.ABOVE, where=candidates == above[part])
        beside = new.take(above[part] * colors + candidates)
        np.copyto(beside, 0, where=others != copying.NEW)
        under = new.take(candidates * colors + below[part])
        under += by_new[part]
        np.minimum(under, by_others[part], out=under)
        np.copyto(under, by_above[part], where=candidates == below[part])
        own += under
        by_code = np.ascontiguousarray(np.moveaxis(costs.codes[up[part]], 1, -1))
        chains.add(candidates, own, others, beside, by_code)
    return pieces.join(chains.cheapest())


class _Pieces:
    """Rows cut into pieces that overlap, which are columns of what is searched.

    Arguments:
        width: of a row. rows: how many.
    """

    def __init__(self, width: int, rows: int) -> None:
        self._width, self._rows = width, rows
        count = max(width // _PIECE, 1)
        self._beyond = _BEYOND if count > 1 else 0
        length = -(-width // count)
        ends = np.arange(-self._beyond, length + self._beyond)
        columns = np.abs(np.arange(0, width, length) + ends[:, None])
        # Beyond an edge, rows are mirrored.
        self._columns = np.minimum(columns, 2 * (width - 1) - columns)

    def cut(self, values: np.ndarray) -> np.ndarray:
        """Return values of rows (n, W) as those of pieces, (length, pieces of all rows)."""
        # One piece of all rows after another.
        pieces: np.ndarray = values.T.take(self._columns, axis=0)
        return pieces.reshape(len(self._columns), -1)

    def join(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of pieces (pieces of all rows, length) as those of rows, (n, W)."""
        inner = labels[:, self._beyond : len(self._columns) - self._beyond]
        pieces = inner.reshape(-1, self._rows, inner.shape[1]).swapaxes(0, 1)
        joined: np.ndarray = pieces.reshape(self._rows, -1)[:, : self._width]
        return joined


def _costs_below(
    labels: np.ndarray, codes: np.ndarray, rows: np.ndarray, costs: _Costs
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels below some rows, (n, W) uint8, and what they cost, (n, W) int32.

    Namely if they are copied from above; if they are copied from elsewhere, _NEVER if they can't
    be; and what their code costs if they are new.
    """
    last = rows + 1 == len(labels)
    under = np.where(last, 0, rows + 1)
    below = labels[under]
    left, corner, before = np.zeros_like(below), np.zeros_like(below), np.zeros_like(below)
    left[:, 1:], before[:, 1:] = below[:, :-1], codes[under, :-1]
    corner[:, :-1] = labels[rows, 1:]
    by_code = costs.codes[codes[rows], before]
    # Where there is no row below, nothing costs anything.
    by_code[last] = 0
    others = np.where(below == corner, by_code[..., copying.ABOVE_RIGHT], _NEVER)
    np.copyto(others, by_code[..., copying.LEFT], where=below == left)
    others[last] = 0
    return below, by_code[..., copying.ABOVE], others, by_code[..., copying.NEW]


class _Chains:
    """The cheapest labels of many rows, found column by column.

    Arguments:
        count: candidates of each pixel. shape: (W, n) columns and rows.
    """

    def __init__(self, count: int, shape: tuple[int, int]) -> None:
        self._columns, rows = shape
        self._row = np.arange(rows)
        # Left of a row lie zeros, as if copied from above.
        self._totals = np.full((count + 1, rows), _NEVER)
        self._totals[0] = 0
        self._labels = np.zeros((1, count, rows), np.uint8)
        self._codes = np.full((count, rows), copying.ABOVE, np.intp)
        self._came_by: list[np.ndarray] = []
        self._candidates: list[np.ndarray] = []

    def add(
        self,
        candidates: np.ndarray,
        errors: np.ndarray,
        others: np.ndarray,
        new: np.ndarray,
        by_code: np.ndarray,
    ) -> None:
        """Add columns on the right.

        Arguments:
            candidates: (w, C, n) uint8.
            errors: (w, C, n) int32, what each costs however it is stored, ``tagged``.
            others: (w, C, n) uint8, the code of each unless it is copied from the left.
            new: (w, C, n) int32, what it costs then beside its code.
            by_code: (w, 4, 4, n) int32, what codes cost by the code to the left.
        """
        columns, count, rows = candidates.shape
        totals, chosen, row = self._totals, self._codes, self._row
        # Which candidate to the left has the same label; the one after the last if none has.
        before = np.concatenate([self._labels, candidates[:-1]])
        same = np.full(candidates.shape, count, np.uint8)
        for number in reversed(range(count)):
            np.copyto(same, np.uint8(number), where=candidates == before[:, number : number + 1])
        came_by = np.empty(candidates.shape, np.uint8)
        least = np.empty((_CODES, rows), np.int32)
        for step in range(columns):
            costs = by_code[step]
            # The least total that ends in each code to the left, and then in each code here: its
            # low bits tell which candidate it came by.
            for code in range(_CODES):
                np.where(chosen == code, totals[:-1], _NEVER).min(axis=0, out=least[code])
            paths = (least[:, None] + costs).min(axis=0)
            cheapest = paths.take(others[step] * np.intp(rows) + row)
            cheapest += new[step]
            totals[:-1] += costs[:, copying.LEFT].take(chosen * rows + row)
            copied = totals.take(same[step] * np.intp(rows) + row)
            chosen = np.where(copied < cheapest, np.intp(copying.LEFT), others[step])
            np.minimum(copied, cheapest, out=cheapest)
            np.bitwise_and(cheapest, TAGS, out=came_by[step], casting="unsafe")
            cheapest &= ~TAGS
            np.add(cheapest, errors[step], out=totals[:-1])
        # Only differences matter: taking the least away keeps long rows from overflowing.
        totals[:-1] -= totals[:-1].min(axis=0) & ~TAGS
        self._codes, self._labels = chosen, candidates[-1:]
        self._candidates.append(candidates)
        self._came_by.append(came_by)

    def cheapest(self) -> np.ndarray:
        """Return the labels of all columns, (n, W) uint8."""
        result = np.empty((self._columns, len(self._row)), np.uint8)
        at, column = self._totals[:-1].argmin(axis=0), self._columns
        for candidates, came_by in zip(
            reversed(self._candidates), reversed(self._came_by), strict=True
        ):
            for step in reversed(range(len(candidates))):
                column -= 1
                result[column] = candidates[step, at, self._row]
                at = came_by[step, at, self._row]
        return result.T
