"""Codebooks for true-colour frames, one for as long as it fits, and the frames' labels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from kqf.encoding.animation.blocks import AREA, BlockGrid, deviations, lumas
from kqf.encoding.animation.codeword_candidates import CodewordCandidates
from kqf.encoding.animation.steady_labels import dithered_labels, nearest_labels
from kqf.encoding.animation.temporal_search import TemporalSearch
from kqf.encoding.label_search import UNSEEN, search_parameters
from kqf.encoding.settings import EncodeSettings
from kqf.quantization.api import CodebookSettings, learn_codebook
from kqf.quantization.color_counts import ColorCounts, merge
from kqf.quantization.colorspace import to_points
from kqf.quantization.histogram import add_up, pack, without_hidden
from kqf.quantization.nearest import assign, squared_error
from kqf.quantization.visibility import weights_of

Frames = Callable[[], Iterator[np.ndarray]]
Scene = tuple[np.ndarray, Iterator[np.ndarray]]

# Blocks of each frame that colours are learned from, at most.
_SAMPLED_BLOCKS = 2**10
# Upper bits of each channel that colours are compared by from frame to frame.
_COARSE_BITS = {1: 5, 2: 5, 3: 3, 4: 3}
# Share of pixels whose coarse colours must be others for the scene to be another: from the frame
# before, or from the mean of the scene.
_CUT, _DRIFT = 0.4, 0.5
# A scene that drifts has at least so many frames.
_LEAST_FRAMES = 8
# Candidates are those of a cell of colour: so many more, and the nearest one is among them.
_MORE_CANDIDATES = 3
# A codebook is kept unless another saves this share of the error.
_GAIN = 0.1


@dataclass
class _Segment:
    """Frames that follow one another, and the colours of a sample of their pixels.

    Attributes:
        frames: their number.
        counts: colours, by what their pixels count.
        coarse: (cells,) float64, shares of coarse colours, summed over all frames.
    """

    frames: int
    counts: ColorCounts
    coarse: np.ndarray

    def joined(self, other: "_Segment") -> "_Segment":
        return _Segment(
            self.frames + other.frames,
            merge([self.counts, other.counts]),
            self.coarse + other.coarse,
        )


class SceneSearch:
    """Frames of which labels can be found at any quality.

    Arguments:
        frames: function that returns the frames (H, W, C) uint8, all of one shape, from the first
            one; it is called once here, and once for each call of ``at``.
        settings: how to learn codebooks and to find labels.
    """

    def __init__(self, frames: Frames, settings: EncodeSettings) -> None:
        self._frames, self._settings = frames, settings
        self._scenes: list[tuple[int, np.ndarray, float]] = []
        pending = frames()
        first = next(pending)
        self._codebook_settings = settings.codebook(first.shape[2])
        metric = self._codebook_settings.metric
        self._weighted = self._codebook_settings.weighted and metric == "perceptual"
        palette = settings.palette(first.shape[2])
        self._plan(_chained(first, pending), palette)

    def at(self, quality: int) -> Iterator[Scene]:
        """Yield the scenes at a quality of 1 to 100: the codebook, and the labels of each frame."""
        frames = self._frames()
        for length, codebook, error in self._scenes:
            labels = self._label(islice(frames, length), codebook, error, quality)
            yield codebook, labels
            # Whoever did not take all frames begins with the next scene nevertheless.
            for _ in labels:
                pass

    def _label(
        self, frames: Iterator[np.ndarray], codebook: np.ndarray, error: float, quality: int
    ) -> Iterator[np.ndarray]:
        metric, threads = self._codebook_settings.metric, self._settings.threads
        dither = self._settings.labels.dither
        if quality == 100 and dither is not None:
            return dithered_labels(frames, codebook, dither, metric, threads, UNSEEN[metric])
        if quality == 100:
            return nearest_labels(frames, codebook, metric, threads)
        effort = self._settings.preset.search
        parameters = search_parameters(error, quality, metric, effort)
        count = parameters.candidates + _MORE_CANDIDATES
        fixed = self._codebook_settings.fixed
        candidates = CodewordCandidates(codebook, metric, count, fixed)
        search = TemporalSearch(candidates, parameters.lambda_, weighted=self._weighted)
        return search.labels(frames)

    def _plan(self, frames: Iterator[np.ndarray], palette: np.ndarray | None) -> None:
        """Find the scenes: number of frames, codebook, and mean error of the nearest labels."""
        if palette is not None:
            # One scene of all frames.
            segments = list(self._sampled(frames))
            whole = segments[0]
            for segment in segments[1:]:
                whole = whole.joined(segment)
            self._scenes = [(whole.frames, palette, self._error(whole, palette))]
            return
        last: _Segment | None = None
        for segment in _segments(self._sampled(frames)):
            codebook = self._learn(segment)
            error = self._error(segment, codebook)
            if last is not None:
                length, known, known_error = self._scenes[-1]
                both = last.joined(segment)
                joint = self._learn(both)
                apart = (known_error * last.frames + error * segment.frames) / both.frames
                together = self._error(both, joint)
                if together * (1 - _GAIN) <= apart:
                    self._scenes[-1] = length + segment.frames, joint, together
                    last = both
                    continue
            self._scenes.append((segment.frames, codebook, error))
            last = segment

    def _sampled(self, frames: Iterator[np.ndarray]) -> Iterator[_Segment]:
        """Yield each frame as a segment of its own."""
        grid = step = None
        for pixels in frames:
            if grid is None:
                grid = BlockGrid(*pixels.shape[:2])
                step = -(-grid.rows * grid.columns // _SAMPLED_BLOCKS)
            self._settings.check_alpha(pixels.reshape(-1, pixels.shape[2]))
            blocks = grid.cut(pixels)[::step]
            flat = blocks.reshape(-1, pixels.shape[2])
            weights = np.full(len(flat), 16.0)
            if self._weighted:
                weights = 16.0 * weights_of(deviations(lumas(blocks))).repeat(AREA)
            keys, (counts,) = add_up(pack(flat[None])[0], weights)
            yield _Segment(1, ColorCounts(flat.shape[1], keys, counts), _coarse(flat))

    def _learn(self, segment: _Segment) -> np.ndarray:
        histogram = segment.counts.histogram()
        if len(histogram.colors) > self._codebook_settings.colors:
            histogram = without_hidden(histogram)
        return learn_codebook(histogram, self._codebook_settings, self._settings.threads)

    def _error(self, segment: _Segment, codebook: np.ndarray) -> float:
        """Return the mean squared error of the nearest labels in the metric."""
        metric = self._codebook_settings.metric
        histogram = segment.counts.histogram()
        labels = assign(histogram.colors, codebook, metric, self._settings.threads)
        points, codewords = to_points(histogram.colors, metric), to_points(codebook, metric)
        error = squared_error(points, codewords, labels, histogram.counts)
        return error / float(histogram.counts.sum())


def scenes(frames: Frames, settings: EncodeSettings) -> Iterator[Scene]:
    """Yield for each scene its codebook (K, C) uint8 and the labels (H, W) uint8 of its frames.

    Arguments:
        frames: function that returns the frames (H, W, C) uint8, all of one shape, from the first
            one; it is called twice.
        settings: how to learn codebooks and to find labels.
    """
    return SceneSearch(frames, settings).at(settings.quality)


def _chained(first: np.ndarray, others: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from others


def _coarse(pixels: np.ndarray) -> np.ndarray:
    """Return the share of each coarse colour among pixels (N, C)."""
    channels = pixels.shape[1]
    bits = _COARSE_BITS[channels]
    cells = np.zeros(len(pixels), np.intp)
    for channel in range(channels):
        cells = cells << bits | pixels[:, channel] >> (8 - bits)
    return np.bincount(cells, minlength=1 << bits * channels) / len(pixels)


def _segments(frames: Iterator[_Segment]) -> Iterator[_Segment]:
    """Yield frames joined until a cut, or until their colours have become others."""
    last = segment = next(frames)
    for frame in frames:
        cut = np.abs(frame.coarse - last.coarse).sum() / 2
        drift = np.abs(frame.coarse - segment.coarse / segment.frames).sum() / 2
        if cut > _CUT or (drift > _DRIFT and segment.frames >= _LEAST_FRAMES):
            yield segment
            segment = frame
        else:
            segment = segment.joined(frame)
        last = frame
    yield segment
