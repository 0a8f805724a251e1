"""The command ``kqf``: its subcommands with their options."""

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import kqf
from kqf.cli import messages as lines
from kqf.cli.compare import compare
from kqf.cli.convert import convert
from kqf.cli.palette import palette as show_palette
from kqf.cli.parameters import AsJson, Threads
from kqf.cli.report import report
from kqf.cli.session import session
from kqf.cli.view import view
from kqf.convert.api import PIPE, read_input
from kqf.plugins.pillow import KqfImageFile
from kqf.text import escape, reason

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="KQF files. - is stdin.")]


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"kqf {kqf.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """KQF, a palette image format: at most 256 colours, small files."""


app.command()(convert)


@app.command()
def info(files: Files, as_json: AsJson = False) -> None:
    """Say what KQF files hold, without decoding them."""
    with session(len(files)) as here:
        for name in files:
            with here.file(name):
                source = _source(name)
                head = kqf.info(source)
                if as_json:
                    record = {"file": name, **asdict(head), "bits_per_pixel": head.bits_per_pixel}
                    here.say(json.dumps(record))
                    continue
                with KqfImageFile(
                    io.BytesIO(source) if isinstance(source, bytes) else source
                ) as it:
                    here.say("\n".join(lines.described(name, head, it.info)))


@app.command()
def check(files: Files, threads: Threads = None) -> None:
    """Read every chunk and every tile of KQF files, and say whether they are sound."""
    with session(len(files)) as here:
        for name in files:
            with here.file(name):
                try:
                    kqf.check(_source(name), threads=threads)
                except kqf.KqfError as error:
                    here.failed = True
                    here.say(f"{escape(name)}: bad: {escape(error)}")
                else:
                    here.say(f"{escape(name)}: ok")


def _source(name: str) -> Path | bytes:
    """Return what reads no more of a file than it must."""
    # A pipe that has a name, as of bash's <(...), is read but once as well.
    return Path(name) if name != PIPE and Path(name).is_file() else read_input(name)


for name, command in (
    ("report", report),
    ("compare", compare),
    ("palette", show_palette),
    ("view", view),
):
    app.command(name)(command)


def main() -> None:
    """Run the command; end with its exit code and never with a traceback about bad input."""
    # A terminal that lacks a character shall not stop the work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="kqf")
    except OSError as error:
        # Of --version and --help, or of the system: what is wrong with a file is told above.
        sys.exit(f"kqf: {reason(error)}")
