"""From frames to the bytes of an animation."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Unpack, cast

import numpy as np

from kqf.encoding.animation import exact as exactly
from kqf.encoding.animation.frame_source import Frames, FrameSource
from kqf.encoding.animation.timing import Durations, check_loop, seconds_of, timing_of
from kqf.encoding.animation.true_color import write_scenes
from kqf.encoding.animation.writer import AnimationWriter
from kqf.encoding.options import EncodeOptions, documents
from kqf.encoding.output import check_kqf_target
from kqf.encoding.settings import EncodeSettings
from kqf.errors import TargetError
from kqf.format.animation import Timing
from kqf.io.files import Target, assembling
from kqf.quantization.histogram import pack

_PIECE = 2**20
# Bytes of groups that are kept in memory.
_IN_MEMORY = 2**24
DEFAULT_DURATION = 100


@documents(EncodeOptions)
def encode_animation(
    frames: Frames,
    *,
    durations: Durations = DEFAULT_DURATION,
    loop: int = 0,
    exact: bool = False,
    **options: Unpack[EncodeOptions],
) -> bytes:
    """Return frames as the bytes of a KQF file that plays.

    Frames that have at most ``colors`` distinct colours in all are stored exactly. Others share a
    codebook as long as one fits: until the picture is another, or its colours are. What stands
    still keeps its pixels, even if there is noise in it, unless ``quality`` is 100. With
    ``dither="auto"`` frames are dithered where the first with their codebook needs it. Targets are
    those of the whole file, and take up to eight times as long; ``target_ssim`` is for still images
    alone.

    Arguments:
        frames: uint8 or bool, an array (T, H, W) gray or (T, H, W, C), also of dask, which is
            computed frame by frame; a sequence or iterable of frames as ``kqf.encode`` takes them;
            or a function that returns one. Frames are gone through twice; what can be gone
            through only once is kept in a temporary file.
        durations: milliseconds, at least 0, of each frame, or one number for all; 100 by default.
        loop: how often the animation plays, 0 (default) for ever.
        exact: whether to store all colours of all frames as they are, with as many codebooks as
            that takes. Options of the codebook and of quality are then of no effect.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above.
        TargetError: a target can't be met.
    """
    with _encoded(frames, durations, loop, exact, options) as (start, groups, end):
        return start + groups.read() + end


@documents(EncodeOptions)
def write_animation(
    target: Target,
    frames: Frames,
    *,
    durations: Durations = DEFAULT_DURATION,
    loop: int = 0,
    exact: bool = False,
    **options: Unpack[EncodeOptions],
) -> None:
    """Encode frames and write the file, in memory that does not grow with their number.

    A path holds the whole file in the end, or is left as it was.

    Arguments:
        target: path, URL or binary file opened for writing.
        frames, durations, loop, exact: see ``kqf.encode_animation``.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above, or the target's name is that of another
            image format.
        TargetError: a target can't be met.
        OSError: the file can't be written.
    """
    check_kqf_target(target)
    with (
        _encoded(frames, durations, loop, exact, options) as (start, groups, end),
        assembling(target) as file,
    ):
        file.write(start)
        while piece := groups.read(_PIECE):
            file.write(piece)
        file.write(end)


@contextmanager
def _encoded(
    frames: Frames, durations: Durations, loop: int, exact: bool, options: EncodeOptions
) -> Iterator[tuple[bytes, BinaryIO, bytes]]:
    """Give a file in three parts, the groups of frames in a file at its beginning."""
    settings = EncodeSettings(options)
    plays, seconds = check_loop(loop), seconds_of(durations)
    for name in ("target_ssim", "target_ssimulacra2"):
        if getattr(settings, name) is not None:
            raise ValueError(f"{name} is for still images: an animation can have target_psnr")

    def timing_for(writer: AnimationWriter) -> Timing:
        return timing_of(seconds, writer.frames, plays)

    def size_of(writer: AnimationWriter) -> int:
        return writer.size(timing_for(writer))

    with FrameSource(frames) as source, tempfile.SpooledTemporaryFile(_IN_MEMORY) as temporary:
        groups = cast(BinaryIO, temporary)
        writer = _written_exactly(source, settings, exact, groups)
        if writer is not None and settings.max_bytes is not None:
            size = size_of(writer)
            if size > settings.max_bytes:
                if exact:
                    limit = f"max_bytes={settings.max_bytes}"
                    raise TargetError(f"{limit} can't be met: all colours take {size} bytes")
                writer = None
        writer = writer or write_scenes(source, settings, groups, size_of)
        timing = timing_for(writer)
        if writer.frames == 1:
            yield writer.still, io.BytesIO(), b""
            return
        start, end = writer.finish(timing)
        groups.seek(0)
        yield start, groups, end


def _written_exactly(
    source: FrameSource, settings: EncodeSettings, exact: bool, groups: BinaryIO
) -> AnimationWriter | None:
    """Return a writer of all colours as they are, None if one codebook can't hold them.

    Arguments:
        exact: whether they may take several codebooks. groups: see AnimationWriter.
    """
    channels = next(iter(source)).shape[2]
    if exact or settings.palette(channels) is None:
        keys = exactly.distinct(source, settings.colors)
        if keys is not None:
            kept = pack(settings.codebook(channels).fixed[None])[0]
            keys = keys if exact else np.union1d(keys, kept)
            if len(keys) <= settings.colors:
                return exactly.write_with_one_codebook(source, keys, settings, groups)
    return exactly.write_with_codebooks(source, settings, groups) if exact else None
