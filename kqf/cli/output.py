"""The file that a subcommand writes besides what it prints."""

from collections.abc import Sequence
from pathlib import Path

import typer

from kqf.cli.session import Session
from kqf.io.files import write_whole
from kqf.text import escape, reason

PAGES = (".html", ".htm")


def check_output(output: str, suffixes: tuple[str, ...]) -> str:
    """Return the suffix of a file to write, which says its format.

    Raises:
        typer.BadParameter: it is none of ``suffixes``.
    """
    suffix = Path(output).suffix.lower()
    if output and suffix not in suffixes:
        what = f"the suffix must be one of {', '.join(suffixes)}, not {suffix!r}"
        raise typer.BadParameter(what, param_hint="-o")
    return suffix


def can_write(here: Session, output: str, names: Sequence[str]) -> bool:
    """Tell whether a file can be written, as far as is known before the work; report why not.

    Arguments:
        names: the sources, none of which is to be written over.
    """
    with here.attempt(output):
        if Path(output).suffix.lower() in PAGES:
            from kqf.report.html import check_installed

            check_installed()
        if not Path(output).parent.is_dir():
            raise ValueError(f"there is no folder {Path(output).parent}")
        for name in names:
            if Path(output).exists() and Path(name).exists() and Path(output).samefile(name):
                raise ValueError(f"is the same file as {name}")
    return not here.error


def write_output(here: Session, output: str, data: bytes, *, quiet: bool) -> None:
    """Write a file as a whole, and say so unless the command is to be quiet."""
    with here.attempt(output):
        try:
            write_whole(output, data)
        except OSError as error:
            raise ValueError(f"cannot be written: {reason(error)}") from error
        if not quiet:
            here.say(f"{escape(output)}: {len(data):,} bytes")
