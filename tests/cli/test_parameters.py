"""How values on the command line are read."""

import pytest
import typer

from kqf.cli.parameters import choice, decimal_number, whole_number


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (whole_number(1, 256), "256", 256),
        (whole_number(1, 256), "1", 1),
        (whole_number(0), "99999", 99999),
        # Defaults pass through, too.
        (whole_number(0), 7, 7),
        (decimal_number, "0.95", 0.95),
        (decimal_number, "40", 40.0),
        (choice("mse", "perceptual"), "mse", "mse"),
    ],
)
def test_values(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (whole_number(1, 256), "257", "257 is not a number from 1 to 256."),
        (whole_number(1, 256), "0", "0 is not a number from 1 to 256."),
        (whole_number(1), "1.5", "1.5 is not a whole number, 1 or more."),
        (whole_number(0), "-1", "-1 is not a whole number, 0 or more."),
        (decimal_number, "0", "0 is not a number above 0."),
        (decimal_number, "nan", "nan is not a number above 0."),
        (decimal_number, "inf", "inf is not a number above 0."),
        (decimal_number, "high", "high is not a number above 0."),
        (choice("mse", "perceptual"), "foo", "foo is not one of mse, perceptual."),
    ],
)
def test_other_values_are_named_with_what_was_expected(parse, text, message):
    with pytest.raises(typer.BadParameter) as caught:
        parse(text)
    assert caught.value.message == message
