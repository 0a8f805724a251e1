"""The images that benchmarks run on: given ones, or scikit-learn's two sample photographs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SAMPLES = "scikit-learn's samples"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif")


@dataclass(frozen=True)
class Picture:
    """One image: its folder's name, its own name, and RGB or RGBA pixels (H, W, C) uint8."""

    folder: str
    name: str
    pixels: np.ndarray


def paths_in(places: Sequence[Path]) -> list[Path]:
    """Return the images among files and folders, those of a folder in the order of their names."""
    paths = [
        path
        for place in places
        for path in (sorted(place.iterdir()) if place.is_dir() else [place])
        if path.suffix.lower() in SUFFIXES
    ]
    if places and not paths:
        raise SystemExit(f"no images in {', '.join(map(str, places))}")
    return paths


def read(path: Path) -> np.ndarray:
    """Return the pixels of a file, RGBA if it has any transparency, else RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def pictures(places: Sequence[Path]) -> Iterator[Picture]:
    """Yield the images among files and folders; without any, the sample photographs."""
    if not places:
        for name, pixels in samples().items():
            yield Picture(SAMPLES, name, pixels)
    for path in paths_in(places):
        yield Picture(path.resolve().parent.name, path.name, read(path))


def samples() -> dict[str, np.ndarray]:
    """Return scikit-learn's sample photographs, (427, 640, 3) uint8, by file name."""
    found = load_sample_images()
    return {Path(n).name: pixels for n, pixels in zip(found.filenames, found.images, strict=True)}
