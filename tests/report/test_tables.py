"""Tables as Markdown and on a terminal."""

import re
from types import SimpleNamespace

from rich.console import Console

from kqf.report import columns, tables
from kqf.report.measure import Measurement
from kqf.report.summary import Overview
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
    drawn = tables._draw(TABLE, console(20))
    assert "rest" not in drawn
    assert "[red]x" in drawn
    assert "a|b\\ " in drawn


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = tables._draw(TABLE, Console(width=80, force_terminal=True))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", drawn)


def test_a_pipe_gets_the_same_text_without_colours():
    text = tables.drawn(TABLE)
    assert "\x1b" not in text
    assert "a|b\\ " in text
    assert text.splitlines()[0] == "Title"


def test_the_least_important_of_the_wide_columns_goes_first():
    columns = (*TABLE.columns, Column("last", lambda item: item[1], wide=True))
    for width, heads in ((24, ["name", "count", "rest"]), (80, ["name", "count", "rest", "last"])):
        text = tables._draw(Table("Title", columns, TABLE.items), console(width))
        assert text.splitlines()[1].split() == heads


def test_columns_without_values_are_left_out():
    empty = Column("nothing", lambda item: None)
    table = Table("Title", (*TABLE.columns, empty), TABLE.items)
    assert "nothing" not in tables._draw(table, console(80))
    assert "nothing" not in tables.markdown(table)


def test_cells_of_rows():
    row = Measurement("PNG", None, None, 12345, 0.25, 12.0, encode_seconds=0.25)
    cells = {column.title: column.cell(row) for column in columns.MEASUREMENTS}
    assert cells == {
        "stored as": "PNG",
        "bytes": "12,345",
        "KQF takes": "25.0 %",
        "differs visibly": "0 %",
        "PSNR, dB": "lossless",
        "bits per pixel": "12.00",
        "encode, s": "0.250",
        "decode, s": "",
        "SSIM": "",
        "largest error": "",
        "at x, y": "",
    }


def test_an_overview_fits_80_columns():
    names = ["PNG8 (Pillow, oxipng), 256 colours", "GIF (Pillow), 256 colours", "WebP lossless"]
    shares = dict.fromkeys(names, 0.9999)
    sizes = dict.fromkeys(names, 99_999_999)
    row = Overview("photo-0001.png", 99_999_999, 99_999_999, sizes, shares, suggested=256)
    table = Table("Title", columns.overview_columns(names), [row])
    assert max(map(len, tables._draw(table, console(80)).splitlines())) <= 80
    assert "bytes as" in tables._draw(table, console(200))


def test_losses_are_counted():
    texts = [
        columns._losses(SimpleNamespace(images=images, lossless=lossless))
        for images, lossless in ((2, 0), (2, 1), (2, 2))
    ]
    assert texts == ["2 lossy", "1 lossy, 1 lossless", "2 lossless"]
