"""Tables as Markdown and on a terminal."""

import math
import re
from types import SimpleNamespace

from rich.console import Console

from kqf.report import tables
from kqf.report.measure import Row
from kqf.report.tables import Column, Table

TABLE = Table(
    "Title",
    (
        Column("name", lambda item: item[0], number=False),
        Column("count", lambda item: item[1], lambda value: f"{value:,}"),
        Column("rest", lambda item: item[2], wide=True),
    ),
    [("a|b\\", 1234, None), ("[red]x", 5, 7)],
)


def test_markdown_is_aligned():
    assert tables.markdown(TABLE).splitlines() == [
        "Title",
        "",
        "| name   | count | rest |",
        "|--------|------:|-----:|",
        r"| a\|b\\ | 1,234 |      |",
        "| [red]x |     5 |    7 |",
    ]


def console(width):
    return Console(width=width, force_terminal=True, color_system=None)


def test_terminals_that_are_narrow_do_without():
    assert "rest" in tables._draw(TABLE, console(80))
    drawn = tables._draw(TABLE, console(24))
    assert "rest" not in drawn
    assert "[red]x" in drawn
    assert "a|b\\ " in drawn


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = tables._draw(TABLE, Console(width=80, force_terminal=True))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", drawn)


def test_without_a_terminal_it_is_markdown():
    assert tables.drawn(TABLE) == tables.markdown(TABLE)


def test_cells_of_rows():
    row = Row("PNG", None, None, 12345, 0.5, 0.25, 12.0, math.inf, encode_seconds=0.25)
    cells = {column.title: column.cell(row) for column in tables.ROWS}
    assert cells == {
        "stored as": "PNG",
        "bytes": "12,345",
        "of raw": "50.0 %",
        "of file": "25.0 %",
        "bits per pixel": "12.00",
        "PSNR, dB": "\N{INFINITY}",
        "SSIM": "",
        "largest error": "",
        "at x, y": "",
        "encode, s": "0.250",
        "decode, s": "",
        "loss": "lossless",
    }


def test_losses_are_counted():
    texts = [
        tables._losses(SimpleNamespace(images=images, lossless=lossless))
        for images, lossless in ((2, 0), (2, 1), (2, 2))
    ]
    assert texts == ["2 lossy", "1 lossy, 1 lossless", "2 lossless"]
