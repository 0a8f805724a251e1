"""The layouts that suit drawn images: copied, packed and transposed labels, and shapes.

They make files of version 2. Candidates are tried at a low level of deflate, the best two stored
in full.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kqf.encoding.layout import Layout, LayoutSettings, middle_rows, trial_size
from kqf.encoding.shapes import FoundShapes, find, share_of_changes
from kqf.format import codebooks, copying, packing, prediction, shapes, writer
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.format.streams import deflate
from kqf.threads import each

# Labels of a tile at most; tiles are as wide as the image.
_TILE_PIXELS = 2**20
# Images of at most so many pixels are tried by columns with every predictor, and as they are.
_SMALL = 2**17
# Those of at most so many are tried at the final level.
_TINY = 2**16
_TRIAL_LEVEL, _LEVEL = 6, 12
# From this share of pixels unlike the one to the left on, an image looks like a photograph.
_NOISE = 0.4
# Share above the best trial up to which a second layout is stored in full.
_MARGIN = 1.01
# Deflate by zlib, with these memory levels, makes up for libdeflate's splitting of short streams.
_ZLIB_BYTES = 2**16
_MEMORY_LEVELS = (5, 6)
# Streams of larger images are not kept for other layouts, to bound memory.
_KEPT_PIXELS = 2**22
# More of them gained nothing.
_ITERATIONS = 15
# Splitting shorter streams into blocks takes zopfli fifty times as long, and mostly gains nothing.
_SPLIT_BYTES = 2**15
# With more tiles, zopfli would take longer than all else and save next to nothing of the file.
_ZOPFLI_TILES = 4
_FRAME = 12


@dataclass(frozen=True)
class DrawnLayout:
    """A way to store the labels of a drawn image.

    Attributes:
        predictor: what labels are predicted from.
        columns_first: whether tiles are transposed.
        above_right: whether ``Predictor.COPY`` uses code 2.
        ranked: whether its new labels are ranks.
        shapes: whether shapes are taken out.
    """

    predictor: Predictor
    columns_first: bool = False
    above_right: bool = False
    ranked: bool = False
    shapes: bool = False


_COPY = DrawnLayout(Predictor.COPY)
_COPY_RANKED = DrawnLayout(Predictor.COPY, above_right=True, ranked=True)
_LEFT = DrawnLayout(Predictor.LEFT)
_UP = DrawnLayout(Predictor.UP)
_NONE = DrawnLayout(Predictor.NONE)
_PACKED = DrawnLayout(Predictor.PACKED)
# What chunks of label arrays are tried with: whatever else there is saves up to 3 % of them.
_COPIED = (_COPY, replace(_COPY, above_right=True), _PACKED)
_OF_CHUNKS = (*_COPIED, *(replace(one, columns_first=True) for one in _COPIED), _NONE, _LEFT, _UP)


def is_noisy(labels: np.ndarray, colors: int) -> bool:
    """Tell whether labels look like those of a large photograph."""
    return labels.size > _SMALL and colors > 16 and share_of_changes(labels) > _NOISE


def tile_count(shape: tuple[int, ...], tile: tuple[int, int]) -> int:
    """Return the number of tiles (width, height) of an image (height, width)."""
    return -(-shape[0] // tile[1]) * -(-shape[1] // tile[0])


def is_small(labels: np.ndarray) -> bool:
    """Tell whether an image is so small that every layout can be tried."""
    return labels.size <= _SMALL


def is_promising(
    labels: np.ndarray, codebook: np.ndarray, layout: Layout, settings: LayoutSettings
) -> bool:
    """Tell by a band whether layouts of drawn images may make a smaller file than ``layout``.

    Arguments:
        layout: the best of version 1. settings: effort of its trial.
    """
    band = labels[middle_rows(labels.shape, _SMALL)]
    return smallest_trial(band, codebook) <= trial_size(band, codebook, layout, settings)


def smallest_trial(labels: np.ndarray, codebook: np.ndarray) -> int:
    """Return about how many bytes labels (H, W) uint8 take, by trial."""
    trials = _Trials(labels, codebook, None, 1)
    drawn = (_LEFT, _UP, _COPY, _COPY_RANKED)
    return min(trials.size(one, _TRIAL_LEVEL) for one in drawn)


def has_shapes(labels: np.ndarray, codebook: np.ndarray) -> bool:
    """Tell by a band whether labels (H, W) uint8 that are copied take less with shapes."""
    trials = _Trials(labels[middle_rows(labels.shape, _SMALL)], codebook, None, 1)
    if trials.found is None:
        return False
    shaped = trials.size(replace(_COPY_RANKED, shapes=True), _TRIAL_LEVEL)
    return shaped < trials.size(_COPY_RANKED, _TRIAL_LEVEL)


def copied_size(labels: np.ndarray, codebook: np.ndarray, settings: LayoutSettings) -> int:
    """Return about how many bytes labels (H, W) uint8 take if they are copied, by trial.

    Of a large image it is those of a band.
    """
    band = labels[middle_rows(labels.shape, settings.effort.pixels)]
    trials = _Trials(band, codebook, settings.tile, settings.threads)
    return trials.size(_COPY_RANKED, settings.effort.trial_level)


def smallest_drawn(
    labels: np.ndarray,
    codebook: np.ndarray,
    predictors: Sequence[Predictor],
    tile: tuple[int, int] | None,
    threads: int,
    metadata: Sequence[tuple[bytes, bytes]],
    zopfli_bytes: int = 0,
) -> tuple[bytes, Predictor]:
    """Return the smallest file of version 2 that was found, and its predictor.

    Arguments:
        labels: (H, W) uint8.
        codebook: (K, C) uint8, kept in its order.
        predictors: to choose from.
        tile: (width, height) in pixels, None to choose.
        metadata: types and payloads of chunks, from build_metadata.
        zopfli_bytes: streams are deflated by zopfli, too, up to so many bytes.

    Raises:
        ValueError: labels cannot be packed, as there are too many colours, or copied in so large a
            tile.
    """
    packable = len(codebook) <= packing.MAX_LAST_LABEL + 1
    if list(predictors) == [Predictor.PACKED] and not packable:
        limit = packing.MAX_LAST_LABEL + 1
        raise ValueError(f"predictor='packed' is for at most {limit} colours, not {len(codebook)}")
    side = max(map(min, tile, labels.shape[::-1])) if tile else 0
    if side > shapes.MAX_TILE_SIDE:
        if list(predictors) == [Predictor.COPY]:
            limit = shapes.MAX_TILE_SIDE
            raise ValueError(f"predictor='copy' is for tiles of at most {limit} a side, not {side}")
        predictors = [one for one in predictors if one != Predictor.COPY]
    trials = _Trials(labels, codebook, tile, threads, zopfli_bytes)
    level = _LEVEL if labels.size <= _TINY else _TRIAL_LEVEL
    sizes: dict[DrawnLayout, int] = {}

    def attempt(layouts: Sequence[DrawnLayout]) -> None:
        new = [
            layout for layout in layouts if layout not in sizes and layout.predictor in predictors
        ]
        found = each(lambda layout: trials.size(layout, level), iter(new), threads)
        sizes.update(zip(new, found, strict=True))

    def ranked() -> list[DrawnLayout]:
        return sorted(sizes, key=lambda layout: sizes[layout])

    small = is_small(labels)
    attempt([_COPY, _COPY_RANKED, _LEFT, *([_NONE] if small else [])])
    if packable:
        attempt([_PACKED, replace(_PACKED, columns_first=True)])
    rows = [layout for layout in ranked() if not layout.columns_first]
    attempt([replace(layout, columns_first=True) for layout in (rows if small else rows[:1])])
    if trials.found is not None:
        attempt([replace(_COPY, shapes=True), replace(_COPY_RANKED, shapes=True)])
        if packable:
            attempt([replace(_PACKED, shapes=True)])
    best = ranked()[0]
    if best.predictor == Predictor.COPY:
        attempt(
            [
                replace(best, ranked=not best.ranked),
                replace(best, above_right=not best.above_right),
            ]
        )
    order = ranked()
    most = sizes[order[0]] * _MARGIN
    # Not a list: of large images only one file is kept.
    files = (
        (trials.file(layout, metadata), layout.predictor)
        for layout in order[:2]
        if sizes[layout] <= most
    )
    return min(files, key=lambda file: len(file[0]))


def smallest_chunk(labels: np.ndarray, codebook: np.ndarray) -> bytes:
    """Return a file that is made about ten times as fast as the smallest, of nearly its size.

    Arguments:
        labels: (H, W) uint8, few: is_small. codebook: (K, C) uint8, kept in its order.
    """
    trials = _Trials(labels, codebook, None, 1)
    packable = len(codebook) <= packing.MAX_LAST_LABEL + 1
    layouts = [one for one in _OF_CHUNKS if packable or one.predictor != Predictor.PACKED]
    return trials.file(min(layouts, key=lambda one: trials.size(one, _TRIAL_LEVEL)), [])


def best_copied(
    labels: np.ndarray, codebook: np.ndarray, tile: tuple[int, int], level: int
) -> tuple[DrawnLayout, int]:
    """Return the way to copy labels that takes least by trial, without shapes, and its bytes.

    Arguments:
        labels: (H, W) uint8. codebook: (K, C) uint8. tile: (width, height). level: of deflate.
    """
    trials = _Trials(labels, codebook, tile, 1)
    flags = (False, True)
    ways = [replace(_COPY, above_right=above, ranked=ranked) for above in flags for ranked in flags]
    sizes = [trials.size(way, level) for way in ways]
    return ways[sizes.index(min(sizes))], min(sizes)


def copied_payload(
    labels: np.ndarray, layout: DrawnLayout, codebook: np.ndarray, level: int
) -> bytes:
    """Return the payload of one tile (h, w) uint8 whose labels are copied, without shapes."""
    ranks = _distance_ranks(codebook) if layout.ranked else None
    codes, new = copying.encode(labels, above_right=layout.above_right, ranks=ranks)
    first = deflate(codes, level)
    return len(first).to_bytes(4) + first + (deflate(new, level) if new else b"")


def _distance_ranks(codebook: np.ndarray) -> np.ndarray:
    """Return the ranks (K, K) uint8, by context and label, where no label is listed."""
    return prediction.invert(prediction.read_table(None, codebook))


def deflate_smallest(data: bytes, zopfli_bytes: int) -> bytes:
    """Return the smallest zlib stream of data that was found.

    Arguments:
        zopfli_bytes: zopfli is tried, too, for data of at most so many bytes.
    """
    streams = [deflate(data, _LEVEL)]
    if len(data) < _ZLIB_BYTES:
        for memory in _MEMORY_LEVELS:
            packer = zlib.compressobj(9, zlib.DEFLATED, 15, memory)
            streams.append(packer.compress(data) + packer.flush())
    if len(data) <= zopfli_bytes:
        from zopfli import zlib as zopfli

        split = len(data) > _SPLIT_BYTES
        streams.append(zopfli.compress(data, numiterations=_ITERATIONS, blocksplitting=split))
    return min(streams, key=len)


class _Trials:
    """Labels in the layouts of drawn images.

    Attributes:
        found: the shapes of the image, None without any.
    """

    def __init__(
        self,
        labels: np.ndarray,
        codebook: np.ndarray,
        tile: tuple[int, int] | None,
        threads: int,
        zopfli_bytes: int = 0,
    ) -> None:
        self._zopfli_bytes = zopfli_bytes
        self._labels = labels
        self._codebook = codebook
        height, width = labels.shape
        if tile is None:
            columns = min(width, shapes.MAX_TILE_SIDE)
            most = min(max(_TILE_PIXELS // columns, 1), shapes.MAX_TILE_SIDE)
            tile = columns, -(-height // -(-height // most))
        self._tile = min(tile[0], width), min(tile[1], height)
        if tile_count(labels.shape, tile) > _ZOPFLI_TILES:
            self._zopfli_bytes = 0
        self._threads = threads
        self._streams: dict[bytes, bytes] = {}

    @cached_property
    def found(self) -> FoundShapes | None:
        return find(self._labels)

    @cached_property
    def _ranks(self) -> np.ndarray:
        return _distance_ranks(self._codebook)

    def _head(self, layout: DrawnLayout) -> Head:
        height, width = self._labels.shape
        colors, channels = self._codebook.shape
        return Head(
            width,
            height,
            *self._tile,
            channels,
            colors - 1,
            layout.predictor,
            version=2,
            columns_first=layout.columns_first,
            ranked=layout.ranked,
            shapes=layout.shapes,
        )

    def _parts(self, layout: DrawnLayout, head: Head, number: int) -> list[bytes]:
        """Return what the streams of a tile inflate to, but its placements."""
        left, upper, right, lower = head.tile_box(number)
        labels = self._labels
        if layout.shapes and self.found is not None:
            labels = self.found.labels
        tile = labels[upper:lower, left:right]
        tile = np.ascontiguousarray(tile.T if layout.columns_first else tile)
        if layout.predictor == Predictor.COPY:
            ranks = self._ranks if layout.ranked else None
            codes, new = copying.encode(tile, above_right=layout.above_right, ranks=ranks)
            return [codes, new] if new else [codes]
        if layout.predictor == Predictor.PACKED:
            return [packing.pack(tile, len(self._codebook) - 1)]
        if layout.predictor.is_ranked:
            tile = prediction.rank(tile, self._ranks, layout.predictor)
        return [np.ascontiguousarray(tile).tobytes()]

    @cached_property
    def _shape_payload(self) -> bytes:
        assert self.found is not None
        return shapes.build_shapes(self.found.shapes, _LEVEL)

    def _placements(self, head: Head, number: int) -> bytes:
        """Return the start of the payload of a tile, in a file with shapes."""
        assert self.found is not None
        left, upper, right, lower = box = head.tile_box(number)
        all_ = self.found.placements
        here = np.flatnonzero(
            (all_.x >= left) & (all_.x < right) & (all_.y >= upper) & (all_.y < lower)
        )
        if not len(here):
            return bytes(4)
        part = shapes.Placements(all_.x[here], all_.y[here], all_.shapes[here])
        stream = self._deflate(shapes.build_placements(part, self.found.shapes, box))
        return len(here).to_bytes(4) + len(stream).to_bytes(4) + stream

    def _deflate(self, data: bytes) -> bytes:
        """Return the smallest stream; layouts have many in common."""
        if self._labels.size > _KEPT_PIXELS:
            return deflate_smallest(data, self._zopfli_bytes)
        if data not in self._streams:
            self._streams[data] = deflate_smallest(data, self._zopfli_bytes)
        return self._streams[data]

    def size(self, layout: DrawnLayout, level: int) -> int:
        """Return the bytes of all that differs from layout to layout, by trial."""
        head = self._head(layout)
        total = len(self._shape_payload) + _FRAME if layout.shapes else 0
        for number in range(head.tiles):
            total += sum(len(deflate(part, level)) for part in self._parts(layout, head, number))
            total += 4 * (layout.predictor == Predictor.COPY)
            if layout.shapes:
                total += len(self._placements(head, number))
        return total

    def file(self, layout: DrawnLayout, metadata: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Return the file of a layout."""
        head = self._head(layout)

        def payload(number: int) -> bytes:
            streams = [self._deflate(part) for part in self._parts(layout, head, number)]
            if layout.predictor == Predictor.COPY:
                streams.insert(0, len(streams[0]).to_bytes(4))
            if layout.shapes:
                streams.insert(0, self._placements(head, number))
            return b"".join(streams)

        payloads = each(payload, iter(range(head.tiles)), self._threads)
        shape_payload = self._shape_payload if layout.shapes else None
        packed = self._deflate(codebooks.build(self._codebook))
        return writer.build(
            head, self._codebook, None, metadata, payloads, shapes=shape_payload, packed=packed
        )
