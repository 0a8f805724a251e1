"""The command ``kqf``."""

import dataclasses
import io
import json
import math
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Annotated, Any, BinaryIO

import numpy as np
import typer
from PIL import Image, PngImagePlugin, UnidentifiedImageError

import kqf
from kqf.files import write_whole

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from kqf.report import ImageReport, Row, Summary

PIPE = "-"
# Enough of the signature to tell a damaged KQF file from something else.
_KQF_START = b"\x89KQF"
_CHANNELS = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}
_METADATA = ("icc_profile", "exif", "xmp", "dpi", "comment")
_EXIF_PREFIX = b"Exif\0\0"

# Modes of Pillow that have a natural one among those that KQF stores.
_STORED = ("1", "L", "LA", "P", "RGB", "RGBA")
_NATURAL = {
    "PA": "RGBA",
    "La": "LA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
}
# Their profiles describe colours that are gone once they are converted.
_OTHER_COLORS = ("CMYK", "LAB")
# TIFF keeps its layout in the same directory: these tags alone are about the picture.
_TIFF_TAGS = (270, 271, 272, 274, 305, 306, 315, 33432)
_TIFF_DIRECTORIES = (0x8769, 0x8825)

_SAVE_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"optimize": True},
    # Otherwise Pillow leaves unused colours out and renumbers the others.
    "GIF": {"optimize": False},
    "WEBP": {"lossless": True, "exact": True},
}

_BAR_AFTER = 1.0  # seconds


class Metric(StrEnum):
    MSE = "mse"
    PERCEPTUAL = "perceptual"


class Predictor(StrEnum):
    AUTO = "auto"
    NONE = "none"
    LEFT = "left"
    UP = "up"


class RefusedError(Exception):
    """What was asked for cannot be done with one file; the text says why."""


