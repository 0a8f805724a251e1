"""A report as a document: Markdown, CSV or JSON."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from kqf.report import columns
from kqf.report.animations import AnimationReport
from kqf.report.competitors import png8_by
from kqf.report.measure import ImageReport, Unreadable, counted
from kqf.report.summary import compare, overview, summarize
from kqf.report.tables import Table, markdown
from kqf.text import CHANNEL_NAMES, escape

Result = ImageReport | AnimationReport | Unreadable

NOTES = (
    '"KQF takes": bytes of KQF by default, as a share of the bytes in that row.',
    "A pixel differs visibly if its colour, averaged with its neighbours by a Gaussian of one "
    "pixel, is more than 0.02 away from the original in Oklab.",
    "PNG8 and GIF have the colours that Pillow finds (median cut; octree where there is alpha), "
    "without dithering. Lossless WebP keeps all colours.",
    "Rows of KQF's labels hold the same pixels as KQF with as many colours at quality 100, so that "
    "only the formats differ. Their time is that of writing alone.",
    "Times are of one run. PSNR and the largest error are of all channels, with colours "
    "premultiplied by alpha.",
)


def titles_of(names: Sequence[str]) -> list[str]:
    """Return what to call images: their files' names, with folders where names are equal.

    >>> titles_of(["/home/a/one.png", "/home/b/one.png", "/home/b/two.png"])
    ['a/one.png', 'b/one.png', 'two.png']
    """
    parts = [PurePath(name).parts or (name,) for name in names]
    titles = []
    for number, own in enumerate(parts):
        length = 1
        others = [part for other, part in enumerate(parts) if other != number and part != own]
        while length < len(own) and any(part[-length:] == own[-length:] for part in others):
            length += 1
        titles.append(str(PurePath(*own[-length:])))
    return titles


def title_of(done: ImageReport) -> str:
    """Return what an image is, in a line."""
    name, size = titles_of([done.name])[0], f"{done.width:,} x {done.height:,} pixels"
    channels, colors = CHANNEL_NAMES[done.channels], counted(done.colors)
    return f"{escape(name)}: {escape(done.file_format)}, {size}, {channels}, {colors}"


def suggestion_of(done: ImageReport) -> str:
    """Return the number of colours to take, in a line."""
    return f"Suggested: {counted(done.suggested.colors)}, {done.suggested.reason}."


def parts_table(done: ImageReport) -> Table:
    """Return the table of what each part of the KQF file at its default setting takes."""
    total = sum(done.parts.values())
    rows = [(part, size, size / total) for part, size in done.parts.items()]
    return Table(f"Parts of {done.default.name}", columns.PARTS, rows)


def overview_table(reports: Sequence[ImageReport]) -> Table:
    """Return the table of all images with what KQF takes of other formats' bytes."""
    rows = overview(reports, titles_of([report.name for report in reports]))
    title = f"KQF beside other formats: {len(reports)} images"
    return Table(title, columns.overview_columns(list(rows[0].others) if rows else []), rows)


def overview_note(reports: Sequence[ImageReport]) -> str:
    """Return what the columns of the overview mean."""
    png8 = png8_by("Pillow").removeprefix("PNG8 (").removesuffix(")").split(", ")
    optimiser = f", optimised by {png8[1]}" if len(png8) > 1 else ""
    colors = reports[0].default.colors
    default = reports[0].default
    suggested = (report.suggested.target for report in reports)
    targets = " or ".join(dict.fromkeys(target for target in suggested if target))
    return (
        f"KQF's bytes by default ({colors} colours, quality {default.quality}) as a share of "
        f"PNG8's ({colors} colours by {png8[0]}{optimiser}), GIF's and lossless WebP's. "
        f"Suggested for each: the fewest colours with which {targets or 'nothing is lost'}."
    )


def summary_tables(reports: Sequence[ImageReport]) -> list[Table]:
    """Return the tables over several images: an overview, means, and the same labels compared."""
    if len(reports) < 2:
        return []
    images = f"{len(reports)} images"
    found = [
        overview_table(reports),
        Table(f"Means over {images}", columns.SUMMARY, summarize(reports)),
        Table(f"The same labels in other formats, {images}", columns.COMPARISONS, compare(reports)),
    ]
    return [table for table in found if table.items]


def parts_of(results: Sequence[Result]) -> tuple[list[ImageReport], list[Unreadable]]:
    """Return the images that could be read, and those that could not."""
    reports = [each for each in results if isinstance(each, ImageReport)]
    return reports, [each for each in results if isinstance(each, Unreadable)]


def as_markdown(results: Sequence[Result]) -> str:
    """Return a report as Markdown."""
    reports, _ = parts_of(results)
    blocks = ["# KQF report\n"]
    for each in results:
        if isinstance(each, Unreadable):
            error = f"**Cannot be read**: {_inline(each.error)}"
            blocks.append(f"## {_inline(each.name)}\n\n{error}\n")
            continue
        if isinstance(each, AnimationReport):
            blocks.append(f"## {markdown(replace(each.table, title=_inline(each.title)))}")
            continue
        title = _inline(suggestion_of(each))
        table = markdown(Table(title, columns.MEASUREMENTS, each.rows))
        blocks.append(f"## {_inline(title_of(each))}\n\n{table}")
        if each.parts:
            blocks.append(markdown(parts_table(each)))
    blocks += [f"## {markdown(table)}" for table in summary_tables(reports)]
    blocks.append("\n".join(f"- {note}" for note in (NOTES if reports else NOTES[:1])) + "\n")
    return "\n".join(blocks)


def _inline(text: str) -> str:
    """Return text with all that Markdown would read as markup escaped."""
    return re.sub(r"([\\`*_\[\]<>#|&~])", r"\\\1", escape(text))


def as_csv(results: Sequence[Result]) -> str:
    """Return a row for each image and measurement; an image that can't be read has one row."""
    records: list[dict[str, object]] = []
    for each in results:
        if isinstance(each, Unreadable):
            records.append({"image": escape(each.name), "error": escape(each.error)})
            continue
        for row in each.rows:
            record = row.record()
            largest = record.pop("largest_error", None) or {}
            place = {f"largest_error_{key}": value for key, value in largest.items()}
            image = {"image": escape(each.name), "width": each.width, "height": each.height}
            records.append(image | record | place)
    heads = dict.fromkeys(key for record in records for key in record)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*heads, *({"error"} - heads.keys())], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_json(results: Sequence[Result]) -> str:
    """Return a report as JSON."""
    reports, _ = parts_of(results)
    record = {
        "images": [each.record() for each in results],
        "summary": [row.record() for row in summarize(reports)],
        "comparisons": [row.record() for row in compare(reports)],
    }
    return json.dumps(record, indent=2) + "\n"
