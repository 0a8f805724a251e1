"""Values of options that have a syntax of their own."""

import pytest
import typer

from kqf.cli.values import parse_bytes, parse_color, parse_tile


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#ff8000", (255, 128, 0)),
        ("ff8000", (255, 128, 0)),
        ("#ff800080", (255, 128, 0, 128)),
        ("#f80", (255, 136, 0)),
        ("#f808", (255, 136, 0, 136)),
        ("orange", (255, 165, 0)),
        ("7f", (127,)),
        ("7fff", (127, 255)),
    ],
)
def test_colours(text, color):
    assert parse_color(text) == color


@pytest.mark.parametrize("text", ["", "#", "#12345", "reddish", "f80"])
def test_what_is_no_colour(text):
    with pytest.raises(typer.BadParameter, match="expected a colour such as #ff8000, #f80 or"):
        parse_color(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("60000", 60_000),
        ("60k", 60_000),
        ("60K", 60_000),
        ("60kB", 60_000),
        ("1.5M", 1_500_000),
        ("1.5 MB", 1_500_000),
        ("2g", 2_000_000_000),
        ("64KiB", 65_536),
        ("64ki", 65_536),
        ("1MiB", 1_048_576),
    ],
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "k", "0", "-5", "60x", "1e3", "0.2", "5 k k"])
def test_what_is_no_size(text):
    with pytest.raises(typer.BadParameter, match="is not a size such as 60000, 60k"):
        parse_bytes(text)


def test_tiles():
    assert parse_tile(None) is None
    assert parse_tile("256") == 256
    assert parse_tile("256x64") == (256, 64)
    for text in ("8x", "0"):
        with pytest.raises(typer.BadParameter, match="is not"):
            parse_tile(text)
