"""The columns of each table of a report."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import kqf
from kqf.report.tables import Column
from kqf.text import escape


def _percent(share: float) -> str:
    return f"{100 * share:,.1f} %" if share else "0 %"


def _decibels(value: float) -> str:
    return "lossless" if math.isinf(value) else f"{value:.2f}"


def _place(error: kqf.LargestError) -> str:
    return f"{error.x}, {error.y}"


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}"


def _of(name: str) -> Callable[[Any], Any]:
    return lambda item: getattr(item, name)


def _entry(attribute: str, key: str) -> Callable[[Any], Any]:
    return lambda item: getattr(item, attribute)[key]


def _losses(item: Any) -> str:
    lossy = item.images - item.lossless
    parts = [(lossy, "lossy"), (item.lossless, "lossless")]
    return ", ".join(f"{number} {word}" for number, word in parts if number)


_NAME = Column("stored as", _of("name"), number=False)
_BYTES = Column("bytes", _of("bytes"), _number(0))
_SHARE = Column("KQF takes", _of("kqf_share"), _percent)
_BITS = Column("bits per pixel", _of("bits_per_pixel"), _number(2), wide=True)
_PSNR = Column("PSNR, dB", _of("psnr"), _decibels)
_SSIM = Column("SSIM", _of("ssim"), _number(4), wide=True)
_LARGEST = (
    Column(
        "largest error",
        lambda item: item.largest_error and item.largest_error.distance,
        _number(1),
        wide=True,
    ),
    Column("at x, y", _of("largest_error"), _place, wide=True),
)

MEASUREMENTS = (
    _NAME,
    _BYTES,
    _SHARE,
    Column("differs visibly", _of("visible"), _percent),
    _PSNR,
    _BITS,
    Column("encode, s", _of("encode_seconds"), _number(3), wide=True),
    Column("decode, s", _of("decode_seconds"), _number(3), wide=True),
    _SSIM,
    *_LARGEST,
)
ANIMATIONS = (
    _NAME,
    _BYTES,
    _SHARE,
    Column("frames", _of("exact"), lambda exact: "lossless" if exact else "lossy", number=False),
)
PARTS = (
    Column("part of the file", lambda part: part[0].replace("_", " "), number=False),
    Column("bytes", lambda part: part[1], _number(0)),
    Column("share", lambda part: part[2], _percent),
)
SUMMARY = (
    _NAME,
    _BYTES,
    _SHARE,
    Column("at worst", _of("worst_share"), _percent),
    Column("PSNR, dB", _of("psnr"), _decibels),
    Column("differs visibly", _of("visible"), _percent, wide=True),
    Column("at worst", _of("worst_visible"), _percent, wide=True),
    _BITS,
    Column("worst PSNR", _of("worst_psnr"), _decibels, wide=True),
    Column("loss", _losses, number=False, wide=True),
    Column("KQF at worst with", _of("worst_image"), escape, number=False, wide=True),
)
COMPARISONS = (
    _NAME,
    Column("in place of", _of("other"), number=False),
    Column("bytes of its", _of("share"), _percent),
    Column("at worst", _of("worst"), _percent),
    Column("with image", _of("worst_image"), escape, number=False, wide=True),
)
METHODS = (
    Column("method", _of("method"), number=False),
    Column("colours", _of("colors")),
    Column("learn, s", _of("learn_seconds"), _number(3)),
    Column("assign, s", _of("assign_seconds"), _number(3)),
    Column("RMSE", _of("rmse"), _number(2)),
    Column("differs visibly", _of("visible"), _percent, wide=True),
    _PSNR,
    Column("bytes", _of("bytes"), _number(0)),
    _SSIM,
    *_LARGEST,
    _BITS,
)
SWATCHES = (
    Column("label", _of("label")),
    Column("colour", _of("name"), number=False),
    Column("pixels", _of("pixels"), _number(0)),
    Column("share", _of("share"), _percent),
)


def overview_columns(others: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of an overview: what KQF takes, and its share of other formats' bytes.

    Arguments:
        others: names of the other measurements.
    """
    return (
        Column("picture", _of("name"), escape, number=False),
        Column("before", _of("file_bytes"), _number(0)),
        Column("as KQF", _of("kqf_bytes"), _number(0)),
        *(Column(f"of {_short(name)}", _entry("shares", name), _percent) for name in others),
        Column("suggested", _of("suggested")),
        *(
            Column(f"bytes as {_short(name)}", _entry("others", name), _number(0), wide=True)
            for name in others
        ),
        Column("PSNR, dB", _of("psnr"), _decibels, wide=True),
    )


def _short(name: str) -> str:
    """Return a measurement's name without programs and settings, which a note below names."""
    return re.split(r" \(|,", name)[0]
