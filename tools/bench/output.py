"""What benchmarks print and write: tables in Markdown, means, and results as JSON."""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help is a module's documentation."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("places", nargs="*", type=Path, metavar="FOLDER|IMAGE")


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write what is printed")


def write(arguments: argparse.Namespace, text: str, results: Iterable[Any]) -> None:
    """Print a text, and write it and the results, dataclasses, where the arguments ask for it.

    In JSON, infinity is the string ``"exact"``.
    """
    print(text, end="")
    if arguments.markdown is not None:
        arguments.markdown.write_text(text, "utf-8")
    if arguments.json is not None:
        values = [_plain(asdict(result)) for result in results]
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return "exact" if value == math.inf else value


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown whose columns line up."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells)


def decimals(value: float | None, places: int) -> str:
    if value is None:
        return "-"
    return "exact" if math.isinf(value) else f"{value:.{places}f}"


def number(value: float | None) -> str:
    """Return a number to three digits, none of them behind an integer of as many."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 or not value else f"{value:.3g}"


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
