"""Colours as points whose squared distance is the error that a metric counts.

Points lie on a grid of 1/8: their products and sums are then exact in float32, whatever the order
in which a machine adds them, so that the same pixels give the same labels everywhere.
"""

import numpy as np

METRICS = ("mse", "perceptual")
# The perceptual metric where so few colours are to be had that each stands for many: with more
# weight on yellow and blue, or else reds that share an entry with purple lean towards crimson.
FEW_COLORS = "perceptual, few colours"
_FEW = 64
_FEW_BLUE = 1.2
GRID = 8.0
# Points are centred, which keeps their squares below 2**24 grid steps (exact in float32).
_CENTRE = 128.0
# Colours that are made points at a time.
_COLORS = 2**14

# Linear sRGB to cone responses, and their cube roots to Oklab: B. Ottosson, "A perceptual color
# space for image processing", 2020, https://bottosson.github.io/posts/oklab/.
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# Added to cone responses before their cube root, which otherwise stretches colours near black more
# than eyes do (JPEG XL's XYB has such a bias), and what the roots of 0 and 1 then are.
_BIAS = 0.01
_ROOT_OF_0 = _BIAS ** (1 / 3)
_ROOT_SPAN = (1 + _BIAS) ** (1 / 3) - _ROOT_OF_0
# Steps of the table of cube roots: a point is then less than a step of the grid off.
_CONE_STEPS = 2**15
# Inverting the published matrices keeps both directions in step.
_FROM_CONES = tuple(map(tuple, np.linalg.inv(np.array(_TO_CONES)).tolist()))
_FROM_OKLAB = tuple(map(tuple, np.linalg.inv(np.array(_TO_OKLAB)).tolist()))


def metric_for(metric: str, colors: int) -> str:
    """Return the metric in which to learn and assign so many colours.

    Arguments:
        metric: one of ``METRICS``.

    Returns:
        one of ``METRICS``, or ``FEW_COLORS``.
    """
    return FEW_COLORS if metric == "perceptual" and colors <= _FEW else metric


def snap(points: np.ndarray) -> np.ndarray:
    """Return points moved to the grid, float32."""
    return (np.rint(points * GRID) / GRID).astype(np.float32)


def _mix(matrix: tuple[tuple[float, ...], ...], planes: list[np.ndarray]) -> list[np.ndarray]:
    # Written out rather than as a matrix product, whose sums differ from machine to machine.
    return [a * planes[0] + b * planes[1] + c * planes[2] for a, b, c in matrix]


