"""Options that several subcommands have, and how their values are read."""

from collections.abc import Callable
from typing import Annotated

import typer


def whole_number(low: int, high: int | None = None) -> Callable[[object], int]:
    """Return a function that reads an integer from ``low`` to ``high`` off the command line."""
    wanted = f"a whole number, {low} or more" if high is None else f"a number from {low} to {high}"

    def parse(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise typer.BadParameter(f"{value} is not {wanted}.") from None
        if number < low or (high is not None and number > high):
            raise typer.BadParameter(f"{value} is not {wanted}.")
        return number

    return parse


def decimal_number(value: object) -> float:
    """Read a number above 0 off the command line."""
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise typer.BadParameter(f"{value} is not a number above 0.")
    return number


def choice(*names: str) -> Callable[[object], str]:
    """Return a function that reads one of some names off the command line."""

    def parse(value: object) -> str:
        if str(value) not in names:
            raise typer.BadParameter(f"{value} is not one of {', '.join(names)}.")
        return str(value)

    return parse


def complete_palette(incomplete: str) -> list[tuple[str, str]]:
    """Return the names of built-in palettes that a shell completes; files it knows itself."""
    from kqf.palettes.builtin import BUILTIN

    return [
        (name, each.about) for name, each in BUILTIN.items() if name.startswith(incomplete.lower())
    ]


AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors alone.")]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number(1),
        help="Use at most N threads. [default: as many as there are processors]",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number(0),
        help="Start the search for colours with this random seed.",
    ),
]
