"""Files as this version writes them, for all later ones to read.

    pip install . && python tools/make_fixtures.py

It writes tests/conformance/fixtures/vFORMAT/VERSION: KQF files of every kind, of scikit-learn's
sample photographs and of letters; for each its labels and codebook as .npz, and the metadata of all
in manifest.json. What a version has once written stays as it is: a folder that is there is left
alone. Run it for each release.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import kqf

FOLDER = Path(__file__).parents[1] / "tests" / "conformance" / "fixtures"
SIZE = 72, 48


def draw() -> dict[str, np.ndarray]:
    china, flower = (Image.fromarray(image) for image in load_sample_images().images)
    rgb = np.asarray(china.resize(SIZE))
    gray = np.asarray(flower.convert("L").resize(SIZE))
    return {
        "rgb": rgb,
        "gray": gray,
        "gray-alpha": np.dstack([gray, rgb[:, :, 0]]),
        "rgba": np.dstack([rgb, np.where(gray > 128, 255, gray)]),
    }


def files() -> dict[str, bytes]:
    drawn = draw()
    metadata = {
        "icc_profile": b"a profile",
        "exif": b"MM\0*",
        "xmp": b"<x:xmpmeta/>",
        "dpi": (300.0, 299.9),
        "comment": "Grüße, 你好",
    }
    found = {
        f"{name}-{predictor}": kqf.encode(pixels, predictor=predictor)
        for name, pixels in drawn.items()
        for predictor in ("none", "left", "up")
    }
    rgb = drawn["rgb"]
    found["tiles"] = kqf.encode(rgb, tile=(17, 20), colors=64)
    found["metadata"] = kqf.encode(rgb, metadata=metadata, colors=8)
    found["one-colour"] = kqf.encode(np.full((3, 5), 7, np.uint8))
    found["two-colours"] = kqf.encode(rgb, colors=2, dither="ordered")
    found["quality-20"] = kqf.encode(rgb, colors=64, quality=20)
    found["dithered"] = kqf.encode(rgb, colors=16, dither="floyd-steinberg")
    found["perceptual"] = kqf.encode(rgb, colors=32, metric="perceptual", effort=9)
    found["effort-1"] = kqf.encode(rgb, effort=1)
    labels = np.arange(72 * 48).reshape(48, 72).astype(np.uint8)
    codebook = np.random.default_rng(0).integers(0, 256, (256, 4), dtype=np.uint8)
    found["labels"] = kqf.encode_indexed(labels, codebook)
    for predictor in ("copy", "packed"):
        found[f"rgba-{predictor}"] = kqf.encode(drawn["rgba"], predictor=predictor, colors=16)
    found["copy-tiles"] = kqf.encode(rgb, predictor="copy", tile=(17, 20))
    found["letters"] = kqf.encode_indexed(letters(), codebook[:4])
    found["letters-turned"] = kqf.encode_indexed(letters().T, codebook[:4], tile=50)
    return found


def letters() -> np.ndarray:
    """Return labels like a page of text, whose letters repeat."""
    rng = np.random.default_rng(0)
    alphabet = rng.integers(0, 2, (5, 9, 7), np.uint8) * 3
    page = np.zeros((120, 200), np.uint8)
    for y in range(3, 108, 13):
        for x in range(4, 190, 9):
            page[y : y + 9, x : x + 7] = alphabet[rng.integers(len(alphabet))]
    return page


def main() -> None:
    by_folder: dict[Path, dict[str, bytes]] = defaultdict(dict)
    for name, data in files().items():
        by_folder[FOLDER / f"v{kqf.info(data).version}" / kqf.__version__][name] = data
    for folder, found in by_folder.items():
        if folder.exists():
            print(f"{folder} is there already: it stays as it was released")
        else:
            write(folder, found)


def write(folder: Path, found: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    manifest = {}
    for name, data in found.items():
        (folder / f"{name}.kqf").write_bytes(data)
        read = kqf.read_indexed(data)
        np.savez_compressed(folder / f"{name}.npz", labels=read.labels, codebook=read.codebook)
        manifest[name] = {
            key: value.hex() if isinstance(value, bytes) else value
            for key, value in sorted(read.metadata.items())
        }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
