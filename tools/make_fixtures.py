"""Files as this version writes them, for all later ones to read.

    pip install . && python tools/make_fixtures.py

It writes tests/fixtures/vFORMAT/VERSION: KQF files of every kind, of scikit-learn's sample
photographs; for each its labels and codebook as .npz, and the metadata of all in manifest.json.
What a version has once written stays as it is: a folder that is there is left alone. Run it for
each release.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import kqf
from kqf.format.declarations import VERSION

FOLDER = Path(__file__).parents[1] / "tests" / "conformance" / "fixtures" / f"v{VERSION}"
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
    return found


def main() -> None:
    folder = FOLDER / kqf.__version__
    if folder.exists():
        raise SystemExit(f"{folder} is there already: it stays as it was released")
    folder.mkdir(parents=True)
    manifest = {}
    for name, data in files().items():
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
