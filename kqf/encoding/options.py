"""What a caller asks of the encoder, checked before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from kqf.encoding.layout import Trials
from kqf.encoding.rate_distortion import Search
from kqf.format.declarations import MAX_COLORS, MAX_SIDE, PREDICTORS
from kqf.format.metadata import build_metadata
from kqf.image import check_codebook, describe
from kqf.quantization.colorspace import METRICS
from kqf.quantization.kmeans import Work
from kqf.threads import thread_count

Tile = int | tuple[int, int]
Colors = np.ndarray | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Effort:
    """What one step of ``effort`` buys: work on the codebook, labels and layout.

    Attributes:
        quality: unless asked for another.
    """

    quality: int
    work: Work
    search: Search
    trials: Trials


DEFAULT_EFFORT = 5
# Nobody sees the difference to 100 at arm's length, and files are 10 to 18 % smaller.
_UNSEEN = 75
DEFAULT_LEARNER = "kmeans"
_ALL = (2, 3, 4, 6)
_WIDE = (64, 128, 192, 256, 512)
EFFORTS = {
    # A search would take longer than all else together.
    1: Effort(100, Work(8192, 5, 0, 1), Search(2, 1, 1), Trials(1, 4, (256,), (4,), 0, 0, 2**20)),
    2: Effort(
        _UNSEEN, Work(6144, 8, 0, 2), Search(2, 1, 1), Trials(1, 8, (256,), (4,), 0, 0, 2**21)
    ),
    3: Effort(
        _UNSEEN,
        Work(6144, 10, 1, 3),
        Search(2, 1, 1),
        Trials(4, 10, (256,), (3, 6), 0, 2**14, 2**22),
    ),
    4: Effort(
        _UNSEEN,
        Work(6144, 10, 2, 4),
        Search(2, 1, 1),
        Trials(6, 11, (128, 256), (2, 4, 8), 0, 2**15, 2**22),
    ),
    5: Effort(
        _UNSEEN,
        Work(6144, 10, 2, 8),
        Search(2, 2, 1),
        Trials(6, 12, (128, 256), _ALL, 0.01, 2**16, 2**24),
    ),
    6: Effort(
        _UNSEEN,
        Work(8192, 10, 6, 10),
        Search(3, 3, 2),
        Trials(8, 12, (128, 192, 256), _ALL, 0.03, 2**17, 2**26),
    ),
    7: Effort(
        _UNSEEN,
        Work(16384, 20, 12, 16),
        Search(4, 4, 2),
        Trials(9, 12, _WIDE[:4], _ALL, 0.05, 2**18, 2**26),
    ),
    8: Effort(
        _UNSEEN,
        Work(32768, 20, 20, 16),
        Search(6, 5, 2),
        Trials(10, 12, _WIDE, _ALL, 0.1, 2**19, 2**30),
    ),
    9: Effort(
        _UNSEEN,
        Work(65536, 40, 40, 16),
        Search(10, 8, 2),
        Trials(10, 12, _WIDE, _ALL, 1, 2**62, 2**62),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How labels are to be stored; arguments and errors as of ``kqf.encode``."""

    predictor: str = "auto"
    tile: Tile | None = None
    effort: int = DEFAULT_EFFORT
    threads: int | None = None
    metadata: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        _check_choice("predictor", self.predictor, ("auto", *PREDICTORS))
        _check_number("effort", self.effort, min(EFFORTS), max(EFFORTS))
        _ = self.tile_size, self.thread_count
        for _ in build_metadata({} if self.metadata is None else self.metadata):
            pass

    @property
    def settings(self) -> Effort:
        return EFFORTS[self.effort]

    @property
    def predictors(self) -> Sequence[int]:
        """The predictors to choose from, by number."""
        if self.predictor == "auto":
            return range(len(PREDICTORS))
        return [PREDICTORS.index(self.predictor)]

    @property
    def tile_size(self) -> tuple[int, int] | None:
        """Width and height of tiles, None to choose."""
        if self.tile is None:
            return None
        sides = (self.tile, self.tile) if isinstance(self.tile, int | np.integer) else self.tile
        if not isinstance(sides, tuple) or len(sides) != 2:
            raise TypeError(f"tile must be an integer or (width, height), not {self.tile!r}")
        for side in sides:
            _check_number("a tile's side", side, 1, MAX_SIDE)
        return int(sides[0]), int(sides[1])

    @property
    def thread_count(self) -> int:
        return thread_count(self.threads)