def escape(text: object) -> str:
    """Return text for one line of a terminal: control characters as escapes.

    >>> escape("red\\x1b[31m")
    'red\\\\x1b[31m'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def reason(error: BaseException) -> str:
    """Return the text of an error, without the path that the operating system adds."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class Session:
    """What one command says while it goes through files, and whether any of them failed.

    Arguments:
        total: number of files.

    Attributes:
        failed: whether anything was wrong with any file; the command then exits with 1.
        error: what was wrong with the latest file, if anything.
    """

    def __init__(self, total: int) -> None:
        self.failed = False
        self.error = ""
        self._total = total
        self._done = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._closed = False
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> "Session":
        if sys.stderr.isatty():
            self._timer = threading.Timer(_BAR_AFTER, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer:
            self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._progress:
                self._progress.stop()
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        if error is None and self.failed:
            raise typer.Exit(1)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        with self._lock:
            if self._closed:
                return
            # It is drawn over whatever is printed, so it must not catch what goes to a pipe.
            self._progress = Progress(
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            # One file alone gives no steps to count: the bar then only shows that work goes on.
            self._task = self._progress.add_task("", total=self._total if self._total > 1 else None)
            self._progress.update(self._task, completed=self._done)
            self._progress.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the progress bar away while something is printed."""
        with self._lock:
            if self._progress:
                self._progress.stop()
            yield
            if self._progress and not self._closed:
                self._progress.start()

    def say(self, line: str, stream: IO[str] | None = None) -> None:
        """Print one line, on stdout unless told otherwise."""
        with self.aside():
            print(line, file=stream or sys.stdout, flush=True)

    def note(self, name: str, message: object) -> None:
        """Say on stderr something about a file that is no failure."""
        self.say(f"kqf: {escape(name)}: {escape(message)}", sys.stderr)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Work on one file: whatever is wrong with it becomes a line on stderr."""
        self.error = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for category in (UserWarning, RuntimeWarning):
                warnings.simplefilter("always", category)
            warnings.showwarning = lambda message, *_: self.note(name, f"warning: {message}")
            try:
                yield
            except BrokenPipeError:
                raise
            except (RefusedError, kqf.KqfError, OSError, ValueError, MemoryError) as error:
                self.failed = True
                self.error = reason(error)
                self.note(name, self.error)
        with self._lock:
            self._done += 1
            if self._progress and self._task is not None:
                self._progress.update(self._task, completed=self._done)


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Give a file, or stdin, as a stream that seeks."""
    if name == PIPE:
        yield io.BytesIO(sys.stdin.buffer.read())
        return
    with Path(name).open("rb") as file:
        yield file if file.seekable() else io.BytesIO(file.read())


def size_of(stream: BinaryIO) -> int:
    """Return the bytes of a stream, and leave it at its start."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def is_kqf(name: str, stream: BinaryIO) -> bool:
    """Tell by its first bytes or, damaged as they may be, by its name."""
    start = stream.read(len(_KQF_START))
    stream.seek(0)
    return start == _KQF_START or Path(name).suffix.lower() == ".kqf"


# Pictures in: whatever Pillow opens, in a mode that KQF stores.


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture in a mode that KQF stores.

    Attributes:
        image: loaded, with all metadata in ``info`` where Pillow's plugins look for it.
        file_format: Pillow's name of the format that it came in.
        lost: what was lost on the way to this mode, in words.
    """

    image: Image.Image
    file_format: str
    lost: Sequence[str]


def load(stream: BinaryIO, frame: int | None = None) -> Picture:
    """Return the picture in a file.

    Arguments:
        frame: which one of several, from 0; None where there is but one.

    Raises:
        RefusedError: not a picture, damaged, of several frames, or of a mode that KQF can't store.
    """
    try:
        image = Image.open(stream)
        _choose(image, frame)
        deep = re.search(r";16[BLN]", str(image.tile))
        image.load()
        stored = _as_stored(image)
        _gather_metadata(stored, image)
    except (RefusedError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise RefusedError("not an image that Pillow knows") from None
    except Exception as error:
        # What Pillow raises about damaged files is of every kind.
        raise RefusedError(f"cannot be read: {reason(error)}") from error
    lost = []
    if deep:
        lost.append("16 bits a channel are cut to 8")
    if image.mode in _NATURAL:
        profile = ", and its profile dropped" if image.mode in _OTHER_COLORS else ""
        lost.append(f"mode {image.mode} is converted to {stored.mode}{profile}")
    return Picture(stored, image.format or "", lost)


def _choose(image: Image.Image, frame: int | None) -> None:
    frames = getattr(image, "n_frames", 1)
    if frame is None:
        if frames > 1:
            raise RefusedError(
                f"holds {frames} frames and a KQF file holds one: "
                f"pick one with --frame 0 to --frame {frames - 1}"
            )
    elif frame >= frames:
        raise RefusedError(f"has no frame {frame}: the last one is {frames - 1}")
    else:
        image.seek(frame)


def _as_stored(image: Image.Image) -> Image.Image:
    if image.mode in ("1", "L", "RGB") and image.has_transparency_data:
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode in _STORED:
        return image
    if image.mode not in _NATURAL:
        raise RefusedError(
            f"mode {image.mode} has more than the 8 bits a channel of KQF: reduce it to 8 first"
        )
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    return image.convert(_NATURAL[image.mode])


def _gather_metadata(stored: Image.Image, image: Image.Image) -> None:
    """Put all metadata of ``image`` where Pillow's plugins look for it in ``stored``."""
    found: dict[str, object] = {k: image.info[k] for k in _METADATA if image.info.get(k)}
    if image.mode in _OTHER_COLORS:
        found.pop("icc_profile", None)
    if "comment" not in found and image.info.get("Comment"):
        found["comment"] = str(image.info["Comment"])
    if "exif" not in found:
        try:
            if exif := _exif(image):
                found["exif"] = exif
        except Exception as error:
            # As damaged files are read, yet not a reason to give up the picture.
            warnings.warn(f"EXIF is damaged and dropped: {reason(error)}", stacklevel=1)
    for key in _METADATA:
        stored.info.pop(key, None)
    stored.info.update(found)


def _exif(image: Image.Image) -> bytes:
    """Return EXIF that is not in one piece in the file: of TIFF, or hidden in PNG's texts."""
    exif = image.getexif()
    if image.format == "TIFF":
        kept = Image.Exif()
        for tag in _TIFF_TAGS:
            if tag in exif:
                kept[tag] = exif[tag]
        for directory in _TIFF_DIRECTORIES:
            if entries := exif.get_ifd(directory):
                kept[directory] = entries
        exif = kept
    return exif.tobytes() if len(exif) else b""


def palette_of(image: Image.Image) -> np.ndarray:
    """Return the codebook (K, C) uint8, C 3 or 4, of an image of mode ``P``."""
    ramp = image.crop((0, 0, 256, 1))
    ramp.frombytes(bytes(range(256)))
    colors = pixels_of(ramp)[0]
    entries = len(image.getpalette("RGB") or ()) // 3
    codebook: np.ndarray = colors[: max(entries, int(np.asarray(image).max()) + 1)]
    return codebook


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels, uint8, of an image in a mode that KQF stores."""
    if image.mode == "P":
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    return np.asarray(image.convert("L") if image.mode == "1" else image)


def read_palette(name: str) -> np.ndarray:
    """Return the palette (K, C) uint8 in a KQF file, a picture, or a text of hex colours.

    Raises:
        RefusedError: none is in it. OSError: it can't be read. KqfError: it is a damaged KQF file.
    """
    with open_input(name) as stream:
        if is_kqf(name, stream):
            return kqf.read_indexed(stream).codebook
        try:
            with Image.open(stream):
                pass
        except UnidentifiedImageError:
            stream.seek(0)
            return _parse_colors(stream.read())
        stream.seek(0)
        image = load(stream, 0).image
    if image.mode == "P":
        return palette_of(image)
    pixels = pixels_of(image)
    rows = pixels.reshape(-1, 1 if pixels.ndim == 2 else pixels.shape[2])
    colors, first = np.unique(rows, axis=0, return_index=True)
    if len(colors) > 256:
        raise RefusedError(f"has {len(colors)} distinct colours: a palette has at most 256")
    return np.ascontiguousarray(colors[np.argsort(first)])


def _parse_colors(data: bytes) -> np.ndarray:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RefusedError("is no image and no text of colours") from None
    colors = []
    for number, line in enumerate(lines, 1):
        if not (text := line.strip()):
            continue
        if not re.fullmatch(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})", text):
            raise RefusedError(
                f"line {number}: expected a colour like #ff8000, found {text[:40]!r}"
            )
        colors.append(bytes.fromhex(text.removeprefix("#")))
    if not 1 <= len(colors) <= 256:
        raise RefusedError(f"has {len(colors)} colours: a palette has 1 to 256")
    channels = max(map(len, colors))
    return np.array([list(color.ljust(channels, b"\xff")) for color in colors], np.uint8)


def _meet(pixels: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and palette with the same channels: colour and alpha if either has them."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    has_alpha = pixels.shape[2] in (2, 4)
    if has_alpha and palette.shape[1] in (1, 3):
        if pixels[..., -1].min() < 255:
            raise RefusedError("has transparency, and the palette has none")
        pixels, has_alpha = pixels[..., :-1], False
    alpha = has_alpha or palette.shape[1] in (2, 4)
    gray = max(pixels.shape[2], palette.shape[1]) < 3
    return _with_channels(pixels, gray, alpha), _with_channels(palette, gray, alpha)


def _with_channels(colors: np.ndarray, gray: bool, alpha: bool) -> np.ndarray:
    channels = colors.shape[-1]
    planes = colors[..., : 3 if channels > 2 else 1]
    if not gray:
        planes = np.broadcast_to(planes, (*colors.shape[:-1], 3))
    if alpha:
        opacity = colors[..., -1:] if channels in (2, 4) else np.full_like(colors[..., :1], 255)
        planes = np.concatenate([planes, opacity], axis=-1)
    return np.ascontiguousarray(planes)


# kqf convert


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What ``kqf convert`` was asked for, its files aside.

    Attributes:
        options: those of kqf.encode that were given.
        threads: at most so many; None for one for each processor.
        palette: (K, C) uint8, if one was given.
        suffix: of the output, where no name says it.
        frame: which one of several, from 0.
        strip, verify, overwrite: the flags.
    """

    options: Mapping[str, Any]
    threads: int | None
    palette: np.ndarray | None
    suffix: str | None
    frame: int | None
    strip: bool
    verify: bool
    overwrite: bool


@dataclasses.dataclass(frozen=True)
class Converted:
    """One file made.

    Attributes:
        data: its bytes.
        bytes_in: bytes of the file that it was made from.
        width, height: pixels.
        colors: entries of the codebook, on whichever side KQF is.
        exact: whether it shows the very pixels of its source; None where that can't be told.
        notes: what else the user should know.
    """

    data: bytes
    bytes_in: int
    width: int
    height: int
    colors: int
    exact: bool | None
    notes: Sequence[str]


def convert_file(
    name: str, output: str, wishes: Wishes, written: dict[str, str]
) -> tuple[str, Converted]:
    """Make one file from another, on one of whose sides KQF is, and write it.

    Arguments:
        name: path, or ``-`` for stdin.
        output: path, ``-`` for stdout, a folder if it ends with ``/``, or empty for a file
            beside the input.
        written: inputs by the path of what was made from them, to which this one is added.

    Returns:
        where it was written, and what.

    Raises:
        RefusedError, KqfError, OSError, ValueError: it cannot be made; nothing was written.
    """
    with open_input(name) as stream:
        bytes_in = size_of(stream)
        from_kqf = is_kqf(name, stream)
        target, suffix = _place(name, output, wishes.suffix or (".png" if from_kqf else ".kqf"))
        _check_target(name, target, wishes.overwrite)
        if other := written.get(os.path.realpath(target)):
            raise RefusedError(f"{target} was just made from {other}")
        if suffix == ".kqf":
            made = _to_kqf(stream, bytes_in, from_kqf, wishes)
        elif from_kqf:
            made = _from_kqf(stream, bytes_in, suffix, wishes)
        else:
            raise RefusedError(f"neither it nor {target} is KQF: one side must be")
    try:
        write_whole(sys.stdout.buffer if target == PIPE else target, made.data)
        if target == PIPE:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RefusedError(f"cannot write {target}: {reason(error)}") from error
    written[os.path.realpath(target)] = name
    return target, made


def _place(name: str, output: str, suffix: str) -> tuple[str, str]:
    """Return where to write, and the suffix that says in which format."""
    if output == PIPE or (name == PIPE and not output):
        return PIPE, suffix
    if not output:
        return str(Path(name).with_suffix(suffix)), suffix
    if output.endswith("/"):
        return output + Path(name).with_suffix(suffix).name, suffix
    if not Path(output).suffix:
        raise RefusedError(
            f"{output} has no suffix to tell a format by; a folder's name ends with /"
        )
    return output, Path(output).suffix.lower()


def _check_target(name: str, target: str, overwrite: bool) -> None:
    if target == PIPE or not Path(target).exists():
        return
    if name != PIPE and Path(name).samefile(target):
        raise RefusedError(f"{target} is the same file")
    if Path(target).is_dir():
        raise RefusedError(f"{target} is a folder")
    if not overwrite:
        raise RefusedError(f"{target} exists already")


def _to_kqf(stream: BinaryIO, bytes_in: int, from_kqf: bool, wishes: Wishes) -> Converted:
    colors = wishes.options.get("colors", 256)
    lost: Sequence[str] = ()
    if from_kqf and wishes.palette is None and kqf.info(stream).colors <= colors:
        stream.seek(0)
        source = kqf.read_indexed(stream, threads=wishes.threads)
        metadata = {} if wishes.strip else dict(source.metadata)
        data, exact = _encode_labels(source.labels, source.codebook, wishes, metadata)
    else:
        stream.seek(0)
        picture = load(stream, wishes.frame)
        image, lost = picture.image, picture.lost
        metadata = {} if wishes.strip else _plain_metadata(image)
        keep = image.mode == "P" and wishes.palette is None
        if keep and len(codebook := palette_of(image)) <= colors:
            data, exact = _encode_labels(np.asarray(image), codebook, wishes, metadata)
        else:
            data, exact = _encode_pixels(pixels_of(image), wishes, metadata)
    head = kqf.info(data)
    return Converted(data, bytes_in, head.width, head.height, head.colors, exact and not lost, lost)


def _plain_metadata(image: Image.Image) -> dict[str, object]:
    """Return metadata as kqf stores it, from where Pillow keeps it; leave out what is void."""
    metadata = {key: image.info[key] for key in _METADATA if key in image.info}
    if isinstance(exif := metadata.get("exif"), bytes):
        metadata["exif"] = exif.removeprefix(_EXIF_PREFIX)
    if isinstance(xmp := metadata.get("xmp"), str):
        metadata["xmp"] = xmp.encode()
    if isinstance(comment := metadata.get("comment"), bytes):
        try:
            metadata["comment"] = comment.decode()
        except UnicodeDecodeError:
            metadata["comment"] = comment.decode("latin-1")
    if "comment" in metadata:
        metadata["comment"] = str(metadata["comment"]).replace("\0", "")
    if "dpi" in metadata:
        try:
            x, y = map(float, metadata["dpi"])
        except (TypeError, ValueError, ZeroDivisionError):
            x = y = 0
        metadata["dpi"] = (x, y) if 0.001 <= min(x, y) <= max(x, y) < 1e6 else None
    return {key: value for key, value in metadata.items() if value}


def _encode_labels(
    labels: np.ndarray, codebook: np.ndarray, wishes: Wishes, metadata: Mapping[str, object]
) -> tuple[bytes, bool]:
    """Return a file of labels and codebook, and that it is exact."""
    layout = ("predictor", "tile", "effort")
    options = {key: value for key, value in wishes.options.items() if key in layout}
    data = kqf.encode_indexed(
        labels, codebook, threads=wishes.threads, metadata=metadata, **options
    )
    if wishes.verify:
        _compare(_decoded(data, wishes), labels, codebook)
    return data, True


def _encode_pixels(
    pixels: np.ndarray, wishes: Wishes, metadata: Mapping[str, object]
) -> tuple[bytes, bool]:
    """Return a file of pixels, and whether it is exact."""
    palette = wishes.palette
    if palette is not None:
        pixels, palette = _meet(pixels, palette)
    data = kqf.encode(
        pixels, palette=palette, threads=wishes.threads, metadata=metadata, **wishes.options
    )
    image = _decoded(data, wishes)
    if wishes.verify:
        # Once more by the shortest way: the codebook as it came back, labels stored as they are.
        again = kqf.encode(
            pixels,
            palette=image.codebook,
            metric=wishes.options.get("metric", Metric.MSE),
            predictor="none",
            effort=1,
            threads=wishes.threads,
        )
        meant = _decoded(again, wishes)
        _compare(image, meant.labels, meant.codebook if palette is None else palette)
    # Channels of one gray plane come back without their axis.
    return data, np.array_equal(image.pixels, np.squeeze(pixels, 2) if _flat(pixels) else pixels)


def _flat(pixels: np.ndarray) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] == 1


def _decoded(data: bytes, wishes: Wishes) -> kqf.IndexedImage:
    return kqf.read_indexed(data, threads=wishes.threads, max_pixels=None)


def _compare(found: kqf.IndexedImage, labels: np.ndarray, codebook: np.ndarray) -> None:
    for what, came, meant in (
        ("other labels", found.labels, labels),
        ("another codebook", found.codebook, codebook),
    ):
        if not np.array_equal(came, meant):
            raise RefusedError(f"verification failed: it decodes to {what} than meant")


def _from_kqf(stream: BinaryIO, bytes_in: int, suffix: str, wishes: Wishes) -> Converted:
    options = [f"--{key}" for key in wishes.options]
    if options or wishes.palette is not None:
        options += [] if wishes.palette is None else ["--palette"]
        raise RefusedError(f"{', '.join(options)}: for writing KQF alone, not {suffix}")
    if wishes.frame:
        raise RefusedError(f"has no frame {wishes.frame}: the last one is 0")
    file_format = format_of(suffix)
    # Its errors name what is wrong, where Pillow's would say that the file is not an image.
    head = kqf.info(stream)
    stream.seek(0)
    image = load(stream).image
    # Some of Pillow's writers look there for what they were not given.
    metadata = {key: image.info.pop(key) for key in _METADATA if key in image.info}
    wanted = {} if wishes.strip else metadata
    data, exact, kept = _save(image, file_format, wanted)
    if wishes.verify and not exact:
        what = "shows other pixels" if exact is False else "cannot be read back"
        raise RefusedError(f"verification failed: as {file_format} it {what}")
    missing = [key for key in wanted if kept is not None and key not in kept]
    notes = [f"{file_format} keeps no {', '.join(missing)}"] if missing else []
    return Converted(data, bytes_in, head.width, head.height, head.colors, exact, notes)


def format_of(suffix: str) -> str:
    """Return Pillow's name of the format that files with this suffix have.

    Raises:
        RefusedError: Pillow does not write any.
    """
    Image.init()
    name = Image.registered_extensions().get(suffix.lower())
    if name not in Image.SAVE:
        raise RefusedError(f"Pillow writes no format with the suffix {suffix}")
    return name


def _save(
    image: Image.Image, file_format: str, metadata: Mapping[str, Any]
) -> tuple[bytes, bool | None, set[str] | None]:
    """Return an image in one of Pillow's formats, if it can be had with its very pixels.

    Returns:
        the file; whether it shows the same pixels; the keys of metadata in it. None for what
        can't be told, of a format that Pillow writes but does not read.
    """
    options = {**_SAVE_OPTIONS.get(file_format, {}), **metadata}
    if file_format == "PNG":
        options["pnginfo"] = _png_texts(metadata)
    # Pillow's convert can leave a palette behind that its GIF writer reads wrongly: of a copy.
    rgba = np.asarray(image.copy().convert("RGBA"))
    translucent = int(rgba[..., 3].min()) < 255
    problem: Exception | None = None
    best = None
    # Not every format knows palettes, or alpha in them.
    for candidate in (image, image.copy().convert("RGBA" if translucent else "RGB")):
        buffer = io.BytesIO()
        try:
            candidate.save(buffer, file_format, **options)
        except Exception as error:
            # What its writers raise is of as many kinds as what its readers do.
            problem = error
            continue
        data = buffer.getvalue()
        try:
            shown = Image.open(io.BytesIO(data))
            shown.load()
        except Exception:
            # Any error at all: some formats are for writing alone, or need other programs.
            return data, None, None
        if shown.size != image.size and file_format != "TIFF":
            problem = RefusedError(
                f"{file_format} holds no image of {image.width} x {image.height}"
            )
            continue
        if translucent and not shown.has_transparency_data:
            problem = RefusedError(f"{file_format} keeps no transparency")
            continue
        exact = _same(shown, rgba, file_format, metadata)
        if exact or best is None:
            best = data, exact, _kept(shown)
        if exact:
            break
    if best is None:
        assert problem is not None
        raise RefusedError(f"cannot be saved as {file_format}: {reason(problem)}") from problem
    return best


def _same(
    shown: Image.Image, rgba: np.ndarray, file_format: str, metadata: Mapping[str, Any]
) -> bool:
    if file_format == "TIFF" and "exif" in metadata:
        from PIL import ImageOps

        # Pillow turns TIFF, alone of all formats, as its orientation says.
        turned = Image.fromarray(rgba)
        turned.info["exif"] = metadata["exif"]
        rgba = np.asarray(ImageOps.exif_transpose(turned))
    return np.array_equal(np.asarray(shown.convert("RGBA")), rgba)


def _kept(shown: Image.Image) -> set[str]:
    kept = {key for key in _METADATA if shown.info.get(key)}
    if shown.info.get("Comment"):
        kept.add("comment")
    if shown.getexif():
        kept.add("exif")
    return kept


def _png_texts(metadata: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    if "xmp" in metadata:
        texts.add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode("utf-8", "replace"))
    if "comment" in metadata:
        texts.add_itxt("Comment", metadata["comment"])
    return texts


def _as_record(name: str, target: str, made: Converted, seconds: float) -> dict[str, object]:
    return {
        "input": name,
        "output": target,
        "bytes_in": made.bytes_in,
        "bytes_out": len(made.data),
        "ratio": len(made.data) / made.bytes_in,
        "bits_per_pixel": 8 * len(made.data) / (made.width * made.height),
        "width": made.width,
        "height": made.height,
        "colors": made.colors,
        "exact": made.exact,
        "seconds": round(seconds, 3),
    }


def _as_line(name: str, target: str, made: Converted) -> str:
    size = len(made.data)
    loss = {True: ", lossless", False: ", lossy", None: ""}[made.exact]
    return (
        f"{escape(name)} -> {escape(target)}  {made.bytes_in:,} -> {size:,} bytes "
        f"({100 * size / made.bytes_in:.1f} %), {8 * size / (made.width * made.height):.2f} "
        f"bits per pixel, {_colors(made.colors)}{loss}"
    )


def _colors(number: int) -> str:
    return f"{number:,} colour" if number == 1 else f"{number:,} colours"


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"kqf {kqf.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """KQF, a palette image format: at most 256 colours, small files."""


@app.command()
def convert(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Images, to KQF; KQF files, to PNG. - is stdin."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A file, whose suffix says the format; a folder (one that ends with / is made); "
            "- for stdout. Without it, a file beside the input.",
            show_default=False,
        ),
    ] = "",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="SUFFIX", help="Format where no file name says it, such as webp."
        ),
    ] = None,
    colors: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Colours at the most. [default: 256]"),
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option(help="What counts as error. [default: mse]")
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="100: every pixel gets the nearest colour."),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Colours to use: of an image, a KQF file, or a text with #rrggbb on each line.",
        ),
    ] = None,
    predictor: Annotated[
        Predictor | None,
        typer.Option(help="How labels are predicted. [default: auto, the smallest]"),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(metavar="WxH|N", help="Size of tiles in pixels. [default: by trial]"),
    ] = None,
    effort: Annotated[
        int | None, typer.Option(min=1, max=9, help="1 is fast, 9 small. [default: 5]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the search for colours. [default: 0]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="At the most. [default: all processors]")
    ] = None,
    frame: Annotated[
        int | None, typer.Option(min=0, help="Which frame of several to take; the first is 0.")
    ] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Drop all metadata.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Decode the result and compare before writing it.")
    ] = False,
    no_overwrite: Annotated[
        bool, typer.Option("--no-overwrite", help="Fail where the output exists.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each file.")
    ] = False,
) -> None:
    """Convert images to KQF and back.

    Images of at most 256 colours, and mode P, are stored without loss. Metadata is kept (ICC, EXIF,
    XMP, density, comment). WebP is written lossless.
    """
    options = {
        "colors": colors,
        "metric": None if metric is None else str(metric),
        "quality": quality,
        "predictor": None if predictor is None else str(predictor),
        "tile": _parse_tile(tile),
        "effort": effort,
        "seed": seed,
    }
    output = _check_output(inputs, output, file_format)
    suffix = _parse_format(file_format)
    to_pipe = output == PIPE or (not output and PIPE in inputs)
    if to_pipe and sys.stdout.isatty():
        raise typer.BadParameter("stdout is a terminal: redirect it", param_hint="-o")
    stream = sys.stderr if to_pipe else sys.stdout
    with Session(len(inputs)) as session:
        found = None
        if palette is not None:
            with session.file(palette):
                found = read_palette(palette)
            if found is None:
                return
        wishes = Wishes(
            options={key: value for key, value in options.items() if value is not None},
            threads=threads,
            palette=found,
            suffix=suffix,
            frame=frame,
            strip=strip,
            verify=verify,
            overwrite=not no_overwrite,
        )
        if output.endswith("/"):
            with session.file(output):
                Path(output).mkdir(parents=True, exist_ok=True)
            if session.failed:
                return
        _convert_all(session, inputs, output, wishes, stream, as_json)


def _convert_all(
    session: Session,
    inputs: Sequence[str],
    output: str,
    wishes: Wishes,
    stream: IO[str],
    as_json: bool,
) -> None:
    written: dict[str, str] = {}
    for name in inputs:
        with session.file(name):
            start = time.perf_counter()
            target, made = convert_file(name, output, wishes, written)
            for note in made.notes:
                session.note(name, note)
            if as_json:
                record = _as_record(name, target, made, time.perf_counter() - start)
                session.say(json.dumps(record), stream)
            else:
                session.say(_as_line(name, target, made), stream)
        if as_json and session.error:
            session.say(json.dumps({"input": name, "error": session.error}), stream)


def _check_output(inputs: Sequence[str], output: str, file_format: str | None) -> str:
    """Return where output goes, a folder with ``/`` at its end; refuse what can't be meant."""
    if output != PIPE and Path(output or "x").is_dir() and not output.endswith("/"):
        output += "/"
    one_place = output and not output.endswith("/")
    if len(inputs) > 1 and (one_place or PIPE in inputs):
        what = "several inputs need a folder that exists, or a name that ends with /"
        raise typer.BadParameter(what, param_hint="-o")
    if PIPE in inputs and output.endswith("/"):
        raise typer.BadParameter("stdin has no name to use in a folder", param_hint="-o")
    if file_format is not None and one_place and output != PIPE:
        raise typer.BadParameter("the output's suffix says the format", param_hint="--format")
    return output


def _parse_format(text: str | None) -> str | None:
    if text is None:
        return None
    suffix = "." + text.lower().removeprefix(".")
    try:
        format_of(suffix)
    except RefusedError as error:
        raise typer.BadParameter(str(error), param_hint="--format") from error
    return suffix


def _parse_tile(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,9}(x[1-9][0-9]{0,9})?", text):
        raise typer.BadParameter(f"{text!r} is not WxH or N", param_hint="--tile")
    sides = tuple(map(int, text.split("x")))
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


@app.command()
def info(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="KQF files. - is stdin.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each file.")
    ] = False,
) -> None:
    """Say what KQF files hold, without decoding them."""
    with Session(len(files)) as session:
        for name in files:
            with session.file(name), open_input(name) as stream:
                head = kqf.info(stream)
                if as_json:
                    record = {"file": name, **dataclasses.asdict(head)}
                    session.say(json.dumps(record | {"bits_per_pixel": head.bits_per_pixel}))
                else:
                    session.say("\n".join(_describe(name, head, _metadata_values(head, stream))))


