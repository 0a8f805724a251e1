"""A report as a document: Markdown, CSV or JSON."""

import csv
import io
import json
import re
from collections.abc import Sequence

from kqf.io.palette_images import png_optimizer
from kqf.report import tables
from kqf.report.measure import ImageReport, Unreadable, compare, counted, summarize
from kqf.report.tables import Table
from kqf.text import escape

Result = ImageReport | Unreadable

CHANNELS = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}
NOTES = (
    "Rows of the same labels hold what the row of KQF with as many colours holds, so that only "
    "the format differs; they take the time of writing alone.",
    "Times are of one run. Errors are of all channels, colours premultiplied by alpha; the largest "
    "is the distance of two colours, at the pixel named.",
)


def title_of(done: ImageReport) -> str:
    """Return what an image is, in a line."""
    return (
        f"{escape(done.name)}: {escape(done.file_format)}, {done.width:,} x {done.height:,}, "
        f"{CHANNELS[done.channels]}, {counted(done.colors)}"
    )


def suggestion_of(done: ImageReport) -> str:
    """Return the number of colours to take, in a line."""
    number, why = done.suggested
    return f"Suggested: {counted(number)}, {why}."


def summary_tables(reports: Sequence[ImageReport]) -> list[Table]:
    """Return the tables over all images: what each way takes, and fair comparisons."""
    images = f"{len(reports)} image{'s' if len(reports) > 1 else ''}"
    title = f"Geometric means over {images}"
    found = [
        Table(f"Files of as many colours over {images}", tables.COMPARISONS, compare(reports)),
        Table(title, tables.SUMMARY, summarize(reports)),
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
        table = tables.markdown(Table(_inline(suggestion_of(each)), tables.ROWS, each.rows))
        blocks.append(f"## {_inline(title_of(each))}\n\n{table}")
    blocks += [f"## {tables.markdown(table)}" for table in summary_tables(reports)]
    notes = [*NOTES, f"PNG8 is optimised by {png_optimizer()}."]
    blocks.append("\n".join(f"- {note}" for note in notes) + "\n")
    return "\n".join(blocks)


def _inline(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>#|&~])", r"\\\1", escape(text))


def as_csv(results: Sequence[Result]) -> str:
    """Return a row for each image and way; of an image that can't be read, one with its error."""
    records: list[dict[str, object]] = []
    for each in results:
        if isinstance(each, Unreadable):
            records.append({"image": escape(each.name), "error": escape(each.error)})
            continue
        for row in each.rows:
            record = row.record()
            largest = record.pop("largest_error") or {}
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
