"""What is fuzzed: each target takes bytes, and raises where kqf does what it must not.

Targets of files take a file as it is; regions, limits, threads and the like follow from its CRC.
Allowed are the errors that the API documents and nothing else; a warning is an error. Where an
image is small, what one way gives is compared with what another does: the decoder of
``tests/tiny_decoder.py``, ``check``, regions, threads, Pillow.
"""

import contextlib
import io
import pickle
import random
import re
import struct
import sys
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from choices import Choices
from PIL import Image, ImageFile

import kqf

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "kqf"
sys.path.append(str(ROOT / "tests"))

from tiny_decoder import Refused, tiny_decode  # noqa: E402

SIGNATURE = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
MAX_PIXELS = 2 * 89_478_485
MAX_RATIO = 1032
# Of images that are decoded more than once to compare, and by tiny_decode, which is slow.
COMPARED_PIXELS = 2**17
TINY_PIXELS = 2**12
TINY_TILES = 2**9
# With predictors it sorts the entries for each entry.
TINY_COLORS = 48
# RFC 1951 leaves open what a decoder makes of these (section 8): zlib's names for them.
OPEN_QUESTIONS = ("code lengths set", "literal/lengths set", "distances set")


class Wrong(AssertionError):  # noqa: N818
    """kqf did what it must not."""


def require(truth: object, message: str) -> None:
    if not truth:
        raise Wrong(message)


