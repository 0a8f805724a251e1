"""Codebooks for true-colour frames, each for as long as it fits, and the frames' labels."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain, islice, tee

import numpy as np

from kqf.encoding.animation.codeword_candidates import CodewordCandidates
from kqf.encoding.animation.segments import Segment, frame_segments, similar_segments
from kqf.encoding.animation.steady_labels import dithered_labels, nearest_labels
from kqf.encoding.animation.temporal_search import FoundLabels, TemporalSearch
from kqf.encoding.label_search import UNSEEN, search_parameters
from kqf.encoding.settings import EncodeSettings
from kqf.metrics import psnr
from kqf.quantization.api import learn_palette
from kqf.quantization.bands import bands_are_seen
from kqf.quantization.color_image import ColorImage
from kqf.quantization.colorspace import to_points
from kqf.quantization.nearest import assign, squared_error

Frames = Callable[[], Iterable[np.ndarray]]

# The nearest codewords of a cell of colour are so many more than those of a pixel.
_MORE_CANDIDATES = 1
# One codebook does for two scenes unless two save this share of the error.
_GAIN = 0.1
_PEAK = 255.0


@dataclass(frozen=True)
class _Scene:
    """Frames with one codebook.

    Attributes:
        frames: their number.
        codebook: (K, C) uint8.
        error: mean squared error of the nearest labels, in the metric.
    """

    frames: int
    codebook: np.ndarray
    error: float


class SceneSearch:
    """Frames of which labels can be found at any quality.

    A few frames are in memory at a time.

    Arguments:
        frames: function that returns the frames (H, W, C) uint8, all of one shape, from the first
            one; it is called once here, and once for each quality.
        settings: how to learn codebooks and to find labels.

    Raises:
        ValueError: frames have transparency that the palette does not have.
    """

    def __init__(self, frames: Frames, settings: EncodeSettings) -> None:
        self._frames, self._settings = frames, settings
        pending = iter(frames())
        first = next(pending)
        self._codebook_settings = settings.codebook(first.shape[2])
        self._metric = settings.metric
        self._weighted = self._codebook_settings.weighted and self._metric != "mse"
        palette = settings.palette(first.shape[2])
        segments = frame_segments(self._checked(chain([first], pending)), weighted=self._weighted)
        self._scenes = self._learned(segments, palette)

    def at(self, quality: int) -> Iterator[tuple[np.ndarray, Iterator[FoundLabels]]]:
        """Yield for each scene its codebook (K, C) uint8 and the labels of its frames.

        Arguments:
            quality: 1 to 100.
        """
        frames = iter(self._frames())
        for scene in self._scenes:
            labels = self._label(islice(frames, scene.frames), scene, quality)
            yield scene.codebook, labels
            # The next scene begins after this one, whether or not all of it was taken.
            for _ in labels:
                pass

    def psnr(self, quality: int) -> float:
        """Return the peak signal-to-noise ratio of all frames together at a quality, in dB."""
        errors = []
        originals = iter(self._frames())
        for codebook, labels in self.at(quality):
            for frame in labels:
                ratio = psnr(next(originals), codebook[frame.labels])
                errors.append(_PEAK**2 / 10 ** (ratio / 10))
        mean = float(np.mean(errors))
        return 10 * float(np.log10(_PEAK**2 / mean)) if mean else float("inf")

    def _checked(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for pixels in frames:
            self._settings.check_alpha(pixels.reshape(-1, pixels.shape[2]))
            yield pixels

    def _learned(self, frames: Iterable[Segment], palette: np.ndarray | None) -> list[_Scene]:
        """Return the scenes of segments of single frames: one of all of them with a palette."""
        if palette is not None:
            whole = reduce(_added, frames)
            return [_Scene(whole.frames, palette, self._error(whole, palette))]
        scenes: list[_Scene] = []
        last: Segment | None = None
        for segment in similar_segments(frames):
            scene = self._scene(segment)
            if last is not None:
                both = last.joined(segment)
                joint = self._scene(both)
                apart = scenes[-1].error * last.frames + scene.error * segment.frames
                if joint.error * joint.frames * (1 - _GAIN) <= apart:
                    segment, scene = both, joint
                    scenes.pop()
            scenes.append(scene)
            last = segment
        return scenes

    def _scene(self, segment: Segment) -> _Scene:
        histogram = segment.histogram()
        codebook = learn_palette(histogram, self._codebook_settings)
        return _Scene(segment.frames, codebook, self._error(segment, codebook))

    def _error(self, segment: Segment, codebook: np.ndarray) -> float:
        """Return the mean squared error of the nearest labels in the metric."""
        histogram = segment.histogram()
        labels = assign(histogram.colors, codebook, self._metric, self._settings.threads)
        points, codewords = (
            to_points(colors, self._metric) for colors in (histogram.colors, codebook)
        )
        error = squared_error(points, codewords, labels, histogram.counts)
        return error / float(histogram.counts.sum())

    def _label(
        self, frames: Iterable[np.ndarray], scene: _Scene, quality: int
    ) -> Iterator[FoundLabels]:
        dither = self._settings.labels.dither
        codebook, metric, threads = scene.codebook, self._metric, self._settings.threads
        if dither is not None and self._settings.labels.dither_if_seen:
            frames = iter(frames)
            first = next(frames)
            frames = chain([first], frames)
            image = ColorImage.of(first, threads)
            nearest = assign(image.histogram.colors, codebook, metric, threads)
            if not bands_are_seen(image, codebook, nearest):
                dither = None
        if dither is None:
            return self._undithered(frames, scene, quality)
        frames, others = tee(frames)
        dithered = dithered_labels(frames, codebook, dither, metric, threads, UNSEEN[metric])
        if quality == 100:
            return (FoundLabels(labels) for labels, _ in dithered)
        searched = self._undithered(others, scene, quality)
        # As in still images, busy areas are searched, where dots would cost most and be seen least.
        return (
            FoundLabels(np.where(calm, labels, other.labels))
            for (labels, calm), other in zip(dithered, searched, strict=True)
        )

    def _undithered(
        self, frames: Iterable[np.ndarray], scene: _Scene, quality: int
    ) -> Iterator[FoundLabels]:
        codebook, metric = scene.codebook, self._metric
        if quality == 100:
            threads = self._settings.threads
            return map(FoundLabels, nearest_labels(frames, codebook, metric, threads))
        effort = self._settings.preset.search
        parameters = search_parameters(scene.error, quality, metric, effort)
        count = parameters.candidates + _MORE_CANDIDATES
        candidates = CodewordCandidates(codebook, metric, count, self._codebook_settings.fixed)
        search = TemporalSearch(
            candidates,
            parameters.lambda_,
            weighted=self._weighted,
            predictors=self._settings.layout.predictors,
        )
        return search.labels(frames)


def _added(segment: Segment, other: Segment) -> Segment:
    segment.add(other)
    return segment
