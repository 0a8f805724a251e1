"""Frames of more colours than a codebook has, as labels of as good a quality as asked for."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import BinaryIO

import numpy as np

from kqf.encoding.animation.scenes import SceneSearch
from kqf.encoding.animation.targets import quality_for
from kqf.encoding.animation.writer import AnimationWriter
from kqf.encoding.settings import EncodeSettings


def write_scenes(
    frames: Iterable[np.ndarray],
    settings: EncodeSettings,
    groups: BinaryIO,
    size_of: Callable[[AnimationWriter], int],
) -> AnimationWriter:
    """Return a writer of frames (H, W, C) uint8 of any colours, all written.

    Arguments:
        frames: can be gone through several times.
        groups: see AnimationWriter.
        size_of: returns the bytes that the file of a writer takes.

    Raises:
        TargetError: no quality meets the target.
        ValueError: frames have transparency that the palette does not have.
    """
    search = SceneSearch(frames.__iter__, settings)
    write = partial(_written, search, settings, groups)
    return write(quality_for(search, settings, lambda quality: size_of(write(quality))))


def _written(
    search: SceneSearch, settings: EncodeSettings, groups: BinaryIO, quality: int
) -> AnimationWriter:
    """Return a writer of the frames at a quality."""
    writer = None
    for codebook, frames in search.at(quality):
        new: np.ndarray | None = codebook
        for found in frames:
            if writer is None:
                writer = AnimationWriter(found.labels, codebook, settings, groups)
            else:
                writer.add(found.labels, new, found.predictor)
            new = None
    assert writer is not None
    return writer
