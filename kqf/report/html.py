"""A report as one HTML page that needs nothing else: pictures, plots and tables in it."""

import base64
import io
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

import kqf
from kqf.display import in_color, picture_of
from kqf.io.palette_images import png_optimizer
from kqf.quantization.colorspace import srgb_to_oklab
from kqf.report.competitors import shown
from kqf.report.documents import CHANNELS, NOTES, suggestion_of, summary_tables
from kqf.report.measure import ImageReport, Row, Unreadable, counted
from kqf.report.tables import ELBOW, ROWS, Table
from kqf.text import escape

# Pixels of a picture in the page at the most, and of all of them together.
_PIXELS = 2**20
_ALL_PIXELS = 2**22
_SIDE = 4096
# Side of what is shown of a reduced picture as it is, around the largest error.
_DETAIL = 48
_THUMBNAIL = (160, 120)
# Colours of a picture that shows what so few do, whatever was asked for.
_FEW = 4
# Points of a plot of colours.
_SAMPLE = 3000
_MISSING = "the page needs jinja2 and plotly: pip install 'kqf[report]'"


@dataclass(frozen=True)
class Section:
    """One image's part of the page.

    Attributes:
        name: of the image.
        facts: what it is, as (name, value).
        lead: a sentence to start with.
        tables: below the plots.
        thumbnail, original: data URIs.
        data: what the page's script draws.
    """

    name: str
    facts: Sequence[tuple[str, str]]
    lead: str
    tables: Sequence[Table]
    thumbnail: str
    original: str
    data: Mapping[str, Any]


def check_installed() -> None:
    """Raise ValueError, before any long work, unless the page can be made."""
    try:
        import jinja2
        import plotly.offline
    except ImportError as error:
        raise ValueError(_MISSING) from error
    del jinja2, plotly


def section_of(done: ImageReport, pixels: np.ndarray, images: int) -> Section:
    """Return the part about one image.

    Arguments:
        pixels: as for kqf.report.measure, whose result is ``done``.
        images: of the whole page, which share the space.
    """
    rows = [row for row in done.rows if row.encoder == "KQF"]
    counts = {row.colors for row in rows if row.quality != 100}
    wanted = {_FEW, done.suggested[0], *counts}
    # At the most colours, all qualities.
    most = max(count or 0 for count in counts)
    chosen = [
        row for row in rows if row.colors == most or (row.quality == 100 and row.colors in wanted)
    ]
    (first,) = [
        number
        for number, row in enumerate(chosen)
        if (row.colors, row.quality) == (done.suggested[0], 100)
    ]
    pictures = {row.name: done.pictures[row.name] for row in chosen}
    facts = [
        ("format", done.file_format),
        ("size", f"{done.width:,} \N{MULTIPLICATION SIGN} {done.height:,} pixels"),
        ("channels", CHANNELS[done.channels]),
        ("distinct colours", f"{done.colors:,}"),
        ("file", f"{done.file_bytes:,} bytes"),
    ]
    data = _pictures(pixels, pictures, first, images) | {
        "elbow": _elbow(done),
        "curves": _curves(done.rows),
    }
    title = "Colours against error and size"
    return Section(
        name=escape(done.name),
        facts=facts,
        lead=suggestion_of(done),
        tables=[Table(title, ELBOW, done.elbow), Table("Formats", ROWS, done.rows)],
        thumbnail=_thumbnail(pixels),
        original=data.pop("original"),
        data=data,
    )


def compared_section(
    name: str,
    pixels: np.ndarray,
    pictures: Mapping[str, kqf.IndexedImage],
    table: Table,
    most: int,
) -> Section:
    """Return the part about one image whose colours were learned in several ways.

    Arguments:
        pixels: as for kqf.report.measure.
        pictures: what came of each way, by its name.
        table: a row for each.
        most: colours that each was allowed.
    """
    data = _pictures(pixels, pictures, 0, 1) | {"elbow": None, "curves": None}
    size = f"{pixels.shape[1]:,} \N{MULTIPLICATION SIGN} {pixels.shape[0]:,} pixels"
    return Section(
        name=escape(name),
        facts=[("size", size)],
        lead=f"At most {most} colours each.",
        tables=[table],
        thumbnail=_thumbnail(pixels),
        original=data.pop("original"),
        data=data,
    )


def render(
    title: str,
    sections: Sequence[Section],
    reports: Sequence[ImageReport] = (),
    unreadable: Sequence[Unreadable] = (),
) -> str:
    """Return the page.

    Arguments:
        reports: of all images, for the summary.
        unreadable: images that have no section.

    Raises:
        ValueError: jinja2 or plotly is missing.
    """
    check_installed()
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("kqf.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["sort_key"] = _sort_key
    templates = resources.files("kqf.report") / "templates"
    style, script = (
        Markup((templates / name).read_text("utf-8")) for name in ("page.css", "page.js")
    )
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        summaries=summary_tables(reports),
        unreadable=[(escape(each.name), escape(each.error)) for each in unreadable],
        notes=[*NOTES, f"PNG8 is optimised by {png_optimizer()}."] if reports else [],
        versions=f"KQF {kqf.__version__}, Pillow {PIL.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}",
        style=style,
        script=script,
        plotly=Markup(get_plotlyjs()),
    )


