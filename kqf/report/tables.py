"""Tables: their columns, as Markdown, and as they are drawn on a terminal."""

import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kqf
from kqf.text import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Drawing

# Columns of a terminal that has room for any table.
_ANY = 10_000


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head.
        value: of what a row is about: what the column sorts by, None for nothing.
        text: of a value, as it is shown.
        number: whether it stands at the right.
        wide: whether a terminal too narrow for all columns does without.
    """

    title: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] = str
    number: bool = True
    wide: bool = False

    def cell(self, item: object) -> str:
        value = self.value(item)
        return "" if value is None else self.text(value)


@dataclass(frozen=True)
class Table:
    """Items, a row for each, and what to show of them."""

    title: str
    columns: Sequence[Column]
    items: Sequence[Any]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _decibels(value: float) -> str:
    return "\N{INFINITY}" if math.isinf(value) else f"{value:.2f}"


def _place(error: kqf.LargestError) -> str:
    return f"{error.x}, {error.y}"


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}"


def _of(name: str) -> Callable[[Any], Any]:
    return lambda item: getattr(item, name)


def _loss(item: Any) -> str:
    return "lossless" if item.lossless else "lossy"


def _losses(item: Any) -> str:
    lossy = item.images - item.lossless
    parts = [(lossy, "lossy"), (item.lossless, "lossless")]
    return ", ".join(f"{number} {word}" for number, word in parts if number)


_NAME = Column("stored as", _of("name"), number=False)
_RAW = Column("of raw", _of("ratio"), _percent)
_FILE = Column("of file", _of("file_ratio"), _percent, wide=True)
_BITS = Column("bits per pixel", _of("bits_per_pixel"), _number(2), wide=True)
_ERRORS = (
    Column("PSNR, dB", _of("psnr"), _decibels),
    Column("SSIM", _of("ssim"), _number(4), wide=True),
    Column(
        "largest error",
        lambda item: item.largest_error and item.largest_error.distance,
        _number(1),
        wide=True,
    ),
    Column("at x, y", _of("largest_error"), _place, wide=True),
)
_LOSS = Column("loss", _loss, number=False)

ROWS = (
    _NAME,
    Column("bytes", _of("bytes"), _number(0)),
    _RAW,
    _FILE,
    _BITS,
    *_ERRORS,
    Column("encode, s", _of("encode_seconds"), _number(3), wide=True),
    Column("decode, s", _of("decode_seconds"), _number(3), wide=True),
    _LOSS,
)
ELBOW = (
    Column("colours", _of("colors")),
    Column("bytes", _of("bytes"), _number(0)),
    _RAW,
    _BITS,
    Column("RMSE", _of("rmse"), _number(2)),
    *_ERRORS,
)
SUMMARY = (
    _NAME,
    Column("bytes", _of("bytes"), _number(0)),
    _RAW,
    _FILE,
    _BITS,
    Column("worst of raw", _of("worst_ratio"), _percent, wide=True),
    Column("with image", _of("worst_image"), escape, number=False, wide=True),
    Column("PSNR, dB", _of("psnr"), _decibels),
    Column("worst PSNR", _of("worst_psnr"), _decibels, wide=True),
    Column("loss", _losses, number=False),
)
COMPARISONS = (
    _NAME,
    Column("in place of", _of("other"), number=False),
    Column("bytes of its", _of("ratio"), _percent),
    Column("at worst", _of("worst"), _percent),
    Column("with image", _of("worst_image"), escape, number=False, wide=True),
)
LEARNERS = (
    Column("learner", _of("learner"), number=False),
    Column("colours", _of("colors")),
    Column("learn, s", _of("learn_seconds"), _number(3)),
    Column("assign, s", _of("assign_seconds"), _number(3)),
    Column("RMSE", _of("rmse"), _number(2)),
    *_ERRORS,
    Column("bytes", _of("bytes"), _number(0)),
    Column("bits per pixel", _of("bits_per_pixel"), _number(2), wide=True),
)
SWATCHES = (
    Column("label", _of("label")),
    Column("colour", _of("name"), number=False),
    Column("pixels", _of("pixels"), _number(0)),
    Column("share", _of("share"), _percent),
)


def markdown(table: Table) -> str:
    """Return a title and a table of Markdown, aligned to be read as it is."""
    columns = []
    for column in table.columns:
        texts = [_escape(column.title), *(_escape(column.cell(item)) for item in table.items)]
        width = max(map(len, texts))
        side = ">" if column.number else "<"
        cells = [f" {text:{side}{width}} " for text in texts]
        rule = "-" * (width + 1) + (":" if column.number else "-")
        columns.append([cells[0], rule, *cells[1:]])
    lines = [f"|{'|'.join(line)}|" for line in zip(*columns, strict=True)]
    return "\n".join([table.title, "", *lines, ""])


def _escape(text: str) -> str:
    return re.sub(r"([\\|<])", r"\\\1", text)


def drawn(table: Table) -> str:
    """Return a table for stdout: drawn if that is a terminal, Markdown otherwise."""
    if not sys.stdout.isatty():
        return markdown(table)
    from rich.console import Console

    return _draw(table, Console())


def _draw(table: Table, console: "Console") -> str:
    drawing = _drawing(table, table.columns)
    if console.measure(drawing, options=console.options.update_width(_ANY)).maximum > console.width:
        drawing = _drawing(table, [column for column in table.columns if not column.wide])
    with console.capture() as captured:
        console.print(drawing)
    return captured.get()


def _drawing(table: Table, columns: Sequence[Column]) -> "Drawing":
    from rich import box
    from rich.table import Table as Drawing
    from rich.text import Text

    drawing = Drawing(title=Text(table.title), title_justify="left", box=box.SIMPLE)
    for column in columns:
        drawing.add_column(Text(column.title), justify="right" if column.number else "left")
    for item in table.items:
        drawing.add_row(*(Text(column.cell(item)) for column in columns))
    return drawing
