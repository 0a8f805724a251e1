"""Labels of whole frames, searched for in space as those of still images are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.encoding.animation.blocks import AREA
from kqf.encoding.layout import best_ranking
from kqf.encoding.rate_distortion import (
    MAX_CANDIDATES,
    best_chains,
    lengths_of,
    tagged,
    to_costs,
)
from kqf.format import codebooks
from kqf.format.declarations import Predictor
from kqf.format.prediction import count_pairs, entropy, rank_histogram
from kqf.format.streams import deflate

# What whole frames may be predicted by here, the more likely one first.
PREDICTORS = (Predictor.LEFT, Predictor.UP)
# From this share of blocks that may change on, a frame is searched as a whole, too, if they have
# more pixels than deflate's window: with fewer, changes may repeat the frame before at another
# place, as in pans, which no whole frame does.
_MANY, _WINDOW = 0.25, 2**15
# Where whole frames cost less than this share of the changes, the next ones need no comparison.
_CLEARLY, _TRUSTED = 0.9, 3
# Where they cost more, so many frames are not searched as a whole at the most.
_LONGEST_PAUSE = 7
# Part of the counts of the frames before that still counts with each new frame.
_MEMORY = 2
# Thresholds of the ranking table that a frame is costed with.
_THRESHOLDS = (4,)
# After so many frames all predictors are tried again.
_SETTLED = 16
_LEVEL = 6


@dataclass(frozen=True)
class WholeFrame:
    """A frame to be stored whole.

    Attributes:
        labels: (H, W) uint8.
        predictor: what they were searched for.
        cost: error and bits of all pixels, in bits.
    """

    labels: np.ndarray
    predictor: Predictor
    cost: float


class WholeTrials:
    """When frames are searched as a whole: what paid for the last ones tells about the next."""

    def __init__(self) -> None:
        self._waits = self._pause = self._trusted = 0

    def begin(self, changing: int, blocks: int) -> bool:
        """Return whether to search a frame as a whole, so many of whose blocks may change."""
        if changing > max(_MANY * blocks, _WINDOW // AREA) and not self._waits:
            return True
        self._trusted = 0
        self._waits = max(self._waits - 1, 0)
        return False

    def is_sure(self) -> bool:
        """Return whether a frame searched as a whole is stored so, whatever its changes cost."""
        if not self._trusted:
            return False
        self._trusted -= 1
        return True

    def compare(self, whole: float, changes: float) -> bool:
        """Return whether a frame is to be stored whole, after the bits that either way costs."""
        if whole < changes:
            self._pause = 0
            if whole < _CLEARLY * changes:
                self._trusted = _TRUSTED
            return True
        self._pause = min(2 * self._pause + 1, _LONGEST_PAUSE)
        self._waits = self._pause
        return False


class WholeSearch:
    """Finds the labels of frames of one codebook, each for itself.

    Arguments:
        codebook: (K, C) uint8.
        predictors: some of PREDICTORS, at least one.
    """

    def __init__(self, codebook: np.ndarray, predictors: Sequence[Predictor]) -> None:
        self._codebook = codebook
        self._counts: dict[Predictor, np.ndarray] = {}
        self._allowed = self._predictors = tuple(predictors)
        self._frames = 0
        self._codebook_size = len(deflate(codebooks.build(codebook), _LEVEL))

    def find(self, labels: np.ndarray, errors: np.ndarray) -> WholeFrame:
        """Return the cheapest labels of a frame.

        Arguments:
            labels: (candidates, H, W) uint8, those beyond MAX_CANDIDATES are not looked at.
            errors: (candidates, H, W) float32, in bits.
        """
        labels, errors = labels[:MAX_CANDIDATES], errors[:MAX_CANDIDATES]
        if self._frames % _SETTLED == 0:
            self._predictors = self._allowed
        self._frames += 1
        nearest = np.take_along_axis(labels, errors.argmin(axis=0)[None], 0)[0]
        costs = tagged(to_costs(errors, 1.0))
        found = [self._search(labels, costs, errors, nearest, one) for one in self._predictors]
        best = min(found, key=lambda one: one.cost)
        self._predictors = (best.predictor,)
        return best

    def _search(
        self,
        labels: np.ndarray,
        costs: np.ndarray,
        errors: np.ndarray,
        nearest: np.ndarray,
        predictor: Predictor,
    ) -> WholeFrame:
        codebook, is_left = self._codebook, predictor == Predictor.LEFT
        # Chains go down columns.
        turned = (0, 2, 1) if is_left else (0, 1, 2)
        labels, costs, errors = (
            np.ascontiguousarray(part.transpose(turned)) for part in (labels, costs, errors)
        )

        def counted(chosen: np.ndarray) -> np.ndarray:
            return count_pairs(chosen, predictor, len(codebook))

        def chains(counts: np.ndarray) -> np.ndarray:
            return best_chains(labels, costs, lengths_of(counts, codebook, predictor))

        def upright(chosen: np.ndarray) -> np.ndarray:
            return chosen.T if is_left else chosen

        known = self._counts.get(predictor)
        before = known
        if before is None:
            # The first frame takes a round more: nothing is known of which labels are likely.
            before = counted(upright(chains(counted(nearest))))
        chosen = chains(before)
        counts = counted(upright(chosen))
        self._counts[predictor] = counts if known is None else counts + known // _MEMORY
        ranking = best_ranking(counts, codebook, _THRESHOLDS)
        size = entropy(rank_histogram(counts, ranking.ranks)) / 8 + len(ranking.payload)
        error = float(np.where(labels == chosen, errors, np.inf).min(axis=0).sum())
        return WholeFrame(upright(chosen), predictor, error + 8 * (size + self._codebook_size))
