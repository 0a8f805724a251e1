"""KQF files that are named on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from kqf.convert.api import PIPE, read_input

Files = Annotated[
    list[str], typer.Argument(metavar="FILE", help="KQF files. - reads standard input.")
]


def source_of(name: str) -> Path | bytes:
    """Return a path, so that no more is read than is needed, or else the bytes of a file."""
    # A pipe that has a name, such as bash's <(...), can be read only once as well.
    return Path(name) if name != PIPE and Path(name).is_file() else read_input(name)
