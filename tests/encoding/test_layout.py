import zlib
from itertools import product

import numpy as np
import pytest
from conftest import indexed_images, walk
from hypothesis import given
from hypothesis import strategies as st

from kqf.encoding.layout import best_layouts, deflate_tiles, make_layout, tile_sizes
from kqf.encoding.options import EFFORTS
from kqf.format.prediction import parse_table

QUICK, USUAL = EFFORTS[1].trials, EFFORTS[5].trials


def labels_of(streams, layout, codebook):
    """Return the labels that the streams of a layout stand for, worked out slowly."""
    head = layout.head
    labels = np.zeros((head.height, head.width), np.uint8)
    if layout.ranking is not None:
        order = parse_table(zlib.decompress(layout.ranking), codebook)
    for number, stream in enumerate(streams):
        left, upper, right, lower = head.tile_box(number)
        symbols = np.frombuffer(zlib.decompress(stream), np.uint8)
        symbols = symbols.reshape(lower - upper, right - left)
        tile = labels[upper:lower, left:right]
        for y, x in np.ndindex(symbols.shape):
            if head.predictor == 0:
                tile[y, x] = symbols[y, x]
            else:
                inside = x if head.predictor == 1 else y
                before = (y, x - 1) if head.predictor == 1 else (y - 1, x)
                tile[y, x] = order[tile[before] if inside else 0, symbols[y, x]]
    return labels


@given(
    indexed_images(),
    st.sampled_from([0, 1, 2]),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(1, 2),
)
def test_streams_stand_for_the_labels(image, predictor, tile, threads):
    labels, codebook = image
    layout = make_layout(labels, codebook, predictor, tile, (1, 3), threads)
    streams = deflate_tiles(labels, layout, 6, threads)
    assert len(streams) == layout.head.tiles
    assert labels_of(streams, layout, codebook).tolist() == labels.tolist()


@given(indexed_images(max_side=20), st.integers(1, 12))
def test_every_layout_offered_stands_for_the_labels(image, side):
    labels, codebook = image
    for tile in (None, (side, side)):
        offered = list(best_layouts(labels, codebook, (0, 1, 2), tile, QUICK, 1))
        assert offered
        for layout, streams in offered:
            assert labels_of(streams, layout, codebook).tolist() == labels.tolist()


def test_the_header_says_what_the_image_is():
    head = make_layout(np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8), 2, (4, 9), (1,), 1)
    head = head.head
    assert (head.width, head.height, head.channels, head.colors) == (7, 5, 4, 3)
    # A tile is no taller than the image.
    assert (head.tile_width, head.tile_height, head.predictor) == (4, 5, 2)


def test_only_a_predictor_has_a_ranking():
    labels, codebook = np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8)
    for predictor in (0, 1, 2):
        layout = make_layout(labels, codebook, predictor, (7, 5), (1,), 1)
        assert (layout.ranking is None) == (layout.ranks is None) == (predictor == 0)


def test_tiles_and_predictor_that_are_given_are_kept():
    labels = walk(50, 60, 1)[..., 0] // 16
    codebook = np.arange(16, dtype=np.uint8)[:, None]
    for predictor, tile in product((0, 1, 2), ((7, 9), (60, 50))):
        for layout, _ in best_layouts(labels, codebook, (predictor,), tile, USUAL, 1):
            head = layout.head
            assert (head.predictor, head.tile_width, head.tile_height) == (predictor, *tile)


@pytest.mark.parametrize("predictor", [1, 2])
def test_what_always_follows_its_context_has_rank_0(predictor):
    # Rows 1, 2, 3, 1, 2, 3, ... (columns, transposed), with colours that would say otherwise.
    labels = np.tile(np.array([1, 2, 3], np.uint8), (9, 20))
    labels = labels if predictor == 1 else np.ascontiguousarray(labels.T)
    codebook = np.array([[0], [10], [50], [11]], np.uint8)
    layout = make_layout(labels, codebook, predictor, labels.shape[::-1], (2,), 1)
    (stream,) = deflate_tiles(labels, layout, 6, 1)
    assert zlib.decompress(stream) == bytes(9 * 60)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads):
    labels = walk(300, 260, 1)[..., 0] // 4
    codebook = np.arange(64, dtype=np.uint8)[:, None]

    def offered(threads):
        layouts = best_layouts(labels, codebook, (0, 1, 2), (50, 40), QUICK, threads)
        return [(layout.head, layout.ranking, streams) for layout, streams in layouts]

    assert offered(threads) == offered(1)


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
