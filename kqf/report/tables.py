"""Tables, drawn for terminals and written in Markdown."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

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