def attempt(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a call returns, or the KqfError that it raises."""
    try:
        return call(*arguments, **options)
    except kqf.KqfError as error:
        return error


def refused(result: object) -> bool:
    return isinstance(result, kqf.KqfError)


def same_verdict(one: object, other: object, name: str) -> None:
    """Both accept a file or both refuse it."""
    require(refused(one) == refused(other), f"{name}: {_say(one)}, but {_say(other)}")


def holds_more(data: bytes) -> bool:
    """Whether a file may hold frames or overviews, which only ``check`` reads with the image."""
    return any(kind in data for kind in (b"ANIM", b"oidx", b"over"))


def _say(result: object) -> str:
    return f"refused ({result})" if refused(result) else "accepted"


def rng_of(data: bytes) -> random.Random:
    return random.Random(zlib.crc32(data))


class OneWay(io.RawIOBase):
    """A file that can be read once from its start, as a pipe."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._data.read(size)


class Shrunk(io.BytesIO):
    """A file that somebody cuts off after its size has been asked for."""

    def __init__(self, data: bytes, left: int) -> None:
        super().__init__(data)
        self._left = left

    def read(self, size: int | None = -1) -> bytes:
        at = self.tell()
        return super().read(size)[: max(self._left - at, 0)]


def seekable(data: bytes, rng: random.Random) -> Any:
    """Return a file in one of the forms that can be read in any order."""
    form = rng.randrange(5)
    if form == 4:
        # What precedes the file is none of its business.
        file = io.BytesIO(b"before" + data)
        file.seek(6)
        return file
    return (data, bytearray(data), memoryview(data + data)[: len(data)], io.BytesIO(data))[form]


def source(data: bytes, rng: random.Random) -> Any:
    """Return a file in one of the forms that kqf takes."""
    return OneWay(data) if rng.random() < 0.2 else seekable(data, rng)


def some_box(rng: random.Random, width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box of at least one pixel inside an image."""
    left, upper = rng.randrange(width), rng.randrange(height)
    right = left + min(rng.choice((1, 9, width)), width - left)
    return left, upper, right, upper + min(rng.choice((1, 9, height)), height - upper)


def is_inside(box: tuple[int, ...], width: int, height: int) -> bool:
    """Whether a box has four sides, and at least one pixel inside an image."""
    if len(box) != 4:
        return False
    left, upper, right, lower = box
    return 0 <= left < right <= width and 0 <= upper < lower <= height


def cut(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    left, upper, right, lower = box
    return pixels[upper:lower, left:right]


def equal(one: np.ndarray, other: np.ndarray, name: str) -> None:
    require(one.shape == other.shape, f"{name}: {one.shape} and {other.shape}")
    require(one.dtype == other.dtype == np.uint8, f"{name}: {one.dtype} and {other.dtype}")
    require(np.array_equal(one, other), f"{name}: pixels differ")


def compared(pixels: object) -> bool:
    return isinstance(pixels, np.ndarray) and pixels.size <= COMPARED_PIXELS


# Files by the API.


def decode(data: bytes) -> None:
    """``kqf.decode``, and what the specification alone says of small files."""
    rng = rng_of(data)
    if rng.random() < 0.01:
        with contextlib.suppress(TypeError):
            kqf.decode(io.BytesIO(data))
            raise Wrong("decode takes a file")
    pixels = attempt(kqf.decode, data, threads=rng.choice((None, 1, 2)))
    info = attempt(kqf.info, data)
    if refused(info):
        require(refused(pixels), f"decode accepts what info refuses: {info}")
        return
    if not refused(pixels):
        size = info.height, info.width
        shape = size if info.channels == 1 else (*size, info.channels)
        require(pixels.shape == shape, f"decoded to {pixels.shape}, not {shape}")
    colors = TINY_COLORS if info.predictor != "none" else 256
    small = info.width * info.height <= TINY_PIXELS and info.tiles <= TINY_TILES
    if small and info.colors <= colors:
        _compare_with_tiny(data, pixels)
    if compared(pixels):
        box = some_box(rng, info.width, info.height)
        equal(kqf.decode(data, region=box), cut(pixels, box), f"region {box}")


def _compare_with_tiny(data: bytes, pixels: np.ndarray | kqf.KqfError) -> None:
    try:
        labels, entries, _ = tiny_decode(data)
    except Refused as error:
        question = any(name in str(error.__cause__) for name in OPEN_QUESTIONS)
        verdict = attempt(kqf.check, data) if holds_more(data) else pixels
        require(refused(verdict) or question, f"accepted, but: {error}, {error.__cause__}")
        return
    require(not refused(pixels), f"refused, but the specification allows it: {pixels}")
    expected = b"".join(entries[label] for row in labels for label in row)
    require(pixels.tobytes() == expected, "not the pixels of the specification")


def info(data: bytes) -> None:
    """``kqf.info`` of any source, with limits."""
    rng = rng_of(data)
    limits = {"max_metadata": rng.choice((0, 100, 2**26)), "max_chunks": rng.choice((0, 1, 1024))}
    file = source(data, rng)
    result = attempt(kqf.info, file, **limits)
    if isinstance(file, io.BytesIO) and not refused(result):
        require(file.read() == data, "info moved the file's position")
    plain = attempt(kqf.info, data)
    if isinstance(result, kqf.LimitError):
        return
    same_verdict(result, plain, "info with limits and without")
    if not refused(result):
        require(result == plain, f"info differs: {result} and {plain}")
        require(result.file_bytes == len(data), "file_bytes is wrong")
        require(result.bits_per_pixel > 0, "bits_per_pixel is wrong")


def read_indexed(data: bytes) -> None:
    """``kqf.read_indexed``: the whole, a region, limits, threads."""
    rng = rng_of(data)
    whole = attempt(kqf.read_indexed, source(data, rng), threads=rng.choice((None, 1)))
    info = attempt(kqf.info, data)
    if refused(info):
        require(refused(whole), f"read_indexed accepts what info refuses: {info}")
        return
    sides = -1, 0, 1, info.width // 2, info.width, info.height, info.width + 1, 2**40
    odd = tuple(rng.choices(sides, k=rng.choice((0, 3, 4, 4, 4, 4, 5))))
    box = rng.choice((some_box(rng, info.width, info.height), odd))
    inside = is_inside(box, info.width, info.height)
    most = rng.choice((None, 0, 1, 1000, 2**26))
    try:
        part = attempt(kqf.read_indexed, source(data, rng), region=box, max_pixels=most)
    except ValueError:
        require(not inside, f"{box} is inside the image")
        return
    if not inside:
        require(refused(part), f"{box} is not inside the image")
    if refused(part) or refused(whole):
        # Tiles outside the region may be damaged, and more pixels than allowed in them.
        limit = isinstance(part, kqf.LimitError)
        require(refused(whole) or limit, f"refused: {part}")
        return
    require(most is None or part.labels.size <= most, f"more than max_pixels={most}")
    require(part.metadata == whole.metadata, "metadata differ")
    equal(part.codebook, whole.codebook, "codebook")
    if compared(whole.labels):
        equal(part.labels, cut(whole.labels, box), f"labels of {box}")
        equal(part.pixels, cut(whole.pixels, box), f"pixels of {box}")


def check(data: bytes) -> None:
    """``kqf.check``, whose verdict is that of decoding, if the file holds one image alone."""
    rng = rng_of(data)
    verdict = attempt(kqf.check, source(data, rng), threads=rng.choice((None, 1, 3)))
    pixels = attempt(kqf.read, seekable(data, rng))
    if refused(verdict) and holds_more(data):
        return
    if not isinstance(pixels, kqf.LimitError):
        same_verdict(verdict, pixels, "check and read")


def open_file(data: bytes) -> None:
    """``kqf.open``: regions of a file that stays open."""
    rng = rng_of(data)
    file = seekable(data, rng)
    opened = attempt(kqf.open, file)
    same_verdict(opened, attempt(kqf.info, data), "open and info")
    if refused(opened):
        return
    with opened:
        whole = attempt(opened.read, threads=rng.choice((None, 1)))
        height, width = opened.shape[:2]
        for _ in range(3):
            box = some_box(rng, width, height)
            part = attempt(opened.read, box, max_pixels=rng.choice((None, 2**24)))
            if not refused(whole):
                require(not refused(part) or isinstance(part, kqf.LimitError), f"refused: {part}")
            if compared(whole) and not refused(part):
                equal(part, cut(whole, box), f"region {box}")
        if isinstance(file, bytes) and compared(whole):
            with pickle.loads(pickle.dumps(opened)) as again:
                equal(again.read(), whole, "after pickling")


def salvage(data: bytes) -> None:
    """``errors="salvage"``: pixels, with a ``DamageWarning`` unless the file is whole."""
    rng = rng_of(data)
    if rng.random() < 0.01:
        with contextlib.suppress(ValueError):
            kqf.decode(data, errors=rng.choice((None, "", "ignore", 7)))
            raise Wrong("decode takes any word for errors")
    if rng.random() < 0.2:
        limits = {"max_metadata": rng.choice((0, 99)), "max_chunks": rng.choice((0, 1, 1024))}
        shrunk = Shrunk(data, rng.randrange(len(data) + 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", kqf.DamageWarning)
            attempt(kqf.read_indexed, source(data, rng), errors="salvage", **limits)
            attempt(kqf.read, shrunk, errors=rng.choice(("strict", "salvage")))
    strict = attempt(kqf.decode, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pixels = attempt(kqf.decode, data, errors="salvage", threads=rng.choice((None, 1, 2)))
    for warning in caught:
        require(warning.category is kqf.DamageWarning, f"warns: {warning.message}")
    if refused(pixels):
        # Of a damaged animation, decode reads frame 0 alone, and salvage may find no tile.
        require(refused(strict), f"salvage refuses what decode accepts: {pixels}")
        require(not caught, "warns of a file that it refuses")
        return
    if refused(strict):
        # Section 11.3: not to be passed off as whole.
        require(caught, f"salvaged without a warning, but: {strict}")
    else:
        if caught:
            whole = not (holds_more(data) and refused(attempt(kqf.check, data)))
            require(not whole, f"warns of a whole file: {[str(one.message) for one in caught]}")
        equal(pixels, strict, "salvage and decode")
    height, width = pixels.shape[:2]
    for warning in caught:
        require(str(warning.message), "a warning without words")
        damage: Any = warning.message
        require(len(damage.lost) <= damage.tiles, "more tiles lost than there are")
        for box in damage.lost:
            require(is_inside(box, width, height), f"{box} is not inside the image")
            part = cut(pixels, box)
            require((part == part[0, 0]).all(), f"{box} is lost, but has pixels")


def salvage_animation(data: bytes) -> None:
    """``kqf.open_animation`` with ``errors="salvage"``: frames that are right or told of."""
    if b"FRAM" not in data:
        return
    limits = {"max_work": 2**24, "max_pixels": 2**22}
    verdict = attempt(kqf.check, data, **limits)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        salvaged = attempt(kqf.open_animation, data, errors="salvage", **limits)
    if refused(salvaged):
        require(refused(verdict), f"salvage refuses what check accepts: {salvaged}")
        return
    if isinstance(verdict, kqf.FormatError):
        require(caught or b"over" in data, f"salvaged without a warning, but: {verdict}")
    elif not refused(verdict):
        require(not caught, f"warns of a whole file: {[str(one.message) for one in caught]}")
    frames = list(salvaged)
    require(len(frames) == max(len(salvaged.durations), 1), "another number of frames than times")
    for damage in caught:
        require(str(damage.message), "a warning without words")
    number = rng_of(data).randrange(len(frames))
    equal(salvaged[number], frames[number], f"frame {number} again")


# Files by Pillow.


@contextlib.contextmanager
def truncated_allowed(allowed: bool) -> Iterator[None]:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = allowed
    try:
        with warnings.catch_warnings():
            if allowed:
                warnings.simplefilter("ignore", kqf.DamageWarning)
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


# What Pillow raises by itself, and what its documentation lets plugins raise.
PILLOW_ERRORS = OSError, Image.DecompressionBombError, Image.DecompressionBombWarning


def takes_partial(data: bytes) -> bool:
    """Whether Pillow is to take what is left of a damaged file."""
    return zlib.crc32(data) % 3 == 0


def plugin(data: bytes) -> None:
    """Pillow's ``Image.open`` with all that it lets one do to a file."""
    partial = takes_partial(data)
    with truncated_allowed(partial), warnings.catch_warnings():
        if partial:
            warnings.simplefilter("ignore", kqf.DamageWarning)
        try:
            _use(data, rng_of(data), partial)
        except Image.UnidentifiedImageError:
            # Pillow turns many errors of a plugin into this one; kqf means one of them.
            require(not data.startswith(SIGNATURE), "a KQF file is not known as one")
        except PILLOW_ERRORS:
            pass


def _use(data: bytes, rng: random.Random, partial: bool) -> None:
    image = Image.open(io.BytesIO(data), formats=["KQF"])
    require(image.format == "KQF", "not opened by the plugin")
    require(image.mode in ("L", "LA", "P"), f"mode {image.mode}")
    if rng.random() < 0.2:
        verdict = attempt(kqf.check, data)
        try:
            image.verify()
        except OSError:
            require(refused(verdict), "verify refuses what check accepts")
            return
        same_verdict(verdict, None, "check and verify")
        return
    size = image.size
    if rng.random() < 0.2:
        image.draft(rng.choice((None, "L", "RGB")), (1, 1))
    if rng.random() < 0.2:
        image.seek(0)
        require(image.tell() == 0, "tell is not 0")
        frames = image.n_frames
        # Where damaged files are salvaged, an animation may be one image.
        right = partial or frames == kqf.info(data).frames
        require(right, f"{frames} frames are not those of info")
        with contextlib.suppress(EOFError):
            image.seek(frames)
            raise Wrong(f"there is no frame {frames}")
    image = _load(image, rng)
    if image.size != size or image.width * image.height > COMPARED_PIXELS:
        return
    if not partial:
        equal(_pixels(image), _shown(data), "Pillow and kqf")
    _save_again(image)


def _load(image: Image.Image, rng: random.Random) -> Image.Image:
    """Load an image by one of the ways that Pillow has."""
    way = rng.randrange(6)
    if way == 0:
        return image.crop(some_box(rng, *image.size))
    if way == 1:
        image.thumbnail((3, 3))
        return image
    if way == 2:
        return image.copy()
    if way == 3 and image.width * image.height <= COMPARED_PIXELS:
        return pickle.loads(pickle.dumps(image))
    if way == 4:
        image.getpixel((image.width - 1, image.height - 1))
        return image
    image.load()
    return image


def _first_frame(data: bytes) -> np.ndarray:
    """Return the first frame, which may have more colours than decode gives."""
    if kqf.info(data).frames == 1:
        return kqf.decode(data)
    with kqf.open_animation(data) as frames:
        return frames[0]


def _shown(data: bytes) -> np.ndarray:
    """Return what Pillow shows first: of an animation damaged behind the image, the image."""
    found = attempt(_first_frame, data)
    return kqf.decode(data) if refused(found) else found


def _pixels(image: Image.Image) -> np.ndarray:
    """Return the pixels as kqf has them."""
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return np.array(image)


def _save_again(image: Image.Image) -> None:
    """What has been read can be written, and read again."""
    file = io.BytesIO()
    image.save(file, "KQF", effort=1, threads=1)
    file.seek(0)
    with Image.open(file, formats=["KQF"]) as again:
        equal(_pixels(again), _pixels(image), "saved again")


def parser(data: bytes) -> None:
    """Pillow's ``ImageFile.Parser``, fed in pieces."""
    if not data.startswith(SIGNATURE):
        return
    rng = rng_of(data)
    feeder = ImageFile.Parser()
    ends = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    whole = attempt(kqf.decode, data)
    try:
        for start, end in zip([0, *ends], [*ends, len(data)], strict=True):
            feeder.feed(data[start:end])
        image = feeder.close()
    except PILLOW_ERRORS as error:
        bomb = isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning))
        right = refused(whole) or bomb or refused(attempt(_first_frame, data))
        require(right, f"the parser refuses what decode accepts: {error}")
        return
    require(not refused(whole), f"the parser accepts what decode refuses: {whole}")
    if compared(whole):
        equal(_pixels(image), _shown(data), "the parser and kqf")


