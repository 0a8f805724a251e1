"""Help and usage errors of the command in a person's words."""

import shlex
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

HELP_NAMES = {"help_option_names": ["-h", "--help"]}
_OTHERS = "Other options"


class Command(TyperCommand):
    """A subcommand whose help groups its options by their panels."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        # Typer puts what is required into braces.
        return [piece.strip("{}").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                # Typer would add the type of Python.
                title, record = "Arguments", (param.metavar or record[0], record[1])
            else:
                title = getattr(param, "rich_help_panel", None) or _OTHERS
            groups.setdefault(title, []).append(record)
        others = groups.pop(_OTHERS, None)
        if others:
            groups[_OTHERS if len(groups) > 1 else "Options"] = others
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(TyperGroup):
    """The command ``kqf``: it answers a file in a subcommand's place with what to type."""

    command_class = Command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and _is_file(name):
            ctx.fail(_advice(args))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # Typer would cut the sentences at the width of the terminal.
        commands = [(name, each) for name, each in self.commands.items() if not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(1000)) for name, each in commands])

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # The class of Typer's errors about options is not public.
            if hasattr(error, "option_name"):
                problem = cast(Any, error)
                problem.message += ". Options follow a command, as in: kqf convert -q 50 photo.png"
            raise


class Subcommands(Mapping[str, Any]):
    """Commands by their names, most of them imported only when they are asked for.

    Arguments:
        modules: of the package ``kqf.cli``: each holds the command of its name, a function or an
            application of Typer's.
        others: commands that are there, by name. They come last.
    """

    def __init__(self, modules: tuple[str, ...], others: Mapping[str, Any]) -> None:
        self._modules = modules
        self._commands = dict(others)

    def __getitem__(self, name: str) -> Any:
        if name in self._modules and name not in self._commands:
            found = getattr(import_module(f"kqf.cli.{name}"), name)
            if not isinstance(found, typer.Typer):
                application = typer.Typer(add_completion=False, rich_markup_mode=None)
                application.command(name, cls=Command, context_settings=HELP_NAMES)(found)
                found = application
            self._commands[name] = typer.main.get_command(found)
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._modules, *self._commands))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _is_file(name: str) -> bool:
    if name.startswith("-"):
        return name == "-"
    return bool(Path(name).suffix) or "/" in name or Path(name).exists()


def _advice(args: list[str]) -> str:
    """Return what to type, where someone typed the names of files without a command."""
    names = shlex.join(args)
    first = shlex.quote(args[0])
    rows = [
        (f"kqf convert {names}", "write it as KQF, or a KQF file as PNG"),
        (f"kqf view {first}", "show the picture"),
        (f"kqf info {first}", "say what the file holds"),
    ]
    if Path(args[0]).suffix.lower() != ".kqf":
        rows[2] = f"kqf report {first}", "compare its size as KQF, PNG, GIF and WebP"
    width = max(len(command) for command, _ in rows)
    lines = [f"  {command:{width}}  {what}" for command, what in rows]
    return "\n".join([f"{args[0]} is a file, and a command must come first:", *lines])
