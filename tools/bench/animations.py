"""Bytes of animations beside other formats: of the same frames, and at equal PSNR.

    python tools/benchmark.py animations FOLDER|FILE ... [--lossy | --decode]
                          [--json FILE] [--markdown FILE]

Each GIF, APNG or animated WebP is stored as KQF without loss, and its frames, times and loop are
compared with those that Pillow shows. Beside it are ``gifsicle -O3``, ``gif2webp -m 6 -q 100``,
``cjxl -d 0`` and Pillow's APNG, where they are there. ``--lossy`` compares with
``gifsicle -O3 --lossy=80`` instead: KQF is encoded from the frames as true colour, at the lowest
quality that reaches the PSNR over all frames that gifsicle has. The last rows are the mean
(geometric) and the worst of KQF's bytes as a share of each other format's. Times are CPU seconds.

``--decode`` measures what it takes to decode all frames: by Pillow from the source, and as a share
of that, by Pillow from KQF and to arrays. A share is the median over runs in turn.
"""

import io
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import kqf
from kqf.io.moving_pictures import MovingPicture

from .output import add_images, add_output, decimals, geometric_mean, parser_for, table, write

KQF = "KQF"
_SUFFIXES = (".gif", ".png", ".webp")
_LOSSY = 80
_RUNS = 25
_DECODERS = ("Pillow, source", "Pillow, KQF", "arrays, KQF")
_QUIET: dict[str, bool] = {"check": True, "capture_output": True}


@dataclass(frozen=True)
class Sizes:
    """What one animation takes: bytes and CPU seconds by format, in the order of the columns."""

    name: str
    frames: int
    bytes: dict[str, int]
    seconds: dict[str, float]
    psnr: float | None = None


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--lossy", action="store_true", help="at equal PSNR")
    ways.add_argument("--decode", action="store_true", help="what decoding takes")
    add_output(parser)
    asked = parser.parse_args(arguments)
    paths = animations(asked.places)
    if asked.decode:
        times = [decoding(path) for path in paths]
        rows = [
            (
                one.name,
                one.frames,
                f"{1000 * one.seconds:.1f} ms",
                *(f"{share:.2f}" for share in one.shares),
            )
            for one in times
        ]
        write(asked, table(("Animation", "Frames", *_DECODERS), rows) + "\n", times)
        return
    measure = at_equal_psnr if asked.lossy else without_loss
    results = [measure(path) for path in paths]
    write(asked, listed(results) + "\n", results)


@dataclass(frozen=True)
class Decoding:
    """CPU seconds that Pillow takes for all frames of the source, and shares of them of KQF."""

    name: str
    frames: int
    seconds: float
    shares: list[float]


def decoding(path: Path) -> Decoding:
    """Decode the frames of an animation, and of the KQF file made of it, in turn."""
    buffer = io.BytesIO()
    with Image.open(path) as image:
        frames = image.n_frames
        image.save(buffer, "KQF", save_all=True)
    source, data = path.read_bytes(), buffer.getvalue()
    runs = np.array(
        [
            [timed(partial(load, source)), timed(partial(load, data)), timed(partial(read, data))]
            for _ in range(_RUNS)
        ]
    )
    shares = np.median(runs[:, 1:] / runs[:, :1], axis=0)
    return Decoding(path.name, frames, float(np.median(runs[:, 0])), shares.tolist())


