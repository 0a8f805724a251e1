"""From pixels, or labels and a codebook, to the bytes of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kqf import container, learners
from kqf import dither as dithers
from kqf.codebook import Work, in_order
from kqf.colorspace import METRICS, TRANSPARENT, translucency
from kqf.container import PREDICTORS
from kqf.files import Target, check_target, write_whole
from kqf.histogram import Histogram, count, pack, spread
from kqf.indexed import IndexedImage, check_codebook, check_indexed, describe
from kqf.labels import assign
from kqf.layout import Trials, best_layouts, rank_choices, trial_size
from kqf.parallel import thread_count
from kqf.search import Scene, Search, refine

Tile = int | tuple[int, int]


@dataclass(frozen=True)
class Effort:
    """What one step of ``effort`` buys: work on the codebook, labels and layout."""

    work: Work
    search: Search
    trials: Trials


DEFAULT_EFFORT = 5
DEFAULT_QUALITY = 100
DEFAULT_LEARNER = "kmeans"
_ALL = (2, 3, 4, 6)
_WIDE = (64, 128, 192, 256, 512)
EFFORTS = {
    1: Effort(Work(8192, 8, 0, 1), Search(2, 1, 1), Trials(1, 6, (256,), (4,), 0, 0, 2**20)),
    2: Effort(Work(8192, 8, 0, 2), Search(3, 1, 1), Trials(1, 8, (256,), (4,), 0, 0, 2**21)),
    3: Effort(
        Work(8192, 10, 1, 4), Search(4, 1, 1), Trials(4, 10, (128, 256), (3, 6), 0, 2**14, 2**22)
    ),
    4: Effort(
        Work(8192, 10, 2, 6), Search(4, 2, 1), Trials(6, 11, (128, 256), (2, 4, 8), 0, 2**15, 2**22)
    ),
    5: Effort(
        Work(8192, 10, 4, 10), Search(6, 3, 1), Trials(6, 12, (128, 256), _ALL, 0.01, 2**16, 2**24)
    ),
    6: Effort(
        Work(8192, 10, 8, 12),
        Search(6, 3, 2),
        Trials(8, 12, (128, 192, 256), _ALL, 0.03, 2**17, 2**26),
    ),
    7: Effort(
        Work(16384, 20, 12, 16), Search(8, 4, 2), Trials(9, 12, _WIDE[:4], _ALL, 0.05, 2**18, 2**26)
    ),
    8: Effort(
        Work(32768, 20, 20, 16), Search(10, 5, 2), Trials(10, 12, _WIDE, _ALL, 0.1, 2**19, 2**30)
    ),
    9: Effort(
        Work(65536, 40, 40, 16), Search(16, 8, 2), Trials(10, 12, _WIDE, _ALL, 1, 2**62, 2**62)
    ),
}
# What one bit is worth (lambda), as a share of the error that the codebook leaves anyway: at
# quality 99, and how many steps of quality double it.
_TRADE_AT_99 = 0.05
_STEPS_TO_DOUBLE = 12
# Squared error of a pixel that goes unseen, and is added to what the codebook leaves.
_UNSEEN = {"mse": 4.0, "perceptual": 0.8}


def encode(
    pixels: np.ndarray,
    *,
    colors: int = 256,
    metric: str = "mse",
    quality: int = DEFAULT_QUALITY,
    palette: np.ndarray | None = None,
    learner: str = DEFAULT_LEARNER,
    dither: str | None = None,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return an image as the bytes of a file.

    An image of at most ``colors`` distinct colours is stored exactly. The same pixels and
    arguments, ``threads`` aside, give the same bytes.

    Arguments:
        pixels: uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or
            (H, W, 4) RGBA; straight alpha.
        colors: entries of the codebook at the most, 1 to 256.
        metric: what counts as error: ``"mse"``, squared error of the sRGB values, or
            ``"perceptual"``, distance in Oklab.
        quality: 100, each pixel becomes the nearest colour of the codebook; the lower (1 at least),
            the more error is taken for fewer bytes. What is exact at 100 is exact at all.
        palette: codebook to use, (K, C) uint8 or bool; its order and unused entries are kept.
        learner: how to learn a codebook otherwise: ``"kmeans"``, the best; ``"minibatch"``
            (k-means on small batches), ``"agglomerative"`` (Ward's merging), ``"median-cut"``
            (Pillow's, without alpha), ``"octree"`` (Pillow's), ``"random"`` (colours of random
            pixels) or ``"sample:N"`` (scikit-learn's k-means on N random pixels).
            ``"median-cut"``, ``"octree"`` and ``"random"`` learn alike for all metrics.
        dither: None; ``"ordered"``, a pattern that compresses well; or ``"floyd-steinberg"``,
            Pillow's error diffusion, for metric ``"mse"`` without alpha. For quality 100 alone.
        predictor: ``"none"``, ``"left"``, ``"up"``, or ``"auto"`` for the smallest file.
        tile: (width, height) of tiles in pixels, an int for square ones; None to try some.
        effort: 1 (fast) to 9 (small).
        seed: of the codebook's search, at least 0.
        threads: at most so many; None for one for each processor.
        metadata: as ``IndexedImage.metadata``.

    Raises:
        TypeError, ValueError: an argument is not as above.
    """
    _check_storage(predictor, tile, effort, threads, metadata)
    image, predictor, tile = _quantize(
        pixels,
        colors,
        metric,
        quality,
        palette,
        learner,
        dither,
        predictor,
        tile,
        effort,
        seed,
        threads,
    )
    return encode_indexed(
        image.labels,
        image.codebook,
        predictor=predictor,
        tile=tile,
        effort=effort,
        threads=threads,
        metadata=metadata,
    )


