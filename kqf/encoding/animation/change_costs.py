"""What blocks cost that change from one frame to the next, in both ways to store labels."""

import zlib
from dataclasses import dataclass

import numpy as np

from kqf.encoding.animation.blocks import AREA, SIDE
from kqf.encoding.rate_distortion import lengths_of
from kqf.format.declarations import Predictor
from kqf.format.prediction import count_after

# Tenths of the counts of the frames before that still count with each new frame.
_MEMORY = 7
# Bits of a label that stays and of one that changes, before any are counted.
_STAYS, _CHANGES = 1, 5
# The ranking lists labels that follow others at least so often, each in so many bits.
_LISTED, _TABLE_BITS = 4, 6
# The least and greatest share of blocks that are expected to change.
_LEAST_SHARE, _GREATEST_SHARE = 0.01, 0.99
# Labels without contexts are deflated at this level to see what they cost.
_LEVEL = 6
# What the costs of the frames before still count with each new frame.
_DECAY = 0.8
# Lengths are given in this fraction of a bit.
_UNITS = 64


@dataclass(frozen=True)
class Choice:
    """New labels for some blocks.

    Attributes:
        changes: (n,) bool, which blocks have new labels.
        labels: (m, 16) uint8, the new ones.
        cost: error and bits of all blocks, in bits.
    """

    changes: np.ndarray
    labels: np.ndarray
    cost: float


class RepeatCosts:
    """What labels of blocks that change cost without contexts, where deflate finds repeats.

    The nearest labels then are the best: what looks the same gets the same labels.
    """

    def __init__(self) -> None:
        self.forget()
        self._bits = float(AREA * _CHANGES)

    def forget(self) -> None:
        """Forget what came before: it can no longer be repeated."""
        self._deflate = zlib.compressobj(_LEVEL)

    def choose(self, labels: np.ndarray, errors: np.ndarray, change: float) -> Choice:
        """Return which blocks to change, and to which labels.

        Arguments:
            labels, errors: as for TransitionCosts.choose.
            change: bits of a block that changes in the map.
        """
        best = errors[1:].argmin(axis=0)[None]
        changed = np.take_along_axis(errors[1:], best, 0).reshape(-1, AREA).sum(axis=1)
        kept = errors[0].reshape(-1, AREA).sum(axis=1)
        changes = changed + self._bits + change < kept
        chosen = np.take_along_axis(labels[1:], best, 0).reshape(-1, AREA)[changes]
        if not len(chosen):
            return Choice(changes, chosen, float(kept.sum()))
        # Column by column, as they are stored.
        octets = chosen.reshape(-1, SIDE, SIDE).swapaxes(1, 2).tobytes()
        size = len(self._deflate.compress(octets)) + len(self._deflate.flush(zlib.Z_SYNC_FLUSH))
        self._bits += (8 * size / len(chosen) - self._bits) * (1 - _DECAY)
        errors_left = float(np.where(changes, changed + change, kept).sum())
        return Choice(changes, chosen, errors_left + 8 * size)


class TransitionCosts:
    """What labels of blocks that change cost after the labels before them.

    Arguments:
        codebook: (K, C) uint8.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        self._codebook = codebook
        self._counts = np.zeros((len(codebook), len(codebook)), np.int64)
        self.are_known = False
        self._listed = self._news = 0
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
        self.change = float(np.log2((1 - share) / share))

    def count(self, before: np.ndarray, labels: np.ndarray, blocks: int) -> None:
        """Learn from the labels (n, 16) of the blocks of a frame that change, and those before."""
        self._counts = self._counts * _MEMORY // 10
        self._counts += count_after(before, labels, len(self._codebook))
        if self._counts.any():
            self.are_known = True
            lengths = lengths_of(self._counts, self._codebook, Predictor.LEFT)
            self._set(lengths, len(labels) / blocks)
            listed = int((self._counts >= _LISTED).sum())
            self._news = max(listed - self._listed, 0)
            self._listed += self._news

    def least(self, before: np.ndarray) -> np.ndarray:
        """Return the fewest bits that blocks can cost if they change, (n,), after (n, 16)."""
        least: np.ndarray = self._least.take(before).sum(axis=1) + self.change
        return least

    def choose(self, before: np.ndarray, labels: np.ndarray, errors: np.ndarray) -> Choice:
        """Return which blocks to change, and to which labels.

        Arguments:
            before: (n * 16,) uint8, labels in the frame before.
            labels: (candidates, n * 16) uint8, the first of them the labels before.
            errors: (candidates, n * 16) float32, in bits.
        """
        pairs = before.astype(np.intp) << 8
        costs = self._bits.take(pairs + labels)
        costs += errors
        best = costs.argmin(axis=0)[None]
        changed = np.take_along_axis(costs, best, 0).reshape(-1, AREA).sum(axis=1) + self.change
        kept = errors[0].reshape(-1, AREA).sum(axis=1)
        changes = changed < kept
        chosen = np.take_along_axis(labels, best, 0).reshape(-1, AREA)[changes]
        cost = float(np.minimum(changed, kept).sum()) + _TABLE_BITS * self._news
        return Choice(changes, chosen, cost)
