"""Pictures of any format, through Pillow."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from kqf.text import reason

# What KQF stores, and the types in which undamaged files give it.
_METADATA: dict[str, tuple[type, ...]] = {
    "icc_profile": (bytes,),
    "exif": (bytes,),
    "xmp": (bytes, str),
    "dpi": (tuple,),
    "comment": (bytes, str),
}
# Enough of the signature to tell a damaged KQF file from something else.
_KQF_START = b"\x89KQF"
_STORED = ("1", "L", "LA", "P", "RGB", "RGBA")
# TIFF keeps its layout in the same directory: these tags alone are about the picture.
_TIFF_TAGS = (270, 271, 272, 274, 305, 306, 315, 33432)
_TIFF_DIRECTORIES = (0x8769, 0x8825)
_SAVE_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"optimize": True},
    # Otherwise Pillow leaves unused colours out and renumbers the others.
    "GIF": {"optimize": False},
    "WEBP": {"lossless": True, "exact": True},
}


def is_kqf(name: str, data: bytes) -> bool:
    """Tell by the first bytes or, damaged as they may be, by the name."""
    return data.startswith(_KQF_START) or Path(name).suffix.lower() == ".kqf"


def format_of(suffix: str) -> str:
    """Return Pillow's name of the format that files with this suffix have.

    Raises:
        ValueError: Pillow does not write any.
    """
    Image.init()
    name = Image.registered_extensions().get(suffix.lower())
    if name not in Image.SAVE:
        raise ValueError(f"Pillow writes no format with the suffix {suffix}")
    return name


def load(data: bytes, frame: int | None = None) -> tuple[Image.Image, list[str]]:
    """Return the picture in a file, and what was lost on the way, in words.

    Arguments:
        frame: which one of several, from 0; None where there is but one.

    Returns:
        an image in a mode that KQF stores, its metadata in ``info`` where Pillow's plugins look.

    Raises:
        ValueError: not a picture, damaged, of several frames, or of a mode that KQF can't store.
    """
    with _as_value_errors():
        image = Image.open(io.BytesIO(data))
        frames = getattr(image, "n_frames", 1)
    if frame is None and frames > 1:
        raise ValueError(
            f"holds {frames} frames and a KQF file holds one: "
            f"pick one with kqf convert, --frame 0 to --frame {frames - 1}"
        )
    if frame is not None and frame >= frames:
        raise ValueError(f"has no frame {frame}: the last one is {frames - 1}")
    with _as_value_errors():
        image.seek(frame or 0)
        deep = re.search(r";16[BLN]", str(image.tile))
        image.load()
    stored = _as_stored(image)
    metadata = metadata_of(image)
    lost = ["16 bits a channel are cut to 8"] if deep else []
    if image.mode not in _STORED:
        lost.append(f"mode {image.mode} is converted to {stored.mode}")
    # It describes inks, which are gone.
    if image.mode == "CMYK" and metadata.pop("icc_profile", None):
        lost.append("the profile is dropped")
    take_metadata(stored)
    stored.info.update(metadata)
    stored.format = image.format
    return stored, lost


@contextmanager
def _as_value_errors() -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise ValueError("not an image that Pillow knows") from None
    except Exception as error:
        # What Pillow raises about damaged files is of every kind.
        raise ValueError(f"cannot be read: {reason(error)}") from error


def _as_stored(image: Image.Image) -> Image.Image:
    if image.mode in ("1", "L", "RGB") and image.has_transparency_data:
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode in _STORED:
        return image
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"mode {image.mode} has more than the 8 bits a channel of KQF: reduce it to 8 first"
        )
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """Return all metadata that KQF stores, in the form in which Pillow's plugins take it."""
    found = {
        key: value
        for key, types in _METADATA.items()
        if (value := image.info.get(key)) and isinstance(value, types)
    }
    if comment := image.info.get("Comment"):
        found.setdefault("comment", str(comment))
    if "exif" not in found:
        try:
            exif = _exif(image)
        except Exception as error:
            # Again of every kind, yet not a reason to give up the picture.
            warnings.warn(f"EXIF is damaged and dropped: {reason(error)}", stacklevel=1)
        else:
            if len(exif):
                found["exif"] = exif.tobytes()
    return found


