"""KQF files that are named on the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kqf.cli.session import Session
from kqf.io.inputs import is_many, is_pattern, sources_of
from kqf.io.pipes import PIPE, read_input

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="KQF files, or folders of them. - reads standard input."),
]


def source_of(name: str) -> Path | bytes:
    """Return a path, so that no more is read than is needed, or else the bytes of a file."""
    # A pipe that has a name, such as bash's <(...), can be read only once as well.
    return Path(name) if name != PIPE and Path(name).is_file() else read_input(name)


def each_file(here: Session, names: list[str]) -> Iterator[str]:
    """Yield the names of KQF files, with those in folders in place of the folders."""
    found = []
    for name in names:
        if name == PIPE:
            found.append(name)
            continue
        with here.attempt(name):
            if not is_many(name):
                found.append(name)
                continue
            inside = kqf_files_of(name)
            if not inside:
                raise ValueError("there is no KQF file in this folder")
            found += inside
    here.expect(len(found))
    yield from found


def kqf_files_of(name: str) -> list[str]:
    """Return the KQF files in a folder, or all files that match a pattern."""
    # As if they were to be converted to PNG.
    paths = [path for path, _ in sources_of(name, ".png", "")]
    return paths if is_pattern(name) else [path for path in paths if path.lower().endswith(".kqf")]
