"""The file that a subcommand writes besides what it prints."""

from collections.abc import Sequence
from pathlib import Path

import typer

from kqf.cli.session import Session
from kqf.io.files import write_whole
from kqf.text import escape, reason

PAGES = (".html", ".htm")


def check_output(output: str, suffixes: tuple[str, ...]) -> str:
    """Return the suffix, which says the format."""
    suffix = Path(output).suffix.lower()
    if output and suffix not in suffixes:
        what = f"the suffix must be one of {', '.join(suffixes)}, not {suffix!r}"
        raise typer.BadParameter(what, param_hint="-o")
    return suffix


def can_write(here: Session, output: str, names: Sequence[str]) -> bool:
    """Say what is known to fail before any long work is done."""
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
    with here.attempt(output):
        try:
            write_whole(output, data)
        except OSError as error:
            raise ValueError(f"cannot be written: {reason(error)}") from error
        if not quiet:
            here.say(f"{escape(output)}: {len(data):,} bytes")
