"""Conversions whose source is read block by block, and never held as a whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kqf
from kqf.cluster.progress import reporting
from kqf.convert.making import STORAGE, Made, colors_to_keep, notes_on, refuse, refuse_for
from kqf.convert.options import ConversionOptions, Size
from kqf.convert.part import box_of, cut, resized, size_after, whole
from kqf.convert.sizes import compare_sizes
from kqf.convert.targets import Job, holds_kqf, is_exclusive
from kqf.io import large_tiff, zarr_stores
from kqf.io.large_image import LargeImage, Report, is_large
from kqf.io.paths import is_url, is_zarr, mode_of
from kqf.io.pictures import Picture, is_kqf
from kqf.io.pipes import PIPE
from kqf.io.replacing import replacing
from kqf.io.tiff_writer import write_tiff

ZARR = ".zarr"
# Formats that large KQF files are converted to.
_BLOCKWISE = (".kqf", ZARR, *large_tiff.SUFFIXES)
# Pixels of an overview's sides that one pixel of a resized image needs at least.
_PIXELS_OF_ONE = 2
# Why options are refused.
_TOO_LARGE = "not for an image so large"
# The options of kqf.write_dask.
_OF_BLOCKS = {"colors", "keep", "method", "metric", "palette", "quality", "seed", *STORAGE}


@dataclass(frozen=True)
class Opened:
    """A source that is read in parts.

    Attributes:
        image: the region that is converted; of a KQF file, an IndexedImage if it is not large, and
            an overview if that is enough for the size that is asked for.
        size: width and height of all of the source.
        bytes: of the source.
        is_kqf: whether it is a KQF file.
        box: the part of an overview that the region is; None for all of ``image``.
    """

    image: LargeImage | kqf.IndexedImage
    size: tuple[int, int]
    bytes: int
    is_kqf: bool = False
    box: tuple[float, float, float, float] | None = None


@contextmanager
def opened(
    job: Job, data: bytes | None, suffix: str | None, options: ConversionOptions
) -> Iterator[Opened | None]:
    """Give a source to read in parts, or None if it is to be read whole.

    Arguments:
        data: of the source, if it is stdin.
        suffix: of the file to make; None for a pipe whose data decides it.

    Raises:
        ValueError, KqfError, OSError, ImportError: it cannot be read so.
    """
    name = job.source
    reads_tiff = options.is_part or suffix in (None, ".kqf")
    if data is None and is_zarr(name):
        image = zarr_stores.open_zarr(name)
        yield Opened(cut(image, options), image.size, zarr_stores.size_of(Path(name)))
    elif data is None and reads_tiff and large_tiff.is_large(name):
        image = large_tiff.open_tiff(name)
        yield Opened(cut(image, options), image.size, Path(name).stat().st_size)
    elif suffix == ZARR or options.is_part or (suffix in _BLOCKWISE and not is_url(name)):
        if not (_is_kqf_file(name) if data is None else is_kqf(name, data)):
            if suffix == ZARR:
                raise ValueError(f"only KQF files are written as {ZARR}: convert it to .kqf first")
            yield None
        elif options.salvage:
            if suffix == ZARR or options.is_part:
                raise ValueError("--salvage: convert it whole to .kqf first")
            yield None
        else:
            with kqf.open(name if data is None else data) as file:
                yield _opened_kqf(file, suffix, options)
    else:
        yield None


def _is_kqf_file(name: str) -> bool:
    # What a named pipe gives is there only once.
    return (is_url(name) or Path(name).is_file()) and holds_kqf(name)


def _opened_kqf(file: kqf.KqfFile, suffix: str | None, options: ConversionOptions) -> Opened | None:
    """Return a KQF file to read in parts; None if all of a small one is converted."""
    info = file.info
    if info.frames > 1 and suffix != ZARR:
        return None
    if options.frame:
        raise ValueError(f"has no frame {options.frame}: the last one is 0")
    size = info.width, info.height
    left, upper, right, lower = box = box_of(size, options)
    if options.size is not None and suffix != ZARR and is_large((right - left, lower - upper)):
        width, height = size_after(size, options)
        most = min((right - left) / width, (lower - upper) / height) / _PIXELS_OF_ONE
        scale = max((scale for scale in info.scales if scale <= most), default=1)
        labels = file.to_dask(indexed=True, level=scale.bit_length() - 1)
        around = left // scale, upper // scale, -(-right // scale), -(-lower // scale)
        image = LargeImage(labels, file.codebook, file.metadata).cut(around)
        inside = (
            left / scale - around[0],
            upper / scale - around[1],
            right / scale - around[0],
            lower / scale - around[1],
        )
        return Opened(image, size, info.file_bytes, True, inside)
    if suffix == ZARR or is_large((right - left, lower - upper)):
        image = LargeImage(file.to_dask(indexed=True), file.codebook, file.metadata)
        return Opened(image.cut(box), size, info.file_bytes, is_kqf=True)
    if not options.is_part:
        return None
    return Opened(file.read_indexed(box), size, info.file_bytes, is_kqf=True)


def picture_no_longer(name: str, longer: int, frame: int | None = None) -> Picture | None:
    """Return the picture in a file that need not be read whole.

    Arguments:
        name: path or URL.
        longer: pixels of the longer side of a large image, at most.
        frame: which one of several, from 0.

    Returns:
        None if the file must be read whole.

    Raises:
        ValueError, KqfError, OSError, ImportError: it cannot be read.
    """
    if not is_zarr(name) and _is_kqf_file(name):
        try:
            info = kqf.info(name)
        except kqf.KqfError:
            # Reading it whole tells what is wrong.
            return None
        if not is_large((info.width, info.height)):
            return None
    options = ConversionOptions(size=Size(longer=longer), frame=frame)
    with opened(Job(name, PIPE), None, ".png", options) as source:
        if source is None or not isinstance(source.image, LargeImage):
            return None
        if not is_large(source.size):
            return whole(source.image)
        return resized(source.image, size_after(source.size, options), lambda _: None, source.box)


def write_large(
    job: Job,
    image: LargeImage,
    source: Opened,
    suffix: str | None,
    options: ConversionOptions,
    report: Report,
) -> tuple[Made, int]:
    """Make a file of an image block by block.

    Arguments:
        image: of the source.
        suffix: of the file to make; None stands for .kqf.

    Returns:
        what was made, without its bytes; and the bytes of the file made.

    Raises:
        ValueError, OSError: it cannot be made; nothing was written.
    """
    if job.target == PIPE or is_url(job.target):
        raise ValueError("so large an image can be written only to a local file")
    refuse((key for key in ("verify", "frame") if getattr(options, key)), _TOO_LARGE)
    if options.strip:
        image = image.stripped()
    exclusive, mode = is_exclusive(job, options), mode_of(job.source)
    if mode is not None:
        mode &= 0o666
    if suffix == ZARR:
        codebook = _codebook_to_write(image, suffix, options)
        size = zarr_stores.write_zarr(
            Path(job.target), image, report, mode=mode, exclusive=exclusive
        )
        dropped = list(image.metadata)
        return _made(image, len(codebook), notes_on("zarr", dropped)), size
    with replacing(Path(job.target), mode=mode, exclusive=exclusive) as file:
        if suffix in large_tiff.SUFFIXES:
            codebook = _codebook_to_write(image, suffix or "", options)
            dropped = write_tiff(file, image.array, codebook, image.metadata, report)
            made = _made(image, len(codebook), notes_on("TIFF", dropped))
        elif suffix in (None, ".kqf"):
            made = _write_kqf(file, image, options, report)
        else:
            raise ValueError(
                f"{suffix} can't be written of so large an image: .kqf, .tif and .zarr can, "
                "and --region and --size make it smaller"
            )
        bytes_out = file.seek(0, 2)
        # A zarr array is no file that the result could be a smaller copy of.
        if suffix in (None, ".kqf") and not options.is_part and Path(job.source).is_file():
            made.notes.extend(compare_sizes(source.bytes, bytes_out, options))
    return made, bytes_out


def _codebook_to_write(image: LargeImage, suffix: str, options: ConversionOptions) -> np.ndarray:
    """Return the codebook of a KQF source; refuse any other source, and options of the encoder."""
    if image.codebook is None:
        raise ValueError(f"only KQF files are written as {suffix}: convert it to .kqf first")
    refuse_for(suffix, options.encoder.keys() - {"threads"})
    return image.codebook


def _write_kqf(file: Any, image: LargeImage, options: ConversionOptions, report: Report) -> Made:
    encoder = {key: value for key, value in options.encoder.items() if key != "threads"}
    refuse(encoder.keys() - _OF_BLOCKS, _TOO_LARGE)
    codebook = image.codebook
    if codebook is not None and len(codebook) <= colors_to_keep(options):
        storage = {key: value for key, value in encoder.items() if key in STORAGE}
        with reporting(image.array, encoder.get("tile"), report, passes=2):
            kqf.write_indexed_dask(file, image.array, codebook, metadata=image.metadata, **storage)
        return _made(image, len(codebook), [], exact=True)
    pixels = image.pixels
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if "palette" in encoder and channels == 1:
        raise ValueError("--palette: not for a gray image so large")
    if "keep" in encoder:
        encoder["keep"] = [color[:channels] for color in encoder["keep"]]
    with reporting(pixels, encoder.get("tile"), report, passes=3):
        kqf.write_dask(file, pixels, metadata=image.metadata, **encoder)
    file.seek(0)
    return _made(image, kqf.info(file).colors, ["large: encoded block by block"], exact=None)


def _made(image: LargeImage, colors: int, notes: list[str], exact: bool | None = True) -> Made:
    return Made(b"", *image.size, colors, exact, notes)
