"""What Pillow calls to open KQF files, in the order of its own plugins."""

from __future__ import annotations

import warnings
from os import PathLike, fsdecode
from threading import RLock
from typing import Any, cast

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
from kqf.format.frame_reader import FrameReader
from kqf.format.overviews import level_size
from kqf.format.reader import ImageReader
from kqf.format.signature import FORMAT
from kqf.io.files import open_stream, size_of
from kqf.io.image_metadata import EXIF_PREFIX
from kqf.io.modes import MODES, codebook_of
from kqf.io.moving_pictures import loop_of
from kqf.io.palette_images import gif_picture

_OPENED_AS = {1: "L", 2: "LA", 3: "P", 4: "P"}


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
    else how often to repeat. A frame of several codebooks opens as ``RGB`` or ``RGBA``, the first
    one when it is loaded.
    """

    format = FORMAT
    format_description = "KQF palette image"

    _reader: ImageReader | Salvager | None = None
    _decoder: FrameDecoder | None = None
    _frame = 0
    # Labels of the first frame, from load to the first seek.
    _first: np.ndarray | None = None
    # Whether the first frame has more colours than the image of the file.
    _goes_on = False
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
        if "exif" in self.info and not self.info["exif"].startswith(EXIF_PREFIX):
            self.info["exif"] = EXIF_PREFIX + self.info["exif"]
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
        self._show_frame(frame)

    def _show_frame(self, frame: int) -> None:
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
                    self._decoder = FrameDecoder(self._reader, max_pixels=None, first=self._first)
                    self._first = None
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
            pixels = canvas.labels
        else:
            self._mode = MODES[channels]
            pixels = canvas.show() if channels < 3 else canvas.show_words()
        raw = "RGBX" if self._mode == "RGB" else self._mode
        self.tile = []
        self.im = Image.frombytes(self.mode, self.size, pixels, "raw", raw).im
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
                elif self._goes_on:
                    self._show_frame(0)
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
            if self.is_animated and isinstance(reader, ImageReader):
                self._first = pixels.copy() if self.mode == "P" else None
                self._goes_on = FrameReader(reader).goes_on()
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
