"""Images larger than memory, encoded block by block by any of dask's schedulers.

Three passes: colours are counted; each pixel gets its label, and what follows what is counted; the
labels, kept in a temporary file, are ranked and deflated. Blocks are whole tiles, so the file does
not depend on chunks, scheduler or number of workers.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from kqf.cluster.assembly import CopiedLayout, write_blocks
from kqf.cluster.blocks import Blocks
from kqf.cluster.labelling import CheckedLabels, PixelLabels, searching
from kqf.encoding.drawn import best_copied
from kqf.encoding.label_search import search_parameters
from kqf.encoding.layout import Layout, LayoutSettings, rank_candidates, trial_size
from kqf.encoding.options import BlockwiseOptions, BlockwiseStorageOptions, documents
from kqf.encoding.output import check_kqf_target
from kqf.encoding.settings import EncodeSettings, StorageSettings
from kqf.format.declarations import Predictor
from kqf.format.shapes import MAX_TILE_SIDE
from kqf.image import check_codebook
from kqf.io.files import Target
from kqf.quantization.api import learn_codebook
from kqf.quantization.color_counts import ColorCounts, merge
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import Histogram, without_hidden
from kqf.quantization.nearest import assign, squared_error
from kqf.quantization.pixels import as_pixels

if TYPE_CHECKING:
    from dask.array import Array


@documents(BlockwiseOptions)
def write_dask(target: Target, array: "Array", **options: Unpack[BlockwiseOptions]) -> None:
    """Encode an image of any size and write the file, in bounded memory.

    Dask's scheduler does the work: its threads, or the cluster of a ``distributed.Client``. The
    same pixels and options give the same bytes with any scheduler and chunks, but not the bytes of
    ``kqf.encode``: predictor and search are chosen by a sample of the tiles, tiles are 256 x 1024
    pixels unless others are asked for, and labels are neither packed nor stored as shapes.

    Arguments:
        target: path, URL or binary file opened for writing.
        array: dask array of uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha,
            (H, W, 3) RGB or (H, W, 4) RGBA; straight alpha.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above, or the target's name is that of another
            image format.
        OSError: the file can't be written.
        ImportError: dask is not installed.
    """
    settings = EncodeSettings(options, BlockwiseOptions)
    _check_predictors(settings.layout)
    check_kqf_target(target)
    blocks = Blocks(array, settings.layout.tile, (np.uint8, np.bool_))
    channels = 1 if array.ndim == 2 else int(array.shape[2])
    codebook, codebook_settings = settings.palette(channels), settings.codebook(channels)
    histogram = _count(blocks)
    settings.check_alpha(histogram.colors)
    merges_hidden = len(histogram.colors) > settings.colors
    if merges_hidden:
        histogram = without_hidden(histogram)
    fixed = codebook_settings.fixed if codebook is None else codebook
    if codebook is None:
        codebook = learn_codebook(histogram, codebook_settings, settings.threads)
    labels = PixelLabels(codebook, settings.metric, merges_hidden, fixed)
    sample = blocks.sample()
    sample_labels = labels(sample)
    layout = _layout_of(sample_labels, codebook, blocks, settings.layout)
    color_labels = assign(histogram.colors, codebook, settings.metric, settings.threads)
    if settings.quality < 100 and not np.array_equal(codebook[color_labels], histogram.colors):
        points, codewords = (to_points(c, settings.metric) for c in (histogram.colors, codebook))
        error = squared_error(points, codewords, color_labels, histogram.counts)
        mean = error / int(histogram.counts.sum())
        effort = settings.preset.search
        parameters = search_parameters(mean, settings.quality, settings.metric, effort)
        labels, sample_labels = searching(
            labels, sample, sample_labels, layout, parameters, settings.layout
        )
    stored = _copied_or(layout, sample_labels, codebook, settings.layout)
    write_blocks(
        target,
        blocks,
        labels,
        codebook,
        stored,
        settings.layout,
        settings.chunks,
        settings.overviews,
    )


@documents(BlockwiseStorageOptions)
def write_indexed_dask(
    target: Target,
    labels: "Array",
    codebook: np.ndarray,
    **options: Unpack[BlockwiseStorageOptions],
) -> None:
    """Encode labels of any size, kept as they are with their codebook, in bounded memory.

    Dask's scheduler does the work: its threads, or the cluster of a ``distributed.Client``. The
    same labels and options give the same bytes with any scheduler and chunks.

    Arguments:
        target: path, URL or binary file opened for writing.
        labels: dask array (H, W) of uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 (gray), 2 (gray + alpha), 3 (RGB) or 4 (RGBA).
        **options

    Raises:
        TypeError, ValueError: an argument is not as above, or the target's name is that of another
            image format.
        OSError: the file can't be written.
        ImportError: dask is not installed.
    """
    check_codebook(codebook)
    settings = StorageSettings(options, BlockwiseStorageOptions)
    _check_predictors(settings.layout)
    check_kqf_target(target)
    blocks = Blocks(labels, settings.layout.tile, (np.uint8,))
    if labels.ndim != 2:
        raise ValueError(f"labels must be (H, W), not {labels.shape}")
    checked = CheckedLabels(len(codebook))
    sample = checked(blocks.sample())
    layout = _layout_of(sample, codebook, blocks, settings.layout)
    stored = _copied_or(layout, sample, codebook, settings.layout)
    write_blocks(
        target,
        blocks,
        checked,
        codebook,
        stored,
        settings.layout,
        settings.chunks,
        settings.overviews,
    )


def _count(blocks: Blocks) -> Histogram:
    """Count the colours of all blocks."""

    def counts_of(pixels: np.ndarray) -> ColorCounts:
        return ColorCounts.of(as_pixels(pixels)).compact()

    counts = (part for _, parts in blocks.each(counts_of) for part in parts)
    return merge(counts).histogram()


def _check_predictors(settings: LayoutSettings) -> None:
    """Raise ValueError unless there is a predictor that blocks can be stored by."""
    if list(settings.predictors) == [Predictor.PACKED]:
        raise ValueError("dask arrays are stored by predictor none, left, up or copy, not packed")


def _layout_of(
    labels: np.ndarray, codebook: np.ndarray, blocks: Blocks, settings: LayoutSettings
) -> Layout:
    """Return the layout that suits the labels of the sample best."""
    effort = replace(settings.effort, all_pixels=0)
    settings = replace(settings, tile=blocks.tile, effort=effort)
    return rank_candidates(labels, codebook, settings)[0].layout


def _copied_or(
    layout: Layout, labels: np.ndarray, codebook: np.ndarray, settings: LayoutSettings
) -> Layout | CopiedLayout:
    """Return a layout with copied labels where it takes less for the sample than the other one."""
    must = min(settings.predictors) > Predictor.UP
    if Predictor.COPY not in settings.predictors or not (must or settings.effort.drawn):
        return layout
    if (side := max(layout.tile)) > MAX_TILE_SIDE:
        if must:
            most = f"at most {MAX_TILE_SIDE} pixels a side"
            raise ValueError(f"predictor='copy' is for tiles of {most}, not {side}")
        return layout
    copied, size = best_copied(labels, codebook, layout.tile, settings.effort.trial_level)
    if must or size < trial_size(labels, codebook, layout, settings):
        return CopiedLayout(copied, layout.tile)
    return layout
