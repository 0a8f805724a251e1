"""The Pillow plugin for KQF, in the order of Pillow's own plugins."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from os import PathLike, fsdecode
from threading import RLock
from typing import IO, Any, cast

import numpy as np
from PIL import Image, ImageFile, ImagePalette

from kqf.decoding.api import check
from kqf.decoding.frames import Canvas, FrameDecoder
from kqf.decoding.information import info_of
from kqf.decoding.labels import read_labels, read_pixels
from kqf.decoding.salvage import Salvager
from kqf.decoding.salvaged_frames import salvage_frames
from kqf.decoding.scaled import read_scaled_labels, read_scaled_pixels
from kqf.errors import FormatError, KqfError, warn
from kqf.format.declarations import MAX_COLORS, METADATA_TYPES
from kqf.format.metadata import build_metadata
from kqf.format.overviews import level_size
from kqf.format.reader import ImageReader
from kqf.format.signature import FORMAT
from kqf.io.files import open_stream, size_of, write_whole
from kqf.io.image_metadata import fits_profile
from kqf.io.modes import MODES, codebook_of, in_stored_mode, without_palette
from kqf.io.moving_pictures import MovingPicture, loop_of, plays_of
from kqf.io.palette_images import gif_picture

_OPENED_AS = {1: "L", 2: "LA", 3: "P", 4: "P"}
# Pillow hands out, and most of its writers expect, EXIF with JPEG's prefix; the chunk has none.
_EXIF_PREFIX = b"Exif\0\0"
# What save_all takes, and Pillow's writers of one frame ignore.
_OF_ANIMATIONS = ("duration", "loop")
# Of the warnings about an image that is saved: the line that called Image.save.
_SAVING = 4


class KqfImageFile(ImageFile.ImageFile):
    """A KQF file opened by Pillow.

    Gray opens as ``L``, gray + alpha as ``LA``, RGB and RGBA as ``P``. Alpha is in the palette
    (``RGBA``), except where one entry is transparent and all others are opaque: there the palette
    is ``RGB`` and ``info["transparency"]`` is the entry, the one form that Pillow's GIF writer
    knows. Of other alpha, that writer makes wrong colours: save the opened image, which takes care
    of it, or convert a copy to ``RGBA`` first.

    Several threads may share one image that is not loaded yet.

    An animation has ``n_frames``, ``seek`` and ``tell``, and in ``info`` ``duration``, the
    milliseconds of the frame, and ``loop`` by its meaning in GIF: absent to play once, 0 for ever,
    else how often to repeat. A frame of several codebooks opens as ``RGB`` or ``RGBA``.
    """

    format = FORMAT
    format_description = "KQF palette image"

    _reader: ImageReader | Salvager | None = None
    _decoder: FrameDecoder | None = None
    _frame = 0
    # Of the overviews, where draft asked for one.
    _level = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loading = RLock()
        super().__init__(*arguments, **options)

    def _open(self) -> None:
        assert self.fp is not None
        self._start = self.fp.tell()
        try:
            self._stream, _ = open_stream(cast(Any, self.fp))
            kind = Salvager if ImageFile.LOAD_TRUNCATED_IMAGES else ImageReader
            self._reader = reader = kind(self._stream, size_of(self._stream))
        except KqfError as error:
            if isinstance(error, FormatError) and error.field == "signature":
                raise SyntaxError("not a KQF file") from error
            raise OSError(str(error)) from error
        head = reader.head
        self._size = head.width, head.height
        self._mode = _OPENED_AS[head.channels]
        self.info.update(reader.metadata)
        if "exif" in self.info and not self.info["exif"].startswith(_EXIF_PREFIX):
            self.info["exif"] = _EXIF_PREFIX + self.info["exif"]
        if self._mode == "P":
            self._open_palette(reader.codebook)
        # An image that is not loaded has a tile. load() decodes it: Pillow has no such decoder.
        self.tile = [ImageFile._Tile("kqf", (0, 0, *self._size))]
        described = info_of(reader)
        self.n_frames = described.frames
        self.is_animated = self.n_frames > 1
        if self.is_animated:
            self._durations = described.durations
            self._close_exclusive_fp_after_loading = False
            self.info["duration"] = self._durations[0]
            if (loop := loop_of(described.loop)) is not None:
                self.info["loop"] = loop

    def tell(self) -> int:
        """Return the number of the frame."""
        return self._frame

    def seek(self, frame: int) -> None:
        """Go to a frame.

        Raises:
            EOFError: there is none. OSError: the file is damaged.
        """
        if not self._seek_check(frame):
            return
        if self.fp is None or self._reader is None:
            raise ValueError("the image was closed")
        try:
            if self._decoder is None:
                # Pillow has checked the size when it opened the file, against its own limit.
                if ImageFile.LOAD_TRUNCATED_IMAGES or isinstance(self._reader, Salvager):
                    self._decoder, damage = salvage_frames(self._salvager(), max_pixels=None)
                    if damage:
                        warn(damage)
                else:
                    self._decoder = FrameDecoder(self._reader, max_pixels=None)
            canvas = self._decoder.decode(frame)
        except KqfError as error:
            raise OSError(str(error)) from error
        self._show(canvas)
        self._frame = frame
        self.info["duration"] = self._durations[frame]

    def _show(self, canvas: Canvas) -> None:
        """Take over the pixels of a frame."""
        self.info.pop("transparency", None)
        self.palette = None
        channels = canvas.codebook.shape[1]
        if canvas.is_indexed and channels > 2:
            self._mode = "P"
            self._open_palette(canvas.codebook)
            pixels = canvas.labels.copy()
        else:
            self._mode = MODES[channels]
            pixels = canvas.show()
        self.tile = []
        self.im = Image.frombuffer(self.mode, self.size, pixels, "raw", self.mode, 0, 1).im
        self.readonly = 0

    def _open_palette(self, codebook: np.ndarray) -> None:
        if codebook.shape[1] == 4:
            (translucent,) = np.nonzero(codebook[:, 3] < 255)
            if len(translucent) == 1 and codebook[translucent[0], 3] == 0:
                self.info["transparency"] = int(translucent[0])
                codebook = codebook[:, :3]
        mode = "RGBA" if codebook.shape[1] == 4 else "RGB"
        self.palette = ImagePalette.ImagePalette(mode, codebook.tobytes())
        self.palette.dirty = 1

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Let the image be loaded in a smaller size, not below ``size``, if the file has one.

        ``thumbnail`` calls it. Without overviews, or where they are damaged, nothing changes.

        Arguments:
            mode: not used: images keep their mode. size: (width, height) in pixels.

        Returns:
            the mode, and the box of the smaller image; None if nothing changes.
        """
        reader = self._reader
        if not self.tile or self.is_animated or self._level or size is None:
            return None
        if not isinstance(reader, ImageReader):
            return None
        width, height = self.size
        try:
            levels = reader.overviews.levels if reader.overviews else ()
        except KqfError:
            return None
        for level in levels:
            reduced = level_size(width, height, level)
            if reduced[0] >= size[0] and reduced[1] >= size[1]:
                self._level = level
                self._size = reduced
                self.tile = [ImageFile._Tile("kqf", (0, 0, *reduced))]
                return self.mode, (0, 0, width / (1 << level), height / (1 << level))
        return None

    def load(self) -> Any:
        """Decode the pixels, unless that is done."""
        with self._loading:
            if self.tile and self._im is None:
                self.im = self._decode().im
                self.readonly = 0
                self.tile = []
                if not self.is_animated:
                    self._release()
            return super().load()

    def _decode(self) -> Image.Image:
        if self.fp is None or self._reader is None:
            raise ValueError("the image was closed before it was loaded")
        try:
            reader = self._reader
            if self._level and isinstance(reader, ImageReader):
                scaled = read_scaled_labels if self.mode == "P" else read_scaled_pixels
                pixels = scaled(reader, None, self._level, None, None)
                return Image.frombuffer(self.mode, self.size, pixels, "raw", self.mode, 0, 1)
            if ImageFile.LOAD_TRUNCATED_IMAGES:
                reader = self._salvager()
            # Pillow has checked the size when it opened the file, against its own limit.
            read = read_labels if self.mode == "P" else read_pixels
            pixels = read(reader, max_pixels=None)
            if isinstance(reader, Salvager) and (damage := reader.damage()):
                warnings.warn(damage, stacklevel=3)
        except KqfError as error:
            raise OSError(str(error)) from error
        # L and P live on in this array; as nobody else holds it, the image may be drawn on.
        return Image.frombuffer(self.mode, self.size, pixels, "raw", self.mode, 0, 1)

    def _salvager(self) -> Salvager:
        """Return a reader of what is intact: the setting may be newer than the one there is."""
        assert self.fp is not None
        assert self._reader is not None
        self.fp.seek(self._start)
        return Salvager(self._stream, self._reader.file_bytes)

    def load_seek(self, pos: int) -> None:
        """Do nothing: that it exists keeps ``ImageFile.Parser`` from decoding by itself."""

    def verify(self) -> None:
        """Check every chunk and tile; the image is of no use afterwards.

        Raises:
            OSError: the file is damaged. RuntimeError: the image is loaded or closed already.
        """
        if self.fp is None:
            raise RuntimeError("verify() must come before the image is loaded or closed")
        try:
            self.fp.seek(self._start)
            check(cast(Any, self.fp))
        except KqfError as error:
            raise OSError(str(error)) from error
        finally:
            self.tile = []
            self._release()

    def _release(self) -> None:
        if self._exclusive_fp and self.fp:
            self.fp.close()
        self.fp = None
        self._reader = None

    def save(
        self,
        fp: Any,
        format: str | None = None,  # noqa: A002 - Pillow's name
        **params: Any,
    ) -> None:
        """Save as ``Image.save`` does, but for GIF with one transparent entry.

        Raises:
            ValueError: GIF cannot hold translucent pixels.
        """
        if self.palette and self.palette.mode == "RGBA" and _saves_gif(fp, format):
            picture = gif_picture(np.asarray(self), codebook_of(self))
            picture.info = {**self.info, **picture.info}
            picture.save(fp, format, **params)
        else:
            super().save(fp, format, **params)

    # Pillow's own state keeps palettes without their alpha.
    def __getstate__(self) -> list[Any]:
        state = super().__getstate__()
        mode = self.palette.mode if self.palette else None
        return [state, mode, self.getpalette(mode)]

    def __setstate__(self, state: list[Any]) -> None:
        self._loading = RLock()
        state, mode, palette = state
        super().__setstate__(state)
        if mode:
            self.putpalette(palette, mode)


def _saves_gif(fp: Any, format_name: str | None) -> bool:
    if format_name:
        return format_name.upper() == "GIF"
    name = getattr(fp, "name", fp)
    return isinstance(name, str | bytes | PathLike) and fsdecode(name).lower().endswith(".gif")


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
        return value.removeprefix(_EXIF_PREFIX)
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
