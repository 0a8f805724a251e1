"""The quality of an animation that meets a target."""

from collections.abc import Callable

from kqf.encoding.animation.scenes import SceneSearch
from kqf.encoding.settings import EncodeSettings
from kqf.encoding.targets import highest_within, lowest_reaching
from kqf.errors import TargetError


def quality_for(
    search: SceneSearch, settings: EncodeSettings, size_at: Callable[[int], int]
) -> int:
    """Return the quality that settings ask for, or the one that meets their target.

    A target takes up to 8 times as long: all frames are labelled for each quality tried.

    Arguments:
        search: the frames.
        size_at: returns the bytes of the file at a quality.

    Raises:
        TargetError: no quality meets the target.
    """
    if settings.target_psnr is not None:
        return lowest_reaching(search.psnr, settings.quality, "target_psnr", settings.target_psnr)
    if settings.max_bytes is not None:
        quality = highest_within(size_at, settings.quality, settings.max_bytes)
        if quality is None:
            raise TargetError(
                f"max_bytes={settings.max_bytes} can't be met: quality 1 takes {size_at(1)} bytes"
            )
        return quality
    return settings.quality
