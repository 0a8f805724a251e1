"""The frames of images that Pillow opened, as they are shown."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from kqf.io.modes import DEFAULT_IMAGE, MODES, in_stored_mode, without_palette
from kqf.text import reason

# Formats of which Pillow has an animation's frames rather than pages, views or layers.
ANIMATED_FORMATS = ("GIF", "PNG", "WEBP", "AVIF", "KQF")
_PALETTE_MODES = ("1", "L", "P", "PA")


def is_animation(data: bytes) -> bool:
    """Tell whether a file holds frames that are shown one after another."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            frames = getattr(image, "n_frames", 1) - bool(getattr(image, "default_image", False))
            return image.format in ANIMATED_FORMATS and frames > 1
    except Exception:
        # Decoding it tells what is wrong with it.
        return False


@dataclass(frozen=True)
class _Frame:
    """One frame of an image.

    Attributes:
        image: of Pillow. number: to seek; None for an image that is taken as it is.
    """

    image: Image.Image
    number: int | None


class MovingPicture:
    """The frames of one or several images, one after another.

    Arguments:
        images: opened by Pillow; all frames of each are taken, and the first one is where it was in
            the end.

    Attributes:
        durations: milliseconds of each frame, None where a frame does not say.
        plays: how often it is to be played, 0 for ever; 1 where the first image does not say.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA: as few as show all frames.
        size: (width, height) of all frames.
        is_palette: whether all frames come from palettes.
        notes: what is left out or changed, in words.

    Raises:
        ValueError: frames differ in size, or one cannot be stored.
    """

    def __init__(self, images: Iterable[Image.Image]) -> None:
        self.notes: list[str] = []
        self._frames: list[_Frame] = []
        images = list(images)
        for image in images:
            self._frames += self._listed(image)
        self.plays = plays_of(images[0])
        self.durations: list[float | None] = []
        self.is_palette = True
        gray, alpha = True, False
        size: tuple[int, int] | None = None
        for image in self._images():
            pixels = self._stored(image)
            size = size or pixels.size
            # The canvas of a GIF grows, and has its final size when the frames are read again.
            grows = image.format == "GIF" and pixels.size != size
            if pixels.size != size and not grows:
                number = len(self.durations)
                raise ValueError(f"frame {number} is {pixels.size}, not {size} like the first one")
            self.durations.append(image.info.get("duration"))
            self.is_palette &= image.mode in _PALETTE_MODES or image.format == "GIF"
            gray &= pixels.mode in ("L", "LA")
            has_alpha = pixels.mode in ("LA", "RGBA")
            alpha |= grows or (has_alpha and pixels.getchannel("A").getextrema() != (255, 255))
        self.channels = (1 if gray else 3) + alpha
        self.size = images[0].size

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the pixels of each frame, (H, W, C) uint8."""
        for image in self._images():
            pixels = self._stored(image).convert(MODES[self.channels])
            yield np.asarray(pixels).reshape(*pixels.size[::-1], self.channels)

    def _listed(self, image: Image.Image) -> Iterator[_Frame]:
        count = getattr(image, "n_frames", 1)
        if count == 1:
            yield _Frame(image, None)
            return
        first = getattr(image, "_min_frame", 0)
        if getattr(image, "default_image", False):
            self.notes.append(DEFAULT_IMAGE)
            first, count = first + 1, count - 1
        for number in range(first, first + count):
            yield _Frame(image, number)

    def _images(self) -> Iterator[Image.Image]:
        """Yield the image of each frame, at that frame."""
        at = {id(frame.image): frame.image.tell() for frame in self._frames}
        for number, frame in enumerate(self._frames):
            try:
                _go_to(frame.image, frame.number)
            except Exception as error:
                # What Pillow raises about damaged files is of every kind.
                raise ValueError(f"frame {number} cannot be read: {reason(error)}") from error
            yield frame.image
        for frame in self._frames:
            if frame.number is not None and frame.image.tell() != at[id(frame.image)]:
                # Pillow does not find the next frame of APNG before this one is loaded.
                _go_to(frame.image, at[id(frame.image)])

    def _stored(self, image: Image.Image) -> Image.Image:
        """Return a frame in mode L, LA, RGB or RGBA."""
        stored, notes = in_stored_mode(image)
        self.notes += [note for note in notes if note not in self.notes]
        return without_palette(stored)


def _go_to(image: Image.Image, number: int | None) -> None:
    """Load a frame of an image, or what it shows for None."""
    if image.format == "PNG" and image.palette is not None:
        # Pillow forgets to give the palette to the frames after it went back to the first one.
        image.palette.dirty = 1
    if number is not None:
        image.seek(number)
    image.load()


def plays_of(image: Image.Image) -> int:
    """Return how often an image that Pillow opened is to be played, 0 for ever."""
    loop: Any = image.info.get("loop")
    if not isinstance(loop, int) or loop < 0:
        return 1
    # GIF counts repetitions, and KQF's plugin does as GIF's; the others count plays.
    counts_plays = image.format in ("PNG", "WEBP", "AVIF")
    return loop if counts_plays or not loop else loop + 1


def loop_of(plays: int) -> int | None:
    """Return Pillow's ``info["loop"]`` by its GIF meaning, None where it is absent."""
    return None if plays == 1 else max(plays - 1, 0)
