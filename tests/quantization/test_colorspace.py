import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import kqf
from kqf.quantization.colorspace import (
    FEW_COLORS,
    GRID,
    METRICS,
    OPAQUE,
    TRANSLUCENT,
    TRANSPARENT,
    PixelPoints,
    lightness,
    snap,
    srgb_to_oklab,
    to_colors,
    to_points,
    translucency,
)

EVERY_GRAY = np.arange(256, dtype=np.uint8)[:, None]


def colors_of(channels, seed=0, number=20_000):
    """Return random colours with all corners of the cube among them."""
    rng = np.random.default_rng(seed)
    corners = np.array(list(np.ndindex((2,) * channels)), np.uint8) * 255
    return np.concatenate([corners, rng.integers(0, 256, (number, channels), dtype=np.uint8)])


def test_the_metrics_are_two():
    assert METRICS == ("mse", "perceptual")


# As implementations of CSS Color 4 give them.
@pytest.mark.parametrize(
    ("color", "oklab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (1, 0, 0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_the_primaries(color, oklab):
    found = srgb_to_oklab(np.array([color], np.uint8))[0]
    assert found == pytest.approx(oklab, abs=2e-5)


def test_the_oklab_lightness_of_gray_is_the_cube_root_of_its_light():
    # 128 / 255 on the curve of sRGB is 0.2158605 of the light.
    gray = srgb_to_oklab(np.array([[128, 128, 128]], np.uint8))[0]
    assert gray == pytest.approx((0.2158605 ** (1 / 3), 0, 0), abs=2e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
def test_points_lie_on_the_grid_near_the_origin(metric, channels):
    points = to_points(colors_of(channels), metric)
    assert points.dtype == np.float32
    assert points.shape[1] == channels
    steps = points.astype(np.float64) * GRID
    assert np.array_equal(steps, np.rint(steps))
    # What nearest labels need to be exact: p * p + 2 * p * q stays below 2 ** 24 grid steps.
    assert 3 * (steps**2).sum(axis=1).max() < 2**24


@pytest.mark.parametrize("channels", [1, 3])
def test_distances_of_mse_are_squared_errors_of_srgb(channels):
    colors = colors_of(channels, number=200)
    points = to_points(colors, "mse").astype(np.float64)
    expected = ((colors[:, None].astype(int) - colors[None].astype(int)) ** 2).sum(axis=2)
    assert np.array_equal(((points[:, None] - points[None]) ** 2).sum(axis=2), expected)


def biased_oklab(colors):
    """Return Oklab whose cube roots have a bias of 0.01, (N, 3), from Oklab itself."""
    from_roots = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    cones = np.linalg.solve(from_roots, srgb_to_oklab(colors).T) ** 3
    roots = (np.cbrt(cones + 0.01) - np.cbrt(0.01)) / (np.cbrt(1.01) - np.cbrt(0.01))
    return (from_roots @ roots).T


def test_distances_of_perceptual_are_those_of_biased_oklab_times_255():
    colors = colors_of(3, number=200)
    points = to_points(colors, "perceptual").astype(np.float64)
    exact = biased_oklab(colors) * 255
    found = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    expected = np.sqrt(((exact[:, None] - exact[None]) ** 2).sum(axis=2))
    # Each end is off by at most half a grid step on each of three axes.
    assert np.abs(found - expected).max() <= 3**0.5 / GRID + 1e-9


@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
def test_gray_has_the_lightness_of_the_same_rgb(metric):
    gray = to_points(EVERY_GRAY, metric)[:, 0]
    rgb = to_points(np.repeat(EVERY_GRAY, 3, axis=1), metric)[:, 0]
    assert np.array_equal(gray, rgb)


@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
@pytest.mark.parametrize("channels", [2, 4])
def test_what_alpha_0_hides_counts_for_nothing(metric, channels):
    colors = colors_of(channels, number=50)
    colors[:, -1] = 0
    assert len(np.unique(to_points(colors, metric), axis=0)) == 1


def test_colours_count_by_their_alpha():
    # 200 at an alpha of 51 is a premultiplied 40, and the alpha is an axis of its own.
    points = to_points(np.array([[200, 51], [0, 51], [0, 255]], np.uint8), "mse")
    assert (points[0] - points[1]).tolist() == [40, 0]
    assert (points[2] - points[1]).tolist() == [0, 204]


@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
def test_colour_of_gray_points_is_the_gray(metric):
    assert np.array_equal(to_colors(to_points(EVERY_GRAY, metric), metric, 1), EVERY_GRAY)


def test_colours_of_mse_points_are_the_colours():
    colors = colors_of(3)
    assert np.array_equal(to_colors(to_points(colors, "mse"), "mse", 3), colors)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_perceptual_points_are_as_near_as_the_grid_allows(channels):
    colors = colors_of(channels)
    points = to_points(colors, "perceptual")
    again = to_points(to_colors(points, "perceptual", channels), "perceptual")
    # An 8-bit step is coarser than the grid in most places: no point may move far.
    assert np.abs(again - points).max() <= 1


@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_points_is_the_alpha(metric, channels):
    colors = colors_of(channels)
    found = to_colors(to_points(colors, metric), metric, channels)
    assert np.array_equal(found[:, -1], colors[:, -1])


@pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
def test_points_outside_the_colours_become_the_nearest_colours(metric):
    far = np.array([[500, 0, 0], [-500, 0, 0]], np.float32)
    assert to_colors(far, metric, 3)[:, 1].tolist() == ([255, 0] if metric != "mse" else [128] * 2)
    assert to_colors(far, metric, 3)[:, 0].tolist() == [255, 0]


@given(hnp.arrays(np.float64, (4, 3), elements={"min_value": -200, "max_value": 200}))
def test_snapping_moves_to_the_nearest_eighth(points):
    snapped = snap(points)
    assert snapped.dtype == np.float32
    assert np.array_equal(snapped * 8, np.rint(snapped * 8))
    assert np.abs(snapped - points).max() <= 1 / 16 + 1e-12


def test_lightness_weighs_the_channels_by_bt_601():
    colors = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [255, 255, 255]], np.uint8)
    assert lightness(colors).tolist() == [299, 587, 114, 255_000]
    opaque = np.concatenate([colors, colors[:, :1]], axis=1)
    assert lightness(opaque).tolist() == lightness(colors).tolist()
    assert lightness(np.array([[3], [5]], np.uint8)).tolist() == [3000, 5000]
    assert lightness(np.array([[3, 9]], np.uint8)).tolist() == [3000]


@pytest.mark.parametrize("channels", [2, 4])
def test_colours_are_of_three_kinds_by_their_alpha(channels):
    colors = np.full((4, channels), 9, np.uint8)
    colors[:, -1] = [0, 1, 254, 255]
    expected = [TRANSPARENT, TRANSLUCENT, TRANSLUCENT, OPAQUE]
    assert translucency(colors).tolist() == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_without_alpha_are_opaque(channels):
    assert translucency(np.zeros((3, channels), np.uint8)).tolist() == [OPAQUE] * 3


class TestPixelPoints:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize("metric", [*METRICS, FEW_COLORS])
    def test_they_are_within_a_small_step_of_the_points_of_colours(self, channels, metric):
        pixels = np.random.default_rng(0).integers(0, 256, (5000, channels)).astype(np.uint8)
        pixels[:2] = [[0], [255]]
        points = PixelPoints(metric).of(pixels)
        assert points.dtype == np.float32
        assert np.abs(points.T - to_points(pixels, metric)).max() < 0.4


def test_reds_beside_purples_stay_red_where_colours_are_few():
    generator = np.random.default_rng(3)
    reds = generator.integers([60, 0, 0], [220, 12, 12], (3000, 3))
    purples = generator.integers([60, 0, 60], [110, 12, 110], (700, 3))
    pixels = np.concatenate([reds, purples])[None].astype(np.uint8)
    shown = kqf.quantize(pixels, colors=4, quality=100).pixels[0, : len(reds)]
    assert shown[:, 2].max() < 25
