"""Quality, colours to keep and targets."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import kqf


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("china.jpg")[150:300, 100:340])


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


class TestTargets:
    def test_psnr_is_reached_with_no_more_quality_than_it_takes(self, photograph):
        best = kqf.psnr(photograph, kqf.decode(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, target_psnr=best - 1, effort=2)
        reached = kqf.psnr(photograph, kqf.decode(data))
        assert best - 1 <= reached < best - 0.5
        assert len(data) < len(kqf.encode(photograph, effort=2))

    def test_ssim_is_reached(self, photograph):
        best = kqf.ssim(photograph, kqf.decode(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, target_ssim=best - 0.02, effort=2)
        assert best - 0.02 <= kqf.ssim(photograph, kqf.decode(data)) < best - 0.01

    def test_bytes_are_kept_within(self, photograph):
        limit = int(0.7 * len(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, max_bytes=limit, effort=2)
        assert 0.85 * limit < len(data) <= limit

    def test_metadata_counts_as_bytes(self, photograph):
        limit = int(0.7 * len(kqf.encode(photograph, effort=2)))
        metadata = {"exif": bytes(2000)}
        assert len(kqf.encode(photograph, max_bytes=limit, effort=2, metadata=metadata)) <= limit

    @pytest.mark.parametrize("target", [{"target_psnr": 80}, {"max_bytes": 100}])
    def test_what_cannot_be_met_is_said(self, photograph, target):
        with pytest.raises(kqf.TargetError, match="can't be met: "):
            kqf.encode(photograph, effort=1, **target)

    def test_one_target_at_a_time(self, photograph):
        with pytest.raises(ValueError, match="target_psnr and max_bytes"):
            kqf.encode(photograph, target_psnr=30, max_bytes=1000)

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            ({"target_psnr": 0}, ValueError),
            ({"target_psnr": float("nan")}, ValueError),
            ({"target_ssim": "0.9"}, TypeError),
            ({"max_bytes": 0}, ValueError),
            ({"max_bytes": 10.5}, TypeError),
        ],
    )
    def test_targets_of_other_kinds_are_refused(self, photograph, target, error):
        with pytest.raises(error, match=next(iter(target))):
            kqf.encode(photograph, **target)

    def test_the_plugin_takes_them(self, photograph, tmp_path):
        from PIL import Image

        image = Image.fromarray(photograph)
        image.save(tmp_path / "a.kqf", max_bytes=20_000, effort=2)
        assert (tmp_path / "a.kqf").stat().st_size <= 20_000
        with pytest.raises(kqf.TargetError):
            image.save(tmp_path / "b.kqf", max_bytes=100, effort=1)
        assert not (tmp_path / "b.kqf").exists()
