"""The other encoders that benchmarks compare KQF with, each from arrays to bytes."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import kqf


def save(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def palette_image(labels: np.ndarray, codebook: np.ndarray) -> Image.Image:
    """Return labels (H, W) and codebook (K, 3 or 4), both uint8, as an image of mode P."""
    image = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    image.putpalette(codebook.tobytes(), "RGBA" if codebook.shape[1] == 4 else "RGB")
    return image


def optimized(png: bytes) -> bytes:
    """Return a PNG made as small as oxipng makes it at level 6."""
    import oxipng

    return bytes(oxipng.optimize_from_memory(png, level=6))


def png8(image: kqf.IndexedImage) -> bytes:
    """Return labels and codebook as a palette PNG, made smaller by oxipng.

    Of two colours or fewer, oxipng stores one bit for each pixel.
    """
    return optimized(save(palette_image(image.labels, image.codebook), "PNG", optimize=True))


def webp(pixels: np.ndarray, quality: int = 100) -> bytes:
    """Return pixels as lossless WebP; ``quality`` is the work spent, 0 to 100."""
    options = {"lossless": True, "exact": True, "quality": quality, "method": 6}
    return save(Image.fromarray(pixels), "WEBP", **options)


def gif(pixels: np.ndarray, colors: int) -> bytes:
    """Return pixels as GIF; with alpha, Pillow decides on the colours."""
    image = Image.fromarray(pixels)
    return save(image if pixels.shape[2] == 4 else image.quantize(colors), "GIF")


def jpeg_xl(pixels: np.ndarray, effort: int = 9) -> bytes | None:
    """Return pixels as lossless JPEG XL, or None where neither cjxl nor imagecodecs can do it."""
    if shutil.which("cjxl"):
        with tempfile.TemporaryDirectory() as name:
            source, target = Path(name) / "a.png", Path(name) / "a.jxl"
            Image.fromarray(pixels).save(source, compress_level=1)
            command = ["cjxl", source, target, "--distance=0", f"--effort={effort}", "--quiet"]
            subprocess.run(command, check=True)
            return target.read_bytes()
    try:
        from imagecodecs import JPEGXL, jpegxl_encode
    except ImportError:
        return None
    return bytes(jpegxl_encode(pixels, lossless=True, effort=effort)) if JPEGXL.available else None


def by_libimagequant(
    pixels: np.ndarray, colors: int = 256, *, speed: int = 1, dithered: bool = False
) -> kqf.IndexedImage:
    """Return pixels (H, W, 3 or 4) with so many colours by libimagequant, slowest at speed 1."""
    import libimagequant

    channels = pixels.shape[2]
    settings = libimagequant.Attr()
    settings.speed = speed
    settings.max_colors = colors
    rgba = np.ascontiguousarray(Image.fromarray(pixels).convert("RGBA"))
    image = settings.create_rgba(rgba.tobytes(), *pixels.shape[1::-1], 0)
    result = image.quantize(settings)
    result.dithering_level = float(dithered)
    labels = np.frombuffer(bytes(result.remap_image(image)), np.uint8).reshape(pixels.shape[:2])
    codebook = np.array([(c.r, c.g, c.b, c.a) for c in result.get_palette()], np.uint8)
    return kqf.IndexedImage(labels, np.ascontiguousarray(codebook[:, :channels]))
