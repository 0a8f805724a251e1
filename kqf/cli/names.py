"""The names of inputs and output that convert is given."""

import os
from pathlib import Path

import typer

from kqf.io.inputs import is_many
from kqf.io.paths import is_folder, is_url
from kqf.io.pipes import PIPE, read_input


def read_names(inputs: list[str] | None, from_list: bool, null: bool) -> list[str]:
    """Return the names given, and those listed on stdin.

    Arguments:
        from_list: whether to read stdin.
        null: whether names there end with NUL rather than at the end of a line.
    """
    names = list(inputs or [])
    if not from_list:
        if not names:
            raise typer.BadParameter("none given", param_hint="IN")
        if "" in names:
            raise typer.BadParameter("an empty name", param_hint="IN")
        return names
    try:
        # Names may hold bytes of no encoding.
        listed = os.fsdecode(read_input(PIPE))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--list") from error
    separated = listed.split("\0") if null else listed.replace("\r\n", "\n").split("\n")
    return names + [name for name in separated if name]


def any_many(names: list[str]) -> bool:
    """Tell whether any name is that of a folder, or a pattern."""
    for name in names:
        try:
            if is_many(name):
                return True
        except (ImportError, OSError, ValueError):
            # Reading it tells what is wrong.
            continue
    return False


def check_output(names: list[str], output: str, file_format: str | None, as_batch: bool) -> str:
    """Return the output, a folder with ``/`` at its end; refuse what can't be meant."""
    if output == PIPE:
        if as_batch or len(names) > 1:
            raise typer.BadParameter("several images do not fit into stdout", param_hint="-o")
        return output
    if as_batch:
        if PIPE in names or (not is_url(output) and Path(output or ".").is_file()):
            raise typer.BadParameter("a batch takes files and folders, and makes a folder")
        return output if not output or output.endswith("/") else output + "/"
    if output.endswith("/") and not is_url(output) and Path(output).is_file():
        raise typer.BadParameter(f"{output} is a file, not a folder", param_hint="-o")
    if output and not output.endswith("/") and is_folder(output):
        output += "/"
    one_file = output and not output.endswith("/")
    if len(names) > 1 and (one_file or PIPE in names):
        what = "several inputs need a folder that exists, or a name that ends with /"
        raise typer.BadParameter(what, param_hint="-o")
    if PIPE in names and output.endswith("/"):
        raise typer.BadParameter("stdin has no name to use in a folder", param_hint="-o")
    if file_format is not None and one_file:
        raise typer.BadParameter("the output's suffix says the format", param_hint="--format")
    return output
