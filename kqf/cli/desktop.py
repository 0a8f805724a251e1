"""``kqf desktop``: KQF's file type and thumbnails in file managers."""

from typing import Annotated

import typer

from kqf.cli.command import HELP_NAMES, Command, Group
from kqf.cli.session import session
from kqf.text import escape

desktop = typer.Typer(
    name="desktop",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Change nothing; print what would be done.")
]


@desktop.callback()
def _group() -> None:
    """Let file managers and the program "file" know KQF files."""


@desktop.command(cls=Command)
def install(dry_run: DryRun = False) -> None:
    """Make KQF known to the desktop: its file type, thumbnails, and what "file" says of it.

    It writes three files into your own folders, needs no root, and leaves files of others alone.
    For Linux and other systems that follow freedesktop.org.
    """
    from kqf.desktop.installation import install as steps

    with session(1) as here, here.file("desktop"):
        for line in steps(dry_run):
            here.say(escape(line))


@desktop.command(cls=Command)
def uninstall(dry_run: DryRun = False) -> None:
    """Remove what "kqf desktop install" wrote."""
    from kqf.desktop.installation import uninstall as steps

    with session(1) as here, here.file("desktop"):
        for line in steps(dry_run):
            here.say(escape(line))
