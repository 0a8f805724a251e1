"""The subcommands that show images: report, compare, palette, view."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageShow

from kqf.cli.session import Session, session
from kqf.convert.api import read_input
from kqf.io.files import write_whole
from kqf.io.inputs import is_many, sources_of
from kqf.io.pictures import format_of, load, without_palette
from kqf.palettes.api import learned_together, swatches_of
from kqf.palettes.files import Swatch, writer_of
from kqf.text import escape, reason

Threads = Annotated[int | None, typer.Option(min=1, help="At the most. [default: all processors]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the search for colours.")]

# Columns of a terminal that a swatch takes with its text.
_PAINTED = 20
_PAGES = (".html", ".htm")
_PICTURES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_DOCUMENTS = (*_PAGES, ".md", ".csv", ".json")


def report(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE...]",
            help="Images. [default: scikit-learn's two sample photographs]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a page (.html, with pictures and plots; needs kqf[report]), .md, .csv or "
            ".json.",
            show_default=False,
        ),
    ] = "",
    colors: Annotated[
        str, typer.Option(metavar="N,N...", help="Numbers of colours to compare formats at.")
    ] = "16,64,256",
    as_json: AsJson = False,
    threads: Threads = None,
) -> None:
    """Set KQF beside PNG, GIF, palette PNG, WebP and JPEG: bytes, error and time of each image.

    Suggests how many colours to take.
    """
    from kqf.report import documents, tables
    from kqf.report.measure import ImageReport, Unreadable, measure

    counts = _parse_counts(colors)
    suffix = _check_output(output, _DOCUMENTS)
    names = images or sample_images()
    results: list[ImageReport | Unreadable] = []
    sections: list[Any] = []
    with session(len(names)) as here:
        if output and not _can_write(here, output, names):
            return
        for name in names:
            with here.file(name):
                data = read_input(name)
                image, lost = load(data)
                for note in lost:
                    here.note(name, note)
                pixels = np.asarray(without_palette(image))
                done = measure(
                    pixels,
                    name=name if images else Path(name).name,
                    file_format=image.format or "",
                    file_bytes=len(data),
                    counts=counts,
                    threads=threads,
                    progress=here.progress,
                )
                if suffix in _PAGES:
                    from kqf.report import html as page

                    sections.append(page.section_of(done, pixels, len(names)))
                # Labels of all images are too much to keep.
                results.append(replace(done, pictures={}))
                if not as_json and not output:
                    table = tables.Table(documents.title_of(done), tables.ROWS, done.rows)
                    here.say(f"{tables.drawn(table)}\n{documents.suggestion_of(done)}\n")
            if here.error:
                results.append(Unreadable(name, here.error))
        reports, unreadable = documents.parts_of(results)
        if as_json:
            here.say(documents.as_json(results).rstrip())
        elif not output and len(reports) > 1:
            for table in documents.summary_tables(reports):
                here.say(tables.drawn(table))
        if suffix in _PAGES:
            from kqf.report import html as page

            text = page.render("KQF report", sections, reports, unreadable)
        else:
            writers: dict[str, Callable[[Any], str]] = {
                ".md": documents.as_markdown,
                ".csv": documents.as_csv,
                ".json": documents.as_json,
            }
            text = writers[suffix](results) if output else ""
        if output:
            _write(here, output, text.encode(), quiet=as_json)


def compare(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="- is stdin.")],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write the pictures side by side (.png and the like), or a page (.html).",
            show_default=False,
        ),
    ] = "",
    colors: Annotated[int, typer.Option(min=1, max=256, help="Colours at the most.")] = 64,
    learners: Annotated[
        str,
        typer.Option(metavar="NAME,NAME...", help="As --learner of convert."),
    ] = "kmeans,sample:1000,random",
    seed: Seed = 0,
    as_json: AsJson = False,
    threads: Threads = None,
) -> None:
    """Learn the colours of an image in several ways: times, errors, and what it looks like."""
    from kqf.report import methods as learning
    from kqf.report import tables

    suffix = _check_output(output, (*_PAGES, *_PICTURES))
    with session(1) as here:
        if output and not _can_write(here, output, [image]):
            return
        with here.file(image):
            picture, lost = load(read_input(image))
            for note in lost:
                here.note(image, note)
            pixels = np.asarray(without_palette(picture))
            found = learning.learn_each(
                pixels,
                [name.strip() for name in learners.split(",")],
                colors=colors,
                seed=seed,
                threads=threads,
                progress=here.progress,
            )
            size = f"{picture.width:,} x {picture.height:,}"
            title = f"{escape(image)}: {size}, {colors} colours at the most"
            table = tables.Table(title, tables.LEARNERS, found)
            if as_json:
                record = {"image": image, "learners": [each.record() for each in found]}
                here.say(json.dumps(record, indent=2))
            else:
                here.say(tables.drawn(table))
            if suffix in _PAGES:
                from kqf.report import html as page

                pictures = {each.learner: each.picture for each in found}
                section = page.compared_section(image, pixels, pictures, table, colors)
                made = page.render("KQF: ways to learn colours", [section]).encode()
            elif output:
                made = _as_picture(learning.draw(pixels, found), suffix)
        if output and not here.error:
            _write(here, output, made, quiet=as_json)


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
        if output and not _can_write(here, output, sources):
            return
        with here.file(source):
            if len(sources) > 1 or is_many(source):
                swatches = learned_together(_pixels(here, sources), colors, **options)
            else:
                swatches, lost = swatches_of(source, read_input(source), colors, **options)
            for note in lost:
                here.note(source, note)
            made = make(swatches) if make else b""
            if as_json:
                found = {"file": source, "colors": [each.record() for each in swatches]}
                here.say(json.dumps(found, indent=2))
            elif not output:
                here.say(_painted(swatches, escape(source)))
        if made:
            _write(here, output, made, quiet=as_json)


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


def view(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Images. - is stdin.")],
    frame: Annotated[
        int | None, typer.Option(min=0, help="Which frame of several to show; the first is 0.")
    ] = None,
) -> None:
    """Open images in the system's viewer."""
    with session(len(files)) as here:
        for name in files:
            with here.file(name):
                image, _ = load(read_input(name), frame)
                if not ImageShow.show(image, title=escape(name)):
                    raise ValueError("Pillow finds no program on this system that shows images")


