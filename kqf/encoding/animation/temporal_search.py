"""Labels of true-colour frames, searched for in time as in space.

A block of pixels costs nothing where it keeps its labels. So for each block the error of keeping
them, against the frame itself, is weighed with that of the cheapest new labels and their bits. What
is painted stays for as long as the picture stands still: the frames that follow are looked at, and
the labels of a block are those for the mean of its pixels until it moves, in which noise has
vanished. Its error counts as often, and so still areas are painted well, moving ones cheaply.

Where much changes, as in pans, the frame is searched as a still image is, too, and the cheaper way
taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kqf.encoding.animation.blocks import AREA, BlockGrid, deviations, flat
from kqf.encoding.animation.change_costs import RepeatCosts, TransitionCosts
from kqf.encoding.animation.codeword_candidates import CodewordCandidates
from kqf.encoding.animation.stillness import Aims, Frame, changing_aims
from kqf.encoding.animation.whole_search import PREDICTORS, WholeFrame, WholeSearch, WholeTrials
from kqf.format.declarations import Predictor
from kqf.quantization.visibility import weights_of

# Bits' worth of error in a pixel that no block moves for.
_STILL = 0.5
# What the costs of the frames before still count with each new frame.
_DECAY = 0.8


@dataclass(frozen=True)
class FoundLabels:
    """The labels of a frame.

    Attributes:
        labels: (H, W) uint8.
        predictor: what they were searched for, if the frame is to be stored whole.
    """

    labels: np.ndarray
    predictor: Predictor | None = None


class TemporalSearch:
    """Finds the labels of frames of one codebook.

    Arguments:
        candidates: codewords that pixels may have.
        lambda_: squared error in the metric that one bit is worth.
        weighted: whether pixels of calm areas count more.
        predictors: those that whole frames may have.
    """

    def __init__(
        self,
        candidates: CodewordCandidates,
        lambda_: float,
        *,
        weighted: bool,
        predictors: Sequence[Predictor],
    ) -> None:
        self._candidates, self._lambda, self._weighted = candidates, lambda_, weighted
        self._costs = TransitionCosts(candidates.codebook)
        self._repeats = RepeatCosts()
        allowed = [one for one in PREDICTORS if one in predictors]
        # The first frame is whole in any case: labels that suit one predictor suit others, too.
        self._whole = WholeSearch(candidates.codebook, allowed or PREDICTORS)
        self._may_be_whole = bool(allowed)
        self._trials = WholeTrials()
        self._ranked_cost = self._raw_cost = 0.0

    def labels(self, frames: Iterable[np.ndarray]) -> Iterator[FoundLabels]:
        """Yield the labels of frames (H, W, C) uint8, a few frames late."""
        labels = None
        for grid, frame, active, aims in changing_aims(frames, _STILL * self._lambda):
            predictor = None
            if labels is None:
                labels = _blocks(grid, self._first(frame, aims, grid))
            elif len(active) and (whole := self._update(labels, frame, active, aims, grid)):
                labels, predictor = _blocks(grid, whole), whole.predictor
            yield FoundLabels(grid.join(labels), predictor)

    def _weights(self, aims: Aims) -> np.ndarray:
        """Return what the error of each pixel counts, in bits, (n * 16,) float32."""
        weights = aims.frames.astype(np.float32)
        if self._weighted:
            weights *= weights_of(deviations(aims.luma))
        weights /= np.float32(self._lambda)
        return weights.repeat(AREA)

    def _first(self, frame: Frame, aims: Aims, grid: BlockGrid) -> WholeFrame:
        """Return a frame before which there is none."""
        pixels, weights = flat(aims.blocks), self._weights(aims)
        points = self._candidates.points(pixels)
        found, errors = self._choices(pixels, flat(frame.blocks), points, weights)
        return self._whole.find(*_joined(grid, found, errors))

    def _choices(
        self, pixels: np.ndarray, shown: np.ndarray, points: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels that pixels may have and the errors in bits, (candidates, N) each."""
        candidates = self._candidates
        found = candidates.labels(pixels)
        errors = candidates.errors(points, found)
        errors *= weights
        held, own = candidates.held(shown)
        found[:, held] = own
        errors[:, held] = 0
        return found, errors

    def _update(
        self, labels: np.ndarray, frame: Frame, active: np.ndarray, aims: Aims, grid: BlockGrid
    ) -> WholeFrame | None:
        """Replace the labels (N, 16) of blocks of a frame where it pays, in place.

        Or return the frame, if it is to be stored whole; the labels stay then.

        Arguments:
            active: (n,) numbers of the blocks. aims: what they are to show.
        """
        candidates, costs, trials = self._candidates, self._costs, self._trials
        pixels, weights = flat(aims.blocks), self._weights(aims)
        shown = flat(frame.blocks[active])
        before = labels[active].ravel()
        points = candidates.points(pixels)
        kept = candidates.errors(points, before) * weights + candidates.penalties(shown, before)
        held, own = candidates.held(shown)
        kept[held] = np.where(before[held] == own, 0, np.inf)
        # Most blocks that stay cost less than any change does.
        of_blocks = kept.reshape(-1, AREA).sum(axis=1)
        doubtful = of_blocks > costs.least(before.reshape(-1, AREA))
        whole, choices = None, None
        if self._may_be_whole and trials.begin(int(doubtful.sum()), len(labels)):
            choices = self._choices(pixels, shown, points, weights)
            whole = self._whole.find(*_spread(grid, labels, active, *choices))
            if trials.is_sure():
                return whole
        if not doubtful.all():
            active, part = active[doubtful], np.flatnonzero(doubtful.repeat(AREA))
            before, weights, kept = before.take(part), weights.take(part), kept.take(part)
            pixels, shown = pixels.take(part, axis=0), shown.take(part, axis=0)
            points = points.take(part, axis=1)
            if choices:
                choices = choices[0].take(part, axis=1), choices[1].take(part, axis=1)
        found, errors = choices or self._choices(pixels, shown, points, weights)
        found = np.concatenate([before[None], found])
        errors = np.concatenate([kept[None], errors])
        if not costs.are_known:
            ranked = costs.choose(before, found, errors)
            costs.count(before.reshape(-1, AREA)[ranked.changes], ranked.labels, len(labels))
        ranked = costs.choose(before, found, errors)
        costs.count(before.reshape(-1, AREA)[ranked.changes], ranked.labels, len(labels))
        raw = self._repeats.choose(found, errors, costs.change)
        self._ranked_cost = _DECAY * self._ranked_cost + ranked.cost
        self._raw_cost = _DECAY * self._raw_cost + raw.cost
        choice = raw if self._raw_cost < self._ranked_cost else ranked
        if whole:
            changes = choice.cost + float(of_blocks[~doubtful].sum())
            if trials.compare(whole.cost, changes):
                # A group of changes repeats nothing of what stands before a whole frame.
                self._repeats.forget()
                return whole
        labels[active[choice.changes]] = choice.labels
        return None


def _blocks(grid: BlockGrid, whole: WholeFrame) -> np.ndarray:
    """Return the labels (N, 16) of a frame."""
    return grid.cut(whole.labels[..., None])[..., 0]


def _joined(grid: BlockGrid, *parts: np.ndarray) -> list[np.ndarray]:
    """Return each of the parts (candidates, N * 16) as (candidates, H, W)."""
    return [np.stack([grid.join(plane.reshape(-1, AREA)) for plane in part]) for part in parts]


def _spread(
    grid: BlockGrid,
    labels: np.ndarray,
    active: np.ndarray,
    found: np.ndarray,
    errors: np.ndarray,
) -> list[np.ndarray]:
    """Return candidates and errors of whole frames, (candidates, H, W): other blocks stay."""
    all_found = np.repeat(labels[None], len(found), axis=0)
    all_errors = np.zeros(all_found.shape, np.float32)
    all_found[:, active] = found.reshape(len(found), -1, AREA)
    all_errors[:, active] = errors.reshape(len(found), -1, AREA)
    return _joined(grid, all_found, all_errors)
