"""From pixels to labels and a codebook, at any quality."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf.encoding.layout import Choice, Trials, rank_choices, trial_size
from kqf.encoding.options import Options
from kqf.encoding.rate_distortion import MAX_CANDIDATES, Scene, candidates, refine
from kqf.format.declarations import PREDICTORS
from kqf.image import IndexedImage
from kqf.quantization import dither
from kqf.quantization import methods as learners
from kqf.quantization.colorspace import TRANSPARENT, to_points, translucency
from kqf.quantization.histogram import Histogram, count, pack, spread
from kqf.quantization.kmeans import in_order
from kqf.quantization.nearest import assign, squared_error

# What one bit is worth (lambda), as a share of the error that the codebook leaves anyway: at
# quality 99, and how many steps of quality double it.
_TRADE_AT_99 = 0.05
_STEPS_TO_DOUBLE = 12
# So many steps of quality are one more candidate for each pixel, and one more round of search.
_STEPS_A_CANDIDATE = 12
_STEPS_A_ROUND = 20
# Share of the nearest labels' bytes that others must stay within to be worth their error.
_WORTHWHILE = 0.99
# Squared error of a pixel that goes unseen, and is added to what the codebook leaves.
_UNSEEN = {"mse": 4.0, "perceptual": 0.8}


@dataclass(frozen=True)
class Quantized:
    """Labels and codebook, with the predictor and the tiles that they are meant for."""

    image: IndexedImage
    predictor: str
    tile: int | tuple[int, int] | None


def learn_codebook(histogram: Histogram, options: Options) -> np.ndarray:
    """Return the codebook for the colours of an image, (K, C) uint8, with all that must stay."""
    channels = histogram.colors.shape[1]
    keep = options.keep_for(channels)
    if len(histogram.colors) <= options.colors:
        every = np.unique(np.concatenate([histogram.colors, keep]), axis=0)
        if len(every) <= options.colors:
            return in_order(every)
    kept = np.isin(pack(histogram.colors[None])[0], pack(keep[None])[0])
    others = Histogram(histogram.colors[~kept], histogram.counts[~kept])
    room = options.colors - len(keep)
    if len(others.colors) <= room:
        codebook = others.colors
    elif room:
        learner = _find_learner(options, channels)
        codebook = learner(others, room, options.metric, options.seed)
    else:
        codebook = keep
    return in_order(np.concatenate([codebook, keep]))


def _find_learner(options: Options, channels: int) -> learners.Learner:
    return learners.find(options.learner, channels, options.settings.work, options.thread_count)


@dataclass(frozen=True)
class Plan:
    """How to search at a quality.

    Attributes:
        trade: squared error in the metric that one bit is worth (lambda).
        candidates: for each pixel. rounds: of search.
    """

    trade: float
    candidates: int
    rounds: int


def plan_search(error: float, quality: int, options: Options) -> Plan:
    """Return how to search at a quality below 100.

    Arguments:
        error: squared error in the metric that the nearest labels leave, mean of all pixels.
    """
    work = options.settings.search
    error = error + _UNSEEN[options.metric]
    # The further labels may go from the nearest, the more of them and the more rounds it takes.
    candidates = work.candidates + (100 - quality) // _STEPS_A_CANDIDATE
    return Plan(
        trade=error * _TRADE_AT_99 * 2 ** ((99 - quality) / _STEPS_TO_DOUBLE),
        candidates=min(candidates, MAX_CANDIDATES),
        rounds=work.rounds + (100 - quality) // _STEPS_A_ROUND,
    )


class Quantizer:
    """One image, ready to be quantized at any quality.

    Arguments:
        pixels: (H, W, C) uint8.
        options: all but quality and targets count.
    """

    def __init__(self, pixels: np.ndarray, options: Options) -> None:
        self._options = options
        channels = pixels.shape[2]
        self._keep = options.keep_for(channels)
        threads = options.thread_count
        # Before any work is done, for its errors.
        _find_learner(options, channels)
        self._dither = dither.find(options.dither, channels, options.metric)
        self._keys = pack(pixels)
        self._histogram = count(self._keys, channels, threads)
        if options.palette is None:
            self._codebook = self._learn()
        else:
            self._codebook = options.palette_for(channels)
        self._found = assign(self._histogram.colors, self._codebook, options.metric, threads)
        self._labels = spread(self._keys, self._histogram, self._found, threads)
        self._exact = np.array_equal(self._codebook[self._found], self._histogram.colors)

    def _learn(self) -> np.ndarray:
        options = self._options
        if len(self._histogram.colors) > options.colors:
            # Only now may colours that alpha 0 hides become one.
            self._histogram, self._keys = _merge_hidden(self._histogram, self._keys)
        return learn_codebook(self._histogram, options)

    def at(self, quality: int) -> Quantized:
        """Return labels and codebook at a quality, 1 to 100."""
        options = self._options
        if quality == 100 or self._exact:
            # What is exact stays exact: no bit saved is worth an error where there was none.
            labels = self._labels
            if self._dither and not self._exact:
                index, colors = self._scene.index, self._scene.colors
                labels = self._dither(
                    index, colors, self._codebook, options.metric, options.thread_count
                )
            return Quantized(IndexedImage(labels, self._codebook), options.predictor, options.tile)
        plan = plan_search(self._error / self._labels.size, quality, options)
        return self._search(plan)

    @cached_property
    def _scene(self) -> Scene:
        colors = self._histogram.colors
        numbers = np.arange(len(colors), dtype=np.int32)
        return Scene(
            index=spread(self._keys, self._histogram, numbers, self._options.thread_count),
            colors=colors,
            counts=self._histogram.counts,
            metric=self._options.metric,
            keep=self._keep if self._options.palette is None else self._codebook,
        )

    @cached_property
    def _error(self) -> float:
        """Squared error of the nearest labels, summed over all pixels."""
        codewords = to_points(self._codebook, self._options.metric)
        counts, threads = self._histogram.counts, self._options.thread_count
        return squared_error(self._scene.points, codewords, self._found, counts, threads)

    @property
    def _trials(self) -> Trials:
        """What to try for the search: small images as their files will be made."""
        trials = self._options.settings.trials
        small = self._labels.size <= trials.all_pixels
        level = trials.level if small else trials.trial_level
        return replace(trials, all_pixels=0, trial_level=level)

    @cached_property
    def _choices(self) -> list[Choice]:
        options = self._options
        return rank_choices(
            self._labels,
            self._codebook,
            options.predictors,
            options.tile_size,
            self._trials,
            options.thread_count,
        )

    def _search(self, plan: Plan) -> Quantized:
        """Return the cheapest of the labels found for the most promising layouts.

        The nearest labels are among them, so that by trial no quality makes a larger file than 100
        does; what is made in the end may take some bytes more.
        """
        trade, rounds = plan.trade, plan.rounds
        options, scene = self._options, self._scene
        trials, threads = self._trials, options.thread_count
        first = self._choices[0]
        least = first.size or trial_size(self._labels, self._codebook, first.head, trials, threads)
        best_cost = self._error + trade * 8 * least
        best = self.at(100)
        near = candidates(scene, self._codebook, plan.candidates, threads)
        # What search gains with a context outweighs what deflate gains without one, but not always.
        heads = [choice.head for choice in self._choices if choice.head.predictor]
        heads = heads[: options.settings.search.layouts]
        for head in heads if first.head.predictor else [first.head, *heads]:
            # Where so much trade leads astray, less of it may still save bytes.
            for less in (1, 4, 16):
                found = refine(
                    scene, trade / less, self._labels, self._codebook, near, head, rounds, threads
                )
                size = trial_size(found.labels, found.codebook, head, trials, threads)
                cost = found.error + trade * 8 * size
                if size <= least * _WORTHWHILE and cost < best_cost:
                    best_cost = cost
                    image = IndexedImage(found.labels, found.codebook)
                    best = Quantized(image, PREDICTORS[head.predictor], head.tile)
                    break
        return best


def _merge_hidden(histogram: Histogram, keys: np.ndarray) -> tuple[Histogram, np.ndarray]:
    hidden = translucency(histogram.colors) == TRANSPARENT
    if hidden.sum() < 2:
        return histogram, keys
    channels = histogram.colors.shape[1]
    keys = np.where(keys & 0xFF, keys, np.uint32(0))
    return count(keys, channels), keys