def _metadata_values(head: kqf.Info, stream: BinaryIO) -> dict[str, object]:
    if not head.metadata:
        return {}
    stream.seek(0)
    try:
        return dict(kqf.read_indexed(stream, region=(0, 0, 1, 1)).metadata)
    except kqf.KqfError:
        # A damaged tile does not keep the rest from being told.
        return dict.fromkeys(head.metadata)


def _describe(name: str, head: kqf.Info, metadata: Mapping[str, object]) -> Iterator[str]:
    yield escape(name)
    for key, value in (
        ("size", f"{head.width:,} x {head.height:,} pixels"),
        ("channels", f"{head.channels} ({_CHANNELS[head.channels]})"),
        ("colours", f"{head.colors}"),
        ("predictor", head.predictor),
        ("tiles", f"{head.tiles:,} of {head.tile_width:,} x {head.tile_height:,} pixels"),
        ("file", f"{head.file_bytes:,} bytes, {head.bits_per_pixel:.2f} bits per pixel"),
        *((key, _describe_value(value)) for key, value in metadata.items()),
    ):
        yield f"  {key:<11}  {value}"


def _describe_value(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, tuple):
        return " x ".join(f"{number:g}" for number in value)
    return "present" if value is None else escape(value)


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="KQF files. - is stdin.")],
    threads: Annotated[
        int | None, typer.Option(min=1, help="At the most. [default: all processors]")
    ] = None,
) -> None:
    """Read every chunk and every tile of KQF files, and say whether they are sound."""
    with Session(len(files)) as session:
        for name in files:
            with session.file(name), open_input(name) as stream:
                try:
                    kqf.check(stream, threads=threads)
                except kqf.KqfError as error:
                    session.failed = True
                    session.say(f"{escape(name)}: bad: {escape(error)}")
                else:
                    session.say(f"{escape(name)}: ok")