def _exif(image: Image.Image) -> Image.Exif:
    """Return EXIF that is not in one piece in the file: of TIFF, or hidden in PNG's texts."""
    exif = image.getexif()
    if image.format != "TIFF":
        return exif
    kept = Image.Exif()
    for tag in _TIFF_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    for directory in _TIFF_DIRECTORIES:
        if entries := exif.get_ifd(directory):
            kept[directory] = entries
    return kept


def take_metadata(image: Image.Image) -> dict[str, Any]:
    """Return the metadata in ``info``, and take it away from there."""
    return {key: image.info.pop(key) for key in _METADATA if key in image.info}


def without_palette(image: Image.Image) -> Image.Image:
    """Return an image of mode L, LA, RGB or RGBA that shows the same."""
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def is_translucent(image: Image.Image) -> bool:
    """Tell whether any pixel lets something shine through."""
    return image.copy().convert("RGBA").getchannel("A").getextrema() != (255, 255)


def codebook_of(image: Image.Image) -> np.ndarray:
    """Return the codebook (K, C) uint8, C 3 or 4, of an image of mode ``P``."""
    ramp = image.crop((0, 0, 256, 1))
    ramp.frombytes(bytes(range(256)))
    entries = len(image.getpalette("RGB") or ()) // 3
    codebook: np.ndarray = np.asarray(without_palette(ramp))[0]
    return codebook[: max(entries, int(np.asarray(image).max()) + 1)]


def save(
    image: Image.Image,
    file_format: str,
    metadata: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> tuple[bytes, bool | None, list[str]]:
    """Save an image in one of Pillow's formats, with its very pixels if they can be had.

    Arguments:
        image: without metadata of its own in ``info``, which some writers would take.
        options: of Pillow's writer, before those chosen here.

    Returns:
        the file; whether it shows the very pixels, None of a format that Pillow can't read back;
        keys of the metadata that it does not keep.

    Raises:
        ValueError: the format cannot hold it.
    """
    chosen = {**_SAVE_OPTIONS.get(file_format, {}), **metadata}
    if file_format == "PNG":
        chosen["pnginfo"] = png_texts(metadata)
    chosen.update(options or {})
    # Pillow's convert can leave a palette behind that its GIF writer reads wrongly: of a copy.
    rgba = image.copy().convert("RGBA")
    if "exif" in metadata:
        rgba.info["exif"] = metadata["exif"]
    translucent = is_translucent(image)
    problem: object = None
    best = None
    # Not every format knows palettes, or alpha in them.
    for candidate in (image, image.copy().convert("RGBA" if translucent else "RGB")):
        buffer = io.BytesIO()
        try:
            candidate.save(buffer, file_format, **chosen)
        except Exception as error:
            # What its writers raise is of as many kinds as what its readers do.
            problem = reason(error)
            continue
        try:
            shown = Image.open(buffer)
            shown.load()
        except Exception:
            # Any error at all: some formats are for writing alone, or need other programs.
            return buffer.getvalue(), None, []
        if translucent and not shown.has_transparency_data:
            problem = f"{file_format} keeps no transparency"
            continue
        exact = _same(shown, rgba)
        if exact or best is None:
            kept = metadata_of(shown)
            best = buffer.getvalue(), exact, [key for key in metadata if key not in kept]
        if exact:
            break
    if best is None:
        raise ValueError(f"cannot be saved as {file_format}: {problem}")
    return best


def _same(image: Image.Image, other: Image.Image) -> bool:
    # Pillow turns some formats as their orientation says, and others not.
    first, second = (ImageOps.exif_transpose(each).convert("RGBA") for each in (image, other))
    return np.array_equal(np.asarray(first), np.asarray(second))


def png_texts(metadata: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    if "xmp" in metadata:
        texts.add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode("utf-8", "replace"))
    if "comment" in metadata:
        texts.add_itxt("Comment", metadata["comment"])
    return texts