def sample_images() -> list[str]:
    """Return the paths of scikit-learn's sample photographs, without importing it."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "images"
    return [str(folder / name) for name in ("china.jpg", "flower.jpg")]


def _parse_counts(text: str) -> list[int]:
    try:
        counts = sorted({int(number) for number in text.split(",")})
    except ValueError:
        counts = [0]
    if not all(1 <= number <= 256 for number in counts):
        what = f"{text!r} is not a list of numbers from 1 to 256, such as 16,64,256"
        raise typer.BadParameter(what, param_hint="--colors")
    return counts


def _check_output(output: str, suffixes: tuple[str, ...]) -> str:
    """Return the suffix, which says the format."""
    suffix = Path(output).suffix.lower()
    if output and suffix not in suffixes:
        what = f"the suffix must be one of {', '.join(suffixes)}, not {suffix!r}"
        raise typer.BadParameter(what, param_hint="-o")
    return suffix


def _can_write(here: Session, output: str, names: Sequence[str]) -> bool:
    """Say what is known to fail before any long work is done."""
    with here.attempt(output):
        if Path(output).suffix.lower() in _PAGES:
            from kqf.report.html import check_installed

            check_installed()
        if not Path(output).parent.is_dir():
            raise ValueError(f"there is no folder {Path(output).parent}")
        for name in names:
            if Path(output).exists() and Path(name).exists() and Path(output).samefile(name):
                raise ValueError(f"is the same file as {name}")
    return not here.error


def _write(here: Session, output: str, data: bytes, *, quiet: bool) -> None:
    with here.attempt(output):
        try:
            write_whole(output, data)
        except OSError as error:
            raise ValueError(f"cannot be written: {reason(error)}") from error
        if not quiet:
            here.say(f"{escape(output)}: {len(data):,} bytes")


def _as_picture(picture: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    options = {"lossless": True} if suffix == ".webp" else {}
    picture.save(buffer, format_of(suffix), **options)
    return buffer.getvalue()


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
