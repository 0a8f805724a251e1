"""Tables of a report, for terminals and in Markdown."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import kqf
from kqf.text import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Drawing

# Characters of a head that need not be wrapped.
_HEAD = 8
# Columns of a terminal that has room for any table.
_ANY = 10_000


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head.
        value: returns what the column sorts by, None for nothing, given what a row is about.
        text: returns a value as it is shown.
        number: whether values stand at the right.
        wide: whether a terminal that is too narrow for all columns leaves this one out.
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
    """A title, the columns, and the items, each of which becomes a row."""

    title: str
    columns: Sequence[Column]
    items: Sequence[Any]

    def columns_with_values(self) -> list[Column]:
        """Return the columns that are not empty."""
        return [
            column
            for column in self.columns
            if any(column.value(item) is not None for item in self.items)
        ]


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


def markdown(table: Table) -> str:
    """Return a title and a table in Markdown, aligned so that it can be read as text too."""
    columns = []
    for column in table.columns_with_values():
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
    """Return a table for stdout, without columns that are empty or that find no room.

    In a pipe or file it is the same text without colours.
    """
    from rich.console import Console

    return _draw(table, Console(highlight=False))


def _draw(table: Table, console: "Console") -> str:
    columns = table.columns_with_values()
    unlimited = console.options.update_width(_ANY)
    drawing = _drawing(table, columns)
    # The last of the wide columns matters least.
    for column in [column for column in reversed(columns) if column.wide]:
        if console.measure(drawing, options=unlimited).maximum <= console.width:
            break
        columns.remove(column)
        drawing = _drawing(table, columns)
    with console.capture() as captured:
        console.print(drawing)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(lines).strip("\n")


def _drawing(table: Table, columns: Sequence[Column]) -> "Drawing":
    from rich import box
    from rich.table import Table as Drawing
    from rich.text import Text

    drawing = Drawing(
        title=Text(table.title) if table.title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column in columns:
        side: Literal["left", "right"] = "right" if column.number else "left"
        width = max(_HEAD, *(len(column.cell(item)) for item in table.items))
        title = "\n".join(wrap(column.title, width, break_long_words=False))
        drawing.add_column(Text(title), justify=side, overflow="fold", vertical="bottom")
    for item in table.items:
        drawing.add_row(*(Text(column.cell(item)) for column in columns))
    return drawing