def load(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        for number in range(image.n_frames):
            image.seek(number)
            image.load()


def read(data: bytes) -> None:
    for _ in kqf.open_animation(data):
        pass


def animations(places: Sequence[Path]) -> list[Path]:
    found = []
    for place in places:
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        found += [path for path in inside if path.suffix.lower() in _SUFFIXES]
    return found


def without_loss(path: Path) -> Sizes:
    """Store an animation in all formats, and check that KQF gives the frames back."""
    with Image.open(path) as image:
        moving = MovingPicture([image])
        buffer = io.BytesIO()
        sizes, seconds = {"source": path.stat().st_size}, {}
        seconds[KQF] = timed(lambda: image.save(buffer, "KQF", save_all=True))
        sizes[KQF] = len(buffer.getvalue())
        check(moving, buffer.getvalue(), path)
        frames = len(moving)
    for name, command in commands(path).items():
        if shutil.which(command[0]):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out"
                full = [str(out) if part == "OUT" else part for part in command]
                with suppress(subprocess.CalledProcessError):
                    # cjxl does not read every GIF.
                    seconds[name] = timed(partial(subprocess.run, full, **_QUIET))
                    sizes[name] = out.stat().st_size
    with Image.open(path) as image:
        buffer = io.BytesIO()
        image.save(buffer, "PNG", save_all=True, optimize=True)
        sizes["APNG"] = len(buffer.getvalue())
    return Sizes(path.name, frames, sizes, seconds)


def commands(path: Path) -> dict[str, list[str]]:
    """Return the commands of other programs, by the name of their format."""
    if path.suffix.lower() != ".gif":
        return {}
    return {
        "gifsicle": ["gifsicle", "-O3", str(path), "-o", "OUT"],
        "gif2webp": ["gif2webp", "-quiet", "-m", "6", "-q", "100", str(path), "-o", "OUT"],
        "JPEG XL": ["cjxl", "-d", "0", str(path), "OUT"],
    }


def check(moving: MovingPicture, data: bytes, path: Path) -> None:
    """Stop unless a KQF file has the frames, times and loop of an animation."""
    with kqf.open_animation(data) as animation:
        times = [time or 0 for time in moving.durations]
        same = len(animation) == len(moving) and list(animation.durations) == times
        same &= animation.loop == moving.plays
        for shown, meant in zip(animation, moving, strict=True):
            same &= np.array_equal(shown.reshape(meant.shape), meant)
    if not same:
        raise SystemExit(f"{path}: KQF shows other frames")


def at_equal_psnr(path: Path) -> Sizes:
    """Encode an animation as gifsicle does with loss, and as KQF at the same PSNR."""
    sizes, seconds = {"source": path.stat().st_size}, {}
    with tempfile.TemporaryDirectory() as folder, Image.open(path) as image:
        moving = MovingPicture([image])
        out = Path(folder) / "out.gif"
        command = ["gifsicle", "-O3", f"--lossy={_LOSSY}", str(path), "-o", str(out)]
        name = f"gifsicle --lossy={_LOSSY}"
        seconds[name] = timed(partial(subprocess.run, command, **_QUIET))
        sizes[name] = out.stat().st_size
        with Image.open(out) as other:
            errors = [
                np.square(np.subtract(meant[..., :3], shown[..., :3], dtype=np.float32)).mean()
                for meant, shown in zip(
                    moving, shown_as(MovingPicture([other]), moving), strict=True
                )
            ]
        psnr = 10 * float(np.log10(255**2 / np.mean(errors)))
        data = b""

        def encode() -> None:
            nonlocal data
            # With fewer colours than the frames have, they are searched rather than stored exactly.
            colors = min(255, colors_of(moving) - 1)
            data = kqf.encode_animation(moving, colors=colors, metric="mse", target_psnr=psnr)

        seconds[KQF] = timed(encode)
        sizes[KQF] = len(data)
        return Sizes(path.name, len(moving), sizes, seconds, psnr)


def shown_as(other: MovingPicture, moving: MovingPicture) -> Iterator[np.ndarray]:
    """Yield what an animation shows at the start of each frame of another: it may merge frames."""
    start, end = 0.0, 0.0
    times = iter(other.durations)
    frames = iter(other)
    frame = next(frames)
    end = next(times) or 0.0
    for time in moving.durations:
        while start >= end and (following := next(frames, None)) is not None:
            frame, end = following, end + (next(times) or 0.0)
        yield frame
        start += time or 0.0


def colors_of(moving: MovingPicture) -> int:
    """Return the number of distinct colours of all frames, 256 for more."""
    found: set[bytes] = set()
    for frame in moving:
        found |= {color.tobytes() for color in np.unique(frame.reshape(-1, frame.shape[2]), axis=0)}
        if len(found) > 255:
            return 256
    return len(found)


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds that work takes, those of processes included."""

    def spent() -> float:
        usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    start = spent()
    work()
    return spent() - start


def listed(results: Sequence[Sizes]) -> str:
    """Return a table of all results, with means and worst of KQF's share."""
    formats = list(dict.fromkeys(name for sizes in results for name in sizes.bytes))
    rows: list[Sequence[object]] = []
    for sizes in results:
        cells = []
        for name in formats:
            cell = f"{sizes.bytes[name]:,}" if name in sizes.bytes else "-"
            if name in sizes.seconds:
                cell += f" ({sizes.seconds[name]:.1f} s)"
            cells.append(cell)
        rows.append((sizes.name, sizes.frames, decimals(sizes.psnr, 1), *cells))
    means, worst = [], []
    for name in formats:
        shares = {
            sizes.name: sizes.bytes[KQF] / sizes.bytes[name]
            for sizes in results
            if name in sizes.bytes
        }
        means.append(f"{geometric_mean(list(shares.values())):.3f}")
        largest = max(shares, key=shares.__getitem__)
        worst.append(f"{shares[largest]:.3f} {largest}")
    rows += [("KQF, mean share", "", "", *means), ("KQF, worst", "", "", *worst)]
    return table(("Animation", "Frames", "PSNR", *formats), rows)
