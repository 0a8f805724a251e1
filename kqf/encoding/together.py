"""One codebook for many images."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from kqf.encoding.options import DEFAULT_EFFORT, DEFAULT_LEARNER, Colors, Options, as_pixels
from kqf.encoding.quantizer import learn_codebook
from kqf.format.declarations import MAX_COLORS
from kqf.quantization.colorspace import TRANSPARENT, translucency
from kqf.quantization.histogram import Histogram, count, pack
from kqf.quantization.tally import Tally, merge


def learn_palette(
    images: Iterable[np.ndarray],
    *,
    colors: int = MAX_COLORS,
    metric: str = "mse",
    learner: str = DEFAULT_LEARNER,
    keep: Colors | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Return a codebook for all of some images, to be given to ``kqf.encode`` as ``palette``.

    Images are looked at one after another and only their colours counted, in bounded memory. Their
    order makes no difference.

    Arguments:
        images: arrays as ``kqf.encode`` takes them, at least one; every pixel counts as much.
        others: as of ``kqf.encode``.

    Returns:
        (K, C) uint8, K at most ``colors``, C as many channels as show all of the images.

    Raises:
        TypeError, ValueError: an argument is not as above.
    """
    options = Options(
        colors=colors,
        metric=metric,
        learner=learner,
        keep=keep,
        effort=effort,
        seed=seed,
        threads=threads,
    )
    # By number of channels.
    tallies: dict[int, Tally] = {}
    for image in images:
        pixels = as_pixels(image)
        channels = pixels.shape[2]
        found = Tally.of(count(pack(pixels), channels, options.thread_count))
        tallies[channels] = merge([tallies[channels], found]) if channels in tallies else found
    if not tallies:
        raise ValueError("a palette is learned of one image at least, not of none")
    color = any(channels > 2 for channels in tallies)
    alpha = any(channels in (2, 4) for channels in tallies)
    histograms = [_widened(tally.histogram(), color, alpha) for tally in tallies.values()]
    histogram = merge([Tally.of(each) for each in histograms]).histogram()
    if len(histogram.colors) > colors:
        histogram = without_hidden(histogram)
    return learn_codebook(histogram, options)


def _widened(histogram: Histogram, color: bool, alpha: bool) -> Histogram:
    """Return the histogram with channels for colour and alpha."""
    colors = histogram.colors
    opaque = np.full((len(colors), 1), 255, np.uint8)
    own = colors[:, -1:] if colors.shape[1] in (2, 4) else opaque
    planes = colors[:, :3] if colors.shape[1] > 2 else colors[:, :1]
    if color and planes.shape[1] == 1:
        planes = np.repeat(planes, 3, axis=1)
    return replace(histogram, colors=np.concatenate([planes, own], axis=1) if alpha else planes)


def without_hidden(histogram: Histogram) -> Histogram:
    """Return the histogram with the colours that alpha 0 hides as one."""
    colors = histogram.colors.copy()
    colors[translucency(colors) == TRANSPARENT] = 0
    return merge([Tally(colors.shape[1], pack(colors[None])[0], histogram.counts)]).histogram()
