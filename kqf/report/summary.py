"""What formats take over several images."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kqf.report.competitors import KQF, NEAREST
from kqf.report.measure import ImageReport, Measurement

# What an overview compares KQF with, by the beginning of its name.
_OTHERS = ("PNG8 (Pillow", "GIF", "WebP lossless")
_GIF_COLORS = 256


@dataclass(frozen=True)
class Overview:
    """One image, or all of them together: KQF at its default setting beside other formats.

    Attributes:
        name: of the image.
        file_bytes, kqf_bytes: size of the file given and of the KQF file.
        others: bytes in each other format, by the measurement's name; for all images the sum.
        shares: bytes of KQF as a share of these; for all images the geometric mean.
        visible: share of the pixels of the KQF file that differ visibly from the original.
        psnr: of the KQF file in dB, infinite where nothing is lost.
        suggested: number of colours to take, None for several images.
    """

    name: str
    file_bytes: int
    kqf_bytes: int
    others: dict[str, int]
    shares: dict[str, float]
    visible: float | None = None
    psnr: float | None = None
    suggested: int | None = None


@dataclass(frozen=True)
class Summary:
    """One format with its settings, over several images.

    Attributes:
        name: of the measurement.
        images: how many images.
        bytes, bits_per_pixel: geometric means.
        kqf_share: geometric mean of the bytes of KQF, at its default setting, as a share of these.
        worst_share, worst_image: the highest such share, and the image that has it.
        psnr: mean in dB over the images that lost something; infinite where none did.
        worst_psnr: the lowest.
        visible, worst_visible: mean and highest share of the pixels that differ visibly.
        lossless: how many images lost nothing.
    """

    name: str
    images: int
    bytes: float
    bits_per_pixel: float
    kqf_share: float
    worst_share: float
    worst_image: str
    psnr: float
    worst_psnr: float
    visible: float
    worst_visible: float
    lossless: int

    def record(self) -> dict[str, Any]:
        """Return the summary for JSON, which has no infinity."""
        errors = {key: getattr(self, key) for key in ("psnr", "worst_psnr")}
        finite = {key: None if math.isinf(error) else error for key, error in errors.items()}
        return asdict(self) | finite


@dataclass(frozen=True)
class Comparison:
    """Bytes of KQF as a share of another format's that holds the same labels.

    Attributes:
        name, other: the two measurements.
        images: how many images.
        share: geometric mean.
        worst, worst_image: the highest share, and the image that has it.
    """

    name: str
    other: str
    images: int
    share: float
    worst: float
    worst_image: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


def overview(reports: Sequence[ImageReport], names: Sequence[str]) -> list[Overview]:
    """Return one overview for each image and, for several images, one of all together.

    They are of palette PNG with as many colours, GIF and lossless WebP, if all images could be
    stored so.

    Arguments:
        reports: of the images.
        names: what to call each.
    """
    common = [
        (name, rows)
        for name, rows in _common(reports)
        if rows[0].encoder.startswith(_OTHERS)
        and rows[0].colors in (None, _GIF_COLORS, reports[0].default.colors)
    ]
    found = []
    for number, (report, name) in enumerate(zip(reports, names, strict=True)):
        rows = {other: measured[number] for other, measured in common}
        found.append(
            Overview(
                name=name,
                file_bytes=report.file_bytes,
                kqf_bytes=report.default.bytes,
                others={other: row.bytes for other, row in rows.items()},
                shares={other: row.kqf_share for other, row in rows.items()},
                visible=report.default.visible,
                psnr=report.default.psnr,
                suggested=report.suggested.colors,
            )
        )
    if len(found) > 1:
        found.append(
            Overview(
                name="together",
                file_bytes=sum(each.file_bytes for each in found),
                kqf_bytes=sum(each.kqf_bytes for each in found),
                others={name: sum(row.bytes for row in rows) for name, rows in common},
                shares={
                    name: _geometric_mean([row.kqf_share for row in rows]) for name, rows in common
                },
            )
        )
    return found


def summarize(reports: Sequence[ImageReport]) -> tuple[Summary, ...]:
    """Return the means of each format and setting that all images could be stored in."""
    summaries = []
    for name, rows in _common(reports):
        errors = [row.psnr for row in rows if not row.lossless]
        worst = max(range(len(rows)), key=lambda number: rows[number].kqf_share)
        summaries.append(
            Summary(
                name=name,
                images=len(rows),
                bytes=_geometric_mean([row.bytes for row in rows]),
                bits_per_pixel=_geometric_mean([row.bits_per_pixel for row in rows]),
                kqf_share=_geometric_mean([row.kqf_share for row in rows]),
                worst_share=rows[worst].kqf_share,
                worst_image=reports[worst].name,
                psnr=sum(errors) / len(errors) if errors else math.inf,
                worst_psnr=min(errors, default=math.inf),
                visible=sum(row.visible for row in rows) / len(rows),
                worst_visible=max(row.visible for row in rows),
                lossless=len(rows) - len(errors),
            )
        )
    return tuple(summaries)


def compare(reports: Sequence[ImageReport]) -> tuple[Comparison, ...]:
    """Return KQF as a share of formats that hold the same labels, where all images have both."""
    common = [rows for _, rows in _common(reports)]
    nearest = {
        rows[0].colors: rows
        for rows in common
        if rows[0].encoder == KQF and rows[0].quality == NEAREST
    }
    comparisons = []
    for theirs in common:
        ours = nearest.get(theirs[0].colors)
        if ours is None or "KQF's labels" not in theirs[0].encoder:
            continue
        shares = [a.bytes / b.bytes for a, b in zip(ours, theirs, strict=True)]
        worst = shares.index(max(shares))
        comparisons.append(
            Comparison(
                name=ours[0].name,
                other=theirs[0].name,
                images=len(shares),
                share=_geometric_mean(shares),
                worst=shares[worst],
                worst_image=reports[worst].name,
            )
        )
    return tuple(comparisons)


def _common(reports: Sequence[ImageReport]) -> Iterator[tuple[str, list[Measurement]]]:
    """Yield the files as given, then each measurement that all images have, with its rows."""
    if reports:
        yield "file as given", [report.rows[0] for report in reports]
    tables = [{row.name: row for row in report.rows[1:]} for report in reports]
    for name in tables[0] if tables else ():
        if all(name in table for table in tables):
            yield name, [table[name] for table in tables]


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
