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
from kqf.encoding.animation.codeword_candidates import CodewordCandidates
from kqf.encoding.animation.stillness import Aims, Frame, aims_of, noise_of, windows
from kqf.encoding.rate_distortion import (
    MAX_CANDIDATES,
    best_chains,
    lengths_of,
    tagged,
    to_costs,
)
from kqf.format.declarations import Predictor
from kqf.quantization.visibility import weights_of

# Bits' worth of error in a pixel that no block moves for.
_STILL = 0.5
# Rounds of search in the first frame.
_FIRST_ROUNDS = 2
# Tenths of the counts of the frames before that still count with each new frame.
_MEMORY = 7
# Bits of a label that stays and of one that changes, before any are counted.
_STAYS, _CHANGES = 1, 5
# The least and greatest share of blocks that are expected to change.
_LEAST_SHARE, _GREATEST_SHARE = 0.01, 0.99
# Lengths are given in this fraction of a bit.
_UNITS = 64


class TemporalSearch:
    """Finds the labels of frames of one codebook.

    Arguments:
        candidates: codewords that pixels may have.
        lambda_: squared error in the metric that one bit is worth.
        weighted: whether pixels of calm areas count more.
    """

    def __init__(self, candidates: CodewordCandidates, lambda_: float, *, weighted: bool) -> None:
        self._candidates, self._lambda, self._weighted = candidates, lambda_, weighted
        self._costs = _TransitionCosts(candidates.codebook)

    def labels(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the labels (H, W) uint8 of frames (H, W, C) uint8, a few frames late."""
        labels = decided = None
        noise = 0.0
        for grid, window in windows(frames):
            active = np.flatnonzero(~window[0].same)
            if len(active) and len(window) > 2:
                noise = noise_of(window, active)
            aims = aims_of(window, active, max(noise, _STILL * self._lambda))
            if labels is None or decided is None:
                labels, decided = self._first(window[0], aims, grid), aims
            elif len(active):
                news = np.flatnonzero(aims.differ_from(decided.of(active)))
                active, aims = active[news], aims.of(news)
                decided.put(active, aims)
                self._update(labels, window[0], active, aims)
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
            counts = _pairs(chosen[:-1], chosen[1:], len(codebook))
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
        changes, chosen = costs.choose(before, found, errors)
        if not costs.are_known:
            costs.count(before.reshape(-1, AREA)[changes], chosen, len(labels))
            changes, chosen = costs.choose(before, found, errors)
        costs.count(before.reshape(-1, AREA)[changes], chosen, len(labels))
        labels[active[changes]] = chosen


class _TransitionCosts:
    """What labels of blocks that change cost after the labels before them.

    Arguments:
        codebook: (K, C) uint8.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        self._codebook = codebook
        self._counts = np.zeros((len(codebook), len(codebook)), np.int64)
        self.are_known = False
        lengths = np.full((256, 256), _CHANGES * _UNITS, np.int32)
        np.fill_diagonal(lengths, _STAYS * _UNITS)
        self._set(lengths, 0.5)

    def _set(self, lengths: np.ndarray, share: float) -> None:
        """Take lengths from lengths_of, and the share of blocks that change."""
        self._bits = (lengths.reshape(256, 256) / np.float32(_UNITS)).astype(np.float32)
        count = len(self._codebook)
        self._least = self._bits[:count, :count].min(axis=1)
        share = min(max(share, _LEAST_SHARE), _GREATEST_SHARE)
        # What a block costs in the map if it changes, more than if it stays.
        self._change = np.float32(np.log2((1 - share) / share))

    def count(self, before: np.ndarray, labels: np.ndarray, blocks: int) -> None:
        """Learn from the labels (n, 16) of the blocks of a frame that change, and those before."""
        self._counts = self._counts * _MEMORY // 10
        self._counts += _pairs(before, labels, len(self._codebook))
        if self._counts.any():
            self.are_known = True
            lengths = lengths_of(self._counts, self._codebook, Predictor.LEFT)
            self._set(lengths, len(labels) / blocks)

    def least(self, before: np.ndarray) -> np.ndarray:
        """Return the fewest bits that blocks can cost if they change, (n,), after (n, 16)."""
        least: np.ndarray = self._least.take(before).sum(axis=1) + self._change
        return least

    def choose(
        self, before: np.ndarray, labels: np.ndarray, errors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which blocks to change, (n,) bool, and the labels of those, (m, 16) uint8.

        Arguments:
            before: (n * 16,) uint8, labels in the frame before.
            labels: (candidates, n * 16) uint8, the first of them the labels before.
            errors: (candidates, n * 16) float32, in bits.
        """
        pairs = before.astype(np.intp) << 8
        costs = self._bits.take(pairs + labels)
        costs += errors
        best = costs.argmin(axis=0)[None]
        changed = np.take_along_axis(costs, best, 0).reshape(-1, AREA).sum(axis=1) + self._change
        changes = changed < errors[0].reshape(-1, AREA).sum(axis=1)
        chosen = np.take_along_axis(labels, best, 0).reshape(-1, AREA)
        return changes, chosen[changes]


def _pairs(before: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return how often each label comes after each other, (count, count) int64."""
    pairs = before.ravel().astype(np.intp) * count + labels.ravel()
    return np.bincount(pairs, minlength=count * count).reshape(count, count)
