"""One file made from another, on one of whose sides KQF is."""

import io
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kqf
from kqf.convert.palette import match_image
from kqf.io.files import write_whole
from kqf.io.image_metadata import stripped, take_metadata, upright_labels
from kqf.io.large_tiff import is_large, open_tiff
from kqf.io.modes import codebook_of, without_palette
from kqf.io.paths import exists, identity, is_same, is_url, read, with_suffix, write
from kqf.io.pictures import format_of, is_kqf, load, load_picture, save
from kqf.text import reason

PIPE = "-"
# A file, whether it is exact, what else the user should know, and where it differs most.
_Made = tuple[bytes, bool | None, list[str], kqf.LargestError | None]
# The options of the encoder that leave labels as they are.
_STORAGE = ("predictor", "tile", "effort", "threads")
_OF_PIXELS = {"palette", "keep", "max_bytes"}
# Those of kqf.write_dask.
_OF_BLOCKS = {
    "colors",
    "effort",
    "keep",
    "method",
    "metric",
    "palette",
    "predictor",
    "quality",
    "seed",
    "tile",
}


@dataclass(frozen=True)
class Wishes:
    """What was asked for, apart from the files.

    Attributes:
        options: those of kqf.encode that were given, ``palette`` and ``threads`` among them.
        suffix: of the output, where no name says it.
        frame: which one of several, from 0.
        strip, verify, overwrite: the flags.
        smaller: refuse a KQF file that takes no fewer bytes than its source.
        salvage: of a damaged KQF file, take what is whole.
    """

    options: Mapping[str, Any]
    suffix: str | None = None
    frame: int | None = None
    strip: bool = False
    verify: bool = False
    overwrite: bool = True
    smaller: bool = False
    salvage: bool = False


class NotSmaller(ValueError):  # noqa: N818 - a result that is not wanted, not an error in itself
    """The result takes no fewer bytes than its source; nothing was written."""


@dataclass(frozen=True)
class Converted:
    """One file made.

    Attributes:
        input, output: names, ``-`` for a pipe.
        bytes_in, bytes_out: of the two files.
        ratio: bytes out for each byte in.
        bits_per_pixel: of the file made.
        width, height: pixels.
        colors: entries of the codebook, on whichever side KQF is.
        exact: whether it shows the very pixels of its source; None where that can't be told.
        seconds: that it took.
        largest_error: of KQF, the pixel that differs most from what was read; None where none does,
            and of other formats.
    """

    input: str
    output: str
    bytes_in: int
    bytes_out: int
    ratio: float
    bits_per_pixel: float
    width: int
    height: int
    colors: int
    exact: bool | None
    seconds: float
    largest_error: kqf.LargestError | None


def read_input(name: str) -> bytes:
    """Return the bytes of a file, of a URL that fsspec knows, or of stdin."""
    if name != PIPE:
        return read(name)
    if sys.stdin is None:
        raise ValueError("stdin is closed")
    return sys.stdin.buffer.read()


