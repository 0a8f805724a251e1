"""From pixels to labels and a codebook, at any quality."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf import dither, learners
from kqf.codebook import in_order
from kqf.colorspace import TRANSPARENT, to_points, translucency
from kqf.container import PREDICTORS
from kqf.histogram import Histogram, count, pack, spread
from kqf.indexed import IndexedImage
from kqf.labels import assign
from kqf.layout import Choice, Trials, rank_choices, trial_size
from kqf.options import Options
from kqf.search import MAX_CANDIDATES, Scene, candidates, refine

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
        self._learner = learners.find(options.learner, channels, options.settings.work, threads)
        self._dither = dither.find(options.dither, channels, options.metric)
        self._keys = pack(pixels)
        self._histogram = count(self._keys, channels, threads)
        if options.palette is None:
            self._codebook = self._learn()
        else:
            self._codebook = options.palette_for(channels)
        self._found = assign(self._histogram.colors, self._codebook, options.metric, threads)
        self._labels = spread(self._keys, self._histogram, self._found)
        self._exact = np.array_equal(self._codebook[self._found], self._histogram.colors)

    def _learn(self) -> np.ndarray:
        options = self._options
        if len(self._histogram.colors) > options.colors:
            # Only now may colours that alpha 0 hides become one.
            self._histogram, self._keys = _merge_hidden(self._histogram, self._keys)
        histogram = self._histogram
        if len(histogram.colors) <= options.colors:
            every = np.unique(np.concatenate([histogram.colors, self._keep]), axis=0)
            if len(every) <= options.colors:
                return in_order(every)
        kept = np.isin(pack(histogram.colors[None])[0], pack(self._keep[None])[0])
        others = Histogram(histogram.colors[~kept], histogram.counts[~kept])
        room = options.colors - len(self._keep)
        if len(others.colors) <= room:
            codebook = others.colors
        elif room:
            codebook = self._learner(others, room, options.metric, options.seed)
        else:
            codebook = self._keep
        return in_order(np.concatenate([codebook, self._keep]))

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
        error = self._error / self._labels.size + _UNSEEN[options.metric]
        trade = error * _TRADE_AT_99 * 2 ** ((99 - quality) / _STEPS_TO_DOUBLE)
        # The further labels may go from the nearest, the more of them and the more rounds it takes.
        work = options.settings.search
        choices = work.candidates + (100 - quality) // _STEPS_A_CANDIDATE
        rounds = work.rounds + (100 - quality) // _STEPS_A_ROUND
        return self._search(trade, min(choices, MAX_CANDIDATES), rounds)

    @cached_property
    def _scene(self) -> Scene:
        colors = self._histogram.colors
        numbers = np.arange(len(colors), dtype=np.int32)
        return Scene(
            index=spread(self._keys, self._histogram, numbers),
            colors=colors,
            counts=self._histogram.counts,
            metric=self._options.metric,
            keep=self._keep if self._options.palette is None else self._codebook,
        )

    @cached_property
    def _error(self) -> float:
        """Squared error of the nearest labels, summed over all pixels."""
        codewords = to_points(self._codebook, self._options.metric)
        offsets = self._scene.points - codewords[self._found]
        return float((self._histogram.counts[:, None] * (offsets * offsets)).sum(dtype=np.float64))

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

    def _search(self, trade: float, count: int, rounds: int) -> Quantized:
        """Return the cheapest of the labels found for the most promising layouts.

        The nearest labels are among them, so that no quality makes a larger file than 100 does.

        Arguments:
            trade: lambda. count: candidates for each pixel. rounds: of search.
        """
        options, scene = self._options, self._scene
        trials, threads = self._trials, options.thread_count
        first = self._choices[0]
        least = first.size or trial_size(self._labels, self._codebook, first.head, trials, threads)
        best_cost = self._error + trade * 8 * least
        best = self.at(100)
        near = candidates(scene, self._codebook, count, threads)
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
