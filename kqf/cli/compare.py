"""``kqf compare``: quantization methods on one image."""

import io
import json
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageOps

from kqf.cli.output import PAGES, can_write, check_output, write_output
from kqf.cli.parameters import AsJson, Seed, Threads, whole_number
from kqf.cli.session import session
from kqf.io.modes import without_palette
from kqf.io.pictures import format_of, load
from kqf.io.pipes import read_input
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
    colors: Annotated[
        int,
        typer.Option(
            "-c",
            "--colors",
            metavar="N",
            parser=whole_number(1, 256),
            help="Use at most N colours, 1 to 256.",
        ),
    ] = 64,
    methods: Annotated[
        str,
        typer.Option(metavar="NAME,NAME...", help="As --method of convert."),
    ] = "kmeans,sample:1000,random",
    seed: Seed = 0,
    as_json: AsJson = False,
    threads: Threads = None,
) -> None:
    """Compare quantization methods on one image: times, errors, and what it looks like."""
    from kqf.report import columns, tables
    from kqf.report.methods import draw, learn_each

    suffix = check_output(output, (*PAGES, *_PICTURES))
    made = b""
    with session(1) as here:
        if output and not can_write(here, output, [image]):
            return
        with here.file(image):
            picture, lost = load(read_input(image))
            for note in lost:
                here.note(image, note)
            picture = ImageOps.exif_transpose(picture)
            pixels = np.asarray(without_palette(picture))
            found = learn_each(
                pixels,
                [name.strip() for name in methods.split(",")],
                colors=colors,
                seed=seed,
                threads=threads,
                progress=here.progress,
            )
            size = f"{picture.width:,} x {picture.height:,}"
            title = f"{escape(image)}: {size}, {colors} colours at the most"
            table = tables.Table(title, columns.METHODS, found)
            if as_json:
                record = {"image": image, "methods": [each.record() for each in found]}
                here.say(json.dumps(record, indent=2))
            else:
                here.say(tables.drawn(table))
            if suffix in PAGES:
                from kqf.report import html as page

                pictures = {each.method: each.picture for each in found}
                section = page.compared_section(image, pixels, pictures, table, colors)
                made = page.render("KQF: quantization methods", [section]).encode()
            elif output:
                made = _as_picture(draw(pixels, found), suffix)
        if output and not here.error:
            write_output(here, output, made, quiet=as_json)


def _as_picture(picture: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    options = {"lossless": True} if suffix == ".webp" else {}
    picture.save(buffer, format_of(suffix), **options)
    return buffer.getvalue()
