"""What commands print about files, for people to read."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kqf
from kqf.decoding.extent import whole_tiles
from kqf.text import CHANNEL_NAMES, escape

if TYPE_CHECKING:
    from kqf.convert.api import Converted

_EXIF_PREFIX = b"Exif\0\0"
# Bytes that tell a file's kind.
_START = 4096
_KINDS = {
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\xfd7zXZ": "an xz archive",
    b"(\xb5/\xfd": "a Zstandard archive",
    b"<svg": "an SVG drawing",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"GIMP Palette": "a palette",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


def converted(made: "Converted") -> str:
    """Return the line about one conversion."""
    loss = {True: ", lossless", False: ", lossy", None: ""}[made.exact]
    return (
        f"{escape(made.input)} -> {escape(made.output)}  "
        f"{made.bytes_in:,} -> {made.bytes_out:,} bytes ({100 * made.ratio:.1f} %), "
        f"{_colors(made.colors)}{loss}"
    )


def ended(states: Mapping[str, int], bytes_in: int, bytes_out: int, seconds: float) -> str:
    """Return the line at the end of a batch.

    Arguments:
        states: numbers of files by the states of their outcomes.
        bytes_in, bytes_out: of the files made, or kept as they are, and of their sources.
    """
    words = {
        "made": "made",
        "done": "done before",
        "kept": "kept as they are",
        "failed": "failed",
    }
    counts = ", ".join(f"{states.get(key, 0):,} {text}" for key, text in words.items())
    if not any(states.values()):
        return "found no image to convert"
    if not bytes_in:
        return f"{counts}; in {seconds:.1f} s"
    share = f"({100 * bytes_out / bytes_in:.1f} %)"
    return f"{counts}; {bytes_in:,} -> {bytes_out:,} bytes {share} in {seconds:.1f} s"


def described(
    name: str, head: kqf.Info, metadata: Mapping[str, Any], parts: Mapping[str, int]
) -> Iterator[str]:
    """Yield lines that say what a KQF file holds.

    Arguments:
        metadata: as Pillow gives it. parts: bytes of each part of the file.
    """
    yield escape(name)
    for key, value in (
        ("size", f"{head.width:,} x {head.height:,} pixels"),
        ("channels", f"{head.channels} ({CHANNEL_NAMES[head.channels]})"),
        ("colours", f"{head.colors}"),
        ("predictor", head.predictor),
        ("tiles", f"{head.tiles:,} of {head.tile_width:,} x {head.tile_height:,} pixels"),
        *([("frames", _frames(head))] if head.frames > 1 else []),
        *([("overviews", ", ".join(f"1:{scale}" for scale in head.scales))] if head.scales else []),
        ("file", f"{head.file_bytes:,} bytes, {head.bits_per_pixel:.2f} bits per pixel"),
        ("version", str(head.version)),
        ("bytes of", _sizes(parts)),
        *((key, _value(value)) for key, value in metadata.items()),
    ):
        yield f"  {key:<11}  {value}"


def _frames(head: kqf.Info) -> str:
    """Return how many frames an animation has and how it is played, in words."""
    plays = {0: "played for ever", 1: "played once"}.get(head.loop, f"played {head.loop} times")
    return f"{head.frames:,}, {sum(head.durations) / 1000:,.2f} s, {plays}"


def _sizes(parts: Mapping[str, int]) -> str:
    """Return what the parts of a file take, in words."""
    return ", ".join(f"{part.replace('_', ' ')} {size:,}" for part, size in parts.items() if size)


def in_words(error: kqf.KqfError, source: Path | bytes) -> str:
    """Return what is wrong with a KQF file, in the words of someone who looks at it."""
    start = _start_of(source)
    if (
        isinstance(error, kqf.FormatError)
        and error.field == "signature"
        and start[:4] != b"\x89KQF"
    ):
        return f"not a KQF file: {_kind_of(start)}"
    if not isinstance(error, kqf.TruncatedError):
        return str(error)
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        tiles = kqf.info(source).tiles
    except kqf.KqfError:
        return f"cut off before the first tile: only {size:,} bytes are there"
    return cut_off(whole_tiles(source)[0], tiles, size)


def cut_off(whole: int, tiles: int, size: int) -> str:
    """Return how much is there of a file that ends too early."""
    there = f"{whole:,} of {tiles:,} tiles are whole"
    if whole == tiles:
        there = "all tiles are whole, and the end is missing" if tiles > 1 else "the end is missing"
    return f"cut off after {size:,} bytes: {there}; kqf convert --salvage recovers what is there"


def _start_of(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_START]
    with source.open("rb") as file:
        return file.read(_START)


def _kind_of(start: bytes) -> str:
    """Return what a file looks like, by its first bytes."""
    from PIL import Image

    if not start:
        return "it is empty"
    for mark, kind in _KINDS.items():
        if start.lstrip().startswith(mark):
            return f"it looks like {kind}"
    try:
        with Image.open(io.BytesIO(start)) as image:
            return f"it looks like a {image.format} image; kqf convert makes a KQF file of it"
    except Exception:
        # Pillow's readers raise errors of every kind about files that are cut off.
        return "it is of no kind that kqf knows"


def without_prefix(metadata: bytes) -> bytes:
    """Return metadata as the file holds it: Pillow gives EXIF a prefix."""
    return metadata.removeprefix(_EXIF_PREFIX)


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(without_prefix(value)):,} bytes"
    if isinstance(value, tuple):
        return " x ".join(f"{number:g}" for number in value)
    return escape(value)


def _colors(number: int) -> str:
    return f"{number:,} colour" if number == 1 else f"{number:,} colours"
