"""Methods that learn a codebook, each found by its name.

scikit-learn and Pillow are imported where they are used, so that importing kqf stays light. The
same seed gives the same codebook with any number of threads, but other releases of these libraries
may give another one.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from kqf.display import in_color
from kqf.quantization.colorspace import hold_alpha, snap, to_colors, to_points
from kqf.quantization.histogram import Histogram, cells
from kqf.quantization.kmeans import KMeansEffort, in_order, kinds_of, learn, split
from kqf.quantization.nearest import nearest

# (histogram, colors, metric, seed) -> codebook (K, C) uint8, K at most colors, distinct, in order.
Method = Callable[[Histogram, int, str, int], np.ndarray]
# The same for more than K colours of one kind of alpha; the result may be in any order.
_LearnKind = Callable[[Histogram, int, str, int], np.ndarray]

# Most cells of colour to learn from, and to split into groups.
_CELLS = 2**16
_SPLIT_CELLS = 2**13
# Groups that are merged, for each entry of the codebook.
_GROUPS = 4
# Most pixels that Pillow is given; of larger images each colour gets its share.
_PILLOW_PIXELS = 2**24
# scikit-learn takes seeds below this.
_SEEDS = 2**32


def find(name: object, channels: int, effort: KMeansEffort, threads: int) -> Method:
    """Return the method of a name.

    Arguments:
        name: ``"kmeans"``, ``"minibatch"``, ``"agglomerative"``, ``"median-cut"``, ``"octree"``,
            ``"random"`` or ``"sample:N"``.
        channels: of the colours to learn, 1 to 4.
        effort, threads: what k-means may spend.

    Raises:
        ValueError: there is no such method, or it can't learn alpha.
    """
    if isinstance(name, str):
        if name == "kmeans":
            return partial(_kmeans, effort, threads)
        if name == "median-cut" and channels in (2, 4):
            raise ValueError("method 'median-cut' can't learn alpha; 'octree' and others can")
        if name in _METHODS:
            return _METHODS[name]
        if size := re.fullmatch("sample:([1-9][0-9]*)", name):
            return partial(sample, size=int(size[1]))
    names = ", ".join(["kmeans", *_METHODS, "sample:N (N at least 1)"])
    raise ValueError(f"method must be one of {names}, not {name!r}")


def _kmeans(
    effort: KMeansEffort, threads: int, histogram: Histogram, colors: int, metric: str, seed: int
) -> np.ndarray:
    return learn(histogram, colors, metric, effort, seed, threads)


def minibatch(histogram: Histogram, colors: int, metric: str, seed: int) -> np.ndarray:
    """Learn by k-means on small batches (D. Sculley, 2010, doi:10.1145/1772690.1772862)."""
    from sklearn.cluster import MiniBatchKMeans

    def learn_kind(part: Histogram, count: int, metric: str, seed: int) -> np.ndarray:
        model = MiniBatchKMeans(count, random_state=seed % _SEEDS)
        return _fit(model, *_points(part, metric, _CELLS), metric, part.colors.shape[1])

    return _each_kind(learn_kind, histogram, colors, metric, seed)


def agglomerative(histogram: Histogram, colors: int, metric: str, seed: int) -> np.ndarray:
    """Learn by merging groups of colours, whichever two add the least error (J. Ward, 1963,
    doi:10.1080/01621459.1963.10500845).

    scikit-learn counts each group as one, whatever its pixels: so they are of like error.
    """
    from sklearn.cluster import AgglomerativeClustering

    def learn_kind(part: Histogram, count: int, metric: str, seed: int) -> np.ndarray:
        points, weights = _points(part, metric, _SPLIT_CELLS)
        (centroids,) = split([(points, weights)], count * _GROUPS)
        centroids, weights = _means(points, weights, nearest(points, centroids))
        if len(centroids) > count:
            with _one_thread():
                model = AgglomerativeClustering(count, linkage="ward")
                labels = model.fit_predict(centroids.astype(np.float64))
            centroids, _ = _means(centroids, weights, labels)
        return to_colors(centroids, metric, part.colors.shape[1])

    return _each_kind(learn_kind, histogram, colors, metric, seed)


def sample(
    histogram: Histogram, colors: int, metric: str, seed: int, *, size: int = 1000
) -> np.ndarray:
    """Learn by scikit-learn's k-means on ``size`` random pixels, of each kind of alpha its share.

    As https://scikit-learn.org/stable/auto_examples/cluster/plot_color_quantization.html does.
    """
    from sklearn.cluster import KMeans

    def learn_kind(part: Histogram, count: int, metric: str, seed: int) -> np.ndarray:
        # The stubs of some releases allow n_init only the default.
        kmeans: Any = KMeans
        model = kmeans(count, n_init=1, random_state=seed % _SEEDS)
        points, weights = _points(part, metric, len(part.colors))
        return _fit(model, points, weights, metric, part.colors.shape[1])

    rng = np.random.default_rng(seed)
    kinds = kinds_of(histogram.colors, colors)
    drawn = np.zeros(len(kinds), np.int64)
    for kind in np.unique(kinds):
        member = np.flatnonzero(kinds == kind)
        ends = np.cumsum(histogram.counts[member])
        share = -(-size * int(ends[-1]) // int(histogram.counts.sum()))
        pixels = rng.choice(ends[-1], min(share, ends[-1]), replace=False, shuffle=False)
        rows = np.searchsorted(ends, pixels, side="right")
        drawn[member] = np.bincount(rows, minlength=len(member))
    seen = drawn > 0
    part = Histogram(histogram.colors[seen], drawn[seen])
    return _each_kind(learn_kind, part, colors, metric, seed)


def median_cut(histogram: Histogram, colors: int, metric: str, seed: int) -> np.ndarray:
    """Learn by Pillow's median cut (P. Heckbert, 1982, doi:10.1145/965145.801294) of sRGB values,
    whatever the metric; gray or RGB.
    """
    from PIL import Image

    learn_kind = partial(_pillow, Image.Quantize.MEDIANCUT)
    return _each_kind(learn_kind, histogram, colors, metric, seed)


def octree(histogram: Histogram, colors: int, metric: str, seed: int) -> np.ndarray:
    """Learn by Pillow's fast octree of sRGB values (and alpha), whatever the metric."""
    from PIL import Image

    learn_kind = partial(_pillow, Image.Quantize.FASTOCTREE)
    return _each_kind(learn_kind, histogram, colors, metric, seed)


