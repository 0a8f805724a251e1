"""Animations converted to KQF, from KQF, or with some of their frames alone."""

import io
import struct
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
from PIL import Image

import kqf
from kqf.convert.making import QUANTIZING, Made
from kqf.convert.options import ConversionOptions
from kqf.convert.part import box_of, size_after
from kqf.encoding.animation.exact import distinct
from kqf.io.image_metadata import dropped_metadata, metadata_of
from kqf.io.modes import image_of
from kqf.io.moving_pictures import MovingPicture, loop_of
from kqf.io.palette_images import gif_picture
from kqf.io.pictures import format_of, png_texts
from kqf.plugins.pillow_saving import stored_metadata

# Milliseconds that the times of other formats are multiples of.
_TICKS = {"GIF": 10, "PNG": 1, "WEBP": 1}
# More than there are.
_ALL_COLORS = 2**32
_OPTIONS: dict[str, dict[str, Any]] = {
    "GIF": {"optimize": False},
    "PNG": {"blend": 0, "disposal": 0},
    "WEBP": {"lossless": True, "exact": True, "quality": 100},
}


class Moving(Protocol):
    """Frames that are shown one after another, (H, W, C) uint8.

    Attributes:
        size: (width, height) of all frames. durations: milliseconds of each, None if not known.
        plays: how often they are to be played, 0 for ever.
        is_palette: whether all frames come from palettes. notes: how they were changed, in words.
    """

    notes: list[str]

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def durations(self) -> Sequence[float | Fraction | None]: ...

    @property
    def plays(self) -> int: ...

    @property
    def is_palette(self) -> bool: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


def make_animation(data: bytes, suffix: str, options: ConversionOptions) -> Made:
    """Return the file of a format that an animation becomes.

    Raises:
        ValueError, KqfError: it cannot be made.
    """
    with Image.open(io.BytesIO(data)) as image:
        picture = MovingPicture([image])
        if not options.strip:
            picture.notes += dropped_metadata(image)
        return make_of_frames(picture, image, suffix, options)


def make_of_frames(
    picture: Moving, described: Image.Image, suffix: str, options: ConversionOptions
) -> Made:
    """Return the file of a format that frames become.

    Arguments:
        described: with the metadata of the frames.

    Raises:
        ValueError, KqfError: it cannot be made.
    """
    moving = _Selected(picture, options)
    notes = picture.notes
    if suffix == ".kqf":
        made = _to_kqf(moving, described, options)
    else:
        metadata = {} if options.strip else metadata_of(described)
        made, more = _from_kqf(moving, format_of(suffix), metadata, options)
        notes = notes + more
    with Image.open(io.BytesIO(made)) as written:
        comparison = _Comparison(moving, MovingPicture([written]))
        # Counting them goes through all frames, and so compares them.
        colors = distinct(comparison, _ALL_COLORS)
    if comparison.differing and suffix != ".kqf":
        number = comparison.differing[0]
        raise ValueError(f"cannot be saved as {suffix}: frame {number} would be another one")
    assert colors is not None
    exact = not comparison.differing
    return Made(made, *moving.size, len(colors), exact, notes, comparison.largest)


def salvaged(data: bytes, options: ConversionOptions) -> tuple[bytes, kqf.DamageWarning | None]:
    """Return a sound file of what is intact of an animation, and what is lost of it.

    A sound animation, and what is none, stays as it is.
    """
    threads = options.encoder.get("threads")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        animation = kqf.open_animation(data, threads=threads, errors="salvage")
    damage = [each.message for each in caught if isinstance(each.message, kqf.DamageWarning)]
    if not damage or len(animation) == 1:
        return data, None
    sound = kqf.encode_animation(
        animation,
        durations=animation.durations,
        loop=animation.loop,
        exact=True,
        metadata=animation.metadata,
        effort=1,
        threads=threads,
    )
    return sound, damage[0]


