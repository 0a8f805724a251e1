"""Values of options that have a syntax of their own."""

import pytest
import typer

from kqf.cli.values import parse_color


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
