"""Every cut and every change of one byte of some files: what decoding, checking and salvage say.

    pip install .
    python tools/stress/damage.py [--values N] [FILE ...]

Without any files it makes small ones of scikit-learn's sample photographs: each predictor, tiles,
metadata, gray and alpha. Every truncation and, at every byte, each of the 255 other values (or N of
them, for larger files) is decoded, checked and salvaged. An image or a KqfError may come of it and
nothing else; ``kqf.check`` must find every one; what salvage does not name as lost must be right.
It exits with 1 if any of that fails.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import kqf


def made() -> Iterator[tuple[str, bytes]]:
    china, flower = (Image.fromarray(image) for image in load_sample_images().images)
    rgb = np.asarray(china.resize((40, 28)))
    alpha = np.asarray(flower.convert("L").resize((40, 28)))
    metadata = {"comment": "a comment", "exif": b"some exif", "dpi": (300.0, 300.0)}
    for predictor in ("none", "left", "up", "copy", "packed"):
        options = {"predictor": predictor, "metadata": metadata, "colors": 16}
        yield f"RGB, {predictor}, tiles", kqf.encode(rgb, tile=(16, 12), **options)
        yield f"RGB, {predictor}", kqf.encode(rgb, tile=64, **options)
    yield "RGBA", kqf.encode(np.dstack([rgb, alpha]), colors=12, tile=20)
    yield "gray", kqf.encode(alpha, colors=16, tile=20)


def cuts(data: bytes) -> Iterator[bytes]:
    return (data[:end] for end in range(len(data)))


def changes(data: bytes, values: int) -> Iterator[bytes]:
    random = np.random.default_rng(0)
    for at in range(len(data)):
        for change in random.permutation(255)[:values] + 1:
            yield data[:at] + bytes([data[at] ^ int(change)]) + data[at + 1 :]


def look(original: np.ndarray, data: bytes, counts: Counter[str]) -> None:
    for name, way in (("decoded", kqf.decode), ("passed by check", kqf.check)):
        try:
            way(data)
            counts[name] += 1
        except kqf.KqfError:
            pass
        except Exception as error:
            counts["other errors"] += 1
            print(f"{name}: {error!r}", file=sys.stderr)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = kqf.decode(data, errors="salvage")
        except kqf.KqfError:
            return
        except Exception as error:
            counts["other errors"] += 1
            print(f"salvage: {error!r}", file=sys.stderr)
            return
    boxes = [box for each in caught for box in each.message.lost]
    counts["salvaged"] += 1
    counts["salvaged whole"] += not boxes
    right = found.shape == original.shape
    if right:
        same = found == original
        for left, upper, right_side, lower in boxes:
            same[upper:lower, left:right_side] = True
        right = bool(same.all())
    counts["salvaged wrongly"] += not right


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", type=int, default=255)
    parser.add_argument("files", nargs="*", type=Path)
    asked = parser.parse_args()
    files = [(path.name, path.read_bytes()) for path in asked.files] or list(made())
    columns = (
        "tried",
        "decoded",
        "passed by check",
        "other errors",
        "salvaged",
        "salvaged whole",
        "salvaged wrongly",
    )
    print("| file | bytes | damage | " + " | ".join(columns) + " |")
    print("|" + "---|" * (len(columns) + 3))
    failures = 0
    for name, data in files:
        original = kqf.decode(data)
        for damage, spoiled in (("cut", cuts(data)), ("a byte", changes(data, asked.values))):
            counts: Counter[str] = Counter()
            for each in spoiled:
                counts["tried"] += 1
                look(original, each, counts)
            numbers = " | ".join(str(counts[column]) for column in columns)
            print(f"| {name} | {len(data)} | {damage} | {numbers} |", flush=True)
            failures += counts["passed by check"] + counts["other errors"]
            failures += counts["salvaged wrongly"]
    if failures:
        raise SystemExit(f"{failures} failures")


if __name__ == "__main__":
    main()
