"""Draw the picture strip of the README: the original, KQF, and pngquant's colours in as many bytes.

    pip install '.[bench]'
    python tools/make_strip.py [FILE]

It writes docs/strip.webp and prints the bytes of both files. The photograph is scikit-learn's
china.jpg, by danielbuechele, CC BY 2.0. KQF has its default setting with 64 colours. pngquant
(libimagequant, slowest, with dithering) and oxipng (level 6) have as many colours as fit into as
many bytes. The strip shows a part of each, its pixels twice as wide and high.
"""

import argparse
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

sys.path.append(str(Path(__file__).parents[1]))

import kqf
from tools.bench.encoders import by_libimagequant, png8
from tools.bench.images import samples

COLORS = 64
# Left, upper, right and lower of the part that is shown: roofs before the sky, the lake below.
PART = (170, 10, 330, 190)
ZOOM, GAP, TITLE, FONT_SIZE = 2, 8, 30, 16
QUALITY = 92


def main(target: Path) -> None:
    pixels = samples()["china.jpg"]
    data = kqf.encode(pixels, colors=COLORS)
    colors, peer = COLORS, by_libimagequant(pixels, COLORS, dithered=True)
    while len(png8(peer)) > len(data):
        colors -= 1
        peer = by_libimagequant(pixels, colors, dithered=True)
    size = len(png8(peer))
    parts = {
        "original": pixels,
        f"KQF: {len(data):,} bytes, {COLORS} colours": kqf.decode(data),
        f"pngquant: {size:,} bytes, {colors} colours": peer.pixels,
    }
    width, height = (ZOOM * (PART[2] - PART[0]), ZOOM * (PART[3] - PART[1]))
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height + TITLE), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for number, (title, shown) in enumerate(parts.items()):
        left = number * (width + GAP)
        part = Image.fromarray(shown).crop(PART)
        sheet.paste(part.resize((width, height), Image.Resampling.NEAREST), (left, TITLE))
        pen.text((left, 4), title, "black", font)
        print(title)
    sheet.save(target, "WEBP", quality=QUALITY, method=6)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(__file__).parents[1] / "docs" / "strip.webp"
    parser.add_argument("file", nargs="?", type=Path, default=default)
    main(parser.parse_args().file)