@dataclass(frozen=True, kw_only=True)
class Options(Storage):
    """How pixels are to become labels, too; arguments and errors as of ``kqf.encode``."""

    colors: int = MAX_COLORS
    metric: str = "mse"
    quality: int | None = None
    palette: np.ndarray | None = None
    learner: str = DEFAULT_LEARNER
    dither: str | None = None
    keep: Colors | None = None
    target_psnr: float | None = None
    target_ssim: float | None = None
    max_bytes: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_number("colors", self.colors, 1, MAX_COLORS)
        _check_choice("metric", self.metric, METRICS)
        if self.quality is not None:
            _check_number("quality", self.quality, 1, 100)
        _check_number("seed", self.seed, 0, 2**63 - 1)
        if self.target_psnr is not None:
            _check_real("target_psnr", self.target_psnr)
        if self.target_ssim is not None:
            _check_real("target_ssim", self.target_ssim)
        if self.max_bytes is not None:
            _check_number("max_bytes", self.max_bytes, 1, 2**63 - 1)
        targets = [name for name in _TARGETS if getattr(self, name) is not None]
        if len(targets) > 1:
            raise ValueError(f"one target at a time, not {' and '.join(targets)}")
        if self.palette is not None and self.learner != DEFAULT_LEARNER:
            raise ValueError(f"learner={self.learner!r} has nothing to learn with palette=")
        if self.dither is not None and (targets or self.highest < 100):
            found = f"{targets[0]}=" if targets else f"quality={self.quality}"
            raise ValueError(f"dither={self.dither!r} is for quality 100 alone, not for {found}")
        if self.palette is not None and self.keep is not None:
            raise ValueError(
                "keep= is for a codebook that is learned: put its colours into palette="
            )

    @property
    def highest(self) -> int:
        """The quality asked for, or the one that suits: with a target the highest to try."""
        if self.quality is not None:
            return self.quality
        if self.dither is not None or any(getattr(self, name) is not None for name in _TARGETS):
            return 100
        return self.settings.quality

    def palette_for(self, channels: int) -> np.ndarray:
        """Return the palette given, (K, channels) uint8."""
        palette: Any = self.palette
        if isinstance(palette, np.ndarray) and palette.dtype == np.bool_:
            palette = palette * np.uint8(255)
        check_codebook(palette)
        if palette.shape[1] != channels:
            raise ValueError(f"a palette for {channels} channels can't have {palette.shape[1]}")
        if len(palette) > self.colors:
            raise ValueError(f"a palette of {len(palette)} colours exceeds colors={self.colors}")
        return np.ascontiguousarray(palette, np.uint8)

    def keep_for(self, channels: int) -> np.ndarray:
        """Return the distinct colours to keep, (n, channels) uint8, n from 0 to ``colors``."""
        expected = f"keep must be colours of {channels} integers"
        try:
            keep = np.asarray([] if self.keep is None else self.keep)
        except ValueError as error:
            raise ValueError(f"{expected}, not rows of different lengths") from error
        if not keep.size:
            return np.empty((0, channels), np.uint8)
        if keep.ndim != 2 or keep.shape[1] != channels or keep.dtype.kind not in "iu":
            raise ValueError(f"{expected}, not {describe(keep)}")
        if keep.min() < 0 or keep.max() > 255:
            raise ValueError(f"keep must be colours of 0 to 255, not {keep.min()} to {keep.max()}")
        keep = np.unique(keep.astype(np.uint8), axis=0)
        if len(keep) > self.colors:
            raise ValueError(f"keep has {len(keep)} colours, more than colors={self.colors}")
        return keep


_TARGETS = ("target_psnr", "target_ssim", "max_bytes")


def as_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as (H, W, C) uint8, C 1 to 4; a bool image as 0 and 255.

    Raises:
        TypeError, ValueError: not an image that encode takes.
    """
    taken = "a uint8 or bool array (H, W) or (H, W, 1..4)"
    if not isinstance(pixels, np.ndarray) or pixels.dtype not in (np.uint8, np.bool_):
        raise TypeError(f"pixels must be {taken}, not {describe(pixels)}")
    shaped = pixels[..., None] if pixels.ndim == 2 else pixels
    if shaped.ndim != 3 or not 1 <= shaped.shape[2] <= 4:
        raise ValueError(f"pixels must be {taken}, not {describe(pixels)}")
    if not shaped.size or max(shaped.shape[:2]) > MAX_SIDE:
        raise ValueError(f"pixels must have sides of 1 to {MAX_SIDE}, not {describe(pixels)}")
    return shaped * np.uint8(255) if shaped.dtype == np.bool_ else shaped


def _check_number(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        allowed = str(low) if low == high else f"{low} to {high}"
        raise ValueError(f"{name} must be {allowed}, not {value}")


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _check_real(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not float(value) > 0:
        raise ValueError(f"{name} must be above 0, not {value}")
