"""``kqf palette``: the colours of images, of palette files and of built-in palettes."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from kqf.cli.files import kqf_files_of
from kqf.cli.output import can_write, write_output
from kqf.cli.parameters import Quiet, Seed, Threads, complete_palette, whole_number
from kqf.cli.session import Session, session
from kqf.convert.palette import swatches_of_file, swatches_of_images, swatches_without_pixels
from kqf.io.inputs import is_many, sources_of
from kqf.io.modes import without_palette
from kqf.io.paths import exists
from kqf.io.pictures import load
from kqf.io.pipes import PIPE, read_input
from kqf.palettes.builtin import BUILTIN, find_builtin
from kqf.palettes.coerce import load_palette
from kqf.palettes.files import TEXT_FORMATS, WRITTEN, writer_of
from kqf.palettes.swatches import Swatch
from kqf.text import escape

# Columns of a terminal that a swatch takes with its text.
_PAINTED = 20
# Colours of an image that a terminal shows unless --colors or --all asks for more.
_SHOWN = 16


def palette(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE|PALETTE|FOLDER",
            autocompletion=complete_palette,
            help="An image, a KQF file, a palette file or the name of a built-in palette. Several "
            "images, or a folder of images, get one palette together. - reads standard input.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=f"Write the palette to this file: {', '.join(WRITTEN)}. - writes it to standard "
            "output. All can be given to --palette of convert.",
            show_default=False,
        ),
    ] = "",
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="SUFFIX",
            help="The format for -o -, such as gpl. [default: txt]",
            show_default=False,
        ),
    ] = "",
    colors: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--colors",
            metavar="N",
            parser=whole_number(1, 256),
            help="Use at most N colours, 1 to 256. [default: 256, or all that a palette has]",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How to choose colours: kmeans, minibatch, agglomerative, median-cut, octree, "
            "random or sample:N. [default: kmeans]",
        ),
    ] = None,
    seed: Seed = 0,
    listed: Annotated[bool, typer.Option("--list", help="List the built-in palettes.")] = False,
    show_all: Annotated[
        bool,
        typer.Option(
            "--all",
            help=f"Show all colours on a terminal, not only the {_SHOWN} most frequent.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Show or write the colours of an image, of several, or of a palette.

    A KQF file, or a picture that has a palette, shows its own. Of other images the colours are
    those that "kqf convert" would choose, with the share of the pixels that each colour has.

    \b
    kqf palette photo.png -c 16               show 16 colours for a photograph
    kqf palette photo.png -c 16 -o photo.gpl  write them for GIMP
    kqf palette gameboy                       show a built-in palette
    """
    if listed:
        _list(as_json)
        return
    if not sources:
        raise typer.BadParameter("name an image or a palette, or give --list", param_hint="IMAGE")
    options: dict[str, Any] = {"seed": seed, "threads": threads}
    if method is not None:
        options["method"] = method
    make = _writer(output, file_format)
    title = ", ".join(sources)
    with session(1, quiet) as here:
        if output and output != PIPE and not can_write(here, output, sources):
            return
        swatches = list[Swatch]()
        with here.file(title):
            if len(sources) > 1 or _is_many(sources[0]):
                swatches = _together(here, sources, colors, **options)
            else:
                swatches = _single(here, sources[0], colors, **options)
        made = b""
        if make and swatches:
            with here.attempt(output):
                made = make(swatches)
        if output == PIPE:
            sys.stdout.buffer.write(made)
            sys.stdout.buffer.flush()
        elif made:
            write_output(here, output, made, quiet=as_json or quiet)
        if as_json and swatches and output != PIPE:
            found = {"file": title, "colors": [each.record() for each in swatches]}
            here.say(json.dumps(found, indent=2))
        elif swatches and not output:
            shown = swatches
            if colors is None and not show_all and sys.stdout.isatty():
                shown = _most_frequent(swatches)
            here.say(_painted(shown, escape(title)))
            if len(shown) < len(swatches):
                rest = f"{len(shown)} most frequent of {len(swatches)} colours are shown"
                here.tell(f"The {rest}; --all shows all, -c N chooses N.")


