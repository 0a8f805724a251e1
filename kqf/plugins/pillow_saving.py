"""What Pillow calls to save images as KQF."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import IO, Any, cast

import numpy as np
from PIL import Image

from kqf.format.declarations import MAX_COLORS, METADATA_TYPES
from kqf.format.metadata import build_metadata
from kqf.io.files import write_whole
from kqf.io.image_metadata import EXIF_PREFIX, fits_profile
from kqf.io.modes import codebook_of, in_stored_mode, without_palette
from kqf.io.moving_pictures import MovingPicture, plays_of

# What save_all takes, and Pillow's writers of one frame ignore.
_OF_ANIMATIONS = ("duration", "loop")
# Of the warnings about an image that is saved: the line that called Image.save.
_SAVING = 4


def save(im: Image.Image, fp: IO[bytes]) -> None:
    """Write an image as KQF, with the options in its ``encoderinfo``, as Pillow's writers do.

    Modes 1, L, LA, P, PA, RGB, RGBA and RGBX are saved as they are. Those of premultiplied alpha,
    16 bits, CMYK, YCbCr, LAB and HSV are converted, with a UserWarning that says how.

    Raises:
        OSError: modes I, F and BGR, with the conversion to use.
        TypeError, ValueError: an option or its value is not allowed.
    """
    # Import lazily: opening a file does not need the encoder.
    from kqf.encoding.api import encode, encode_indexed
    from kqf.encoding.options import EncodeOptions, StorageOptions, options_of, with_defaults

    options = dict(im.encoderinfo)
    # Pillow comes here with save_all=False, where its own writers ignore append_images.
    if list(options.pop("append_images", None) or ()):
        raise ValueError("append_images needs save_all=True")
    for name in _OF_ANIMATIONS:
        options.pop(name, None)
    metadata = _metadata(im, options)
    im = _with_transparency(im, options)
    if "metadata" in options:
        raise TypeError(f"metadata is given by its keys: {', '.join(METADATA_TYPES)}")
    with_defaults(options, EncodeOptions)
    try:
        stored, notes = in_stored_mode(im)
    except ValueError as error:
        raise OSError(f"cannot write mode {im.mode} as KQF: {error}") from error
    for note in notes:
        warnings.warn(note, stacklevel=_SAVING)
    if stored.mode == "P":
        labels, codebook = np.asarray(stored), codebook_of(stored)
        options = _options_of_labels(options, codebook, options_of(StorageOptions))
        data = encode_indexed(labels, codebook, metadata=metadata, **options)
    else:
        data = encode(np.asarray(without_palette(stored)), metadata=metadata, **options)
    write_whole(cast(Any, fp), data)


def save_all(im: Image.Image, fp: IO[bytes]) -> None:
    """Write all frames of an image, and those of ``append_images``, as one animation.

    ``duration`` is one number of milliseconds, or one for each frame; without it frames keep what
    their ``info`` says. ``loop`` has its meaning in GIF. Frames that come from palettes are stored
    exactly, unless options ask for another codebook or quality. One frame is written as by save.

    Raises:
        OSError, TypeError, ValueError: see save; or frames differ in size.
    """
    from kqf.encoding.animation.api import write_animation
    from kqf.encoding.options import EncodeOptions, StorageOptions, options_of, with_defaults

    options = dict(im.encoderinfo)
    images = [im, *(options.pop("append_images", None) or ())]
    if len(images) == 1 and getattr(im, "n_frames", 1) == 1:
        save(im, fp)
        return
    duration = options.pop("duration", None)
    plays = _plays(options.pop("loop")) if "loop" in options else plays_of(im)
    metadata = _metadata(im, options)
    if "metadata" in options:
        raise TypeError(f"metadata is given by its keys: {', '.join(METADATA_TYPES)}")
    with_defaults(options, EncodeOptions)
    try:
        moving = MovingPicture(images)
    except ValueError as error:
        raise OSError(f"cannot write the frames as KQF: {error}") from error
    for note in moving.notes:
        warnings.warn(note, stacklevel=_SAVING)
    if duration is None:
        duration = [time or 0 for time in moving.durations]
    storage = options_of(StorageOptions)
    write_animation(
        cast(Any, fp),
        moving,
        durations=duration,
        loop=plays,
        exact=moving.is_palette and not options.keys() - storage,
        metadata=metadata,
        **options,
    )


def _plays(loop: object) -> int:
    """Return how often to play for Pillow's ``loop``."""
    if loop is None:
        return 1
    if isinstance(loop, bool) or not isinstance(loop, int) or loop < 0:
        raise ValueError(f"loop must be an integer of at least 0, not {loop!r}")
    return loop + 1 if loop else 0


