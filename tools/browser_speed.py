"""Time how fast headless Chromium decodes KQF, PNG8 and lossless WebP of the same labels.

    python tools/browser_speed.py IMAGE... [--rounds N]

Each image is quantized by KQF with its defaults, and the labels and colours that come out are
stored as palette PNG and as lossless WebP by Pillow. Every format is decoded from bytes in memory
to an ImageBitmap, in turn, so that all meet the same load; the median is printed, and its ratio to
PNG8. Rows of KQF are drawn as they come. Bitmaps are drawn on a canvas of one pixel, as browsers
may put off decoding until then. Two rounds go before, in which a second thread starts where the
image is large.
"""

import argparse
import base64
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import kqf
import kqf.web

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from javascript import await_script, browser, serve

_SCRIPT = """
const { open } = await import("/kqf.js");
const [texts, rounds] = args;
const bytes = texts.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const kinds = ["", "image/png", "image/webp"];
async function drawn(data) {
    const file = await open(data);
    const canvas = new OffscreenCanvas(file.width, file.height);
    await file.read({ onRows: (image, upper, lower) => image.drawRows(canvas, upper, lower) });
    return canvas.transferToImageBitmap();
}
const times = kinds.map(() => []);
for (let round = 0; round < rounds + 2; round++) {
    for (const [i, kind] of kinds.entries()) {
        const start = performance.now();
        const bitmap = kind
            ? await createImageBitmap(new Blob([bytes[i]], { type: kind }))
            : await drawn(bytes[i]);
        pixel.drawImage(bitmap, 0, 0, 1, 1);
        pixel.getImageData(0, 0, 1, 1);
        const time = performance.now() - start;
        bitmap.close();
        if (round > 1) times[i].push(time);
        await new Promise((done) => setTimeout(done, 5));
    }
}
return times;
"""


def versions(path: Path) -> list[bytes]:
    """Return an image as KQF, PNG8 and lossless WebP of the same labels."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    data = kqf.encode(pixels, seed=0)
    picture = kqf.read_indexed(data).to_pillow()
    files = [data]
    for target, options in (
        (picture, {"format": "PNG", "optimize": True}),
        (picture.convert("RGB"), {"format": "WEBP", "lossless": True, "exact": True}),
    ):
        buffer = io.BytesIO()
        target.save(buffer, **options)
        files.append(buffer.getvalue())
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as profile,
        browser(profile) as page,
        serve(kqf.web.path()) as address,
    ):
        page.get(f"{address}/package.json")
        print("image, megapixels: KQF, PNG8, WebP in ms; ratios to PNG8")
        for path in arguments.images:
            files = versions(path)
            texts = [base64.b64encode(data).decode() for data in files]
            times = await_script(page, _SCRIPT, texts, arguments.rounds)
            medians = [float(np.median(values)) for values in times]
            info = kqf.info(files[0])
            megapixels = info.width * info.height / 1e6
            ms = ", ".join(f"{median:.1f}" for median in medians)
            kqf_ratio, webp_ratio = (median / medians[1] for median in medians[::2])
            print(
                f"{path.name}, {megapixels:.2f}: {ms}; {kqf_ratio:.2f}, {webp_ratio:.2f} "
                f"({info.predictor}, {info.tiles} tiles, {[len(data) for data in files]} bytes)",
                flush=True,
            )


if __name__ == "__main__":
    main()
