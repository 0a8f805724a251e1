"""Lines about files, for people to read."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import kqf
from kqf.text import escape

if TYPE_CHECKING:
    from kqf.convert.api import Converted

_CHANNELS = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}
# Pillow hands out EXIF with it, the file has none.
_EXIF_PREFIX = b"Exif\0\0"


def converted(made: "Converted") -> str:
    """Return the line about one conversion."""
    loss = {True: ", lossless", False: ", lossy", None: ""}[made.exact]
    return (
        f"{escape(made.input)} -> {escape(made.output)}  "
        f"{made.bytes_in:,} -> {made.bytes_out:,} bytes ({100 * made.ratio:.1f} %), "
        f"{made.bits_per_pixel:.2f} bits per pixel, {_colors(made.colors)}{loss}"
    )


def ended(totals: Mapping[str, int]) -> str:
    """Return the line at the end of a batch."""
    words = {
        "made": "made",
        "done": "done before",
        "kept": "kept as they are",
        "failed": "failed",
    }
    return ", ".join(f"{totals.get(key, 0):,} {text}" for key, text in words.items())


def described(name: str, head: kqf.Info, metadata: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what a KQF file holds, its metadata as Pillow gives it."""
    yield escape(name)
    for key, value in (
        ("size", f"{head.width:,} x {head.height:,} pixels"),
        ("channels", f"{head.channels} ({_CHANNELS[head.channels]})"),
        ("colours", f"{head.colors}"),
        ("predictor", head.predictor),
        ("tiles", f"{head.tiles:,} of {head.tile_width:,} x {head.tile_height:,} pixels"),
        ("file", f"{head.file_bytes:,} bytes, {head.bits_per_pixel:.2f} bits per pixel"),
        *((key, _value(metadata[key])) for key in head.metadata),
    ):
        yield f"  {key:<11}  {value}"


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value.removeprefix(_EXIF_PREFIX)):,} bytes"
    if isinstance(value, tuple):
        return " x ".join(f"{number:g}" for number in value)
    return escape(value)


def _colors(number: int) -> str:
    return f"{number:,} colour" if number == 1 else f"{number:,} colours"