class _Selected:
    """The frames of an animation that are asked for, cut and scaled.

    Attributes:
        picture: all of its frames. size: width and height of those asked for.
        durations: milliseconds of each.
    """

    def __init__(self, picture: Moving, options: ConversionOptions) -> None:
        self.picture = picture
        self._options = options
        self._box, self.size = box_of(picture.size, options), size_after(picture.size, options)
        count = len(self.picture)
        first, last = options.frames or (0, count)
        if last > count or first >= last:
            raise ValueError(f"--frames must lie inside 0:{count}, not {first}:{last}")
        self._numbers = range(first, last, options.every)
        times = [Fraction(time or 0) for time in self.picture.durations]
        # A frame is shown until the next one that is left.
        self.durations: list[Fraction] = [
            sum(times[number : min(number + options.every, last)], Fraction(0))
            for number in self._numbers
        ]
        if options.fps is not None:
            self.durations = [Fraction(1000) / Fraction(options.fps)] * len(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield (H, W, C) uint8 arrays."""
        for number, frame in enumerate(self.picture):
            if number in self._numbers:
                yield self._part(frame)
            if number >= self._numbers[-1]:
                return

    def _part(self, frame: np.ndarray) -> np.ndarray:
        left, upper, right, lower = self._box
        frame = frame[upper:lower, left:right]
        if self._options.size is None:
            return frame
        resized = np.asarray(image_of(frame).resize(self.size, Image.Resampling.LANCZOS))
        return resized.reshape(*self.size[::-1], frame.shape[2])


def _to_kqf(moving: _Selected, described: Image.Image, options: ConversionOptions) -> bytes:
    is_exact = moving.picture.is_palette and not options.is_part
    exact = is_exact and not QUANTIZING & options.encoder.keys()
    return kqf.encode_animation(
        moving,
        durations=moving.durations,
        loop=moving.picture.plays,
        exact=exact,
        metadata={} if options.strip else stored_metadata(described),
        **options.encoder,
    )


def _from_kqf(
    moving: _Selected, file_format: str, metadata: dict[str, Any], options: ConversionOptions
) -> tuple[bytes, list[str]]:
    """Return an animation in another format than KQF, with its very pixels, and notes."""
    if file_format not in _TICKS:
        raise ValueError(f"{file_format} holds no animation that Pillow writes: pick a frame")
    if QUANTIZING & options.encoder.keys():
        raise ValueError("options that change colours are for writing KQF alone")
    notes = []
    times = _rounded(moving.durations, _TICKS[file_format])
    if any(time != exact for time, exact in zip(times, moving.durations, strict=True)):
        notes.append(f"times are rounded to {_TICKS[file_format]} ms, as {file_format} has them")
    has_alpha = file_format == "GIF" and any(_is_clear(frame) for frame in moving)
    images = [
        _savable(frame, file_format, number, has_alpha) for number, frame in enumerate(moving)
    ]
    repeated = sum(a.tobytes() == b.tobytes() for a, b in pairwise(images))
    if repeated:
        notes.append(f"{repeated} frames that repeat the one before are merged with it")
    plays = moving.picture.plays
    loop = loop_of(plays) if file_format == "GIF" else plays
    chosen = dict(_OPTIONS[file_format])
    if loop is not None:
        chosen["loop"] = loop
    if has_alpha:
        chosen |= {"disposal": 2, "transparency": 0}
    if file_format == "PNG":
        chosen["pnginfo"] = png_texts(metadata)
    buffer = io.BytesIO()
    chosen |= metadata | {"duration": times, "append_images": images[1:]}
    try:
        images[0].save(buffer, file_format, save_all=True, **chosen)
    except (OverflowError, RuntimeError, struct.error) as error:
        raise ValueError(f"{file_format} can't hold these frames and times: {error}") from error
    with Image.open(buffer) as written:
        dropped = metadata.keys() - metadata_of(written).keys()
    if dropped:
        notes.append(f"{file_format} keeps no {', '.join(sorted(dropped))}")
    return buffer.getvalue(), notes


def _rounded(durations: Sequence[Fraction], tick: int) -> list[int]:
    """Return milliseconds that are multiples of a tick, whose running total is rounded."""
    ends = [round(total / tick) * tick for total in accumulate(durations, initial=Fraction(0))]
    return [end - start for start, end in pairwise(ends)]


def _is_clear(frame: np.ndarray) -> bool:
    """Tell whether pixels of a frame are transparent."""
    return frame.shape[2] in (2, 4) and not frame[..., -1].all()


def _savable(frame: np.ndarray, file_format: str, number: int, has_alpha: bool) -> Image.Image:
    """Return a frame as Pillow writes it without loss.

    Arguments:
        has_alpha: whether label 0 of a GIF's frame must be transparent, as in all others.
    """
    channels = frame.shape[2]
    if file_format != "GIF":
        return image_of(frame).convert("RGBA" if channels in (2, 4) else "RGB")
    pixels = frame.reshape(-1, channels)
    if has_alpha:
        pixels = np.concatenate([np.zeros((1, channels), np.uint8), pixels])
    codebook, labels = np.unique(pixels, axis=0, return_inverse=True)
    if len(codebook) > 256:
        raise ValueError(f"GIF has 256 colours a frame, and frame {number} shows {len(codebook)}")
    labels = labels[int(has_alpha) :].reshape(frame.shape[:2]).astype(np.uint8)
    return gif_picture(labels, codebook)


class _Comparison:
    """The frames of a file, compared with those that were meant while they are gone through.

    Of frames in a row that are alike, only the first one need be there.

    Attributes:
        differing: numbers of frames that differ. largest: where one does most.
    """

    def __init__(self, meant: _Selected, found: MovingPicture) -> None:
        self._meant, self._found = meant, found
        self.differing: list[int] = []
        self.largest: kqf.LargestError | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        are_merged = len(self._found) < len(self._meant)
        written = iter(self._found)
        before = shown = np.empty(0, np.uint8)
        for number, frame in enumerate(map(_colored, self._meant)):
            if not (are_merged and np.array_equal(frame, before)):
                following = next(written, None)
                if following is not None:
                    yield following
                    shown = _colored(following)
            before = frame
            if not np.array_equal(frame, shown):
                self._note(number, frame, shown)

    def _note(self, number: int, frame: np.ndarray, shown: np.ndarray) -> None:
        self.differing.append(number)
        error = kqf.largest_error(frame, shown)
        if self.largest is None or error.distance > self.largest.distance:
            self.largest = error


def _colored(frame: np.ndarray) -> np.ndarray:
    """Return a frame as RGBA, whose transparent pixels are all alike."""
    channels = frame.shape[2]
    color = frame[..., : channels - (channels in (2, 4))]
    alpha = frame[..., -1:] if channels in (2, 4) else np.full((*frame.shape[:2], 1), 255, np.uint8)
    found = np.concatenate([np.broadcast_to(color, (*frame.shape[:2], 3)), alpha], axis=2)
    found[found[..., 3] == 0] = 0
    return found
