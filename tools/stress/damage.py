"""Cuts and changes of one byte of some files: what decoding, checking and salvage say.

    pip install .
    python tools/stress/damage.py [--values N] [FILE ...]

Without any files it makes small ones of scikit-learn's sample photographs, with each predictor,
tiles, metadata, gray and alpha, and takes some vectors of version 2. Every truncation is decoded,
checked and salvaged, and so is every change of a byte of a chunk's length or type; of other bytes,
every flipped bit and N other changes. An image or a KqfError may come of it and nothing else;
``kqf.check`` must find every one; what salvage does not name as lost must be right. It exits with 1
if any of that fails.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import kqf
from kqf.format.chunks import HEAD_SIZE, chunks_of
from kqf.format.signature import SIGNATURE

VECTORS = Path(__file__).parents[2] / "spec" / "vectors" / "valid"
OF_VERSION_2 = (
    *("5.8_shapes-and-all-else", "5.9_tiles", "6.8_overviews"),
    *("5.11_shapes", "5.11_goes-on-frame-0"),
)


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
    for name in OF_VERSION_2:
        yield name, (VECTORS / f"{name}.kqf").read_bytes()


def cuts(data: bytes) -> Iterator[bytes]:
    return (data[:end] for end in range(len(data)))


def heads(data: bytes) -> set[int]:
    """Return where the signature and the lengths and types of chunks stand."""
    at = len(SIGNATURE)
    found = set(range(at))
    for _, chunk in chunks_of(data):
        found.update(range(at, at + HEAD_SIZE))
        at += len(chunk)
    return found


def changes(data: bytes, values: int) -> Iterator[bytes]:
    """Yield a file with one byte changed: each way in heads, elsewhere each bit and so many ways.

    In a payload all changes of several bits come to the same, a wrong CRC-32, and to try each would
    take hours. A single flipped bit is put right.
    """
    random = np.random.default_rng(0)
    all_ways = heads(data)
    bits = [1 << bit for bit in range(8)]
    others = [change for change in range(256) if change.bit_count() > 1]
    for at in range(len(data)):
        some = others if at in all_ways else random.permutation(others)[:values].tolist()
        for change in bits + some:
            yield data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]


def read_image(data: bytes, errors: str = "strict") -> list[np.ndarray]:
    return [kqf.decode(data, errors=errors)]


def read_frames(data: bytes, errors: str = "strict") -> list[np.ndarray]:
    with kqf.open_animation(data, errors=errors) as animation:
        return list(animation)


def is_right(
    found: list[np.ndarray], original: list[np.ndarray], told: list[kqf.DamageWarning]
) -> bool:
    """Tell whether what was salvaged is right wherever no warning tells of a loss."""
    # Where their number is lost, too, those frames that were found are looked at.
    if len(found) != len(original) and not told:
        return False
    if any("shapes" in note for each in told for note in each.notes):
        # No box says where lost shapes would be.
        return True
    runs = [run for each in told for run in (*each.lost_frames, *each.doubtful_frames)]
    for number, (frame, expected) in enumerate(zip(found, original, strict=False)):
        if frame.shape != expected.shape:
            return False
        same = frame == expected
        for left, upper, right, lower in [box for each in told for box in each.lost]:
            same[upper:lower, left:right] |= number == 0
        if not same.all() and not any(first <= number <= last for first, last in runs):
            return False
    return True


def look(
    read: Callable[..., list[np.ndarray]],
    original: list[np.ndarray],
    data: bytes,
    counts: Counter[str],
) -> None:
    for name, way in (("decoded", read), ("passed by check", kqf.check)):
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
            found = read(data, errors="salvage")
        except kqf.KqfError:
            return
        except Exception as error:
            counts["other errors"] += 1
            print(f"salvage: {error!r}", file=sys.stderr)
            return
    told = [each.message for each in caught]
    counts["salvaged"] += 1
    counts["salvaged whole"] += not any(each.lost or each.lost_frames for each in told)
    counts["salvaged wrongly"] += not is_right(found, original, told)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", type=int, default=16, help="changes of several bits at a byte")
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
        read = read_frames if b"ANIM" in data else read_image
        original = read(data)
        for damage, spoiled in (("cut", cuts(data)), ("a byte", changes(data, asked.values))):
            counts: Counter[str] = Counter()
            for each in spoiled:
                counts["tried"] += 1
                look(read, original, each, counts)
            numbers = " | ".join(str(counts[column]) for column in columns)
            print(f"| {name} | {len(data)} | {damage} | {numbers} |", flush=True)
            failures += counts["passed by check"] + counts["other errors"]
            failures += counts["salvaged wrongly"]
    if failures:
        raise SystemExit(f"{failures} failures")


if __name__ == "__main__":
    main()
