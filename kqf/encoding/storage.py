"""The smallest file of labels, of all layouts and both versions of the format."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from kqf.encoding.drawn import is_noisy, is_promising, is_small, smallest_drawn, tile_count
from kqf.encoding.layout import Candidate, LayoutSettings, rank_candidates, smallest_file
from kqf.encoding.ordering import reorder, walk
from kqf.format.declarations import Predictor

# With more tiles, as a caller may ask for, all that is done for each of them takes too long.
_MOST_TILES = 64


def smallest(
    labels: np.ndarray,
    codebook: np.ndarray,
    settings: LayoutSettings,
    metadata: Sequence[tuple[bytes, bytes]],
    candidates: Sequence[Candidate] | None = None,
    *,
    is_ordered: bool = True,
) -> bytes:
    """Return the smallest file of labels that was found.

    Arguments:
        labels: (H, W) uint8. codebook: (K, C) uint8.
        metadata: types and payloads of chunks, from build_metadata.
        candidates: layouts of version 1 already tried, the most promising first.
        is_ordered: whether the order of the codebook must be kept.
    """

    @cache
    def tried() -> Sequence[Candidate]:
        return candidates or rank_candidates(labels, codebook, settings)

    def predicted() -> bytes:
        """Return the smallest file of version 1."""
        return smallest_file(labels, codebook, tried(), settings, metadata)

    predictors, colors = settings.predictors, len(codebook)
    has_old = min(predictors) <= Predictor.UP
    if has_old and not (settings.effort.drawn and Predictor.COPY in predictors):
        return predicted()
    if has_old and settings.tile and tile_count(labels.shape, settings.tile) > _MOST_TILES:
        return predicted()
    files = []
    # Labels that were searched for suit the layouts that they were searched for, and their chains
    # make photographs look drawn.
    if has_old and (candidates or is_noisy(labels, colors)):
        files.append(predicted())
        if not is_promising(labels, codebook, tried()[0].layout, settings):
            return files[0]
    order = np.arange(colors) if is_ordered else walk(codebook)
    drawn, predictor = smallest_drawn(
        *reorder(labels, codebook, order),
        predictors,
        settings.tile,
        settings.threads,
        metadata,
        settings.effort.zopfli_bytes,
    )
    # Files of large drawn images are smallest with copied or packed labels, nearly without
    # exception, so that the others need not be tried.
    if has_old and not files and (is_small(labels) or predictor <= Predictor.UP):
        files.append(predicted())
    return min([*files, drawn], key=len)
