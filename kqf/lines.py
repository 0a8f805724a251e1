"""Lines about files, for people to read."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import kqf
from kqf.terminal import escape

if TYPE_CHECKING:
    from kqf.convert import Converted
    from kqf.report import ImageReport, Row, Summary

_CHANNELS = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}
# Pillow hands out EXIF with it, the file has none.
_EXIF_PREFIX = b"Exif\0\0"
_COLUMNS = ("stored as", "bytes", "of raw", "bits per pixel", "error")
_NUMBERS = ("bytes", "of raw", "bits per pixel")


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


def reported(done: "ImageReport") -> str:
    """Return a title and a table for one image."""
    title = (
        f"{escape(done.name)}: {done.file_format}, {done.width:,} x {done.height:,}, "
        f"{_CHANNELS[done.channels]}, {_colors(done.colors)}"
    )
    return table(title, done.rows)


def table(title: str, rows: "Sequence[Row | Summary]") -> str:
    """Return a title and a table of Markdown, aligned to be read as it is."""
    columns = []
    for column in zip(_COLUMNS, *map(_cells, rows), strict=True):
        width = max(map(len, column))
        right = column[0] in _NUMBERS
        cells = [f" {text:>{width}} " if right else f" {text:<{width}} " for text in column]
        rule = "-" * (width + 1) + (":" if right else "-")
        columns.append([cells[0], rule, *cells[1:]])
    lines = [f"|{'|'.join(line)}|" for line in zip(*columns, strict=True)]
    return "\n".join([title, "", *lines, ""])


def _cells(row: "Row | Summary") -> tuple[str, ...]:
    error = "lossless" if math.isinf(row.psnr) else f"lossy, PSNR {row.psnr:.2f} dB"
    # Of one image this is a flag, of a summary the number of images that lost nothing.
    if row.lossless and not math.isinf(row.psnr):
        error += f", {int(row.lossless)} lossless"
    sizes = f"{row.bytes:,.0f}", f"{100 * row.ratio:.1f} %", f"{row.bits_per_pixel:.2f}"
    return row.name, *sizes, error


def _colors(number: int) -> str:
    return f"{number:,} colour" if number == 1 else f"{number:,} colours"
