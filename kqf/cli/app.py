"""The command ``kqf``: its subcommands, and how it starts and ends."""

import io
import os
import sys
from contextlib import suppress
from typing import Annotated, Any, cast

import typer

import kqf
from kqf.cli.command import HELP_NAMES, Command, Group, Subcommands
from kqf.text import reason

# Each is a function, or an application of its own, in the module kqf.cli of its name.
_MODULES = ("convert", "info", "check", "view", "palette", "report", "compare", "desktop")


class _Root(Group):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.commands = cast(Any, Subcommands(_MODULES, self.commands))


app = typer.Typer(
    cls=_Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"kqf {kqf.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "-v",
            "-V",
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Store images of at most 256 colours in small files.

    \b
    kqf convert photo.png    write photo.kqf
    kqf convert photo.kqf    write photo.png
    kqf report photo.png     compare its size as KQF, PNG, GIF, WebP and JPEG

    "kqf help COMMAND" explains a command and its options.
    """


@app.command("help", cls=Command, context_settings=HELP_NAMES)
def show_help(
    ctx: typer.Context,
    commands: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="What to explain.", show_default=False),
    ] = None,
) -> None:
    """Explain a command and its options."""
    context: Any = ctx.parent
    for name in commands or ():
        if not hasattr(context.command, "resolve_command"):
            context.fail(f"{name} is not a command of {context.info_name}.")
        _, found, _ = context.command.resolve_command(context, [name])
        context = found.make_context(name, [], parent=context, resilient_parsing=True)
    print(context.get_help())


@app.command("version", cls=Command, context_settings=HELP_NAMES, hidden=True)
def show_version() -> None:
    """Print the version, as --version does."""
    _show_version(True)


def main() -> None:
    """Run the command; end with its exit code and never with a traceback about bad input."""
    if sys.stderr is None:
        _open_stderr()
    # A terminal that lacks a character shall not stop the work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(prog_name="kqf")
        except SystemExit as end:
            if end.code:
                # What is wrong is told already, that stdout takes nothing perhaps.
                with suppress(OSError):
                    _write_out()
            else:
                _write_out()
            raise
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        # It comes from --version and --help, or from the system: errors about files are told above.
        sys.exit(f"kqf: {reason(error)}")


def _write_out() -> None:
    """Write what stdout still holds, which Python would otherwise try at exit, and complain about.

    Raises:
        OSError: it can't be written, and is dropped.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise


def _open_stderr() -> None:
    """Open the null device as stderr, where whoever started the command has closed it.

    Otherwise the first file that is opened would get the number of stderr, and be written to by
    libraries that report errors there.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    if null == 2:
        os.set_inheritable(2, True)
    else:
        os.dup2(null, 2)
        os.close(null)
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - a number, for ever