def _sort_key(value: object) -> str:
    """Return what a cell sorts by, as an attribute."""
    if isinstance(value, kqf.LargestError):
        value = value.x
    if isinstance(value, float) and math.isinf(value):
        return "1e99"
    return "" if value is None else escape(value)


def _pictures(
    pixels: np.ndarray, pictures: Mapping[str, kqf.IndexedImage], first: int, images: int
) -> dict[str, Any]:
    """Return the original, what came of it, and samples of its colours."""
    original = shown(pixels)
    height, width = original.shape[:2]
    limit = min(_PIXELS, _ALL_PIXELS // max(images, 1))
    by_area = math.ceil(math.sqrt(height * width / limit))
    scale = max(by_area, math.ceil(max(height, width) / _SIDE))
    small = Image.fromarray(original).reduce(scale)
    return {
        "original": _uri(small),
        "width": width,
        "height": height,
        "scale": scale,
        "first": first,
        "variants": [_variant(name, picture, pixels, scale) for name, picture in pictures.items()],
        "sample": _sample(original),
    }


def _variant(
    name: str, picture: kqf.IndexedImage, pixels: np.ndarray, scale: int
) -> dict[str, Any]:
    original = Image.fromarray(shown(pixels))
    result = picture_of(picture.labels, picture.codebook).convert(original.mode)
    worst = kqf.largest_error(pixels, picture.pixels)
    codebook = in_color(picture.codebook)
    shares = np.bincount(picture.labels.ravel(), minlength=len(codebook)) / picture.labels.size
    detail = None
    if scale > 1:
        left = max(min(worst.x - _DETAIL // 2, original.width - _DETAIL), 0)
        top = max(min(worst.y - _DETAIL // 2, original.height - _DETAIL), 0)
        right, bottom = (min(left + _DETAIL, original.width), min(top + _DETAIL, original.height))
        uris = [_uri(each.crop((left, top, right, bottom))) for each in (original, result)]
        detail = {"x": left, "y": top, "uris": uris}
    return {
        "name": name,
        "uri": _uri(result.reduce(scale)),
        "palette": codebook.tolist(),
        "oklab": _oklab(codebook),
        "shares": [float(f"{share:.4g}") for share in shares],
        "worst": {"x": worst.x, "y": worst.y, "distance": round(worst.distance, 1)},
        "detail": detail,
    }


def _sample(original: np.ndarray) -> dict[str, Any]:
    """Return colours of random pixels that are not fully transparent."""
    colors = original.reshape(-1, original.shape[2])
    rows = np.random.default_rng(0).integers(0, len(colors), _SAMPLE)
    if len(colors) <= _SAMPLE:
        rows = np.arange(len(colors))
    drawn = colors[rows]
    if drawn.shape[1] == 4:
        drawn = drawn[drawn[:, 3] > 0]
    return {"rgb": drawn[:, :3].tolist(), "oklab": _oklab(drawn)}


def _oklab(colors: np.ndarray) -> list[list[float]]:
    return srgb_to_oklab(colors[:, :3]).round(4).tolist() if len(colors) else []


def _elbow(done: ImageReport) -> dict[str, Any]:
    return {
        "colors": [row.colors for row in done.elbow],
        "rmse": [round(row.rmse, 4) for row in done.elbow],
        "bytes": [row.bytes for row in done.elbow],
        "suggested": done.suggested[0],
    }


def _curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return bits per pixel, PSNR and SSIM of what is lossy, a curve for each encoder."""
    curves: dict[str, list[Row]] = {}
    several = {row.colors for row in rows if row.encoder == "KQF" and row.quality != 100}
    for row in rows:
        if row.lossless:
            continue
        by_colors = row.encoder == "KQF" and row.quality == 100
        if by_colors:
            curves.setdefault("KQF, quality 100, by colours", []).append(row)
        if row.encoder == "KQF" and row.colors in several:
            curves.setdefault(f"KQF, {counted(row.colors or 0)}, by quality", []).append(row)
        elif not by_colors:
            curves.setdefault(row.encoder, []).append(row)
    return [
        {
            "name": name,
            "bits": [round(row.bits_per_pixel, 4) for row in points],
            "psnr": [round(row.psnr, 3) for row in points],
            "ssim": [None if row.ssim is None else round(row.ssim, 5) for row in points],
            "names": [row.name for row in points],
        }
        for name, points in curves.items()
    ]


def _thumbnail(pixels: np.ndarray) -> str:
    small = Image.fromarray(shown(pixels))
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