def quantize(
    pixels: np.ndarray,
    *,
    colors: int = 256,
    metric: str = "mse",
    quality: int = DEFAULT_QUALITY,
    palette: np.ndarray | None = None,
    learner: str = DEFAULT_LEARNER,
    dither: str | None = None,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    threads: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> IndexedImage:
    """Return the labels and the codebook that encode stores for the same arguments.

    Arguments, errors: as for encode.
    """
    _check_storage(predictor, tile, effort, threads, metadata)
    image, *_ = _quantize(
        pixels,
        colors,
        metric,
        quality,
        palette,
        learner,
        dither,
        predictor,
        tile,
        effort,
        seed,
        threads,
    )
    return IndexedImage(image.labels, image.codebook, metadata or {})


def write(path_or_file: Target, pixels: np.ndarray, **options: object) -> None:
    """Encode an image and write the file: a path holds all of it or is left as it was.

    Arguments:
        path_or_file: path or open binary file.
        pixels, options, errors: as for encode. OSError: the file cannot be written.
    """
    check_target(path_or_file)
    write_whole(path_or_file, encode(pixels, **options))  # type: ignore[arg-type]


def encode_indexed(
    labels: np.ndarray,
    codebook: np.ndarray,
    *,
    predictor: str = "auto",
    tile: Tile | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return labels and a codebook, both kept as they are, as the bytes of a file.

    Arguments:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 to 4.
        others, errors: as for encode.
    """
    check_indexed(labels, codebook)
    _check_storage(predictor, tile, effort, threads, metadata)
    numbers = range(len(PREDICTORS)) if predictor == "auto" else [PREDICTORS.index(predictor)]
    size = None if tile is None else _as_tile(tile)
    threads = thread_count(threads)
    trials = EFFORTS[effort].trials
    files = [
        container.build(layout.head, codebook, layout.ranking, metadata or {}, streams)
        for layout, streams in best_layouts(labels, codebook, numbers, size, trials, threads)
    ]
    return min(files, key=len)


def write_indexed(
    path_or_file: Target, labels: np.ndarray, codebook: np.ndarray, **options: object
) -> None:
    """Encode labels and codebook and write the file, as write does.

    Arguments:
        path_or_file: path or open binary file.
        labels, codebook, options, errors: as for encode_indexed. OSError: it cannot be written.
    """
    check_target(path_or_file)
    write_whole(path_or_file, encode_indexed(labels, codebook, **options))  # type: ignore[arg-type]


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
    if not shaped.size or max(shaped.shape[:2]) > container.MAX_SIDE:
        raise ValueError(
            f"pixels must have sides of 1 to {container.MAX_SIDE}, not {describe(pixels)}"
        )
    return shaped * np.uint8(255) if shaped.dtype == np.bool_ else shaped


def _quantize(
    pixels: np.ndarray,
    colors: int,
    metric: str,
    quality: int,
    palette: np.ndarray | None,
    learner: str,
    dither: str | None,
    predictor: str,
    tile: Tile | None,
    effort: int,
    seed: int,
    threads: int | None,
) -> tuple[IndexedImage, str, Tile | None]:
    """Return labels and codebook, and the predictor and tile that they are meant for."""
    _check_number("colors", colors, 1, 256)
    _check_number("quality", quality, 1, 100)
    _check_number("seed", seed, 0, 2**63 - 1)
    _check_choice("metric", metric, METRICS)
    pixels = as_pixels(pixels)
    channels = pixels.shape[2]
    settings = EFFORTS[effort]
    learn = learners.find(learner, channels, settings.work)
    scatter = dithers.find(dither, channels, metric)
    if scatter and quality < 100:
        raise ValueError(f"quality must be 100 with dither={dither!r}, not {quality}")
    if palette is not None:
        if learner != DEFAULT_LEARNER:
            raise ValueError(f"learner={learner!r} has nothing to learn with palette=")
        palette = _as_palette(palette, channels, colors)
    keys = pack(pixels)
    histogram = count(keys, channels)
    codebook = palette
    if codebook is None:
        histogram, keys, codebook = _learn(histogram, keys, colors, metric, learn, seed)
    found = assign(histogram.colors, codebook, metric)
    # What is exact stays exact: no bit saved is worth an error where there was none.
    exact = np.array_equal(codebook[found], histogram.colors)
    if exact or (quality == 100 and not scatter):
        return IndexedImage(spread(keys, histogram, found), codebook), predictor, tile
    index = spread(keys, histogram, np.arange(len(histogram.colors), dtype=np.int32))
    if scatter:
        labels = scatter(index, histogram.colors, codebook, metric, thread_count(threads))
        return IndexedImage(labels, codebook), predictor, tile
    labels = found[index]
    scene = Scene(index, histogram.colors, metric, fixed=palette is not None)
    error = scene.error(labels, codebook) / labels.size + _UNSEEN[metric]
    trade = error * _TRADE_AT_99 * 2 ** ((99 - quality) / _STEPS_TO_DOUBLE)
    return _search(scene, trade, labels, codebook, predictor, tile, settings, thread_count(threads))


def _search(
    scene: Scene,
    trade: float,
    labels: np.ndarray,
    codebook: np.ndarray,
    predictor: str,
    tile: Tile | None,
    settings: Effort,
    threads: int,
) -> tuple[IndexedImage, str, Tile]:
    """Return the cheapest of the labels found for the most promising layouts.

    The labels given are among them, so that no quality makes a larger file than 100 does.
    """
    numbers = range(len(PREDICTORS)) if predictor == "auto" else [PREDICTORS.index(predictor)]
    size = None if tile is None else _as_tile(tile)
    trials = settings.trials
    nearest = IndexedImage(labels, codebook)
    choices = rank_choices(labels, codebook, numbers, size, trials, threads)
    # What search gains with a context outweighs what deflate gains without one.
    searched = [choice.head for choice in choices if choice.head.predictor] or [choices[0].head]
    least = trial_size(labels, codebook, choices[0].head, trials, threads)
    least_cost = scene.error(labels, codebook) + trade * 8 * least
    best = least_cost, nearest, choices[0].head
    for head in searched[: settings.search.layouts]:
        image = IndexedImage(
            *refine(scene, trade, labels, codebook, head, settings.search, threads)
        )
        found = trial_size(image.labels, image.codebook, head, trials, threads)
        cost = scene.error(image.labels, image.codebook) + trade * 8 * found
        if found <= least and cost < best[0]:
            best = cost, image, head
    _, image, head = best
    return image, PREDICTORS[head.predictor], head.tile


def _learn(
    histogram: Histogram,
    keys: np.ndarray,
    colors: int,
    metric: str,
    learn: learners.Learner,
    seed: int,
) -> tuple[Histogram, np.ndarray, np.ndarray]:
    """Return histogram, packed pixels and codebook: exact where ``colors`` suffices."""
    if len(histogram.colors) > colors:
        # Only now may colours that alpha 0 hides become one.
        histogram, keys = _merge_hidden(histogram, keys)
    if len(histogram.colors) <= colors:
        return histogram, keys, in_order(histogram.colors)
    return histogram, keys, learn(histogram, colors, metric, seed)


def _merge_hidden(histogram: Histogram, keys: np.ndarray) -> tuple[Histogram, np.ndarray]:
    hidden = translucency(histogram.colors) == TRANSPARENT
    if hidden.sum() < 2:
        return histogram, keys
    channels = histogram.colors.shape[1]
    keys = np.where(keys & 0xFF, keys, np.uint32(0))
    return count(keys, channels), keys


def _check_number(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        allowed = str(low) if low == high else f"{low} to {high}"
        raise ValueError(f"{name} must be {allowed}, not {value}")


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _check_storage(
    predictor: str,
    tile: Tile | None,
    effort: int,
    threads: int | None,
    metadata: Mapping[str, object] | None,
) -> None:
    """Refuse what can't be stored before the long work, not at its end."""
    _check_choice("predictor", predictor, ("auto", *PREDICTORS))
    _check_number("effort", effort, min(EFFORTS), max(EFFORTS))
    if tile is not None:
        _as_tile(tile)
    thread_count(threads)
    for _ in container.build_metadata(metadata or {}):
        pass


def _as_tile(tile: Tile) -> tuple[int, int]:
    sides = (tile, tile) if isinstance(tile, int | np.integer) else tile
    if not isinstance(sides, tuple) or len(sides) != 2:
        raise TypeError(f"tile must be an integer or (width, height), not {tile!r}")
    for side in sides:
        _check_number("a tile's side", side, 1, container.MAX_SIDE)
    return int(sides[0]), int(sides[1])


def _as_palette(palette: np.ndarray, channels: int, colors: int) -> np.ndarray:
    if isinstance(palette, np.ndarray) and palette.dtype == np.bool_:
        palette = palette * np.uint8(255)
    check_codebook(palette)
    if palette.shape[1] != channels:
        raise ValueError(f"a palette for {channels} channels can't have {palette.shape[1]}")
    if len(palette) > colors:
        raise ValueError(f"a palette of {len(palette)} colours exceeds colors={colors}")
    return np.ascontiguousarray(palette)
