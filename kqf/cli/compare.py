"""``kqf compare``: an image with its colours learned in several ways."""

import io
import json
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from kqf.cli.output import PAGES, can_write, check_output, write_output
from kqf.cli.parameters import AsJson, Seed, Threads
from kqf.cli.session import session
from kqf.convert.api import read_input
from kqf.io.modes import without_palette
from kqf.io.pictures import format_of, load
from kqf.text import escape

_PICTURES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


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

    suffix = check_output(output, (*PAGES, *_PICTURES))
    with session(1) as here:
        if output and not can_write(here, output, [image]):
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
            if suffix in PAGES:
                from kqf.report import html as page

                pictures = {each.learner: each.picture for each in found}
                section = page.compared_section(image, pixels, pictures, table, colors)
                made = page.render("KQF: ways to learn colours", [section]).encode()
            elif output:
                made = _as_picture(learning.draw(pixels, found), suffix)
        if output and not here.error:
            write_output(here, output, made, quiet=as_json)


def _as_picture(picture: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    options = {"lossless": True} if suffix == ".webp" else {}
    picture.save(buffer, format_of(suffix), **options)
    return buffer.getvalue()
