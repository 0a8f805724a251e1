"""Segmentation masks: the same labels as KQF and as PNG8, exactly.

    pip install '.[bench,ssim]'
    python tools/masks.py [MASK ...]

Masks are images of mode L or P, whose values are the labels. Without any, it makes some of
scikit-learn's sample photographs with scikit-image: superpixels, regions grown, classes by colour.
It prints the bytes of PNG8 by Pillow (optimised), by oxipng (level 6) and of KQF, at default
effort, and checks that labels come back as they were.
"""

import io
import sys
from collections.abc import Iterator

import numpy as np
import oxipng
from PIL import Image
from skimage.segmentation import felzenszwalb, slic
from sklearn.datasets import load_sample_images

import kqf


def masks(paths: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    for path in paths:
        image = Image.open(path)
        if image.mode not in ("L", "P"):
            raise SystemExit(f"{path}: expected mode L or P, found {image.mode}")
        yield path, np.asarray(image)
    if paths:
        return
    samples = load_sample_images()
    for name, photograph in zip(("china", "flower"), samples.images, strict=True):
        yield f"{name}, superpixels", slic(photograph, 200, start_label=0).astype(np.uint8)
        regions = felzenszwalb(photograph, scale=600, sigma=1, min_size=400)
        yield f"{name}, regions", (regions % 256).astype(np.uint8)
        yield f"{name}, 8 classes", kqf.quantize(photograph, colors=8, quality=100).labels


def png8(labels: np.ndarray) -> bytes:
    image = Image.fromarray(labels, "P")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    print("| mask | labels | PNG8, Pillow | PNG8, oxipng | KQF | KQF / oxipng |")
    print("|" + "---|" * 6)
    shares = []
    for name, labels in masks(sys.argv[1:]):
        codebook = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
        codebook = codebook[: int(labels.max()) + 1]
        data = kqf.encode_indexed(labels, codebook)
        assert np.array_equal(kqf.read_indexed(data).labels, labels)
        plain = png8(labels)
        small = oxipng.optimize_from_memory(plain, level=6)
        shares.append(len(data) / len(small))
        print(
            f"| {name} | {len(np.unique(labels))} | {len(plain)} | {len(small)} | {len(data)} "
            f"| {shares[-1]:.3f} |",
            flush=True,
        )
    print(f"\ngeometric mean {np.exp(np.log(shares).mean()):.3f}, worst {max(shares):.3f}")


if __name__ == "__main__":
    main()
