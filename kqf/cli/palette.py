"""``kqf palette``: the colours of images and of palette files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from kqf.cli.output import can_write, write_output
from kqf.cli.parameters import AsJson, Seed, Threads
from kqf.cli.session import Session, session
from kqf.convert.api import read_input
from kqf.convert.palette import swatches_of_file, swatches_of_images
from kqf.io.inputs import is_many, sources_of
from kqf.io.modes import without_palette
from kqf.io.pictures import load
from kqf.palettes.files import writer_of
from kqf.palettes.swatches import Swatch
from kqf.text import escape

# Columns of a terminal that a swatch takes with its text.
_PAINTED = 20


def palette(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|FILE|FOLDER...",
            help="An image, a KQF file, or a palette; several images, or a folder, have one "
            "palette together.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write .png, .svg, .gpl (GIMP), .act (Adobe), .json, .css or .txt; all can be "
            "read by --palette of convert.",
            show_default=False,
        ),
    ] = "",
    colors: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Colours at the most. [default: 256, or the file's own]"),
    ] = None,
    learner: Annotated[str | None, typer.Option(help="As of convert. [default: kmeans]")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    threads: Threads = None,
) -> None:
    """Show the palette of an image, and the share of the pixels of each colour.

    Of a KQF file or a picture with a palette it is the file's own; of others, what convert would
    learn.
    """
    options: dict[str, Any] = {"seed": seed, "threads": threads}
    if learner is not None:
        options["learner"] = learner
    make = None
    if output:
        try:
            make = writer_of(Path(output).suffix)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="-o") from error
    source = " ".join(sources)
    made, lost = b"", list[str]()
    with session(1) as here:
        if output and not can_write(here, output, sources):
            return
        with here.file(source):
            if len(sources) > 1 or is_many(source):
                swatches = swatches_of_images(lambda: _pixels(here, sources), colors, **options)
            else:
                swatches, lost = swatches_of_file(source, read_input(source), colors, **options)
            for note in lost:
                here.note(source, note)
            made = make(swatches) if make else b""
            if as_json:
                found = {"file": source, "colors": [each.record() for each in swatches]}
                here.say(json.dumps(found, indent=2))
            elif not output:
                here.say(_painted(swatches, escape(source)))
        if made:
            write_output(here, output, made, quiet=as_json)


def _pixels(here: Session, sources: list[str]) -> Iterator[np.ndarray]:
    """Yield the pixels of images; those that can't be read are reported and left out."""
    for name in sources:
        for path, _ in sources_of(name, None, ""):
            image = None
            with here.attempt(path):
                image, lost = load(read_input(path))
                for note in lost:
                    here.note(path, note)
            if image:
                yield np.asarray(without_palette(image))


def _painted(swatches: list[Swatch], title: str) -> str:
    """Return swatches as a terminal shows them: in colour where it shows any colour exactly."""
    from rich.console import Console
    from rich.style import Style
    from rich.text import Text

    from kqf.report.tables import SWATCHES, Table, drawn

    console = Console(highlight=False)
    if not console.is_terminal or console.color_system != "truecolor" or console.no_color:
        return drawn(Table(title, SWATCHES, swatches))
    a_line = max(console.width // _PAINTED, 1)
    line = Text()
    for number, each in enumerate(swatches):
        line.append("   ", Style(bgcolor=each.name[:7]))
        end = "\n" if (number + 1) % a_line == 0 else " "
        line.append(f" {each.name:<9}{100 * each.share:4.1f}%{end}")
    with console.capture() as captured:
        console.print(Text(title))
        console.print(line, end="", soft_wrap=True)
    return captured.get().rstrip("\n")
