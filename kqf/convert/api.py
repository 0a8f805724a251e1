"""One file converted to KQF, from KQF, or to a palette image."""

import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

import kqf
from kqf.convert.animations import make_animation, salvaged
from kqf.convert.large import ZARR, Opened, opened, write_large
from kqf.convert.making import Made, make
from kqf.convert.options import ConversionOptions
from kqf.convert.part import part_of_picture, resized, size_after, whole
from kqf.convert.sizes import compare_sizes
from kqf.convert.targets import Job, check_target, is_exclusive
from kqf.convert.videos import make_video
from kqf.io.large_image import LargeImage, Report, is_large
from kqf.io.moving_pictures import is_animation
from kqf.io.paths import mode_of, modified
from kqf.io.pictures import Picture, is_kqf, load_picture
from kqf.io.pipes import PIPE, read_input, write_output
from kqf.io.videos import is_video


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
        largest_error: the pixel that differs most from what was read; None where none does, and
            where a KQF file became another format as it is.
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


def convert_file(
    job: Job, options: ConversionOptions, report: Report = lambda share: None
) -> tuple[Converted, Sequence[str]]:
    """Make one file from another; return what was made, and what else the user should know.

    Arguments:
        report: is told the share of the work that is done, 0 to 1, where that is known.

    Raises:
        NotSmaller: the result is not smaller than its source, and ``only_smaller``.
        ValueError, KqfError, OSError: it cannot be made. In all cases nothing was written.
    """
    start = time.perf_counter()
    # Asked before it is read: what changes meanwhile is newer than what is made of it.
    keeps_time = options.keep_times and PIPE not in (job.source, job.target)
    changed = modified(job.source) if keeps_time else None
    suffix = suffix_of(job, options)
    data = read_input(job.source) if job.source == PIPE else None
    with opened(job, data, suffix, options) as source:
        if source is None:
            data = read_input(job.source) if data is None else data
            made, bytes_out = _write_picture(job, data, suffix, options)
            bytes_in = len(data)
        else:
            check_target(job, size_after(source.size, options), options)
            image = source.image
            if isinstance(image, LargeImage) and (
                suffix == ZARR or (is_large(image.size) and options.size is None)
            ):
                made, bytes_out = write_large(job, image, source, suffix, options, report)
            else:
                made, bytes_out = _write_part(job, source, suffix, options, report)
            bytes_in = source.bytes
    if changed is not None:
        os.utime(job.target, ns=(changed, changed))
    return converted(job, made, bytes_in, bytes_out, time.perf_counter() - start), made.notes


def _write_picture(
    job: Job, data: bytes, suffix: str | None, options: ConversionOptions
) -> tuple[Made, int]:
    """Make the result of a source that was read whole; write it; return it with its bytes."""
    from_kqf = is_kqf(job.source, data)
    suffix = suffix or (".png" if from_kqf else ".kqf")
    size = _size_of(data)
    check_target(job, size_after(size, options) if size and options.is_part else size, options)
    bytes_in, damage = len(data), None
    if options.salvage and from_kqf:
        data, damage = salvaged(data, options)
    if is_video(job.source):
        made = make_video(data, suffix, options)
    elif options.frame is None and is_animation(data):
        made = make_animation(data, suffix, options)
    else:
        if options.is_of_animation:
            raise ValueError("--frames, --every, --fps: for animations, and this is a still image")
        picture = None
        if options.is_part:
            picture = part_of_picture(load_picture(data, options.frame), options)
        made = make(job.source, data, suffix, options, picture)
    if damage is not None:
        exact = made.exact and not (damage.lost or damage.lost_frames or damage.doubtful_frames)
        made = replace(made, exact=exact, notes=[f"damaged: {damage}", *made.notes])
    # Other formats are expected to be larger than KQF.
    if not options.is_part and (suffix == ".kqf" or not from_kqf):
        made.notes.extend(compare_sizes(bytes_in, len(made.data), options))
    return made, write_result(job, made.data, options)


def _write_part(
    job: Job, source: Opened, suffix: str | None, options: ConversionOptions, report: Report
) -> tuple[Made, int]:
    """Make the result of an image that is small by now; write it; return it with its bytes."""
    suffix = suffix or (".png" if source.is_kqf else ".kqf")
    image, data, picture = source.image, b"", None
    if isinstance(image, LargeImage):
        if options.size is None:
            picture = whole(image)
        else:
            picture = resized(image, size_after(source.size, options), report, source.box)
    elif options.size is None:
        # Without the rest it is a file like any other.
        data = kqf.encode_indexed(image, effort=1)
    else:
        picture = Picture(image.to_pillow(), [], [], [])
        picture = part_of_picture(picture, replace(options, region=None))
    made = make(job.source, data, suffix, options, picture)
    return made, write_result(job, made.data, options)


def write_result(job: Job, data: bytes, options: ConversionOptions) -> int:
    """Write the file of a job; return its bytes."""
    source_mode = mode_of(job.source)
    write_output(
        job.target,
        data,
        mode=None if source_mode is None else source_mode & 0o666,
        exclusive=is_exclusive(job, options),
    )
    return len(data)


def suffix_of(job: Job, options: ConversionOptions) -> str | None:
    """Return the suffix that says the format; None for a pipe whose data decides it."""
    return options.suffix if job.target == PIPE else Path(job.target).suffix.lower()


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a picture, None if it is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except Exception:
        # Decoding it tells what is wrong with it.
        return None


def converted(job: Job, made: Made, bytes_in: int, bytes_out: int, seconds: float) -> Converted:
    """Return what a job has made in so many seconds."""
    return Converted(
        input=job.source,
        output=job.target,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        ratio=bytes_out / bytes_in,
        bits_per_pixel=8 * bytes_out / (made.width * made.height),
        width=made.width,
        height=made.height,
        colors=made.colors,
        exact=made.exact,
        seconds=round(seconds, 3),
        largest_error=made.largest_error,
    )
