"""``kqf report``: KQF beside other formats."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from kqf.cli.output import PAGES, can_write, check_output, write_output
from kqf.cli.parameters import AsJson, Threads
from kqf.cli.session import session
from kqf.convert.api import read_input
from kqf.io.modes import without_palette
from kqf.io.pictures import load

_DOCUMENTS = (*PAGES, ".md", ".csv", ".json")


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
    suffix = check_output(output, _DOCUMENTS)
    names = images or sample_images()
    results: list[ImageReport | Unreadable] = []
    sections: list[Any] = []
    with session(len(names)) as here:
        if output and not can_write(here, output, names):
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
                if suffix in PAGES:
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
        if suffix in PAGES:
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
            write_output(here, output, text.encode(), quiet=as_json)


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
