"""A report as one HTML page that needs nothing else: pictures, a chart and tables."""

import base64
import io
import math
import platform
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

import kqf
import kqf.web
from kqf.display import in_color as codebook_in_color
from kqf.display import picture_of
from kqf.report.animations import AnimationReport
from kqf.report.charts import Point, curves_as_svg
from kqf.report.columns import MEASUREMENTS
from kqf.report.competitors import KQF, in_color
from kqf.report.documents import (
    NOTES,
    overview_note,
    parts_table,
    suggestion_of,
    summary_tables,
    titles_of,
)
from kqf.report.measure import ImageReport, Measurement, Unreadable
from kqf.report.tables import Table
from kqf.text import CHANNEL_NAMES, escape, how_to_install

# Characters of one image's pictures in the page at the most, and of all images together.
_SIZE = 1_700_000
_ALL_SIZES = 24_000_000
_SIDE = 4096
# Side of the part of a reduced picture that is shown as it is, around the largest error.
_DETAIL = 48
_THUMBNAIL = (160, 120)
# Bytes of the files of one animation that are in the page.
_MOST_PLAYED = 2**23
_PLAYED = {"GIF": "image/gif", "PNG": "image/png", "WEBP": "image/webp", "AVIF": "image/avif"}
# Numbers of colours whose pictures are shown besides the default and the suggested number.
_COLORS = (16, 64)
# Fewer points make no curve.
_FEWEST_POINTS = 4
MISSING = f"a page needs jinja2: {how_to_install('report')}"


@dataclass(frozen=True)
class Section:
    """One image's part of the page.

    Attributes:
        name: of the image.
        facts: what it is, as (name, value).
        lead: a sentence below the pictures.
        tables: below that.
        chart: SVG, empty if there is nothing to draw.
        thumbnail, original: data URIs.
        data: what the page's script draws.
    """

    name: str
    facts: Sequence[tuple[str, str]]
    lead: str
    tables: Sequence[Table]
    chart: str
    thumbnail: str
    original: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class AnimationSection:
    """One animation's part of the page.

    Attributes:
        name: of the animation.
        given, file: data URIs of the file that was given, empty where browsers do not show its
            format, and of the KQF file; both empty where they are too large for the page.
        table: what it takes in each format.
    """

    name: str
    given: str
    file: str
    table: Table


def animation_section(done: AnimationReport) -> AnimationSection:
    """Return the part about one animation."""
    given = file = ""
    if len(done.given) + len(done.file) <= _MOST_PLAYED:
        file = f"data:;base64,{base64.b64encode(done.file).decode()}"
        if kind := _PLAYED.get(done.file_format):
            given = f"data:{kind};base64,{base64.b64encode(done.given).decode()}"
    return AnimationSection(escape(titles_of([done.name])[0]), given, file, done.table)


def check_installed() -> None:
    """Raise ValueError, before any long work, unless the page can be made."""
    try:
        import jinja2
    except ImportError as error:
        raise ValueError(MISSING) from error
    del jinja2


def section_of(done: ImageReport, pixels: np.ndarray, images: int) -> Section:
    """Return the part about one image.

    Arguments:
        done: what kqf.report.measure.measure returned for these pixels.
        pixels: uint8, (H, W) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or (H, W, 4) RGBA.
        images: number of images in the whole page, which share its size.
    """
    facts = [
        ("file", f"{done.file_format}, {done.file_bytes:,} bytes"),
        ("size", f"{done.width:,} \N{MULTIPLICATION SIGN} {done.height:,} pixels"),
        ("channels", CHANNEL_NAMES[done.channels]),
        ("distinct colours", f"{done.colors:,}"),
    ]
    captions = {row.name: f"{row.name}: {row.bytes:,} bytes" for row in done.rows}
    pictures = {name: done.pictures[name] for name in _chosen(done)}
    data = _pictures(pixels, pictures, captions, images, done.files)
    return Section(
        name=escape(titles_of([done.name])[0]),
        facts=facts,
        lead=suggestion_of(done),
        tables=[Table("Bytes and errors", MEASUREMENTS, done.rows), parts_table(done)],
        chart=_chart(done.rows),
        thumbnail=_thumbnail(pixels),
        original=data.pop("original"),
        data=data,
    )


def _chosen(done: ImageReport) -> list[str]:
    """Return the names of the pictures to show, KQF at its default setting first."""
    default = done.default
    at_default = {default.colors, done.suggested.colors, *_COLORS}
    return [
        row.name
        for row in done.rows
        if row.name in done.pictures
        and (
            row.colors == default.colors
            or (row.encoder == KQF and row.quality == default.quality and row.colors in at_default)
        )
    ]


def compared_section(
    name: str,
    pixels: np.ndarray,
    pictures: Mapping[str, kqf.IndexedImage],
    table: Table,
    most: int,
) -> Section:
    """Return the part about one image whose colours were learned by several methods.

    Arguments:
        name: of the image.
        pixels: as for section_of.
        pictures: the result of each method, by its name.
        table: a row for each method.
        most: number of colours that each was allowed.
    """
    data = _pictures(pixels, pictures, {}, 1)
    size = f"{pixels.shape[1]:,} \N{MULTIPLICATION SIGN} {pixels.shape[0]:,} pixels"
    return Section(
        name=escape(titles_of([name])[0]),
        facts=[("size", size)],
        lead=f"At most {most} colours each.",
        tables=[table],
        chart="",
        thumbnail=_thumbnail(pixels),
        original=data.pop("original"),
        data=data,
    )


