"""Images of other formats, read and written through Pillow."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from kqf.io.image_metadata import dropped_metadata, fits_profile, metadata_of, take_metadata
from kqf.io.modes import DEFAULT_IMAGE, in_stored_mode, is_translucent
from kqf.text import reason

# Enough of the signature to tell a damaged KQF file from something else.
_KQF_START = b"\x89KQF"
# Formats whose first picture is what viewers show; the others are previews, views or layers.
_OF_ONE_PICTURE = {"MPO": "pictures", "PSD": "layers"}
_SUBFILE_TYPE = 254
# Reduced versions of another page, and masks.
_NO_PAGE = 0b101
_BITS = {"L;2": 2, "L;4": 4}
_SAVE_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"optimize": True},
    # Otherwise Pillow leaves unused colours out and renumbers the others.
    "GIF": {"optimize": False},
    "WEBP": {"lossless": True, "exact": True},
}


@dataclass(frozen=True)
class Picture:
    """An image from a file of any format.

    Attributes:
        image: in a mode that KQF stores, its metadata in ``info`` where Pillow's plugins look.
        changes: how its pixels differ from those in the file, in words.
        dropped: metadata of the file that KQF does not keep, in words.
        left_out: other pictures of the file, in words.
    """

    image: Image.Image
    changes: list[str]
    dropped: list[str]
    left_out: list[str]


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
    """Return the image in a file, and how its pixels were changed, in words.

    It takes the same arguments as load_picture, and raises the same errors.
    """
    picture = load_picture(data, frame)
    return picture.image, picture.changes


def load_picture(data: bytes, frame: int | None = None) -> Picture:
    """Return the picture in a file.

    Arguments:
        frame: which one of several, from 0. Without it the file must hold one picture; previews,
            overviews and layers beside it do not count.

    Raises:
        ValueError: not a picture, damaged, of several frames, or of a mode that KQF can't store.
    """
    if not data:
        raise ValueError("the file is empty")
    with _as_value_errors():
        image = Image.open(io.BytesIO(data))
        frames = _frames(image)
    left_out: list[str] = []
    if frame is None and getattr(image, "default_image", False) and len(frames) == 2:
        # An animation of one frame, and the image for programs that know no animations.
        frames = frames[1:]
        left_out.append(DEFAULT_IMAGE)
    main = _OF_ONE_PICTURE.get(image.format or "")
    if frame is None and len(frames) > 1:
        if not main:
            raise ValueError(
                f"holds {len(frames)} frames or pages, and one is to be taken: "
                f"pick one with kqf convert, --frame 0 to --frame {len(frames) - 1}"
            )
        if main == "pictures":
            left_out.append(f"its other pictures are left out: {len(frames) - 1}")
    if frame is not None and frame >= len(frames):
        raise ValueError(f"has no frame {frame}: the last one is {len(frames) - 1}")
    with _as_value_errors():
        if frame is not None or not main:
            if main == "layers":
                # Until another is sought, Pillow gives the merged image as the first layer.
                image.seek(frames[-1])
            image.seek(frames[frame or 0])
        bits = _bits(image)
        image.load()
    stored, changes = in_stored_mode(image, bits)
    metadata = metadata_of(image)
    if bits == 16 and not image.mode.startswith("I"):
        changes.insert(0, "16 bits a channel are cut to 8")
    if not fits_profile(image, metadata.get("icc_profile")):
        del metadata["icc_profile"]
        changes.append("the profile is dropped")
    take_metadata(stored)
    stored.info.update(metadata)
    stored.format = image.format
    return Picture(stored, changes, dropped_metadata(image), left_out)


def _frames(image: Image.Image) -> list[int]:
    """Return the numbers under which Pillow has the frames of an image."""
    if image.format == "TIFF":
        return _pages(image)
    first = getattr(image, "_min_frame", 0)
    return list(range(first, first + getattr(image, "n_frames", 1)))


def _pages(image: Any) -> list[int]:
    """Return the numbers of TIFF's pages, without overviews and masks of others."""
    types: list[int] = []
    with suppress(EOFError):
        while True:
            # Pillow does not know the pixels of every mask, but has read its tags by then.
            with suppress(SyntaxError):
                image.seek(len(types))
            types.append(int(image.tag_v2.get(_SUBFILE_TYPE, 0)))
    pages = [number for number, kind in enumerate(types) if not kind & _NO_PAGE]
    return pages or list(range(len(types)))


def _bits(image: Image.Image) -> int | None:
    """Return the bits a channel in a file that is not loaded yet, None where Pillow keeps them."""
    layout = str(getattr(image, "tile", ""))
    if re.search(r";16[BLN]", layout):
        return 16
    return next((bits for mode, bits in _BITS.items() if f"'{mode}'" in layout), 8)


@contextmanager
def _as_value_errors() -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise ValueError("not an image that Pillow knows") from None
    except Exception as error:
        # What Pillow raises about damaged files is of every kind.
        raise ValueError(f"cannot be read: {reason(error)}") from error


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
