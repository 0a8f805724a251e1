"""Rare colours: small coloured dots on photographs, by KQF and by pngquant's library.

    pip install '.[bench]'
    python tools/benchmark.py rare [FOLDER|IMAGE ...]

Dots of six saturated colours, 4 pixels wide and together about 0.02 % of a picture of 0.4
megapixels, are put into the calmest part of each picture, where an eye finds them. For each number
of colours it prints how far the mean colour of a dot is from what it was, in Oklab times 100 (2 is
about what an eye can just notice): the mean of all dots and the worst; and how many dots have lost
more than half of their chroma. Then the same error over regions of 16 x 16 pixels of the pictures
as they are: the mean over pictures of the worst region. Nothing is dithered. Without folders or
images it takes scikit-learn's two sample photographs; images with alpha are left out.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

import kqf
from kqf.quantization.colorspace import lightness, srgb_to_oklab
from kqf.quantization.visibility import weight_classes

from .encoders import by_libimagequant
from .images import pictures
from .output import add_images, parser_for, table

DOTS = ((230, 20, 30), (20, 160, 60), (30, 60, 220), (240, 200, 20), (220, 40, 200), (20, 190, 200))
SIDE, SPACING, REGION = 4, 24, 16
COLORS = (256, 64, 16)


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    asked = parser.parse_args(arguments)
    found: dict[tuple[int, str], list[tuple[np.ndarray, int, float]]] = {}
    for picture in pictures(asked.places):
        original = picture.pixels
        if original.shape[2] != 3 or min(original.shape[:2]) < SPACING * len(DOTS):
            continue
        dotted, boxes = with_dots(original)
        for colors in COLORS:
            for way, quantize in (("KQF", _by_kqf), ("PNG8", _by_pngquant)):
                shown, plain = quantize(dotted, colors), quantize(original, colors)
                errors, faded = dot_errors(dotted, shown, boxes)
                worst = float(region_errors(original, plain).max())
                found.setdefault((colors, way), []).append((errors, faded, worst))
    rows = []
    for (colors, way), results in found.items():
        errors = np.concatenate([errors for errors, _, _ in results])
        faded = sum(number for _, number, _ in results)
        region = np.mean([worst for _, _, worst in results])
        rows.append(
            (
                str(colors),
                way,
                f"{errors.mean():.1f}",
                f"{errors.max():.1f}",
                f"{faded} of {len(errors)}",
                f"{region:.1f}",
            )
        )
    print(table(("Colours", "Way", "Dots", "Worst dot", "Faded", "Worst region"), rows))


def with_dots(pixels: np.ndarray) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """Return pixels with dots in a row through their calmest part, and where each is."""
    height, width = pixels.shape[:2]
    luma = (lightness(pixels.reshape(-1, 3)) // 1000).reshape(height, width).astype(np.uint8)
    length = SPACING * len(DOTS)
    calm = uniform_filter(weight_classes(luma).astype(float), (SPACING, length))
    half = SPACING // 2, length // 2
    inside = calm[half[0] : height - half[0], half[1] : width - half[1]]
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    dotted, boxes = pixels.copy(), []
    for number, color in enumerate(DOTS):
        left = x + number * SPACING + (SPACING - SIDE) // 2
        top = y + (SPACING - SIDE) // 2
        boxes.append((slice(top, top + SIDE), slice(left, left + SIDE)))
        dotted[boxes[-1]] = color
    return dotted, boxes


def dot_errors(
    original: np.ndarray, shown: np.ndarray, boxes: Sequence[tuple[slice, slice]]
) -> tuple[np.ndarray, int]:
    """Return how far each dot's mean colour is off, and how many have lost half their chroma."""
    means = np.array(
        [
            [srgb_to_oklab(pixels[box].reshape(-1, 3)).mean(axis=0) for box in boxes]
            for pixels in (original, shown)
        ]
    )
    chroma = np.sqrt((means[..., 1:] ** 2).sum(axis=2))
    errors = 100 * np.sqrt(((means[0] - means[1]) ** 2).sum(axis=1))
    return errors, int((chroma[1] < chroma[0] / 2).sum())


def region_errors(original: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return how far the mean colour of each whole region is off, (regions,)."""
    height, width = (side // REGION * REGION for side in original.shape[:2])
    means = []
    for pixels in (original, shown):
        lab = srgb_to_oklab(np.ascontiguousarray(pixels[:height, :width]).reshape(-1, 3))
        blocks = lab.reshape(height // REGION, REGION, width // REGION, REGION, 3)
        means.append(blocks.mean(axis=(1, 3)).reshape(-1, 3))
    errors: np.ndarray = 100 * np.sqrt(((means[0] - means[1]) ** 2).sum(axis=1))
    return errors


def _by_kqf(pixels: np.ndarray, colors: int) -> np.ndarray:
    return kqf.quantize(pixels, colors=colors).pixels


def _by_pngquant(pixels: np.ndarray, colors: int) -> np.ndarray:
    return by_libimagequant(pixels, colors, speed=3).pixels
