import tracemalloc

import numpy as np
import pytest
from conftest import indexed_images
from hypothesis import given

from kqf.image import IndexedImage, check_codebook, check_indexed, look_up

U8 = np.uint8


@given(indexed_images())
def test_each_pixel_is_the_codeword_of_its_label(image):
    labels, codebook = image
    pixels = IndexedImage(labels, codebook).pixels
    assert pixels.dtype == np.uint8
    for (y, x), label in np.ndenumerate(labels):
        assert np.atleast_1d(pixels[y, x]).tolist() == codebook[label].tolist()


def test_gray_pixels_have_no_channel_axis():
    labels = np.array([[0, 1, 1]], U8)
    assert look_up(labels, np.array([[7], [9]], U8)).tolist() == [[7, 9, 9]]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_other_pixels_have_their_channels(channels):
    labels = np.zeros((2, 5), U8)
    assert look_up(labels, np.zeros((1, channels), U8)).shape == (2, 5, channels)


def test_metadata_is_empty_unless_given():
    assert IndexedImage(np.zeros((1, 1), U8), np.zeros((1, 1), U8)).metadata == {}


@pytest.mark.parametrize(
    "labels",
    [[[0]], None, np.zeros((1, 1)), np.zeros((1, 1), np.int64), np.zeros((1, 1), bool)],
)
def test_labels_of_another_type_are_a_type_error(labels):
    with pytest.raises(TypeError, match="labels must be a uint8 array, not"):
        check_indexed(labels, np.zeros((1, 3), U8))


@pytest.mark.parametrize("shape", [(), (4,), (0, 3), (3, 0), (2, 2, 1)])
def test_labels_of_another_shape_are_a_value_error(shape):
    with pytest.raises(ValueError, match=r"labels must be \(H, W\).*uint8 array of shape"):
        check_indexed(np.zeros(shape, U8), np.zeros((1, 3), U8))


@pytest.mark.parametrize("codebook", [[[0]], None, np.zeros((1, 1)), np.zeros((2, 3), bool)])
def test_a_codebook_of_another_type_is_a_type_error(codebook):
    with pytest.raises(TypeError, match="a codebook must be a uint8 array, not"):
        check_codebook(codebook)


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (257, 3), (2, 0), (2, 5), (1, 2, 3)])
def test_a_codebook_of_another_shape_is_a_value_error(shape):
    with pytest.raises(ValueError, match=r"a codebook must be \(1\.\.256, 1\.\.4\), not"):
        check_codebook(np.zeros(shape, U8))


def test_a_label_beyond_the_codebook_is_a_value_error():
    codebook = np.zeros((3, 1), U8)
    check_indexed(np.array([[0, 2]], U8), codebook)
    with pytest.raises(ValueError, match="label 3 has no entry in a codebook of 3 colours"):
        IndexedImage(np.array([[0, 3]], U8), codebook)


def test_all_labels_fit_a_codebook_of_256():
    labels = np.arange(256, dtype=U8)[None]
    image = IndexedImage(labels, np.arange(256, dtype=U8)[:, None])
    assert image.pixels.tolist() == labels.tolist()


@pytest.mark.parametrize("paired", [0, 2**30])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(81, 13), (80, 13), (1, 1)])
def test_pixels_are_the_entries_of_their_labels(shape, channels, threads, paired, monkeypatch):
    # Many bands, of an even and an odd number of labels.
    monkeypatch.setattr("kqf.image.BAND", 51)
    monkeypatch.setattr("kqf.image._PAIRED", paired)
    random = np.random.default_rng(channels)
    codebook = random.integers(0, 256, (99, channels)).astype(np.uint8)
    labels = random.integers(0, 99, shape).astype(np.uint8)
    pixels = look_up(labels, codebook, threads)
    assert pixels.shape == (shape if channels == 1 else (*shape, channels))
    assert np.array_equal(pixels.reshape(*shape, channels), codebook[labels])


@pytest.mark.parametrize(
    "view",
    [
        lambda labels: labels[::-1, ::-1],
        lambda labels: labels[:, ::2],
        lambda labels: labels[:, :1],
        lambda labels: labels.T,
        lambda labels: np.broadcast_to(labels[0, 0], labels.shape),
    ],
)
def test_labels_may_lie_anyhow_in_memory(view, monkeypatch):
    monkeypatch.setattr("kqf.image._PAIRED", 0)
    random = np.random.default_rng(1)
    codebook = random.integers(0, 256, (99, 3)).astype(np.uint8)
    labels = view(random.integers(0, 99, (40, 30)).astype(np.uint8))
    assert np.array_equal(look_up(labels, codebook), codebook[labels])


@pytest.mark.parametrize("shape", [(1, 2**21), (2**21, 1), (2**10, 2**11)])
def test_looking_up_takes_little_beside_the_pixels(shape):
    labels, codebook = np.zeros(shape, U8), np.zeros((2, 4), U8)
    tracemalloc.start()
    pixels = look_up(labels, codebook)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # An index of eight bytes for all labels would be twice as much again.
    assert peak < 2 * pixels.nbytes


def changed(array):
    array = array.copy()
    array.flat[0] ^= 1
    return array


def test_images_are_equal_by_content():
    labels, codebook = np.array([[0, 1]], U8), np.array([[1], [2]], U8)
    image = IndexedImage(labels, codebook, {"comment": "x"})
    assert image == IndexedImage(labels.copy(), codebook.copy(), {"comment": "x"})
    assert image != IndexedImage(changed(labels), codebook, {"comment": "x"})
    assert image != IndexedImage(labels, changed(codebook), {"comment": "x"})
    assert image != IndexedImage(labels, codebook)
    assert image != IndexedImage(labels.T.copy(), codebook, {"comment": "x"})
    assert image != labels.tolist()
    with pytest.raises(TypeError, match="unhashable"):
        hash(image)


def test_metadata_is_not_shared():
    metadata = {"comment": "x"}
    image = IndexedImage(np.zeros((1, 1), U8), np.zeros((1, 1), U8), metadata)
    metadata["comment"] = "y"
    assert image.metadata == {"comment": "x"}
    other = IndexedImage(image.labels, image.codebook, image.metadata)
    assert other.metadata is not image.metadata