@app.command()
def report(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE...]",
            help="Images. [default: scikit-learn's two sample photographs]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="At the most. [default: all processors]")
    ] = None,
) -> None:
    """Set KQF beside PNG, GIF, palette PNG and WebP: bytes and error for each image."""
    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown exclude each other")
    names = images or sample_images()
    from kqf.report import measure, summarize

    with Session(len(names)) as session:
        reports: list[ImageReport] = []
        for name in names:
            with session.file(name), open_input(name) as stream:
                size = size_of(stream)
                picture = load(stream)
                for note in picture.lost:
                    session.note(name, note)
                done = measure(
                    pixels_of(picture.image),
                    name=name if images else Path(name).name,
                    file_format=picture.file_format,
                    file_bytes=size,
                    threads=threads,
                )
                reports.append(done)
                if not as_json:
                    _show_table(session, _title(done), done.rows, markdown)
        summary = summarize(reports)
        if as_json:
            session.say(
                json.dumps(
                    {
                        "images": [_report_record(done) for done in reports],
                        "summary": [_row_record(row) for row in summary],
                    },
                    indent=2,
                )
            )
        elif len(reports) > 1:
            title = f"Geometric means over {len(reports)} images"
            _show_table(session, title, summary, markdown)


def sample_images() -> list[str]:
    """Return the paths of scikit-learn's sample photographs, without importing it."""
    spec = find_spec("sklearn")
    folders = (spec and spec.submodule_search_locations) or []
    paths = [
        Path(folder) / "datasets" / "images" / name
        for folder in folders
        for name in ("china.jpg", "flower.jpg")
    ]
    if not paths or not all(path.is_file() for path in paths):
        raise typer.BadParameter("scikit-learn's photographs are not installed: name images")
    return [str(path) for path in paths]


