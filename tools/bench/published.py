"""What tutorials and papers publish about colours by k-means, beside what is measured here.

    pip install '.[report]'
    python tools/benchmark.py published [-o FOLDER] [--photo IMAGE] [--sky IMAGE]

Prints, for each result, what was published and what this machine measures:

- the Summer Palace (scikit-learn's china.jpg): distinct colours, and 64 of them by k-means on 1,000
  pixels and by random colours, with the seconds to fit and to predict, after
  https://scikit-learn.org/stable/auto_examples/cluster/plot_color_quantization.html;
- a photograph of 1280 x 720 pixels as PNG, and as 128 colours with a label for each pixel;
- a photograph of a sky in 6 and 4 colours, with the colours and their shares;
- a photograph of a flower: distinct colours, 3 and 10 of them.

With ``-o`` it writes pages and pictures into the folder. The published photographs of the second
and third result cannot be had here: without ``--photo``, crops of scikit-learn's samples and their
mirror images make one of that size; without ``--sky``, the upper part of china.jpg is the sky.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import kqf
from kqf.report import html as page
from kqf.report import tables
from kqf.report.measure import count_distinct
from kqf.report.methods import draw, learn_each

from .encoders import save
from .images import read, samples
from .output import parser_for

SIZE = (1280, 720)
SKY_ROWS = 180
PALACE = {
    "distinct colours": 96_615,
    "k-means on 1,000 pixels: fit, s": 0.287,
    "k-means on 1,000 pixels: predict, s": 0.045,
    "random colours: predict, s": 0.218,
}
PNG_KB, STORED_KB = 1_757, 433

Line = tuple[str, float | None, float]


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("-o", metavar="FOLDER", type=Path, help="write pages and pictures here")
    parser.add_argument("--photo", metavar="IMAGE", type=Path, help="of 1280 x 720 pixels or so")
    parser.add_argument("--sky", metavar="IMAGE", type=Path, help="of a sky")
    chosen = parser.parse_args(arguments)
    if chosen.o:
        page.check_installed()
        chosen.o.mkdir(parents=True, exist_ok=True)
    palace, flower = samples().values()
    show("Summer Palace, 64 colours", palace_lines(palace, chosen.o))
    photo = read(chosen.photo)[..., :3] if chosen.photo else mosaic(palace, flower)
    show("128 colours on disk", disk_lines(photo))
    sky = read(chosen.sky)[..., :3] if chosen.sky else palace[:SKY_ROWS]
    show("Sky, 6 and 4 colours", colors_lines(sky, (6, 4), "sky", chosen.o))
    show("Flower, 3 and 10 colours", colors_lines(flower, (3, 10), "flower", chosen.o))


def mosaic(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return a picture of 1280 x 720 pixels made of two smaller ones, none of them scaled."""
    width, height = SIZE[0] // 2, SIZE[1] // 2
    crops = [Image.fromarray(pixels[:height, :width]) for pixels in (one, other)]
    sheet = Image.new("RGB", SIZE)
    for column, crop in enumerate(crops):
        sheet.paste(crop, (column * width, 0))
        sheet.paste(ImageOps.mirror(crop), ((1 - column) * width, height))
    return np.asarray(sheet)


def palace_lines(pixels: np.ndarray, folder: Path | None) -> list[Line]:
    """Compare quantization methods on the Summer Palace."""
    methods = ["kmeans", "sample:1000", "random"]
    found = learn_each(pixels, methods, colors=64)
    if folder:
        draw(pixels, found).save(folder / "palace.png")
    own, sample, random = found
    measured = [
        count_distinct(pixels),
        sample.learn_seconds,
        sample.assign_seconds,
        random.assign_seconds,
    ]
    lines: list[Line] = [
        (name, published, number)
        for (name, published), number in zip(PALACE.items(), measured, strict=True)
    ]
    for each in (sample, random, own):
        lines.append((f"{each.method}: RMSE", None, each.rmse))
    lines.append(("kmeans (the default): learn, s", None, own.learn_seconds))
    return [*lines, ("kmeans (the default): assign, s", None, own.assign_seconds)]


def disk_lines(pixels: np.ndarray) -> list[Line]:
    """Compare a PNG to 128 colours and labels on disk."""
    png = save(Image.fromarray(pixels), "PNG", optimize=True)
    stored = kqf.encode(pixels, colors=128, quality=100)
    sizes = [len(png) / 1000, len(stored) / 1000]
    return [
        ("PNG, KB", PNG_KB, sizes[0]),
        ("labels and codebook (KQF), KB", STORED_KB, sizes[1]),
        ("PNG over these", PNG_KB / STORED_KB, sizes[0] / sizes[1]),
        ("RMSE", None, float(np.sqrt(squared_error(pixels, kqf.decode(stored))))),
    ]


def squared_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.square(one.astype(float) - other).mean())


def colors_lines(
    pixels: np.ndarray, counts: Sequence[int], name: str, folder: Path | None
) -> list[Line]:
    """Reduce a picture to a few colours; write a page with them."""
    lines: list[Line] = [("distinct colours", None, count_distinct(pixels))]
    pictures, found = {}, []
    for count in counts:
        (learned,) = learn_each(pixels, ["kmeans"], colors=count)
        pictures[f"{count} colours"] = learned.picture
        found.append(learned)
        lines.append((f"{count} colours: RMSE", None, learned.rmse))
        lines.append((f"{count} colours: bytes", None, learned.bytes))
        for color, share in zip(learned.picture.codebook, shares(learned.picture), strict=True):
            lines.append((f"{count} colours: #{bytes(color).hex()}, share in %", None, 100 * share))
    if folder:
        table = tables.Table(name, tables.METHODS, found)
        section = page.compared_section(name, pixels, pictures, table, max(counts))
        (folder / f"{name}.html").write_text(page.render(f"KQF: {name}", [section]), "utf-8")
    return lines


def shares(picture: kqf.IndexedImage) -> np.ndarray:
    counts = np.bincount(picture.labels.ravel(), minlength=len(picture.codebook))
    return counts / picture.labels.size


def show(title: str, lines: Sequence[Line]) -> None:
    def number(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"

    print(f"\n{title}\n{'':<42}{'published':>12}{'measured':>12}")
    for name, published, measured in lines:
        print(f"{name:<42}{number(published):>12}{number(measured):>12}")
