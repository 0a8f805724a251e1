"""Codebooks and labels of true-colour frames."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from kqf.encoding.animation import segments
from kqf.encoding.animation.scenes import SceneSearch
from kqf.encoding.settings import EncodeSettings
from kqf.metrics import psnr
from kqf.quantization.colorspace import metric_for
from kqf.quantization.nearest import assign

HEIGHT, WIDTH, FRAMES = 62, 90, 12


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(
        load_sample_image("china.jpg")[150 : 150 + HEIGHT, 100 : 100 + WIDTH]
    )


@pytest.fixture(scope="module")
def flower():
    return np.ascontiguousarray(
        load_sample_image("flower.jpg")[150 : 150 + HEIGHT, 200 : 200 + WIDTH]
    )


def scenes(frames, settings):
    for codebook, parts in SceneSearch(lambda: iter(frames), settings).at(settings.quality):
        yield codebook, (part.labels for part in parts)


def found(frames, **options):
    """Return the scenes of frames as (codebook, labels) with all labels taken."""
    settings = EncodeSettings({"colors": 64, "effort": 2, "threads": 1, **options})
    return [(book, list(labels)) for book, labels in scenes(frames, settings)]


def decoded(parts):
    return [codebook[labels] for codebook, frames in parts for labels in frames]


def noisy(pixels, deviation=3, frames=FRAMES):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, deviation, (frames, *pixels.shape))
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


class TestScenes:
    def test_a_cut_begins_another_codebook(self, photograph, flower):
        parts = found([photograph] * 3 + [flower] * 2)
        assert [len(labels) for _, labels in parts] == [3, 2]
        for original, codebook in zip(
            (photograph, flower), (parts[0][0], parts[1][0]), strict=True
        ):
            ((alone, _),) = found([original])
            assert np.array_equal(codebook, alone)

    def test_a_cut_to_the_same_colours_keeps_the_codebook(self, photograph):
        # Each half of the picture has colours of its own, but little is gained by two codebooks.
        frames = [np.roll(photograph, shift, axis=0) for shift in (0, 0, 31, 31)]
        assert [len(labels) for _, labels in found(frames)] == [4]

    def test_scenes_need_not_be_taken_whole(self, photograph, flower):
        settings = EncodeSettings({"colors": 16, "effort": 1, "quality": 50})
        frames = [photograph] * 3 + [flower] * 2
        taken = [next(labels) for _, labels in scenes(frames, settings)]
        whole = found(frames, colors=16, effort=1, quality=50)
        assert all(
            np.array_equal(one, labels[0]) for one, (_, labels) in zip(taken, whole, strict=True)
        )

    def test_pixels_of_many_frames_are_thinned_out(self, photograph, monkeypatch):
        monkeypatch.setattr(segments, "_SAMPLED_PIXELS", 2000)
        frames = segments.frame_segments(noisy(photograph), weighted=True)
        (segment,) = segments.similar_segments(frames)
        assert segment.frames == FRAMES
        histogram = segment.histogram()
        assert len(histogram.colors) <= 2000
        mean = (histogram.colors * (histogram.counts / histogram.counts.sum())[:, None]).sum(axis=0)
        assert np.allclose(mean, photograph.mean(axis=(0, 1)), atol=15)


class TestLabels:
    def test_noise_does_not_make_still_pixels_change(self, photograph):
        frames = noisy(photograph)
        ((_, labels),) = found(frames)
        changed = np.mean([one != next_ for one, next_ in itertools.pairwise(labels)])
        assert changed < 0.01
        # Noise vanishes, rather than being frozen.
        ((_, _alone),) = found(frames[:1])
        ((codebook, labels),) = found(frames)
        assert psnr(photograph, codebook[labels[0]]) > psnr(
            photograph, decoded(found(frames[:1]))[0]
        )

    def test_what_moves_changes_alone(self, photograph):
        frames = np.repeat(photograph[None], FRAMES, axis=0)
        for number, frame in enumerate(frames):
            frame[8:16, 4 * number : 4 * number + 8] = (255, 0, 0)
        parts = found(frames)
        ((_, labels),) = parts
        for before, now, number in zip(labels, labels[1:], range(1, FRAMES), strict=False):
            ys, xs = np.nonzero(before != now)
            assert len(ys)
            assert (ys >= 8).all()
            assert (ys < 16).all()
            assert (xs >= 4 * number - 4).all()
            assert (xs < 4 * number + 8).all()
        for shown, frame in zip(decoded(parts), frames, strict=True):
            red = (frame == (255, 0, 0)).all(axis=2)
            assert np.abs(shown[red].astype(int) - (255, 0, 0)).max() < 12

    def test_errors_do_not_build_up_while_a_picture_fades(self, photograph):
        steps = np.linspace(1, 0.5, 24)
        frames = [np.rint(photograph * step).astype(np.uint8) for step in steps]
        best = [
            psnr(*pair) for pair in zip(frames, decoded(found(frames, quality=100)), strict=True)
        ]
        parts = found(frames, quality=75)
        for frame, shown, most in zip(frames, decoded(parts), best, strict=True):
            assert psnr(frame, shown) > most - 2.5

    def test_a_lower_quality_changes_fewer_pixels_with_more_error(self, photograph):
        frames = [np.roll(photograph, number, axis=1) for number in range(6)]
        changes, ratios = [], []
        for quality in (95, 60, 20):
            search = SceneSearch(lambda: iter(frames), EncodeSettings({"colors": 64, "effort": 2}))
            ((_, labels),) = (
                (book, [one.labels for one in parts]) for book, parts in search.at(quality)
            )
            pairs = itertools.pairwise(labels)
            changes.append(sum(int((one != other).sum()) for one, other in pairs))
            ratios.append(search.psnr(quality))
        assert changes[0] > changes[1] > changes[2]
        assert ratios[0] > ratios[1] > ratios[2]

    @pytest.mark.parametrize("metric", ["mse", "perceptual"])
    def test_at_quality_100_labels_are_the_nearest(self, photograph, metric):
        frames = noisy(photograph, frames=2)
        ((codebook, labels),) = found(frames, quality=100, metric=metric)
        for frame, found_ in zip(frames, labels, strict=True):
            nearest = assign(
                frame.reshape(-1, 3), codebook, metric_for(metric, len(codebook))
            ).reshape(HEIGHT, WIDTH)
            assert np.array_equal(codebook[found_], codebook[nearest])

    @pytest.mark.parametrize("quality", [100, 75, 1])
    def test_colours_to_keep_stay(self, photograph, quality):
        frames = noisy(photograph)
        frames[4:, 30, 40] = frames[0, 5, 5] = (255, 0, 254)
        parts = found(frames, quality=quality, keep=[(255, 0, 254)])
        shown = decoded(parts)
        assert shown[0][5, 5].tolist() == [255, 0, 254]
        for number in range(4, FRAMES):
            assert shown[number][30, 40].tolist() == [255, 0, 254]
        assert shown[1][5, 5].tolist() != [255, 0, 254]

    @pytest.mark.parametrize("dither", ["ordered", "floyd-steinberg"])
    def test_dithered_pixels_that_do_not_change_keep_their_labels(self, photograph, dither):
        frames = np.repeat(photograph[None], 3, axis=0)
        frames[1, 5:9, 5:9] = 255 - frames[1, 5:9, 5:9]
        ((_, labels),) = found(frames, dither=dither, colors=8)
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[5:9, 5:9] = False
        assert np.array_equal(labels[0][outside], labels[1][outside])
        assert np.array_equal(labels[1][outside], labels[2][outside])
        assert (labels[0] != labels[1]).any()

    def test_dithering_does_not_crawl_with_noise(self, photograph):
        for quality in (100, 60):
            ((_, labels),) = found(noisy(photograph), dither="ordered", colors=8, quality=quality)
            assert np.mean([one != other for one, other in itertools.pairwise(labels)]) < 0.01

    def test_below_the_highest_quality_calm_areas_alone_are_dithered(self):
        rng = np.random.default_rng(0)
        ramp = np.repeat(np.linspace(40, 90, WIDTH)[None], HEIGHT, axis=0)
        ramp[:, WIDTH // 2 :] = rng.integers(0, 256, (HEIGHT, WIDTH - WIDTH // 2))
        frames = [np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)] * 2
        options = {"palette": np.arange(0, 256, 15, np.uint8)[:, None].repeat(3, axis=1)}
        (dithered,), (mixed,), (searched,) = (
            [labels for _, labels in found(frames, **options, **more)]
            for more in (
                {"dither": "ordered", "quality": 100},
                {"dither": "ordered", "quality": 60},
                {"quality": 60},
            )
        )
        calm, busy = np.s_[:, : WIDTH // 2 - 12], np.s_[:, WIDTH // 2 + 12 :]
        for one, both, other in zip(dithered, mixed, searched, strict=True):
            assert np.array_equal(both[calm], one[calm])
            assert np.array_equal(both[busy], other[busy])
            assert not np.array_equal(one[calm], other[calm])

    @pytest.mark.parametrize("channels", [1, 2, 4])
    @pytest.mark.parametrize("quality", [100, 60, 1])
    def test_gray_and_alpha(self, photograph, channels, quality):
        frames = noisy(photograph[..., :1] if channels < 3 else photograph, frames=4)
        if channels in (2, 4):
            alpha = np.full((4, HEIGHT, WIDTH, 1), 255, np.uint8)
            for number in range(4):
                alpha[number, 10:30, 5 * number : 5 * number + 20] = 0
            frames = np.concatenate([frames, alpha], axis=3)
        for shown, frame in zip(decoded(found(frames, quality=quality)), frames, strict=True):
            assert shown.shape == frame.shape
            if channels in (2, 4):
                assert np.array_equal(shown[..., -1], frame[..., -1])
            assert psnr(frame, shown) > 20

    def test_a_palette_is_used_as_it_is(self, photograph, flower):
        palette = np.array([[0, 0, 0], [255, 255, 255], [200, 150, 100], [200, 150, 100]], np.uint8)
        ((codebook, labels),) = found([photograph, flower], palette=palette)
        assert np.array_equal(codebook, palette)
        assert len(labels) == 2

    def test_a_palette_without_the_alpha_that_a_late_frame_needs_is_refused(self, photograph):
        opaque = np.concatenate([photograph, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=2)
        clear = opaque.copy()
        clear[-1, -1, 3] = 0
        with pytest.raises(ValueError, match="transparency"):
            found([opaque, clear], palette=[(0, 0, 0), (255, 255, 255)])
