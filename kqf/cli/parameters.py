"""Options that several subcommands have."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")]
Threads = Annotated[int | None, typer.Option(min=1, help="At the most. [default: all processors]")]
Seed = Annotated[int, typer.Option(min=0, help="Of the search for colours.")]