def convert_file(
    name: str, output: str, wishes: Wishes, written: dict[str, str]
) -> tuple[Converted, Sequence[str]]:
    """Make one file from another; return what was made, and what else the user should know.

    Arguments:
        name: path, or ``-`` for stdin.
        output: path, ``-`` for stdout, a folder if it ends with ``/``, or empty for a file
            beside the input.
        written: inputs by the path of what was made from them, to which this one is added.

    Raises:
        ValueError, KqfError, OSError: it cannot be made; nothing was written.
    """
    start = time.perf_counter()
    if is_large(name) and (output.endswith(".kqf") or wishes.suffix in (None, ".kqf")):
        return _convert_large(name, output, wishes, start)
    data = read_input(name)
    from_kqf = is_kqf(name, data)
    target, suffix = _place(name, output, wishes.suffix or (".png" if from_kqf else ".kqf"))
    if target != PIPE and name != PIPE and is_same(name, target):
        raise ValueError(f"{target} is the same file")
    if target != PIPE and not wishes.overwrite and exists(target):
        raise ValueError(f"{target} exists already")
    if other := written.get(identity(target)):
        raise ValueError(f"{target} was just made from {other}")
    if from_kqf and wishes.frame:
        raise ValueError(f"has no frame {wishes.frame}: the last one is 0")
    bytes_in = len(data)
    damage: list[kqf.DamageWarning] = []
    if from_kqf and wishes.salvage:
        data, damage = _salvage(data, wishes.options.get("threads"))
    if suffix == ".kqf":
        new, exact, notes, largest = _to_kqf(data, from_kqf, wishes)
    elif from_kqf:
        new, exact, notes, largest = _from_kqf(data, suffix, wishes)
    else:
        raise ValueError(f"neither it nor {target} is KQF: one side must be")
    if wishes.smaller and suffix == ".kqf" and len(new) >= len(data):
        raise NotSmaller(f"{len(new):,} bytes would not be smaller than its {len(data):,}")
    head = kqf.info(new if suffix == ".kqf" else data)
    _write(target, new)
    written[identity(target)] = name
    exact = exact and not any(each.lost for each in damage)
    made = _converted(start, name, target, head, bytes_in, len(new), exact, largest)
    return made, [*(f"damaged: {each}" for each in damage), *notes]


def _convert_large(
    name: str, output: str, wishes: Wishes, start: float
) -> tuple[Converted, Sequence[str]]:
    """Make a KQF file of a TIFF image that memory does not hold, block by block."""
    target, _ = _place(name, output, ".kqf")
    options = dict(wishes.options)
    options.pop("threads", None)
    if refused := [f"--{key.replace('_', '-')}" for key in options if key not in _OF_BLOCKS]:
        raise ValueError(f"{', '.join(refused)}: not for an image larger than memory")
    if wishes.verify or wishes.frame or target == PIPE or is_url(target):
        raise ValueError("--verify, --frame, stdout and URLs: not for an image larger than memory")
    if Path(target).exists() and not wishes.overwrite:
        raise ValueError(f"{target} exists already")
    array, metadata = open_tiff(name)
    if "palette" in options and array.ndim == 2:
        raise ValueError("--palette: not for a gray image larger than memory")
    if "keep" in options:
        options["keep"] = [color[: array.shape[2]] for color in options["keep"]]
    kqf.write_dask(target, array, metadata={} if wishes.strip else metadata, **options)
    head, source = kqf.info(target), Path(name).stat().st_size
    made = _converted(start, name, target, head, source, head.file_bytes, None, None)
    return made, ["larger than memory: encoded block by block"]


def _converted(
    start: float,
    name: str,
    target: str,
    head: kqf.Info,
    bytes_in: int,
    bytes_out: int,
    exact: bool | None,
    largest: kqf.LargestError | None,
) -> Converted:
    """Return what was made since ``start``."""
    return Converted(
        input=name,
        output=target,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        ratio=bytes_out / bytes_in,
        bits_per_pixel=8 * bytes_out / (head.width * head.height),
        width=head.width,
        height=head.height,
        colors=head.colors,
        exact=exact,
        seconds=round(time.perf_counter() - start, 3),
        largest_error=largest,
    )


def _place(name: str, output: str, suffix: str) -> tuple[str, str]:
    """Return where to write, and the suffix that says in which format."""
    if output == PIPE or (name == PIPE and not output):
        return PIPE, suffix
    if not output:
        return with_suffix(name, suffix), suffix
    if output.endswith("/"):
        return output + Path(name).with_suffix(suffix).name, suffix
    if not Path(output).suffix:
        raise ValueError(f"{output} has no suffix to tell a format by; a folder's name ends with /")
    return output, Path(output).suffix.lower()


