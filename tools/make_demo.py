"""Make docs/demo: a page that shows a photograph, a screenshot, an icon and an animation as KQF.

    python tools/make_demo.py

Each stands beside PNG8 or GIF, and lossless WebP, of the same labels, with their bytes. The
photograph is scikit-learn's china.jpg, by danielbuechele, CC BY 2.0, reduced; the others are drawn
here. The page takes the element from kqf/web: serve the root of the repository, and open
docs/demo/.
"""

import io
from pathlib import Path

import numpy as np
import oxipng
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

import kqf

FOLDER = Path(__file__).parents[1] / "docs" / "demo"
PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>KQF in the browser</title>
    <script type="module" src="../../kqf/web/kqf.min.js"></script>
    <style>
      :root {{ color-scheme: light dark; }}
      body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 0 auto;
        padding: 16px; }}
      .row {{ display: grid; gap: 16px;
        grid-template-columns: repeat(auto-fit, minmax(min(280px, 100%), 1fr)); }}
      figure {{ margin: 0; }}
      img, kqf-img {{ width: 100%; object-fit: contain; }}
      .small :is(img, kqf-img) {{ width: 128px; image-rendering: pixelated; }}
      figcaption {{ font-variant-numeric: tabular-nums; }}
    </style>
  </head>
  <body>
    <h1>KQF in the browser</h1>
    <p>The first picture of each row is a KQF file, decoded by this page. The others hold the same
      pixels.</p>
{rows}
    <p>Photograph: danielbuechele, CC BY 2.0, from scikit-learn's samples, reduced.</p>
  </body>
</html>
"""
BUTTONS = [(255, 95, 87), (254, 188, 46), (40, 200, 64)]
LABELS = {"kqf": "KQF", "png": "PNG8, oxipng", "gif": "GIF, Pillow", "webp": "WebP, lossless"}


def photograph() -> Image.Image:
    return Image.fromarray(load_sample_image("china.jpg")).resize((480, 320))


def screenshot(words_shown: int | None = None) -> Image.Image:
    """Draw a window with the text of a program, or its first words."""
    image = Image.new("RGB", (640, 400), "#1e2430")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    draw.rectangle((0, 0, 640, 26), "#2d3545")
    for x, color in zip((14, 32, 50), BUTTONS, strict=True):
        draw.ellipse((x - 6, 7, x + 6, 19), color)
    lines = (Path(kqf.__file__).parent / "threads.py").read_text("utf-8").splitlines()
    words = ("def", "import", "from", "return", "for", "if", "in", "with", "while", "yield")
    for row, line in enumerate(lines[:22]):
        draw.text((12, 34 + 16 * row), f"{row + 1:2}", "#5c6a82", font)
        x = 44.0 + 7 * (len(line) - len(line.lstrip()))
        for word in line.split():
            if words_shown is not None:
                words_shown -= 1
                if words_shown < 0:
                    return image
            draw.text((x, 34 + 16 * row), word, "#7fb4ff" if word in words else "#d6deeb", font)
            x += draw.textlength(word + " ", font)
    return image


def icon() -> Image.Image:
    """Draw a boat, four times as large, and reduce it."""
    image = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, 248, 248), "#2b7bd6")
    draw.polygon(((124, 44), (124, 150), (60, 150)), "white")
    draw.polygon(((134, 64), (134, 150), (196, 150)), "#ffd166")
    draw.polygon(((48, 162), (208, 162), (176, 204), (80, 204)), "#c8553d")
    return image.resize((64, 64), Image.Resampling.LANCZOS)


def files_of(image: Image.Image) -> dict[str, bytes]:
    """Return an image by suffix, all with the labels and colours that KQF finds."""
    data = kqf.encode(np.asarray(image), seed=0)
    picture = kqf.read_indexed(data).to_pillow()
    png, webp = io.BytesIO(), io.BytesIO()
    picture.save(png, "PNG")
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    picture.convert(mode).save(webp, "WEBP", lossless=True, exact=True, quality=100, method=6)
    return {
        "kqf": data,
        "png": oxipng.optimize_from_memory(png.getvalue(), level=6),
        "webp": webp.getvalue(),
    }


def files_of_animation(frames: list[Image.Image], duration: int) -> dict[str, bytes]:
    """Return an animation by suffix, all with the pixels of the KQF file."""
    pixels = np.stack([np.asarray(each) for each in frames])
    data = kqf.encode_animation(pixels, durations=duration, keep=BUTTONS)
    with kqf.open_animation(data) as animation:
        shown = [animation.read_indexed(i).to_pillow() for i in range(len(animation))]
    options = {"save_all": True, "duration": duration, "loop": 0}
    gif, webp = io.BytesIO(), io.BytesIO()
    shown[0].save(gif, "GIF", append_images=shown[1:], **options)
    first, *rest = (each.convert("RGB") for each in shown)
    options |= {"lossless": True, "quality": 100, "method": 6, "minimize_size": True}
    first.save(webp, "WEBP", append_images=rest, **options)
    return {"kqf": data, "gif": gif.getvalue(), "webp": webp.getvalue()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = []
    typing = [screenshot(words) for words in range(0, 61, 3)]
    for name, files in (
        ("photograph", files_of(photograph())),
        ("screenshot", files_of(screenshot())),
        ("animation", files_of_animation(typing, 150)),
        ("icon", files_of(icon())),
    ):
        figures = []
        for suffix, data in files.items():
            path = FOLDER / f"{name}.{suffix}"
            path.write_bytes(data)
            tag = "kqf-img" if suffix == "kqf" else "img"
            end = "</kqf-img>" if suffix == "kqf" else ""
            label = LABELS[suffix]
            figures.append(
                f'        <figure><{tag} src="{path.name}" alt="{name}">{end}'
                f"<figcaption>{label}: {len(data):,} bytes</figcaption></figure>"
            )
            print(f"{path.name}: {len(data):,} bytes")
        small = " small" if name == "icon" else ""
        rows += [f"    <h2>{name.capitalize()}</h2>", f'    <div class="row{small}">']
        rows += [*figures, "    </div>"]
    (FOLDER / "index.html").write_text(PAGE.format(rows="\n".join(rows)), "utf-8")


if __name__ == "__main__":
    main()
