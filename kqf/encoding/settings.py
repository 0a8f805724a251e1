"""Options of the encoder, checked before any work is done."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from kqf.encoding.effort import PRESETS
from kqf.encoding.label_search import LabelSettings
from kqf.encoding.layout import LayoutSettings
from kqf.encoding.options import DEFAULT_METHOD, EncodeOptions, StorageOptions, with_defaults
from kqf.encoding.overviews import with_overviews
from kqf.format.declarations import MAX_COLORS, MAX_SIDE, Predictor
from kqf.format.metadata import build_metadata
from kqf.palettes.coerce import as_codebook, match_channels
from kqf.quantization import dither, methods
from kqf.quantization.api import CodebookSettings
from kqf.quantization.colorspace import METRICS, metric_for
from kqf.text import describe
from kqf.threads import thread_count

_PREDICTORS = {predictor.name.lower(): predictor for predictor in Predictor}
_TARGETS = ("target_psnr", "target_ssim", "target_ssimulacra2", "max_bytes")
_MAX_INTEGER = 2**63 - 1


class StorageSettings:
    """How labels are to be stored.

    Arguments:
        given: options of a caller. kind: TypedDict of the options that may be given.

    Raises:
        TypeError, ValueError: an option is not as ``options`` describes it.

    Attributes:
        preset: settings of the effort.
        layout: layouts that the file may have.
        overviews: whether it has overviews; None if its size is to tell.
        metadata: as ``IndexedImage.metadata``.
        chunks: types and payloads of the metadata's chunks.
        threads: at most so many are used.
    """

    def __init__(self, given: Mapping[str, object], kind: type = StorageOptions) -> None:
        options = with_defaults(given, kind)
        predictors = list(Predictor)
        if options["predictor"] != "auto":
            name = _choice("predictor", options["predictor"], ("auto", *_PREDICTORS))
            predictors = [_PREDICTORS[name]]
        self.preset = PRESETS[_integer("effort", options["effort"], min(PRESETS), max(PRESETS))]
        self.threads = thread_count(options["threads"])
        tile = _tile(options["tile"])
        self.layout = LayoutSettings(predictors, tile, self.preset.layout, self.threads)
        self.overviews = options["overviews"]
        if not isinstance(self.overviews, bool | None):
            found = type(self.overviews).__name__
            raise TypeError(f"overviews must be True, False or None, not {found}")
        metadata = {} if options["metadata"] is None else options["metadata"]
        self.chunks = list(build_metadata(metadata))
        self.metadata: dict[str, object] = dict(metadata)

    def with_overviews(self, file: bytes) -> bytes:
        """Return a file with overviews, if it gets any."""
        size = sum(len(payload) for _, payload in self.chunks)
        return with_overviews(file, self.overviews, self.threads, size)


class EncodeSettings(StorageSettings):
    """How pixels are to become labels, and how these are to be stored.

    Arguments:
        given: options of a caller. kind: TypedDict of the options that may be given.

    Raises:
        TypeError, ValueError: an option is not as ``options`` describes it.

    Attributes:
        colors: entries of the codebook at most.
        metric: from ``colorspace.metric_for``, for so many colours.
        quality: asked for or by default; with a target, the highest to try.
        target_psnr, target_ssim, target_ssimulacra2, max_bytes: targets, at most one of them not
            None.
    """

    def __init__(self, given: Mapping[str, object], kind: type = EncodeOptions) -> None:
        super().__init__(given, kind)
        options = with_defaults(given, kind)
        self.colors = _integer("colors", options["colors"], 1, MAX_COLORS)
        metric = _choice("metric", options["metric"], METRICS)
        self._seed = _integer("seed", options["seed"], 0, _MAX_INTEGER)
        self._method = options["method"]
        name = options["dither"]
        self._dither_if_seen = isinstance(name, str) and name == "auto"
        # Error diffusion leaves least of bands.
        self._dither = dither.name_of("floyd-steinberg" if self._dither_if_seen else name)
        self._dither_strength = _share("dither_strength", options["dither_strength"])
        if self._dither_strength < 1 and not self._dither:
            raise ValueError("dither_strength= is for dithering: give dither= with it")
        self._keep = options["keep"]
        self._palette: np.ndarray | None = None
        if options["palette"] is not None:
            self._palette = as_codebook(options["palette"])
            if len(self._palette) > self.colors:
                count = len(self._palette)
                raise ValueError(f"a palette of {count} colours exceeds colors={self.colors}")
        room = self.colors if self._palette is None else len(self._palette)
        self.metric = metric_for(metric, room)
        self.target_psnr = _positive("target_psnr", options["target_psnr"])
        self.target_ssim = _positive("target_ssim", options["target_ssim"])
        self.target_ssimulacra2 = _positive("target_ssimulacra2", options["target_ssimulacra2"])
        limit = options["max_bytes"]
        self.max_bytes = None if limit is None else _integer("max_bytes", limit, 1, _MAX_INTEGER)
        if self.max_bytes is not None:
            if self.overviews:
                raise ValueError("max_bytes= is for files without overviews: leave overviews out")
            self.overviews = False
        targets = [name for name in _TARGETS if getattr(self, name) is not None]
        if len(targets) > 1:
            raise ValueError(f"only one target can be met at a time, not {' and '.join(targets)}")
        always = self._dither and not self._dither_if_seen
        self.quality = 100 if targets or always else self.preset.quality
        if options["quality"] is not None:
            self.quality = _integer("quality", options["quality"], 1, 100)
        if self._palette is not None and self._method != DEFAULT_METHOD:
            raise ValueError(f"method={self._method!r} has nothing to learn with palette=")
        if self._palette is not None and self._keep is not None:
            raise ValueError("keep= is for codebooks that are learned: add its colours to palette=")

    def codebook(self, channels: int) -> CodebookSettings:
        """Return how to learn a codebook for an image of so many channels."""
        method = methods.find(self._method, channels, self.preset.kmeans, self.threads)
        fixed = self._fixed_colors(channels)
        weighted = self.preset.weighted
        return CodebookSettings(self.colors, self.metric, fixed, method, self._seed, weighted)

    @property
    def labels(self) -> LabelSettings:
        """How to find labels."""
        dithering = dither.find(self._dither, self._dither_strength)
        search, layout = self.preset.search, self.layout
        return LabelSettings(search, layout, dithering, self.chunks, self._dither_if_seen)

    def palette(self, channels: int) -> np.ndarray | None:
        """Return the palette for an image of so many channels, (K, channels) uint8, or None."""
        return None if self._palette is None else match_channels(self._palette, channels)

    def check_alpha(self, colors: np.ndarray) -> None:
        """Raise ValueError if the palette has no alpha but colours of the image (N, C) need it."""
        if self._palette is None or self._palette.shape[1] in (2, 4):
            return
        if colors.shape[1] in (2, 4) and colors[:, -1].min() < 255:
            raise ValueError(
                "the image has transparency, and the palette has none: give it a transparent "
                "colour, or remove the image's alpha channel"
            )

    def _fixed_colors(self, channels: int) -> np.ndarray:
        """Return the distinct colours of ``keep``, (n, channels) uint8, n at most ``colors``."""
        expected = f"keep must be colours of {channels} integers"
        try:
            keep = np.asarray([] if self._keep is None else self._keep)
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


def _tile(tile: Any) -> tuple[int, int] | None:
    """Return (width, height) of tiles, None to choose."""
    if tile is None:
        return None
    sides = (tile, tile) if isinstance(tile, int | np.integer) else tile
    if not isinstance(sides, Sequence | np.ndarray) or isinstance(sides, str | bytes):
        raise TypeError(f"tile must be an integer or (width, height), not {tile!r}")
    if len(sides) != 2:
        raise TypeError(f"tile must be an integer or (width, height), not {tile!r}")
    width, height = (_integer("a tile's side", side, 1, MAX_SIDE) for side in sides)
    return width, height


def _integer(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {value}")
    return int(value)


def _choice(name: str, value: object, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _positive(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not float(value) > 0:
        raise ValueError(f"{name} must be above 0, not {value}")
    return float(value)


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not 0 <= float(value) <= 1:
        raise ValueError(f"{name} must be 0 to 1, not {value}")
    return float(value)
