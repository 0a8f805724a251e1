import zlib
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from conftest import indexed_images, smooth_image
from hypothesis import given
from hypothesis import strategies as st

import kqf
from kqf.encoding.effort import PRESETS
from kqf.encoding.layout import (
    Layout,
    LayoutSettings,
    list_layouts,
    rank_candidates,
    smallest_file,
    store,
    tile_sizes,
)
from kqf.format.declarations import Predictor
from kqf.format.prediction import parse_table

QUICK, USUAL = PRESETS[1].layout, PRESETS[5].layout
# The layouts of version 1.
RANKED = [Predictor.NONE, Predictor.LEFT, Predictor.UP]
predictors = st.sampled_from(RANKED)


def labels_of(stored, codebook):
    """Return the labels that the streams of a layout stand for, worked out slowly."""
    head = stored.head
    labels = np.zeros((head.height, head.width), np.uint8)
    if stored.table is not None:
        order = parse_table(zlib.decompress(stored.table), codebook)
    for number, stream in enumerate(stored.streams):
        left, upper, right, lower = head.tile_box(number)
        symbols = np.frombuffer(zlib.decompress(stream), np.uint8)
        symbols = symbols.reshape(lower - upper, right - left)
        tile = labels[upper:lower, left:right]
        for y, x in np.ndindex(symbols.shape):
            if head.predictor == Predictor.NONE:
                tile[y, x] = symbols[y, x]
            else:
                along_row = head.predictor == Predictor.LEFT
                before = (y, x - 1) if along_row else (y - 1, x)
                inside = x if along_row else y
                tile[y, x] = order[tile[before] if inside else 0, symbols[y, x]]
    return labels


@given(
    indexed_images(),
    predictors,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(1, 2),
)
def test_streams_stand_for_the_labels(image, predictor, tile, threads):
    labels, codebook = image
    stored = store(labels, codebook, Layout(predictor, tile), (1, 3), 6, threads)
    streams = list(stored.streams)
    assert len(streams) == stored.head.tiles
    assert labels_of(replace(stored, streams=iter(streams)), codebook).tolist() == labels.tolist()


@given(indexed_images(max_side=20), st.none() | st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_every_candidate_makes_a_file_of_the_labels(image, tile):
    labels, codebook = image
    settings = LayoutSettings(RANKED, tile, QUICK, 1)
    candidates = rank_candidates(labels, codebook, settings)
    assert {candidate.layout.predictor for candidate in candidates} == {
        Predictor.NONE,
        Predictor.LEFT,
        Predictor.UP,
    }
    for candidate in candidates:
        data = smallest_file(labels, codebook, [candidate], settings, [])
        assert kqf.read_indexed(data).labels.tolist() == labels.tolist()


def test_candidates_are_sorted_by_their_size():
    labels = smooth_image(300, 600, 1, 3)[..., 0] // 4
    codebook = np.arange(64, dtype=np.uint8)[:, None]
    settings = LayoutSettings(RANKED, None, replace(USUAL, all_pixels=0), 1)
    sizes = [candidate.size for candidate in rank_candidates(labels, codebook, settings)]
    assert len(sizes) > 3
    assert sizes[0] > 0
    assert sizes == sorted(sizes)


def test_a_single_candidate_is_not_tried():
    labels, codebook = np.zeros((700, 700), np.uint8), np.zeros((1, 1), np.uint8)
    settings = LayoutSettings([Predictor.UP], (700, 700), USUAL, 1)
    (candidate,) = rank_candidates(labels, codebook, settings)
    assert candidate.size == 0


def test_the_header_says_what_the_image_is():
    labels, codebook = np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8)
    head = store(labels, codebook, Layout(Predictor.UP, (4, 9)), (1,), 1, 1).head
    assert (head.width, head.height, head.channels, head.colors) == (7, 5, 4, 3)
    # A tile is no taller than the image.
    assert (head.tile_width, head.tile_height, head.predictor) == (4, 5, Predictor.UP)


@pytest.mark.parametrize("predictor", RANKED)
def test_only_a_predictor_has_a_ranking(predictor):
    labels, codebook = np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8)
    stored = store(labels, codebook, Layout(predictor, (7, 5)), (1,), 1, 1)
    assert (stored.table is None) == (predictor == Predictor.NONE)


def test_tiles_and_predictor_that_are_given_are_kept():
    for predictor, tile in product(RANKED, ((7, 9), (60, 50))):
        layouts = list_layouts(60, 50, LayoutSettings([predictor], tile, USUAL, 1))
        assert layouts == [Layout(predictor, tile)]


@pytest.mark.parametrize("predictor", [Predictor.LEFT, Predictor.UP])
def test_what_always_follows_its_context_has_rank_0(predictor):
    # Rows 1, 2, 3, 1, 2, 3, ... (columns, transposed), with colours that would say otherwise.
    labels = np.tile(np.array([1, 2, 3], np.uint8), (9, 20))
    labels = labels if predictor == Predictor.LEFT else np.ascontiguousarray(labels.T)
    codebook = np.array([[0], [10], [50], [11]], np.uint8)
    (stream,) = store(labels, codebook, Layout(predictor, labels.shape[::-1]), (2,), 6, 1).streams
    assert zlib.decompress(stream) == bytes(9 * 60)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_candidate(threads):
    labels = smooth_image(300, 260, 1)[..., 0] // 4
    codebook = np.arange(64, dtype=np.uint8)[:, None]

    def file(threads):
        settings = LayoutSettings(RANKED, (50, 40), QUICK, threads)
        candidates = rank_candidates(labels, codebook, settings)
        return candidates, smallest_file(labels, codebook, candidates, settings, [])

    assert file(threads) == file(1)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sets(st.integers(1, 600), min_size=1))
def test_tile_sizes_are_equal_parts_of_the_width(width, height, wanted):
    sizes = tile_sizes(width, height, sorted(wanted))
    assert 1 <= len(sizes) <= len(wanted)
    assert len(set(sizes)) == len(sizes)
    for tile_width, tile_height in sizes:
        assert 1 <= tile_width <= min(width, max(wanted))
        assert 1 <= tile_height <= height
        # The last column is no more than a pixel per column narrower than the others.
        columns = -(-width // tile_width)
        assert columns * tile_width - width < columns


def test_tiles_of_a_small_image_are_one():
    assert tile_sizes(100, 80, (128, 256)) == [(100, 80)]


def test_tiles_are_narrow_and_as_tall_as_the_image():
    assert tile_sizes(512, 600, (128, 256)) == [(128, 600), (256, 600)]


def test_tall_tiles_are_cut_into_equal_ones():
    assert tile_sizes(512, 2560, (128, 256)) == [(128, 1280), (256, 1280)]
    assert tile_sizes(512, 2561, (128,)) == [(128, 854)]
    # But for those that are narrow: of 2**17 labels at the most.
    assert tile_sizes(64, 2000, (64,)) == [(64, 2000)]
    assert tile_sizes(64, 2050, (64,)) == [(64, 1025)]


def test_tiles_of_a_tall_image_are_bounded():
    (size,) = tile_sizes(10, 10**7, (128,))
    assert size[0] == 10
    assert 2**16 <= size[0] * size[1] <= 2**24
