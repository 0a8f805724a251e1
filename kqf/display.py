"""Labels and a codebook as a picture, and as the HTML that notebooks show."""

import base64
import io

import numpy as np
from PIL import Image

# Pixels of a side of a picture in HTML, as wide as matplotlib's figures: a notebook holds each of
# them as text. Larger pictures are thinned out.
_SIDE = 640
# Small pictures are shown this wide, each pixel a square.
_WIDTH = 160


def picture_of(labels: np.ndarray, codebook: np.ndarray) -> Image.Image:
    """Return labels (H, W) uint8 and codebook (K, C) uint8 as an image of mode ``P``."""
    colors = in_color(codebook)
    picture = Image.frombytes("P", labels.shape[::-1], np.ascontiguousarray(labels).tobytes())
    picture.putpalette(colors.tobytes(), "RGBA" if colors.shape[1] == 4 else "RGB")
    return picture


def in_color(codebook: np.ndarray) -> np.ndarray:
    """Return a codebook as RGB (K, 3) or, with alpha, RGBA (K, 4)."""
    if codebook.shape[1] > 2:
        return codebook
    return np.concatenate([np.repeat(codebook[:, :1], 3, axis=1), codebook[:, 1:]], axis=1)


def as_html(labels: np.ndarray, codebook: np.ndarray) -> str:
    """Return the picture, its colours with their shares of the pixels, and numbers, as HTML.

    Arguments:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
    """
    height, width = labels.shape
    step = -(-max(height, width) // _SIDE)
    buffer = io.BytesIO()
    picture_of(labels[::step, ::step], codebook).save(buffer, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    counts = np.bincount(labels.ravel(), minlength=len(codebook))
    entries = "".join(
        f'<span title="{label}: {_css(color)}, {count / labels.size:.2%}" style="'
        f'display:inline-block;width:16px;height:16px;background:{_css(color)}"></span>'
        for label, (color, count) in enumerate(
            zip(in_color(codebook).tolist(), counts.tolist(), strict=True)
        )
    )
    facts = [
        f"{width:,} \N{MULTIPLICATION SIGN} {height:,} pixels",
        f"{len(codebook)} colours, {np.count_nonzero(counts)} of them used",
    ]
    if step > 1:
        facts.append(f"shown: one of {step} x {step} pixels")
    alt = f"Image of {facts[0]}"
    shown = max(-(-width // step), _WIDTH)
    return (
        f'<figure style="margin:0"><img src="{uri}" alt="{alt}" style="width:{shown}px;'
        f'max-width:100%;image-rendering:{"pixelated" if width < _WIDTH else "auto"}">'
        f'<div style="line-height:0;max-width:576px">{entries}</div>'
        f"<figcaption>{', '.join(facts)}</figcaption></figure>"
    )


def _css(color: list[int]) -> str:
    return "#" + bytes(color).hex()