# Encoding. The bytes are what choices are made by.


DTYPES = "uint8", "bool", "int16", "uint16", "float32", "float64", "complex64", "O", "U3", "M8[s]"
NOT_ARRAYS = None, 7, b"abc", "abc", [[1, 2], [3, 4]], {}, Image.new("L", (2, 2))
ODD = (
    *(None, -1, 0, 2**31, 2**70, 1.5, -0.0, float("nan"), float("inf"), True, "x", "", b"x"),
    *([], (), (1,), (1, 2, 3), ("a", "b"), [4, 4], np.int64(3), np.float32(2), np.zeros(2), object),
)
METHODS = "kmeans", "minibatch", "agglomerative", "median-cut", "octree", "random", "sample:20"
METADATA: dict[str, Sequence[Any]] = {
    "icc_profile": (b"icc", bytes(300)),
    "exif": (b"MM\0*", b"Exif\0\0", b"\xff"),
    "xmp": (b"<x/>", b"\0"),
    "dpi": ((72, 72), (0.01, 99.999), [300, 150.5], (2**32 - 1, 1)),
    "comment": ("hello", "Gr\xfc\xdfe \U0001f600"),
}
ODD_METADATA = *ODD, b"", "a\0b", "\ud800", (1e-9, 5), (72,), ("x", 7)
NO_METADATA = *ODD, {"unknown": b"x"}, {7: b"x"}, ["dpi"], "dpi"
# Python's own words, of errors that kqf has left to chance.
CHANCE = re.compile(
    r"object is not|object of type|has no attribute|codec can't|unsupported operand|indices must"
    r"|broadcast|invalid literal|truth value|cannot convert|could not convert|not supported between"
    r"|must be real number|inhomogeneous|unexpected keyword|unhashable"
)


