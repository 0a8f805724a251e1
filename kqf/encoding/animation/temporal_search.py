"""Labels of true-colour frames, searched for in time as in space.

A block of pixels costs nothing where it keeps its labels. So for each block the error of keeping
them, against the frame itself, is weighed with that of the cheapest new labels and their bits. What
is painted stays for as long as the picture stands still: the frames that follow are looked at, and
the labels of a block are those for the mean of its pixels until it moves, in which noise has
vanished. Its error counts as often, and so still areas are painted well, moving ones cheaply.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from kqf.encoding.animation.blocks import AREA, BlockGrid, deviations, flat
from kqf.encoding.animation.change_costs import RepeatCosts, TransitionCosts
from kqf.encoding.animation.codeword_candidates import CodewordCandidates
from kqf.encoding.animation.stillness import Aims, Frame, changing_aims
from kqf.encoding.rate_distortion import (
    MAX_CANDIDATES,
    best_chains,
    lengths_of,
    tagged,
    to_costs,
)
from kqf.format.declarations import Predictor
from kqf.format.prediction import count_after
from kqf.quantization.visibility import weights_of

# Bits' worth of error in a pixel that no block moves for.
_STILL = 0.5
# Rounds of search in the first frame.
_FIRST_ROUNDS = 2
# What the costs of the frames before still count with each new frame.
_DECAY = 0.8


class TemporalSearch:
    """Finds the labels of frames of one codebook.

    Arguments:
        candidates: codewords that pixels may have.
        lambda_: squared error in the metric that one bit is worth.
        weighted: whether pixels of calm areas count more.
    """

    def __init__(self, candidates: CodewordCandidates, lambda_: float, *, weighted: bool) -> None:
        self._candidates, self._lambda, self._weighted = candidates, lambda_, weighted
        self._costs = TransitionCosts(candidates.codebook)
        self._repeats = RepeatCosts()
        self._ranked_cost = self._raw_cost = 0.0

    def labels(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the labels (H, W) uint8 of frames (H, W, C) uint8, a few frames late."""
        labels = None
        for grid, frame, active, aims in changing_aims(frames, _STILL * self._lambda):
            if labels is None:
                labels = self._first(frame, aims, grid)
            elif len(active):
                self._update(labels, frame, active, aims)
            yield grid.join(labels)

    def _weights(self, aims: Aims) -> np.ndarray:
        """Return what the error of each pixel counts, in bits, (n * 16,) float32."""
        weights = aims.frames.astype(np.float32)
        if self._weighted:
            weights *= weights_of(deviations(aims.luma))
        weights /= np.float32(self._lambda)
        return weights.repeat(AREA)

    def _first(self, frame: Frame, aims: Aims, grid: BlockGrid) -> np.ndarray:
        """Return the labels (N, 16) of a frame before which there is none."""
        candidates = self._candidates
        pixels, weights = flat(aims.blocks), self._weights(aims)
        labels = candidates.labels(pixels)[:MAX_CANDIDATES]
        errors = candidates.errors(candidates.points(pixels), labels) * weights
        held, own = candidates.held(flat(frame.blocks))
        labels[:, held] = own
        errors[:, held] = 0
        # Chains along rows: (candidates, W, H).
        labels, errors = (
            np.stack([grid.join(plane.reshape(-1, AREA)).T for plane in planes])
            for planes in (labels, errors)
        )
        costs = tagged(to_costs(errors, 1.0))
        chosen = np.take_along_axis(labels, errors.argmin(axis=0)[None], 0)[0]
        codebook = candidates.codebook
        for _ in range(_FIRST_ROUNDS):
            counts = count_after(chosen[:-1], chosen[1:], len(codebook))
            chosen = best_chains(labels, costs, lengths_of(counts, codebook, Predictor.LEFT))
        return grid.cut(chosen.T[..., None])[..., 0]

    def _update(self, labels: np.ndarray, frame: Frame, active: np.ndarray, aims: Aims) -> None:
        """Replace the labels (N, 16) of blocks of a frame where it pays, in place.

        Arguments:
            active: (n,) numbers of the blocks. aims: what they are to show.
        """
        candidates, costs = self._candidates, self._costs
        pixels, weights = flat(aims.blocks), self._weights(aims)
        shown = flat(frame.blocks[active])
        before = labels[active].ravel()
        points = candidates.points(pixels)
        kept = candidates.errors(points, before) * weights + candidates.penalties(shown, before)
        held, own = candidates.held(shown)
        kept[held] = np.where(before[held] == own, 0, np.inf)
        # Most blocks that stay cost less than any change does.
        doubtful = kept.reshape(-1, AREA).sum(axis=1) > costs.least(before.reshape(-1, AREA))
        if not doubtful.all():
            active, part = active[doubtful], np.flatnonzero(doubtful.repeat(AREA))
            before, weights, kept = before.take(part), weights.take(part), kept.take(part)
            pixels, shown = pixels.take(part, axis=0), shown.take(part, axis=0)
            points = points.take(part, axis=1)
        found = candidates.labels(pixels)
        errors = candidates.errors(points, found)
        errors *= weights
        held, own = candidates.held(shown)
        found[:, held] = own
        errors[:, held] = 0
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
        labels[active[choice.changes]] = choice.labels