def render(
    title: str,
    sections: Sequence[Section],
    reports: Sequence[ImageReport] = (),
    unreadable: Sequence[Unreadable] = (),
    animations: Sequence[AnimationSection] = (),
) -> str:
    """Return the page.

    Arguments:
        title: of the page; that of a single image stands in front of it.
        sections: one for each image.
        reports: of all images, for the summary.
        unreadable: images that have no section. animations: their parts.

    Raises:
        ValueError: jinja2 is missing.
    """
    check_installed()
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("kqf.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["sort_key"] = _sort_key
    environment.filters["markup"] = Markup
    templates = resources.files("kqf.report") / "templates"
    style, script = (
        Markup((templates / name).read_text("utf-8")) for name in ("page.css", "page.js")
    )
    return environment.get_template("page.html").render(
        imports=Markup(kqf.web.import_map("kqf.min.js")),
        animations=animations,
        title=title,
        sections=sections,
        summaries=summary_tables(reports),
        summary_note=overview_note(reports) if len(reports) > 1 else "",
        unreadable=[(escape(each.name), escape(each.error)) for each in unreadable],
        notes=NOTES if reports else NOTES[:1] if animations else [],
        versions=f"KQF {kqf.__version__}, Pillow {PIL.__version__}, "
        f"Python {platform.python_version()}",
        style=style,
        script=script,
    )


def _sort_key(value: object) -> str:
    """Return what the page sorts a cell by: text, or a number that JavaScript can read."""
    if value is None:
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "1e999"
    return escape(value)


def _pictures(
    pixels: np.ndarray,
    pictures: Mapping[str, kqf.IndexedImage],
    captions: Mapping[str, str],
    images: int,
    files: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """Return the original and the results, reduced until they are small enough for the page.

    Results that are not reduced are in the page as the KQF files that they are, where ``files``
    has them.
    """
    files = files or {}
    original = in_color(pixels)
    height, width = original.shape[:2]
    scale = math.ceil(max(height, width) / _SIDE)
    while True:
        small = _uri(Image.fromarray(original).reduce(scale))
        variants = [
            _variant(name, captions.get(name, name), picture, pixels, scale, files.get(name))
            for name, picture in pictures.items()
        ]
        size = len(small) + sum(len(variant["uri"]) for variant in variants)
        limit = min(_SIZE, _ALL_SIZES // images)
        if size <= limit or scale >= max(height, width):
            break
        # Pictures of half the width take about a quarter, in whole steps.
        scale = max(scale + 1, math.floor(scale * math.sqrt(size / limit)))
    return {
        "original": small,
        "width": width,
        "height": height,
        "scale": scale,
        "variants": variants,
    }


def _variant(
    name: str,
    caption: str,
    picture: kqf.IndexedImage,
    pixels: np.ndarray,
    scale: int,
    file: bytes | None,
) -> dict[str, Any]:
    original = Image.fromarray(in_color(pixels))
    result = picture_of(picture.labels, picture.codebook).convert(original.mode)
    worst = kqf.largest_error(np.asarray(original), np.asarray(result))
    codebook = codebook_in_color(picture.codebook)
    shares = np.bincount(picture.labels.ravel(), minlength=len(codebook)) / picture.labels.size
    detail = None
    if scale > 1:
        left = max(min(worst.x - _DETAIL // 2, original.width - _DETAIL), 0)
        top = max(min(worst.y - _DETAIL // 2, original.height - _DETAIL), 0)
        right, bottom = (min(left + _DETAIL, original.width), min(top + _DETAIL, original.height))
        uris = [_uri(each.crop((left, top, right, bottom))) for each in (original, result)]
        detail = {"x": left, "y": top, "uris": uris}
    if file is not None and scale == 1:
        # The page compares what it decodes with what was decoded here.
        crc = zlib.crc32(np.asarray(result.convert("RGBA")).tobytes())
        shown = {"uri": f"data:;base64,{base64.b64encode(file).decode()}", "crc": crc}
    else:
        shown = {"uri": _uri(result.reduce(scale)), "crc": None}
    return {
        "name": name,
        "caption": caption,
        **shown,
        "palette": codebook.tolist(),
        "shares": [float(f"{share:.4g}") for share in shares],
        "worst": {"x": worst.x, "y": worst.y, "distance": round(worst.distance, 1)},
        "detail": detail,
    }


def _chart(rows: Sequence[Measurement]) -> str:
    """Return PSNR over bits per pixel, a curve for each encoder; empty if that is too little."""
    curves: dict[str, list[Point]] = {}
    for row in rows:
        if row.lossless:
            continue
        name = row.encoder
        if row.encoder == KQF:
            name = f"KQF, quality {row.quality}, by colours"
        curves.setdefault(name, []).append(
            Point(
                row.bits_per_pixel,
                row.psnr,
                f"{row.name}: {row.bits_per_pixel:.2f} bits per pixel, {row.psnr:.2f} dB",
            )
        )
    if max(map(len, curves.values()), default=0) < _FEWEST_POINTS:
        return ""
    for points in curves.values():
        points.sort(key=lambda point: point.x)
    return curves_as_svg(
        curves,
        title="PSNR over bits per pixel, a curve for each format; the table has the numbers",
        x_title="bits per pixel",
        y_title="PSNR, dB",
    )


def _thumbnail(pixels: np.ndarray) -> str:
    small = Image.fromarray(in_color(pixels))
    small.thumbnail(_THUMBNAIL)
    return _uri(small)


def _uri(image: Image.Image) -> str:
    """Return an image as a data URI, without loss."""
    buffer = io.BytesIO()
    if features.check("webp"):
        image.save(buffer, "WEBP", lossless=True, exact=True)
        kind = "webp"
    else:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