def _array(choices: Choices, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return an array, few of its values or many of them different, in one of several layouts."""
    rng = np.random.default_rng(choices.below(2**16))
    top = choices.pick((1, 2, 3, 8, 64, 256))
    values = rng.integers(0, top, shape)
    if choices.below(2):
        # Smooth, as photographs are.
        values = np.cumsum(values, axis=0) if values.ndim and values.size else values
    values = np.array(values * choices.pick((1, 1, 3, 85, 255)) % 256, np.uint8)
    if values.ndim == 3 and values.shape[2] in (2, 4) and choices.below(2):
        values[..., -1] = np.where(values[..., -1] < 128, 0, 255)
    array = np.array(values, dtype=dtype)
    layout = choices.below(5)
    if layout == 1:
        array = np.asfortranarray(array)
    elif layout == 2:
        array = array[::-1, ::-1] if array.ndim > 1 else array
    elif layout == 3:
        array.flags.writeable = False
    elif layout == 4 and array.ndim > 1:
        array = np.repeat(array, 2, axis=1)[:, ::2]
    return array


def _shape(choices: Choices) -> tuple[int, ...]:
    sides = tuple(choices.pick((1, 2, 3, 5, 8, 13, 17, 24, 40) * 3 + (0,)) for _ in range(2))
    kind = choices.below(32)
    if kind == 1:
        return choices.pick(((), sides[:1], (*sides, 2, 2), (*sides, 0), (*sides, 5)))
    return sides if kind % 5 == 0 else (*sides, choices.pick((3, 4, 3, 4, 2, 1)))


def _pixels_of(choices: Choices) -> Any:
    if choices.below(64) == 1:
        return choices.pick(NOT_ARRAYS)
    dtype = (
        choices.pick(DTYPES) if choices.below(32) == 1 else choices.pick(("uint8",) * 9 + ("bool",))
    )
    return _array(choices, _shape(choices), dtype)


def _metadata(choices: Choices) -> Any:
    if choices.below(64) == 1:
        return choices.pick(NO_METADATA)
    keys = [key for key in METADATA if choices.below(3) == 0]
    odd = choices.below(32) == 1
    return {key: choices.pick(ODD_METADATA if odd else METADATA[key]) for key in keys}


def _storage(choices: Choices) -> dict[str, Any]:
    """Return options of storage, most of them right."""
    ways: dict[str, Callable[[], Any]] = {
        "predictor": lambda: choices.pick(("none", "left", "up", "copy", "packed", "auto")),
        "tile": lambda: choices.pick((None, 1, 3, (2, 5), (7, 1), (64, 64), 2**31 - 1)),
        "effort": lambda: choices.pick((1,) * 8 + (2, 3, 4, 5, 6, 9)),
        "threads": lambda: choices.pick((None, 1, 2)),
        "metadata": lambda: _metadata(choices),
    }
    return _drawn(choices, ways)


def _drawn(choices: Choices, ways: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    options = {}
    for name, draw in ways.items():
        kind = choices.below(256)
        if kind == 255:
            options[name] = choices.pick(ODD)
        elif kind % 3 == 1:
            options[name] = draw()
    return options


def _palette(choices: Choices, channels: int) -> np.ndarray:
    count = choices.pick((1, 2, 3, 16, 255, 256) * 3 + (0, 257))
    dtype = choices.pick(DTYPES) if choices.below(32) == 1 else "uint8"
    return _array(choices, (count, channels), dtype)


def encode(data: bytes) -> None:
    """``kqf.encode`` of any array with any options: refused, or decoded to what is documented."""
    choices = Choices(data)
    pixels = _pixels_of(choices)
    channels = pixels.shape[2] if np.ndim(pixels) == 3 else 1
    ways: dict[str, Callable[[], Any]] = {
        "colors": lambda: choices.pick((1, 2, 3, 5, 16, 64, 255, 256)),
        "metric": lambda: choices.pick(("mse", "perceptual")),
        "quality": lambda: choices.pick((None, 100, 99, 75, 30, 1)),
        "palette": lambda: _palette(choices, channels) if choices.below(3) == 0 else None,
        "method": lambda: choices.pick(METHODS),
        "dither": lambda: choices.pick((None, None, "auto", "ordered", "floyd-steinberg")),
        "keep": lambda: choices.pick((None, [], [(0,) * channels], [[9] * channels] * 2)),
        "target_psnr": lambda: choices.pick((None,) * 8 + (20, 35.5, 60)),
        "target_ssim": lambda: choices.pick((None,) * 8 + (0.5, 0.99)),
        "max_bytes": lambda: choices.pick((None,) * 8 + (150, 400, 1000)),
        "seed": lambda: choices.pick((0, 1, 2**63 - 1)),
    }
    options = _drawn(choices, ways) | _storage(choices)
    result = attempt_encoding(lambda: kqf.encode(pixels, **options))
    if result is None:
        return
    _check_metadata(kqf.read_indexed(result).metadata, options)
    _check_pixels(result, pixels, options)
    if choices.below(4) == 0:
        again = kqf.encode(pixels, **options | {"threads": 1})
        require(again == result, "threads change the file")


def attempt_encoding(call: Callable[[], bytes]) -> bytes | None:
    """Return the file, None where the arguments are refused, by kqf itself."""
    try:
        return call()
    except (TypeError, ValueError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        origin = Path(frames[-1].filename)
        require(origin.is_relative_to(PACKAGE), f"raised in {frames[-1].filename}: {error!r}")
        require(not CHANCE.search(str(error)), f"not an error of kqf's: {error!r}")
        return None


def _check_metadata(found: Any, options: dict[str, Any]) -> None:
    given = options.get("metadata") or {}
    require(set(found) == set(given), f"metadata {set(given)} came back as {set(found)}")
    for key, value in given.items():
        if key == "dpi":
            near = all(abs(a - b) <= 0.0005 for a, b in zip(found[key], value, strict=True))
            require(near, f"dpi {value} came back as {found[key]}")
        else:
            require(found[key] == value, f"{key} {value!r} came back as {found[key]!r}")


def _check_pixels(data: bytes, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """Require of an encoded image what ``kqf.encode`` and README.md promise."""
    kqf.check(data)
    expected = pixels * np.uint8(255) if pixels.dtype == np.bool_ else pixels
    if expected.ndim == 3 and expected.shape[2] == 1:
        expected = expected[..., 0]
    decoded, image = kqf.decode(data), kqf.read_indexed(data)
    require(decoded.shape == expected.shape, f"{expected.shape} came back as {decoded.shape}")
    most, palette = options.get("colors", 256), options.get("palette")
    require(len(image.codebook) <= most, f"{len(image.codebook)} colours, not {most}")
    if options.get("max_bytes") is not None:
        require(len(data) <= options["max_bytes"], f"{len(data)} bytes, more than max_bytes")
    if options.get("target_psnr") is not None:
        require(kqf.psnr(expected, decoded) >= options["target_psnr"], "target_psnr is not met")
    channels = image.codebook.shape[1]
    colors = expected.reshape(-1, channels)
    entries = {tuple(entry) for entry in image.codebook.tolist()}
    distinct = {tuple(color) for color in colors.tolist()}
    keep: set[tuple[int, ...]] = set()
    if palette is not None:
        given = palette * np.uint8(255) if palette.dtype == np.bool_ else palette
        equal(image.codebook, np.ascontiguousarray(given), "the palette")
        exact = distinct <= entries
    else:
        keep = {tuple(entry) for entry in np.atleast_2d(options.get("keep") or ()).tolist()} - {()}
        require(keep <= entries, f"{keep - entries} not kept")
        exact = len(distinct | keep) <= most
    if exact:
        equal(decoded, expected, "an image of few colours")
    if channels in (2, 4) and palette is None and not keep and most >= 3:
        for alpha in 0, 255:
            found = decoded[expected[..., -1] == alpha, -1]
            require((found == alpha).all(), f"alpha {alpha} does not stay")
    nearest = options.get("quality") == 100 and options.get("dither") is None
    targets = [options.get(name) for name in ("target_psnr", "target_ssim", "max_bytes")]
    plain = options.get("metric", "mse") == "mse" and channels in (1, 3)
    if nearest and plain and targets == [None] * 3:
        offsets = colors[:, None].astype(np.int64) - image.codebook[None].astype(np.int64)
        distances = (offsets**2).sum(axis=2)
        chosen = np.take_along_axis(distances, image.labels.reshape(-1, 1), axis=1)[:, 0]
        require((chosen == distances.min(axis=1)).all(), "not the nearest colours")


def encode_indexed(data: bytes) -> None:
    """``kqf.encode_indexed`` and ``kqf.write_indexed``: the same labels and codebook come back."""
    choices = Choices(data)
    channels = choices.pick((1, 2, 3, 4) * 4 + (0, 5))
    codebook: Any = _palette(choices, channels)
    shape = _shape(choices) if choices.below(16) == 1 else _shape(choices)[:2]
    labels: Any = _array(
        choices, shape, choices.pick(DTYPES) if choices.below(32) == 1 else "uint8"
    )
    if choices.below(8) and labels.dtype == np.uint8 and len(codebook):
        labels = labels % np.uint8(min(len(codebook), 255))
    if choices.below(64) == 1:
        labels = choices.pick(NOT_ARRAYS)
    if choices.below(64) == 1:
        codebook = choices.pick(NOT_ARRAYS)
    options = _storage(choices)
    result = attempt_encoding(lambda: kqf.encode_indexed(labels, codebook, **options))
    if result is None:
        return
    file: BinaryIO = io.BytesIO()
    kqf.write_indexed(file, labels, codebook, **options)
    require(file.getvalue() == result, "write_indexed writes another file")
    kqf.check(result)
    image = kqf.read_indexed(result)
    equal(image.labels, np.ascontiguousarray(labels), "labels")
    equal(image.codebook, np.ascontiguousarray(codebook), "codebook")
    _check_metadata(image.metadata, options)
    box = some_box(rng_of(data), labels.shape[1], labels.shape[0])
    part = kqf.read_indexed(result, region=box)
    equal(part.labels, np.ascontiguousarray(cut(labels, box)), f"labels of {box}")


def pixels_of(name: str, data: bytes) -> int:
    """Return the pixels of a file that excuse what its target takes of time and memory.

    Those that ``HEAD`` states, but no more than may be by default, and no more than 1032 for each
    byte of the file: deflate can't hold more. Only to fill up what a damaged file has lost, where
    that is asked for, the bare number is enough.
    """
    if data[12:16] != b"HEAD" or len(data) < 24:
        return 0
    width, height = struct.unpack_from(">2I", data, 16)
    pixels = min(width * height, MAX_PIXELS)
    if name == "salvage" or (name == "plugin" and takes_partial(data)):
        return pixels
    return min(pixels, len(data) * MAX_RATIO)


FILE_TARGETS: dict[str, Callable[[bytes], None]] = {
    "decode": decode,
    "info": info,
    "read_indexed": read_indexed,
    "check": check,
    "open": open_file,
    "salvage": salvage,
    "salvage_animation": salvage_animation,
    "plugin": plugin,
    "parser": parser,
}
ENCODE_TARGETS: dict[str, Callable[[bytes], None]] = {
    "encode": encode,
    "encode_indexed": encode_indexed,
}
TARGETS = FILE_TARGETS | ENCODE_TARGETS