def _linear() -> np.ndarray:
    """Return the linear light of each sRGB value (IEC 61966-2-1), (256,) float64."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_to_oklab(colors: np.ndarray) -> np.ndarray:
    """Return Oklab, (N, 3) float64 (L 0 to 1), of sRGB colours (N, 3) uint8."""
    cones = _mix(_TO_CONES, list(_linear().take(colors).T))
    return np.stack(_mix(_TO_OKLAB, [np.cbrt(cone) for cone in cones]), axis=1)


def _to_perceptual(light: np.ndarray) -> np.ndarray:
    """Return Oklab with a bias in its cube root, (N, 3) float64, of linear light (N, 3)."""
    roots = [
        (np.cbrt(cone + _BIAS) - _ROOT_OF_0) / _ROOT_SPAN for cone in _mix(_TO_CONES, list(light.T))
    ]
    return np.stack(_mix(_TO_OKLAB, roots), axis=1)


def to_points(colors: np.ndarray, metric: str) -> np.ndarray:
    """Return the points of colours.

    Arguments:
        colors: (N, C) uint8: gray, gray + alpha, RGB or RGBA, straight alpha.
        metric: ``"mse"`` (sRGB values), ``"perceptual"`` (Oklab times 255, with a bias in its
            cube root), or ``FEW_COLORS``. With alpha, colour is premultiplied and alpha is one
            axis more.

    Returns:
        (N, C) float32 on the grid.
    """
    channels = colors.shape[1]
    if metric == "mse" and channels in (1, 3):
        # On the grid as they are.
        return colors.astype(np.float32) - np.float32(_CENTRE)
    points = np.empty((len(colors), channels), np.float32)
    linear = _linear()
    # Some at a time: the way to their points takes many bytes for each.
    for first in range(0, len(colors), _COLORS):
        some = colors[first : first + _COLORS]
        planes = some[:, : 3 if channels > 2 else 1]
        light = linear.take(planes) if metric != "mse" else planes.astype(np.float64)
        alpha = some[:, -1:].astype(np.float64) if channels in (2, 4) else None
        points[first : first + _COLORS] = _points(light, alpha, metric)
    return points


def to_points_between(values: np.ndarray, metric: str) -> np.ndarray:
    """Return the points of colours between those that 8 bits can tell apart.

    Arguments:
        values: (N, C) float64, from premultiplied or near them; those out of range are cut off.
        metric: as to_points has it.

    Returns:
        (N, C) float32 on the grid.
    """
    channels = values.shape[1]
    values = values.clip(0, 255)
    planes, alpha = values, None
    if channels in (2, 4):
        planes, alpha = values[:, :-1], values[:, -1:]
        planes = (planes * (255 / np.maximum(alpha, 0.5))).clip(0, 255)
    light = np.interp(planes, np.arange(256), _linear()) if metric != "mse" else planes
    return _points(light, alpha, metric)


def _points(light: np.ndarray, alpha: np.ndarray | None, metric: str) -> np.ndarray:
    """Return points, float32 on the grid, of linear light, or with ``"mse"`` of sRGB values."""
    values = light
    if metric != "mse":
        perceptual = _to_perceptual(np.broadcast_to(light, (len(light), 3)))
        if metric == FEW_COLORS:
            perceptual[:, 2] *= _FEW_BLUE
        values = perceptual[:, : light.shape[1]] * 255
    if alpha is not None:
        values = np.concatenate([values * (alpha / 255), alpha], axis=1)
        values[:, -1] -= _CENTRE
    centred = 1 if metric != "mse" else light.shape[1]
    values = values - np.concatenate(
        [np.full(centred, _CENTRE), np.zeros(values.shape[1] - centred)]
    )
    return snap(values)


def premultiplied(colors: np.ndarray) -> np.ndarray:
    """Return colours (N, C) with their alpha, if any, multiplied into the others, float64."""
    values = colors.astype(np.float64)
    if colors.shape[1] in (2, 4):
        values[:, :-1] *= values[:, -1:] / 255
    return values


def to_colors(points: np.ndarray, metric: str, channels: int) -> np.ndarray:
    """Return the colours, (N, channels) uint8, nearest to points: the inverse of to_points."""
    values = points.astype(np.float64)
    if metric != "mse":
        values[:, 0] += _CENTRE
    else:
        values[:, : 3 if channels > 2 else 1] += _CENTRE
    alpha = np.empty((len(points), 0))
    if channels in (2, 4):
        alpha = np.clip(values[:, -1:] + _CENTRE, 0, 255)
        values = values[:, :-1] * (255 / np.maximum(alpha, 0.5))
    if metric == FEW_COLORS:
        values[:, 2:3] /= _FEW_BLUE
    if metric != "mse":
        values = _from_perceptual(values / 255)
    colors: np.ndarray = np.rint(np.concatenate([values, alpha], axis=1)).clip(0, 255)
    return colors.astype(np.uint8)


def _from_perceptual(points: np.ndarray) -> np.ndarray:
    """Return sRGB values on the scale of 0 to 255, not clipped, float64: of one or three axes."""
    if points.shape[1] == 1:
        points = np.concatenate([points, np.zeros((len(points), 2))], axis=1)
        return _from_perceptual(points)[:, :1]
    roots = _mix(_FROM_OKLAB, list(points.T))
    cones = [(root * _ROOT_SPAN + _ROOT_OF_0) ** 3 - _BIAS for root in roots]
    light = np.maximum(np.stack(_mix(_FROM_CONES, cones), axis=1), 0)
    curve = 1.055 * light ** (1 / 2.4) - 0.055
    values: np.ndarray = 255 * np.where(light <= 0.0031308, 12.92 * light, curve)
    return values


def lightness(colors: np.ndarray) -> np.ndarray:
    """Return the luma of colours (ITU-R BT.601 weights times 1000), (N,) int64, for ordering."""
    if colors.shape[1] < 3:
        return colors[:, 0].astype(np.int64) * 1000
    luma: np.ndarray = colors[:, :3].astype(np.int64) @ np.array([299, 587, 114])
    return luma


# Kinds of colour by alpha, and the least and greatest alpha of each.
OPAQUE, TRANSLUCENT, TRANSPARENT, MIXED = range(4)
_LEAST_ALPHA = np.array([255, 1, 0, 0], np.uint8)
_GREATEST_ALPHA = np.array([255, 254, 0, 255], np.uint8)


def translucency(colors: np.ndarray) -> np.ndarray:
    """Return OPAQUE, TRANSLUCENT or TRANSPARENT for each colour, (N,) int8, from (N, C)."""
    groups = np.full(len(colors), OPAQUE, np.int8)
    if colors.shape[1] in (2, 4):
        groups[colors[:, -1] < 255] = TRANSLUCENT
        groups[colors[:, -1] == 0] = TRANSPARENT
    return groups


def hold_alpha(codewords: np.ndarray, kinds: np.ndarray | int) -> np.ndarray:
    """Return codewords (K, C) whose alpha is that of their kinds, whatever rounding made of it."""
    if codewords.shape[1] not in (2, 4):
        return codewords
    held = codewords.copy()
    held[:, -1] = np.clip(held[:, -1], _LEAST_ALPHA[kinds], _GREATEST_ALPHA[kinds])
    held[held[:, -1] == 0] = 0
    return held


class PixelPoints:
    """Points of many pixels, found by tables: near those of to_points, several times as fast.

    Arguments:
        metric: one of ``METRICS``, or ``FEW_COLORS``.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        # Cone responses of the three channels add up in fields of 16 bits.
        light = _linear()
        fields = np.zeros((3, 256, 4), np.uint16)
        for cone, weights in enumerate(_TO_CONES):
            for channel, weight in enumerate(weights):
                fields[channel, :, cone] = np.rint(weight * light * _CONE_STEPS)
        self._fields = fields.view(np.uint64)[..., 0]
        cones = np.arange(_CONE_STEPS + 4) / _CONE_STEPS
        self._roots = ((np.cbrt(cones + _BIAS) - _ROOT_OF_0) / _ROOT_SPAN * 255).astype(np.float32)

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Return the points of pixels (N, C) uint8, one axis after another: (C, N) float32."""
        channels = pixels.shape[1]
        if channels == 3 and self._metric != "mse":
            sums = self._fields[0].take(pixels[:, 0])
            sums += self._fields[1].take(pixels[:, 1])
            sums += self._fields[2].take(pixels[:, 2])
            cones = sums.view(np.uint16).reshape(-1, 4)
            roots = [self._roots.take(cones[:, cone]) for cone in range(3)]
            points = np.stack(_mix(_TO_OKLAB, roots))
            points[0] -= np.float32(_CENTRE)
            if self._metric == FEW_COLORS:
                points[2] *= np.float32(_FEW_BLUE)
            return points
        if channels == 3:
            return np.ascontiguousarray(pixels.T).astype(np.float32) - np.float32(_CENTRE)
        # Of few colours each: those with alpha mostly have few.
        octets = np.zeros((len(pixels), 4), np.uint8)
        octets[:, :channels] = pixels
        distinct, rows = np.unique(octets.view(np.uint32)[:, 0], return_inverse=True)
        colors = distinct.view(np.uint8).reshape(-1, 4)[:, :channels]
        return np.ascontiguousarray(to_points(colors, self._metric).take(rows, axis=0).T)
