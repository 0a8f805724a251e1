"""``kqf report``: KQF beside other formats."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import numpy as np
import typer
from PIL import ImageOps

from kqf.cli.output import PAGES, can_write, check_output, write_output
from kqf.cli.parameters import Threads
from kqf.cli.session import Session, session
from kqf.io.inputs import sources_of
from kqf.io.modes import without_palette
from kqf.io.moving_pictures import is_animation
from kqf.io.pictures import load
from kqf.io.pipes import read_input
from kqf.text import escape, reason

_DOCUMENTS = (*PAGES, ".md", ".csv", ".json")
# Of text, in a terminal of any width.
_COLUMNS = 79
_PAGE = "kqf-report{}.html"


def report(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE|FOLDER",
            help="Images, and folders of images. [default: scikit-learn's two sample photographs]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a page (.html), .md, .csv or .json. [default: a page, kqf-report.html, or "
            "kqf-report-2.html and so on where that exists]",
            show_default=False,
        ),
    ] = "",
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no page, only print.")] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Measure more formats, numbers of colours and qualities, and SSIM where "
            "scikit-image is installed; print a table for each image.",
        ),
    ] = False,
    colors: Annotated[
        str,
        typer.Option(
            metavar="N,N...",
            help="Numbers of colours to compare formats at. [default: 256; 16,64,256 with --full]",
            show_default=False,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Compare KQF with palette PNG, GIF and lossless WebP: bytes, errors, and what they look like.

    Suggests how many colours to take. Animations are compared with GIF, animated WebP and APNG.
    """
    from kqf.report import documents
    from kqf.report.animations import AnimationReport, measure_animation
    from kqf.report.measure import ImageReport, Unreadable, measure
    from kqf.report.tables import drawn

    counts = _parse_counts(colors)
    suffix = check_output(output, _DOCUMENTS)
    default_page = not (output or no_page or as_json) and _can_make_page()
    with_page = default_page or suffix in PAGES
    with session(1) as here:
        names = list(_expanded(here, images)) if images else sample_images()
        here.expect(len(names))
        if output and not can_write(here, output, names):
            return
        results: list[ImageReport | AnimationReport | Unreadable] = []
        sections: list[Any] = []
        playing: list[Any] = []
        for name in names:
            with here.file(name):
                data = read_input(name)
                if is_animation(data):
                    if full or colors:
                        here.note(name, "--full and --colors are for still images: all is exact")
                    moving = measure_animation(
                        data, name=name, threads=threads, progress=here.progress
                    )
                    if with_page:
                        from kqf.report import html as page

                        playing.append(page.animation_section(moving))
                    results.append(replace(moving, given=b"", file=b""))
                    continue
                image, lost = load(data)
                for note in lost:
                    here.note(name, note)
                file_format = image.format or ""
                pixels = np.asarray(without_palette(ImageOps.exif_transpose(image)))
                done = measure(
                    pixels,
                    name=name if images else Path(name).name,
                    file_format=file_format,
                    file_bytes=len(data),
                    counts=counts,
                    full=full,
                    threads=threads,
                    progress=here.progress,
                )
                if with_page:
                    from kqf.report import html as page

                    sections.append(page.section_of(done, pixels, len(names)))
                # Labels of all images are too much to keep.
                results.append(replace(done, pictures={}))
            if here.error:
                results.append(Unreadable(name, here.error))
        reports, unreadable = documents.parts_of(results)
        animations = [each for each in results if isinstance(each, AnimationReport)]
        if as_json:
            here.say(documents.as_json(results).rstrip())
        else:
            for each in animations:
                here.say(f"{drawn(each.table)}\n")
            if reports:
                _print(here, reports, full=full)
            elif animations:
                here.say(fill(documents.NOTES[0], _COLUMNS))
        if output and suffix not in PAGES:
            writers: dict[str, Callable[[Any], str]] = {
                ".md": documents.as_markdown,
                ".csv": documents.as_csv,
                ".json": documents.as_json,
            }
            write_output(here, output, writers[suffix](results).encode(), quiet=as_json)
        elif with_page and (reports or animations or output):
            from kqf.report import html as page

            text = page.render("KQF report", sections, reports, unreadable, playing)
            if output:
                write_output(here, output, text.encode(), quiet=as_json)
            else:
                _write_new(here, text.encode())
        elif not (output or no_page or as_json or _can_make_page()):
            from kqf.report.html import MISSING

            here.note("report", MISSING)


def _print(here: Session, reports: Sequence[Any], *, full: bool) -> None:
    """Print the numbers of one image, or the overview of several."""
    from kqf.report import documents
    from kqf.report.columns import MEASUREMENTS
    from kqf.report.tables import Table, drawn

    for done in reports if full or len(reports) == 1 else ():
        here.say(drawn(Table(documents.title_of(done), MEASUREMENTS, done.rows)))
        here.say(f"\n{documents.suggestion_of(done)}{'' if len(reports) == 1 else chr(10)}")
    if len(reports) == 1:
        here.say(fill(documents.NOTES[0], _COLUMNS))
        return
    if full:
        for table in documents.summary_tables(reports)[1:]:
            here.say(f"{drawn(table)}\n")
    here.say(drawn(replace(documents.overview_table(reports), title="")))
    here.say("\n" + fill(documents.overview_note(reports), _COLUMNS))


def _can_make_page() -> bool:
    return find_spec("jinja2") is not None


def _expanded(here: Session, names: Sequence[str]) -> Iterator[str]:
    """Yield the images that names of files, folders and patterns stand for."""
    for name in names:
        found = []
        with here.attempt(name):
            found = [path for path, _ in sources_of(name, None, "")]
            if not found:
                raise ValueError("holds no images")
        yield from found


def _write_new(here: Session, data: bytes) -> None:
    """Write the page under a name that is free in the working directory, and say where it is."""
    number = 1
    while True:
        path = Path(_PAGE.format(f"-{number}" if number > 1 else "")).absolute()
        with here.attempt(str(path)):
            try:
                with path.open("xb") as file:
                    file.write(data)
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise ValueError(f"cannot be written: {reason(error)}") from error
            here.say(f"Page with the pictures: {escape(path)}")
        return


def sample_images() -> list[str]:
    """Return the paths of scikit-learn's sample photographs, without importing it."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "images"
    return [str(folder / name) for name in ("china.jpg", "flower.jpg")]


def _parse_counts(text: str) -> list[int]:
    if not text:
        return []
    try:
        counts = sorted({int(number) for number in text.split(",")})
    except ValueError:
        counts = [0]
    if not all(1 <= number <= 256 for number in counts):
        what = f"{text!r} is not a list of numbers from 1 to 256, such as 16,64,256"
        raise typer.BadParameter(what, param_hint="--colors")
    return counts