def _title(done: "ImageReport") -> str:
    return (
        f"{done.name}: {done.file_format}, {done.width:,} x {done.height:,}, "
        f"{_CHANNELS[done.channels]}, {_colors(done.colors)}"
    )


_COLUMNS = ("stored as", "bytes", "of raw", "bits per pixel", "error")
_NUMBERS = ("bytes", "of raw", "bits per pixel")


def _cells(row: "Row | Summary") -> tuple[str, ...]:
    error = "lossless" if math.isinf(row.psnr) else f"lossy, PSNR {row.psnr:.2f} dB"
    # Of one image this is a flag, of a summary the number of images that lost nothing.
    if row.lossless and not math.isinf(row.psnr):
        error += f", {int(row.lossless)} lossless"
    sizes = f"{row.bytes:,.0f}", f"{100 * row.ratio:.1f} %", f"{row.bits_per_pixel:.2f}"
    return row.name, *sizes, error


def _show_table(
    session: Session, title: str, rows: "Sequence[Row | Summary]", markdown: bool
) -> None:
    cells = [_cells(row) for row in rows]
    if markdown:
        session.say(_as_markdown(title, cells))
    elif sys.stdout.isatty():
        with session.aside():
            _print_table(title, cells)
    else:
        session.say(_as_text(title, cells))