def random(histogram: Histogram, colors: int, metric: str, seed: int) -> np.ndarray:
    """Take the colours of random pixels, different ones."""

    def learn_kind(part: Histogram, count: int, metric: str, seed: int) -> np.ndarray:
        # The colour of whichever pixel comes up first, as a race that more pixels win sooner
        # (P. Efraimidis, P. Spirakis, 2006, doi:10.1016/j.ipl.2005.11.003).
        times = np.random.default_rng(seed).standard_exponential(len(part.colors)) / part.counts
        return part.colors[np.argsort(times, kind="stable")[:count]]

    return _each_kind(learn_kind, histogram, colors, metric, seed)


_METHODS: dict[str, Method] = {
    "minibatch": minibatch,
    "agglomerative": agglomerative,
    "median-cut": median_cut,
    "octree": octree,
    "random": random,
}


def _each_kind(
    learn_kind: _LearnKind, histogram: Histogram, colors: int, metric: str, seed: int
) -> np.ndarray:
    """Learn each kind of alpha on its own, so that alpha 0 and 255 stay exact."""
    kinds = kinds_of(histogram.colors, colors)
    members = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    parts = [Histogram(histogram.colors[m], histogram.counts[m]) for m in members]
    counts = [colors]
    if len(parts) > 1:
        starts = split([_points(part, metric, _SPLIT_CELLS) for part in parts], colors)
        counts = [len(start) for start in starts]
    codewords = []
    for part, member, count in zip(parts, members, counts, strict=True):
        enough = len(part.colors) <= count
        learned = part.colors if enough else learn_kind(part, count, metric, seed)
        codewords.append(hold_alpha(learned, kinds[member[0]]))
    return in_order(np.concatenate(codewords))


def _points(part: Histogram, metric: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, D) float32 and weights (N,) float64 of at most ``limit`` cells."""
    points, weights = to_points(part.colors, metric), part.counts.astype(np.float64)
    return cells(points, weights, part.colors, limit)


def _means(
    points: np.ndarray, weights: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted means of the points of each label that has any, and their weights."""
    mass = np.bincount(labels, weights)
    used = mass > 0
    sums = [np.bincount(labels, weights * axis)[used] for axis in points.T.astype(np.float64)]
    return snap(np.stack(sums, axis=1) / mass[used, None]), mass[used]


def _fit(
    model: Any,
    points: np.ndarray,
    weights: np.ndarray,
    metric: str,
    channels: int,
) -> np.ndarray:
    """Return the centroids that a model of scikit-learn finds, as colours."""
    distinct, rows = np.unique(points.astype(np.float64), axis=0, return_inverse=True)
    if len(distinct) > model.n_clusters:
        with _one_thread():
            model.fit(distinct, sample_weight=np.bincount(rows.ravel(), weights))
        distinct = model.cluster_centers_
    return to_colors(snap(distinct), metric, channels)


def _one_thread() -> AbstractContextManager[object]:
    """Keep libraries that are loaded already to one thread: more would add in another order."""
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1)
    return limited


def _pillow(method: int, part: Histogram, count: int, metric: str, seed: int) -> np.ndarray:
    """Return the colours that ``Image.quantize`` uses for these."""
    from PIL import Image

    channels = part.colors.shape[1]
    colors, mode = in_color(part.colors), "RGBA" if channels in (2, 4) else "RGB"
    fewer = max(part.counts.sum() / _PILLOW_PIXELS, 1)
    pixels = np.repeat(colors, np.ceil(part.counts / fewer).astype(np.int64), axis=0)
    image = Image.frombytes(mode, (len(pixels), 1), pixels.tobytes())
    found = image.quantize(count, method, dither=Image.Dither.NONE)
    palette = np.array(found.getpalette(mode), np.uint8).reshape(-1, len(mode))
    used: np.ndarray = palette[np.unique(np.asarray(found))]
    return used[:, 2:] if channels == 2 else used[:, :channels]