def stored_metadata(im: Image.Image) -> dict[str, object]:
    """Return the metadata of an image as ``kqf.encode`` takes it."""
    return _metadata(im, {})


def _metadata(im: Image.Image, options: dict[str, Any]) -> dict[str, object]:
    """Move metadata out of ``options``; what is not there comes from ``im.info``."""
    metadata = {}
    for key in METADATA_TYPES:
        given = key in options
        value = options.pop(key) if given else _from_info(im, key)
        if value:
            value = _as_metadata(key, value)
        if not value:
            continue
        # Other formats give densities of 0 and the like, which are no reason to fail.
        if given or key not in ("dpi", "comment") or _fits(key, value):
            metadata[key] = value
    return metadata


def _from_info(im: Image.Image, key: str) -> Any:
    raw = im.info.get(key)
    if key == "icc_profile" and not fits_profile(im, raw):
        return None
    # A tag that was removed from getexif() must not come back from the bytes that it was read from.
    edited: Any = getattr(im, "_exif", None)
    if key == "exif" and raw and getattr(edited, "_loaded_exif", None) == raw:
        unchanged = Image.Exif()
        unchanged.load(raw)
        if edited.tobytes() != unchanged.tobytes():
            return edited.tobytes()
    return raw


def _as_metadata(key: str, value: Any) -> object:
    if isinstance(value, Image.Exif):
        value = value.tobytes()
    if key == "exif" and isinstance(value, bytes):
        return value.removeprefix(EXIF_PREFIX)
    if key == "xmp" and isinstance(value, str):
        return value.encode()
    if key == "comment" and isinstance(value, bytes):
        value = value.rstrip(b"\0")
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value


def _fits(key: str, value: object) -> bool:
    try:
        list(build_metadata({key: value}))
    except (TypeError, ValueError):
        return False
    return True


def _with_transparency(im: Image.Image, options: dict[str, Any]) -> Image.Image:
    """Move ``transparency`` out of ``options`` to where Pillow's conversions look for it."""
    if "transparency" not in options:
        return im
    transparency = options.pop("transparency")
    im = im.copy()
    im.info.pop("transparency", None)
    if transparency is not None:
        if im.mode != "P":
            raise ValueError(f"transparency= is for mode P, not {im.mode}: use an alpha channel")
        im.info["transparency"] = transparency
    return im


def _options_of_labels(
    options: Mapping[str, Any], codebook: np.ndarray, storage: Collection[str]
) -> dict[str, Any]:
    """Return the options that leave labels as they are, and refuse those that would not."""
    kept = {}
    for name, value in options.items():
        if name in storage:
            kept[name] = value
            continue
        if name == "colors":
            harmless = isinstance(value, int) and len(codebook) <= value <= MAX_COLORS
        else:
            harmless = value is None or (name == "quality" and value == 100)
        if not harmless:
            mode = "RGBA" if codebook.shape[1] == 4 else "RGB"
            raise ValueError(
                f"{name}= is not for mode P, whose {len(codebook)} colours are kept as they are: "
                f"convert it first, im.convert({mode!r})"
            )
    return kept
