"""Colours to keep, at any quality."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import kqf


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("china.jpg")[150:270, 100:260])


def holds(codebook, color):
    return (codebook == color).all(axis=1).any()


class TestKeep:
    @pytest.mark.parametrize("quality", [100, 60, 1])
    @pytest.mark.parametrize("metric", ["mse", "perceptual"])
    def test_colours_to_keep_are_in_the_codebook_exactly(self, photograph, quality, metric):
        pixels = photograph.copy()
        pixels[75, 120] = (255, 0, 254)
        options = {"colors": 16, "quality": quality, "metric": metric, "effort": 2}
        image = kqf.quantize(pixels, keep=[(255, 0, 254), (1, 2, 3)], **options)
        assert len(image.codebook) <= 16
        assert holds(image.codebook, (255, 0, 254))
        assert holds(image.codebook, (1, 2, 3))
        without = kqf.quantize(pixels, **options)
        assert not holds(without.codebook, (255, 0, 254))
        if quality == 100:
            assert image.pixels[75, 120].tolist() == [255, 0, 254]

    def test_an_exact_image_takes_them_in_where_there_is_room(self):
        pixels = np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)
        image = kqf.quantize(pixels, keep=np.array([[9, 9, 9], [2, 2, 2]]), colors=3)
        assert image.codebook.tolist() == [[1, 1, 1], [2, 2, 2], [9, 9, 9]]
        assert np.array_equal(image.pixels, pixels)

    def test_they_may_be_all_there_is_room_for(self, photograph):
        image = kqf.quantize(photograph, keep=[(0, 0, 0), (255, 255, 255)], colors=2)
        assert image.codebook.tolist() == [[0, 0, 0], [255, 255, 255]]

    @pytest.mark.parametrize(
        ("keep", "message"),
        [
            ([(1, 2)], "colours of 3 integers"),
            ([(1, 2, 256)], "0 to 255"),
            ([(1, 2, -1)], "0 to 255"),
            ([(1, 2, 0.5)], "colours of 3 integers"),
            ([(1, 1, 1), (2, 2, 2), (3, 3, 3)], "more than colors=2"),
        ],
    )
    def test_others_are_refused(self, photograph, keep, message):
        with pytest.raises(ValueError, match=message):
            kqf.encode(photograph, keep=keep, colors=2)

    def test_a_palette_leaves_nothing_to_keep(self, photograph):
        with pytest.raises(ValueError, match="palette="):
            kqf.encode(photograph, keep=[(1, 2, 3)], palette=np.zeros((1, 3), np.uint8))
