"""Images of any of Pillow's modes in the modes that KQF stores."""

from typing import Any

import numpy as np
from PIL import Image

STORED = ("1", "L", "LA", "P", "RGB", "RGBA")
# Of pixels of so many channels.
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# These show the same pixels afterwards, so there is nothing to say about them.
_EXACT = {"PA": "RGBA", "RGBX": "RGB"}
_CONVERTED = {
    "La": "LA",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}
# 16-bit images that use less than this are dark by mistake: their values are no brightness.
_LEAST_HIGHEST = 2**12

# What is said of an APNG's.
DEFAULT_IMAGE = "the default image, which is no frame, is left out"


def image_of(pixels: np.ndarray) -> Image.Image:
    """Return pixels (H, W) or (H, W, 1 to 4) uint8 as an image of mode L, LA, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)


def in_stored_mode(image: Image.Image, bits: int | None = None) -> tuple[Image.Image, list[str]]:
    """Return an image in mode 1, L, LA, P, RGB or RGBA, and what that changes, in words.

    A transparent colour becomes alpha. Of gray with 16 bits the higher byte is kept, as Pillow
    does when it opens colour with 16 bits a channel.

    Arguments:
        image: of any mode, loaded.
        bits: bits a channel in the file that it comes from, where they are known: Pillow scales
            gray of 2 and 4 bits and colour of 16 bits to 8, and leaves their transparent colour.

    Raises:
        ValueError: no one conversion is right. The message gives an expression that converts it.
    """
    mode = image.mode
    if mode.startswith("I;16"):
        return _from_16_bits(image)
    if mode in ("I", "F"):
        raise ValueError(f"mode {mode} has no fixed range: {_advice(image)}")
    if mode in ("1", "L", "RGB") and image.info.get("transparency") is not None:
        return _with_alpha(image, bits)
    if mode in STORED:
        return image, []
    if mode in _EXACT:
        return image.convert(_EXACT[mode]), []
    if mode in _CONVERTED:
        target = _CONVERTED[mode]
        return image.convert(target), [f"mode {mode} is converted to {target}"]
    advice = f"Image.frombytes('RGB', im.size, im.tobytes(), 'raw', {mode!r})"
    raise ValueError(f"Pillow cannot convert mode {mode}: make an image of it with {advice}")


def _from_16_bits(image: Image.Image) -> tuple[Image.Image, list[str]]:
    values = np.asarray(image)
    highest = int(values.max(initial=0))
    if 0 < highest < _LEAST_HIGHEST:
        raise ValueError(
            f"mode {image.mode} holds 0 to 65535, of which the higher byte is kept, and no value "
            f"exceeds {highest}: {_advice(image)}"
        )
    gray = Image.fromarray((values >> 8).astype(np.uint8))
    gray.info = {key: value for key, value in image.info.items() if key != "transparency"}
    transparent = image.info.get("transparency")
    if transparent is not None:
        gray.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return gray, ["16 bits a channel are cut to 8"]


def _advice(image: Image.Image) -> str:
    """Return how to scale an image of mode I, I;16 or F to 8 bits, by its own range."""
    values = np.asarray(image)
    if not np.isfinite(values).all():
        return "replace what is not a number or infinite, then scale it to 0 to 255"
    low, high = min(0.0, float(values.min(initial=0))), float(values.max(initial=0))
    if low == 0 and high <= 255 and image.mode == "I":
        return "its values fit 8 bits, im.convert('L')"
    wide = "im" if image.mode in ("I", "F") else "im.convert('I')"
    offset = f"(v - {low:g})" if low else "v"
    return (
        "scale it to 0 to 255 first, "
        f"{wide}.point(lambda v: {offset} * {255 / ((high - low) or 1):.6g}).convert('L')"
    )


def _with_alpha(image: Image.Image, bits: int | None) -> tuple[Image.Image, list[str]]:
    notes: list[str] = []
    transparent: Any = image.info["transparency"]
    if image.mode == "RGB" and isinstance(transparent, tuple):
        if bits == 16 or max(transparent) > 255:
            notes.append("the transparent colour of 16 bits a channel is cut to 8")
            transparent = tuple(value >> 8 for value in transparent)
    elif image.mode == "1":
        # Older versions of Pillow give 1 for white.
        transparent = 255 if transparent else 0
    elif image.mode == "L" and isinstance(transparent, int):
        if bits in (2, 4):
            transparent *= 255 // (2**bits - 1)
        elif bits is None and _is_unscaled(image, transparent):
            notes.append(
                f"no pixel has the transparent gray {transparent}: Pillow scales PNG files of 2 or "
                "4 bits to 8, but not their transparent gray (kqf convert does)"
            )
    image = image.copy()
    image.info["transparency"] = transparent
    return image.convert("RGBA" if image.mode == "RGB" else "LA"), notes


def _is_unscaled(image: Image.Image, transparent: int) -> bool:
    """Tell whether a transparent gray may be one of 2 or 4 bits, of an image scaled to 8."""
    if image.format != "PNG" or not 0 < transparent < 16:
        return False
    levels = np.flatnonzero(image.histogram())
    return not (levels % 17).any()


def without_palette(image: Image.Image) -> Image.Image:
    """Return an image of mode L, LA, RGB or RGBA that shows the same as one in a stored mode."""
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def is_translucent(image: Image.Image) -> bool:
    """Tell whether any pixel is not opaque."""
    return image.copy().convert("RGBA").getchannel("A").getextrema() != (255, 255)


def codebook_of(image: Image.Image) -> np.ndarray:
    """Return the codebook (K, C) uint8, C 3 or 4, of an image of mode ``P``, as Pillow shows it.

    Entries that no pixel has are kept; labels without an entry get one.
    """
    # An image of every label, with this palette and transparency.
    ramp = image.crop((0, 0, 256, 1))
    ramp.frombytes(bytes(range(256)))
    colors: np.ndarray = np.asarray(without_palette(ramp))[0]
    entries = len(image.getpalette(None) or ()) // len(image.im.getpalettemode())
    return colors[: max(entries, int(np.asarray(image).max(initial=0)) + 1)]
