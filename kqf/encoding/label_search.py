"""The labels of an image at any quality."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from kqf.encoding.banded_search import refine_in_bands
from kqf.encoding.copy_search import cheaper_copied
from kqf.encoding.drawn import is_noisy, is_small
from kqf.encoding.layout import (
    Candidate,
    Layout,
    LayoutSettings,
    head_of,
    middle_rows,
    rank_candidates,
    trial_size,
)
from kqf.encoding.rate_distortion import (
    MAX_CANDIDATES,
    PART,
    TRIED,
    NearestCodewords,
    Refined,
    SearchParameters,
    error_of,
    nearest_codewords,
    refine,
)
from kqf.encoding.storage import smallest
from kqf.format.declarations import Predictor
from kqf.quantization.api import Quantized
from kqf.quantization.bands import bands_are_seen
from kqf.quantization.color_image import Box
from kqf.quantization.colorspace import FEW_COLORS, to_points
from kqf.quantization.dither import Dither
from kqf.quantization.visibility import CALM
from kqf.threads import each

# What one bit is worth (lambda), as a share of the error that the nearest labels leave: at quality
# 99, and how many steps of quality double it.
_LAMBDA_AT_99 = 0.048
_STEPS_TO_DOUBLE = 12
# So many steps of quality add one candidate for each pixel, and one round of search.
_STEPS_PER_CANDIDATE = 12
_STEPS_PER_ROUND = 20
# Labels are worth their error only below this share of the nearest labels' bytes.
_WORTHWHILE = 0.99
# Labels of so many qualities of an image in bands are kept, to bound memory. A target mostly ends
# with one of the last; else its labels are found once more.
_KEPT = 2
# A larger file is not kept, unless it takes at most a bit a pixel: that of a drawing takes long.
_KEPT_BYTES = 2**24
# Squared error of a pixel that nobody sees; it is added to the error of the nearest labels.
UNSEEN = {"mse": 4.0, "perceptual": 0.8, FEW_COLORS: 0.8}


@dataclass(frozen=True)
class SearchEffort:
    """How hard to look for labels.

    Attributes:
        candidates: nearest codewords to choose from, 1 to MAX_CANDIDATES.
        rounds: of search and of moving codewords to the middle of their pixels, at least 1.
        layouts: how many of the most promising layouts to search for.
    """

    candidates: int
    rounds: int
    layouts: int


def search_parameters(
    error: float, quality: int, metric: str, effort: SearchEffort
) -> SearchParameters:
    """Return how to search at a quality below 100.

    Arguments:
        error: squared error in the metric that the nearest labels leave, mean of all pixels.
    """
    error = error + UNSEEN[metric]
    # The further labels may be from the nearest, the more of them and the more rounds it takes.
    candidates = effort.candidates + (100 - quality) // _STEPS_PER_CANDIDATE
    rounds = effort.rounds + (100 - quality) // _STEPS_PER_ROUND
    return SearchParameters(
        lambda_=error * _LAMBDA_AT_99 * 2 ** ((99 - quality) / _STEPS_TO_DOUBLE),
        candidates=min(candidates, MAX_CANDIDATES),
        rounds=rounds,
        # A neighbour's label is worth its error more often than a likely one.
        copy_candidates=min(2 * candidates - 2, MAX_CANDIDATES),
        copy_rounds=max(rounds - 2, 1),
        most_copied=1 + (130 - quality) / 400,
    )


@dataclass(frozen=True)
class LabelSettings:
    """What labels are made for.

    Attributes:
        search: how hard to look for labels.
        layout: layouts that the file may have.
        dither: function that mixes codewords: everywhere at quality 100, in calm areas below; None
            for the nearest ones.
        dither_if_seen: whether to dither only where the nearest labels would show bands.
        metadata: types and payloads of the file's chunks, from build_metadata.
    """

    search: SearchEffort
    layout: LayoutSettings
    dither: Dither | None
    metadata: Sequence[tuple[bytes, bytes]]
    dither_if_seen: bool = False


@dataclass(frozen=True)
class Labelled:
    """An image as labels, ready to be stored.

    Attributes:
        labels: (H, W) uint8.
        codebook: (K, C) uint8.
        settings: layouts that the file may have, and its metadata.
        candidates: layouts tried for these labels, the most promising first; None if none were.
        is_ordered: whether the file must keep the order of the codebook.
    """

    labels: np.ndarray
    codebook: np.ndarray
    settings: LayoutSettings
    metadata: Sequence[tuple[bytes, bytes]]
    candidates: Sequence[Candidate] | None = None
    is_ordered: bool = True
    _kept: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def file(self) -> bytes:
        """The smallest file of the labels; a large one is made anew each time, to bound memory."""
        if self._kept:
            return self._kept[0]
        file = smallest(
            self.labels,
            self.codebook,
            self.settings,
            self.metadata,
            self.candidates,
            is_ordered=self.is_ordered,
        )
        if len(file) <= max(_KEPT_BYTES, self.labels.size // 8):
            self._kept.append(file)
        return file

    @cached_property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.file)


class LabelSearch:
    """An image of which labels can be found at any quality."""

    def __init__(
        self, quantized: Quantized, settings: LabelSettings, *, is_ordered: bool = False
    ) -> None:
        self._nearest_labels = quantized
        self._is_ordered = is_ordered
        self._settings = settings
        self._known: dict[int, Labelled] = {}

    def error(self, labelled: Labelled) -> float:
        """Return the weighted squared error in the metric of labels, summed over all pixels."""
        quantized, labels = self._nearest_labels, labelled.labels
        image, codewords = quantized.image, to_points(labelled.codebook, quantized.metric)

        def of_band(box: Box) -> float:
            part = quantized.part(box)
            return error_of(part, codewords, part.samples.index, labels[box])

        if image.in_bands:
            return sum(each(of_band, image.bands, image.band_threads))
        index = quantized.samples.index
        return sum(error_of(quantized, codewords, index[box], labels[box]) for box in image.bands)

    def at(self, quality: int) -> Labelled:
        """Return the labels at a quality, 1 to 100."""
        # A cached method would hold the search, and all pixels, until Python looks for circles.
        if quality not in self._known:
            if len(self._known) == _KEPT and self._nearest_labels.image.in_bands:
                del self._known[next(iter(self._known))]
            self._known[quality] = self._at(quality)
        return self._known[quality]

    def _at(self, quality: int) -> Labelled:
        quantized = self._nearest_labels
        if quantized.exact:
            # What is exact stays exact: no bit saved is worth an error where there was none.
            return self._labelled(quantized.labels, quantized.codebook)
        if quality < 100:
            return self._search(quality)
        dithered = self._dithered
        return self._untried if dithered is None else self._labelled(dithered, quantized.codebook)

    @cached_property
    def _dithered(self) -> np.ndarray | None:
        """The dithered labels, (H, W) uint8; None if nothing is dithered."""
        quantized, dither = self._nearest_labels, self._settings.dither
        image, codebook = quantized.image, quantized.codebook
        if dither is None or quantized.exact:
            return None
        if self._settings.dither_if_seen and not bands_are_seen(
            image, codebook, quantized.color_labels
        ):
            return None
        colors = image.histogram.colors
        return dither(image.rows, colors, codebook, quantized.metric, image.threads)

    @cached_property
    def _quantized(self) -> Quantized:
        """What is searched: with dithering all but calm areas, whose labels are dithered."""
        quantized, dithered = self._nearest_labels, self._dithered
        if dithered is None:
            return quantized
        calm = quantized.image.weight_classes >= CALM
        # Codewords stay as they are: a mixture of moved ones would be another colour.
        return replace(quantized, fixed=quantized.codebook, given=(dithered, calm))

    def _labelled(
        self,
        labels: np.ndarray,
        codebook: np.ndarray,
        candidates: Sequence[Candidate] | None = None,
    ) -> Labelled:
        settings = self._settings
        return Labelled(
            labels, codebook, settings.layout, settings.metadata, candidates, self._is_ordered
        )

    # Kept for all qualities, with what their files take.
    @cached_property
    def _untried(self) -> Labelled:
        """The nearest labels, with any layout."""
        return self._labelled(self._quantized.labels, self._quantized.codebook)

    @cached_property
    def _tried(self) -> Labelled:
        """The nearest labels, with the layouts tried for them."""
        return self._labelled(self._quantized.labels, self._quantized.codebook, self._candidates)

    @cached_property
    def _is_small(self) -> bool:
        """Whether the file is made without trials."""
        return self._quantized.labels.size <= self._settings.layout.effort.all_pixels

    @cached_property
    def _is_drawn(self) -> bool:
        """Whether the image is a large one that layouts of drawn images suit."""
        labels = self._quantized.labels
        return (
            self._settings.layout.effort.drawn
            and not is_small(labels)
            and not is_noisy(labels, len(self._quantized.codebook))
        )

    @property
    def _copies(self) -> bool:
        """Whether labels are searched that suit predictor copy."""
        layout = self._settings.layout
        return layout.effort.drawn and Predictor.COPY in layout.predictors

    @cached_property
    def _trials(self) -> LayoutSettings:
        """What to try for the search: small images as their files will be made."""
        settings = self._settings.layout
        effort = settings.effort
        level = effort.level if self._is_small else effort.trial_level
        return replace(settings, effort=replace(effort, all_pixels=0, trial_level=level))

    @cached_property
    def _candidates(self) -> list[Candidate]:
        """Layouts for the nearest labels, the first of them always tried."""
        labels, codebook = self._quantized.labels, self._quantized.codebook
        candidates = rank_candidates(labels, codebook, self._trials)
        first = candidates[0].layout
        if not candidates[0].size:
            candidates = [Candidate(first, trial_size(labels, codebook, first, self._trials))]
        return candidates

    def _search(self, quality: int) -> Labelled:
        """Return the cheapest of the labels found for the most promising layouts.

        The nearest labels are among them, so that by trial no quality makes a larger file than 100
        does; what is made in the end may take some bytes more.
        """
        quantized = self._quantized
        mean = quantized.error / quantized.labels.size
        parameters = search_parameters(mean, quality, quantized.metric, self._settings.search)
        gains: Callable[[Layout, float], bool] | None = None
        nearest: NearestCodewords | None = None
        if quantized.image.in_bands:
            search = partial(refine_in_bands, quantized, parameters.candidates)
            gains = self._trial(parameters)
        else:
            more = parameters.copy_candidates if self._copies else 0
            nearest = nearest_codewords(quantized, max(parameters.candidates, more))
            search = partial(refine, quantized, nearest.first(parameters.candidates))
        first = self._candidates[0]
        # Of small images no candidates are known, and the two are one.
        untried = self._untried
        best = untried if self._is_small else self._tried
        promising, settings = self._promising(), self._trials
        if self._is_drawn:
            # What is searched for suits version 1, and its file is mostly of version 2.
            promising = promising[:1]
        if len(promising) > 1 and quantized.labels.size <= TRIED:
            # Ranks gain more from a higher level than labels do.
            settings = settings.at_final_level()
            size = trial_size(quantized.labels, quantized.codebook, first.layout, settings)
            first = replace(first, size=size)
        best_candidate, best_found = first, Refined.nearest(quantized)
        best_cost = quantized.error + parameters.lambda_ * 8 * first.size
        for candidate in promising:
            layout = candidate.layout
            head = head_of(quantized.labels, quantized.codebook, layout)
            # Where so large a lambda leads astray, a smaller one may still save bytes.
            for divisor in (1, 4, 16):
                lambda_ = parameters.lambda_ / divisor
                if gains and not gains(layout, lambda_):
                    continue
                found = search(lambda_, head, parameters.rounds)
                size = trial_size(found.labels, found.codebook, layout, settings)
                cost = found.error + parameters.lambda_ * 8 * size
                if size <= first.size * _WORTHWHILE and cost < best_cost:
                    best_candidate, best_found, best_cost = Candidate(layout, size), found, cost
                    best = self._labelled(found.labels, found.codebook, [best_candidate])
                    break
        if self._copies:
            copied = cheaper_copied(
                quantized, best_found, nearest, best_candidate, parameters, self._trials
            )
            if copied is not None:
                best = self._labelled(copied.labels, copied.codebook)
                if not self._is_small:
                    return best
        # By trial files of version 1 are compared, but that of a drawn image may be of version 2.
        drawn = self._settings.layout.effort.drawn
        if self._is_small or (drawn and not is_noisy(best.labels, len(best.codebook))):
            return min(untried, best, key=lambda labelled: labelled.size)
        return best

    def _trial(self, parameters: SearchParameters) -> Callable[[Layout, float], bool]:
        """Return what tells by a part whether a search for a layout, at a lambda, gains anything.

        In noise it gains nothing, at any lambda, and takes many times as long as all else.
        """
        rows = middle_rows(self._quantized.image.keys.shape, PART)
        part = self._quantized.part((rows, slice(None)))
        codebook, settings = part.codebook, self._trials
        nearest = nearest_codewords(part, parameters.candidates)
        most = trial_size(part.labels, codebook, self._candidates[0].layout, settings)
        bit = parameters.lambda_

        def gains(layout: Layout, lambda_: float) -> bool:
            head = head_of(part.labels, codebook, layout)
            found = refine(part, nearest, lambda_, head, parameters.rounds)
            size = trial_size(found.labels, found.codebook, layout, settings)
            saved = 8 * bit * (most - size)
            return size <= most * _WORTHWHILE and found.error < part.error + saved

        return gains

    def _promising(self) -> list[Candidate]:
        """Return the candidates to search for.

        With a context, search mostly gains more than deflate gains without one, but not always.
        """
        first = self._candidates[0]
        predicted = [candidate for candidate in self._candidates if candidate.layout.predictor]
        predicted = predicted[: self._settings.search.layouts]
        return predicted if first.layout.predictor else [first, *predicted]