def _write(target: str, data: bytes) -> None:
    try:
        if target != PIPE:
            write(target, data)
            return
        write_whole(sys.stdout.buffer, data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ValueError(f"cannot write {target}: {reason(error)}") from error


def _salvage(data: bytes, threads: int | None) -> tuple[bytes, list[kqf.DamageWarning]]:
    """Return a sound file of what is whole of a damaged one, and what it warns of, if anything."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = kqf.read_indexed(data, threads=threads, errors="salvage")
    damage = [each.message for each in caught if isinstance(each.message, kqf.DamageWarning)]
    if not damage:
        return data, damage
    sound = kqf.encode_indexed(
        found.labels, found.codebook, metadata=found.metadata, effort=1, threads=threads
    )
    return sound, damage


def _to_kqf(data: bytes, from_kqf: bool, wishes: Wishes) -> _Made:
    options = dict(wishes.options)
    threads = options.get("threads")
    # Options that labels as they are might not honour take the pixels instead.
    colors = 0 if _OF_PIXELS & options.keys() else options.get("colors", 256)
    storage = {key: value for key, value in options.items() if key in _STORAGE}
    if from_kqf and kqf.info(data).colors <= colors:
        meant = kqf.read_indexed(data, threads=threads)
        metadata = meant.metadata
        if wishes.strip:
            meant = kqf.IndexedImage(upright_labels(meant.labels, metadata), meant.codebook)
            metadata = {}
        made = kqf.encode_indexed(meant.labels, meant.codebook, metadata=metadata, **storage)
        if wishes.verify:
            _verify(kqf.read_indexed(made, threads=threads), meant)
        return made, True, [], None
    picture = load_picture(data, wishes.frame)
    image, notes = picture.image, [*picture.changes]
    if wishes.strip:
        image = stripped(image)
    else:
        notes += picture.dropped
    if image.mode == "P" and len(codebook := codebook_of(image)) <= colors:
        options, meant = storage, kqf.IndexedImage(np.asarray(image), codebook)
    else:
        if "palette" in options:
            image, options["palette"] = match_image(image, options["palette"])
        image = without_palette(image)
        if "keep" in options and image.mode == "RGBA":
            options["keep"] = [(*color, 255)[:4] for color in options["keep"]]
        if wishes.verify:
            meant = kqf.quantize(np.asarray(image), **options)
    buffer = io.BytesIO()
    image.save(buffer, "KQF", **options)
    found = kqf.read_indexed(buffer.getvalue(), threads=threads)
    if wishes.verify:
        _verify(found, meant)
    pixels = np.asarray(without_palette(image))
    largest = None
    same = np.array_equal(found.pixels, pixels)
    if not same:
        largest = kqf.largest_error(pixels, found.pixels)
    return buffer.getvalue(), not picture.changes and same, notes, largest


def _verify(found: kqf.IndexedImage, meant: kqf.IndexedImage) -> None:
    if not np.array_equal(found.labels, meant.labels):
        raise ValueError("verification failed: it decodes to other labels than meant")
    if not np.array_equal(found.codebook, meant.codebook):
        raise ValueError("verification failed: it decodes to another codebook than meant")


def _from_kqf(data: bytes, suffix: str, wishes: Wishes) -> _Made:
    if options := [f"--{key}" for key in wishes.options if key != "threads"]:
        raise ValueError(f"{', '.join(options)}: for writing KQF alone, not {suffix}")
    file_format = format_of(suffix)
    # Its errors name what is wrong, where Pillow's would say that the file is not an image.
    kqf.info(data)
    image, _ = load(data)
    if wishes.strip:
        image = stripped(image)
    made, exact, dropped = save(image, file_format, take_metadata(image))
    if wishes.verify and not exact:
        what = "shows other pixels" if exact is False else "cannot be read back"
        raise ValueError(f"verification failed: as {file_format} it {what}")
    return made, exact, [f"{file_format} keeps no {', '.join(dropped)}"] if dropped else [], None