def _as_markdown(title: str, cells: Sequence[Sequence[str]]) -> str:
    heading = re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", escape(title))
    rules = ["---:" if column in _NUMBERS else "---" for column in _COLUMNS]
    rows = ["| " + " | ".join(line) + " |" for line in (_COLUMNS, rules, *cells)]
    return "\n".join([f"**{heading}**", "", *rows, ""])


def _as_text(title: str, cells: Sequence[Sequence[str]]) -> str:
    columns = []
    for column in zip(_COLUMNS, *cells, strict=True):
        width = max(map(len, column))
        pad = str.rjust if column[0] in _NUMBERS else str.ljust
        columns.append([pad(text, width) for text in column])
    lines = ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    return "\n".join([escape(title), *lines, ""])


def _print_table(title: str, cells: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(escape(title)), title_justify="left", box=SIMPLE_HEAD)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for line in cells:
        style = "bold" if line[0].startswith("KQF") else ""
        table.add_row(*(Text(cell) for cell in line), style=style)
    Console().print(table)


def _report_record(done: "ImageReport") -> dict[str, object]:
    record = dataclasses.asdict(done)
    return record | {"rows": [_row_record(row) for row in done.rows]}


def _row_record(row: "Row | Summary") -> dict[str, object]:
    # JSON has no infinity.
    psnr = None if math.isinf(row.psnr) else row.psnr
    return dataclasses.asdict(row) | {"psnr": psnr, "lossless": row.lossless}


def main() -> None:
    """Run the command; end with its exit code and never with a traceback about bad input."""
    # A terminal that lacks a character shall not stop the work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(prog_name="kqf")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