def _writer(output: str, file_format: str) -> Callable[[Sequence[Swatch]], bytes] | None:
    """Return what makes the file to write, None if there is none."""
    if not output:
        if file_format:
            raise typer.BadParameter("is for -o - alone", param_hint="--format")
        return None
    suffix = Path(output).suffix
    if output == PIPE:
        suffix = "." + (file_format or "txt").lower().removeprefix(".")
        if suffix not in TEXT_FORMATS and sys.stdout.isatty():
            what = f"{suffix} is not text, and stdout is a terminal: redirect it"
            raise typer.BadParameter(what, param_hint="-o")
    elif file_format:
        raise typer.BadParameter("the output's suffix says the format", param_hint="--format")
    try:
        return writer_of(suffix)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="-o") from error


def _list(as_json: bool) -> None:
    """Print the built-in palettes."""
    if as_json:
        rows = [
            {
                "name": name,
                "about": each.about,
                "source": each.source,
                "colors": [f"#{bytes(color).hex()}" for color in each.codebook.tolist()],
            }
            for name, each in BUILTIN.items()
        ]
        print(json.dumps(rows, indent=2))
        return
    width = max(map(len, BUILTIN))
    for name, each in BUILTIN.items():
        print(f"{name:{width}}  {each.about}")


def _is_many(name: str) -> bool:
    return not find_builtin(name) and name != PIPE and is_many(name)


def _single(here: Session, name: str, colors: int | None, **options: Any) -> list[Swatch]:
    """Return the palette of one image or palette file, of a name, or of colours as text."""
    if find_builtin(name) or (name != PIPE and not exists(name)):
        return swatches_without_pixels(load_palette(name), colors or 256)
    swatches, lost = swatches_of_file(name, read_input(name), colors, **options)
    for note in lost:
        here.note(name, note)
    return swatches


def _together(
    here: Session, sources: list[str], colors: int | None, **options: Any
) -> list[Swatch]:
    """Return one palette of several images; those that can't be read are reported, once."""
    names = [path for name in sources for path in _images(name)]
    bad = set[str]()
    seen = set[str]()

    def pixels() -> Iterator[np.ndarray]:
        # They are read twice: to choose the colours, and to count their shares.
        first = 0.5 * bool(seen)
        for number, name in enumerate(names):
            here.progress(first + 0.5 * number / len(names))
            image = None
            if name not in bad:
                with here.attempt(name):
                    image, lost = load(read_input(name))
                    for note in lost if name not in seen else ():
                        here.note(name, note)
            seen.add(name)
            if image:
                yield np.asarray(without_palette(image))
            else:
                bad.add(name)
        if len(bad) == len(names):
            raise ValueError("there is no image to choose colours for")

    return swatches_of_images(pixels, colors, **options)


def _images(name: str) -> list[str]:
    """Return the pictures that a name stands for; of a folder without any, its KQF files."""
    pictures = [path for path, _ in sources_of(name, None, "")]
    return pictures or kqf_files_of(name)


def _most_frequent(swatches: list[Swatch]) -> list[Swatch]:
    """Return the colours that most pixels of an image have; all of a palette without an image."""
    if len(swatches) <= _SHOWN or not any(each.pixels for each in swatches):
        return swatches
    return sorted(swatches, key=lambda each: -each.pixels)[:_SHOWN]


def _painted(swatches: list[Swatch], title: str) -> str:
    """Return swatches as a terminal shows them: in colour where it shows any colour exactly."""
    from rich.console import Console
    from rich.style import Style
    from rich.text import Text

    from kqf.report.columns import SWATCHES
    from kqf.report.tables import Table, drawn

    console = Console(highlight=False)
    counted = any(each.pixels for each in swatches)
    if not console.is_terminal or console.color_system != "truecolor" or console.no_color:
        # A palette that belongs to no image has no shares to show.
        return drawn(Table(title, SWATCHES if counted else SWATCHES[:2], swatches))
    a_line = max(console.width // _PAINTED, 1)
    line = Text()
    for number, each in enumerate(swatches):
        line.append("   ", Style(bgcolor=each.name[:7]))
        share = f"{100 * each.share:4.1f}%" if counted else " " * 5
        end = "\n" if (number + 1) % a_line == 0 else " "
        line.append(f" {each.name:<9}{share}{end}")
    with console.capture() as captured:
        console.print(Text(title))
        console.print(line, end="", soft_wrap=True)
    return captured.get().rstrip("\n")
