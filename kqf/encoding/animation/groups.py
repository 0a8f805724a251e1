"""The smallest chunks that say what changes in frames in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from kqf.encoding.animation import repeats
from kqf.encoding.animation.deltas import Delta
from kqf.encoding.drawn import deflate_smallest
from kqf.format.chunks import FRAME_SIZE, build_chunk
from kqf.format.frames import SIDES, Blocks, Changes, build_changes
from kqf.format.prediction import (
    build_table,
    complete_lists,
    count_after,
    invert,
    list_frequent,
    rank_after,
    read_table,
)
from kqf.format.shapes import Shapes, build_shapes
from kqf.format.streams import deflate

_TRIAL_LEVEL, _LEVEL = 6, 12
_FIRST_SIDE = 4
# Times that a label must follow the one before it to be listed.
_TRIAL_THRESHOLD = 4
_THRESHOLDS = (2, 3, 4, 6, 10)


@dataclass
class InForce:
    """What groups of changes refer to.

    Attributes:
        codebook: (K, C) uint8.
        shapes: None without any.
        ranks: (K, K) uint8, of each label after the one before it; None before any was needed.
    """

    codebook: np.ndarray
    shapes: Shapes | None = None
    ranks: np.ndarray | None = None


def encode_group(
    first_frame: int,
    deltas: Sequence[Delta],
    size: tuple[int, int],
    in_force: InForce,
    *,
    finds_shapes: bool = True,
    zopfli_bytes: int = 0,
) -> bytes:
    """Return the chunks of a group, its codebook aside.

    Arguments:
        size: (width, height) of the canvas.
        in_force: changed to what holds after the group.
        finds_shapes: whether to look for shapes.
        zopfli_bytes: streams are deflated by zopfli, too, up to so many bytes.
    """
    plain = repeats.Repeats(in_force.shapes, None, deltas, [b""] * len(deltas))
    trials = _Trials(plain, size, in_force)
    side = _FIRST_SIDE if trials.fits(_FIRST_SIDE) else 1
    if finds_shapes and any(delta.changed.any() for delta in deltas):
        counts = np.bincount(
            np.concatenate([delta.before.ravel() for delta in deltas]), minlength=256
        )
        found = repeats.find(deltas, int(counts.argmax()), in_force.shapes, size)
        if found is not None:
            drawn = _Trials(found, size, in_force)
            if drawn.size(side, False) < trials.size(side, False):
                trials = drawn
    is_ranked = min((False, True), key=lambda coding: trials.size(side, coding))
    sides = [other for other in SIDES if other == side or trials.fits(other)]
    side = min(sides, key=lambda other: trials.size(other, is_ranked))
    return trials.chunks(first_frame, side, is_ranked, zopfli_bytes)


class _Trials:
    """A group in the ways in which it can be stored."""

    def __init__(self, found: repeats.Repeats, size: tuple[int, int], in_force: InForce) -> None:
        self._found, self._size, self._in_force = found, size, in_force
        self.size = cache(self._trial_size)
        self._parts = cache(self._inflated)

    def fits(self, side: int) -> bool:
        """Tell whether blocks of this side can be painted."""
        return all(delta.fits(side) for delta in self._found.deltas)

    def _inflated(self, side: int) -> tuple[list[np.ndarray | None], np.ndarray, np.ndarray]:
        """Return the map of each frame, labels of changed pixels, and labels before them."""
        maps = [delta.map_of(side, self._size) for delta in self._found.deltas]
        pixels = [delta.pixels(side) for delta in self._found.deltas]
        labels, before = (
            np.concatenate(
                [
                    getattr(delta, name).reshape(-1)[at]
                    for delta, at in zip(self._found.deltas, pixels, strict=True)
                ]
            )
            for name in ("labels", "before")
        )
        return maps, labels, before

    def _ranked(
        self, labels: np.ndarray, before: np.ndarray, threshold: int
    ) -> tuple[np.ndarray, bytes, np.ndarray]:
        """Return ranks of labels, the table that they need, and the ranks of all labels."""
        codebook = self._in_force.codebook
        counts = count_after(before, labels, len(codebook))
        lengths, listed = list_frequent(counts, threshold)
        ranks = invert(complete_lists(lengths, listed, codebook))
        return rank_after(before, labels, ranks), build_table(lengths, listed), ranks

    def _trial_size(self, side: int, is_ranked: bool) -> int:
        """Return about how many bytes a group takes."""
        maps, labels, before = self._parts(side)
        total = len(deflate(_joined(maps), _TRIAL_LEVEL))
        placements = b"".join(self._found.placements)
        if placements:
            total += len(deflate(placements, _TRIAL_LEVEL))
        if self._found.new is not None:
            total += len(build_shapes(self._found.new, _TRIAL_LEVEL)) + FRAME_SIZE
        if is_ranked and labels.size:
            labels, table, _ = self._ranked(labels, before, _TRIAL_THRESHOLD)
            total += len(deflate(table, _TRIAL_LEVEL)) + FRAME_SIZE
        return total + len(deflate(labels, _TRIAL_LEVEL))

    def chunks(self, first_frame: int, side: int, is_ranked: bool, zopfli_bytes: int) -> bytes:
        """Return the chunks of the group."""
        maps, labels, before = self._parts(side)
        chunks = b""
        is_ranked = is_ranked and labels.size > 0
        if is_ranked:
            labels, ranking = self._smallest_ranks(labels, before)
            chunks += b"" if ranking is None else build_chunk(b"RANK", ranking)
        if self._found.new is not None:
            chunks += build_chunk(b"SHAP", build_shapes(self._found.new, _LEVEL))
        self._in_force.shapes = self._found.shapes
        placements = [np.frombuffer(data, np.uint8) for data in self._found.placements]
        changes = Changes(
            first_frame, Blocks(*self._size, side), is_ranked, maps, placements, labels
        )
        payload = build_changes(changes, lambda data: deflate_smallest(data, zopfli_bytes))
        return chunks + build_chunk(b"FRAM", payload)

    def _smallest_ranks(
        self, labels: np.ndarray, before: np.ndarray
    ) -> tuple[np.ndarray, bytes | None]:
        """Return ranks, and the payload of a new ``RANK``, None to use the ranking in force."""
        in_force = self._in_force
        candidates: list[tuple[int, np.ndarray, bytes | None, np.ndarray]] = []

        def add(symbols: np.ndarray, table: bytes | None, ranks: np.ndarray) -> None:
            payload = None if table is None else deflate(table, _LEVEL)
            size = len(deflate(symbols, _TRIAL_LEVEL))
            size += 0 if payload is None else len(payload) + FRAME_SIZE
            candidates.append((size, symbols, payload, ranks))

        known = in_force.ranks
        if known is None:
            known = invert(read_table(None, in_force.codebook))
        add(rank_after(before, labels, known), None, known)
        for threshold in _THRESHOLDS:
            add(*self._ranked(labels, before, threshold))
        _, symbols, payload, in_force.ranks = min(candidates, key=lambda one: one[0])
        return symbols, payload


def _joined(maps: Sequence[np.ndarray | None]) -> bytes:
    return b"".join(bits.tobytes() for bits in maps if bits is not None)
