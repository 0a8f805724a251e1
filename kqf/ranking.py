"""Label prediction: labels stored as ranks in the order in which they are likely (section 7)."""

import numpy as np

from kqf.errors import FormatError

# Squared distances are below 4 * 255**2 < 2**18: distance and label fit one int32 sort key.
_LABEL_BITS = 8
# With fewer chains than this, a step of numpy costs more than its pixels one by one.
_FEW_CHAINS = 32


def contexts(labels: np.ndarray, predictor: int) -> np.ndarray:
    """Return the context label of each pixel of a tile, (h, w), for predictor 1 or 2."""
    result = np.zeros_like(labels)
    if predictor == 1:
        result[:, 1:] = labels[:, :-1]
    else:
        result[1:] = labels[:-1]
    return result


def count_pairs(labels: np.ndarray, predictor: int, colors: int) -> np.ndarray:
    """Count each label after each context in one tile: (K, K) int64, by context then label."""
    pairs = contexts(labels, predictor).astype(np.uint16)
    pairs *= colors
    pairs += labels
    counts = np.bincount(pairs.ravel(), minlength=colors * colors)
    return counts.reshape(colors, colors)


def build_table(counts: np.ndarray, threshold: int) -> bytes:
    """Return the payload of ``RANK``, inflated: the labels worth listing after each context.

    Arguments:
        counts: (K, K) from count_pairs, summed over tiles.
        threshold: times that a label must follow a context to be listed.
    """
    colors = len(counts)
    # Most frequent first, ties by label; at most 255 fit the count byte.
    keys = (-counts << _LABEL_BITS) + np.arange(colors)
    keys.sort(axis=1)
    labels = (keys & 0xFF).astype(np.uint8)
    listed = np.minimum((counts >= threshold).sum(axis=1), 255)
    table = bytearray()
    for row, count in zip(labels, listed.tolist(), strict=True):
        table.append(count)
        table += row[:count].tobytes()
    return bytes(table)


def parse_table(table: bytes, codebook: np.ndarray) -> np.ndarray:
    """Return the ranking of each context, (K, K) uint8: labels by context and rank.

    Arguments:
        table: the payload of ``RANK``, inflated.
        codebook: (K, C) uint8.

    Raises:
        FormatError: too short or too long, a label beyond the codebook, a label listed twice.
    """
    colors = len(codebook)
    data = np.frombuffer(table, np.uint8)
    counts = []
    at = 0
    for context in range(colors):
        if at >= len(data):
            raise FormatError("RANK", "entries", colors, context)
        counts.append(table[at])
        at += 1 + table[at]
    if at != len(data):
        raise FormatError("RANK", "inflated size", at, len(data))
    heads = np.cumsum([0] + [1 + count for count in counts[:-1]])
    labels = np.delete(data, heads)
    if labels.size and (highest := int(labels.max())) >= colors:
        raise FormatError("RANK", "label", f"at most {colors - 1}", highest)
    return _order(codebook, labels, counts)


def _order(codebook: np.ndarray, labels: np.ndarray, counts: list[int]) -> np.ndarray:
    """Put the listed labels of each context first, all others by distance, ties by label."""
    colors = len(codebook)
    entries = codebook.astype(np.int32)
    distances: np.ndarray = np.zeros((colors, colors), np.int32)
    for channel in entries.T:
        distances += (channel[:, None] - channel) ** 2
    # Listed labels get keys below any distance, in the order of the list.
    starts = np.cumsum([0, *counts[:-1]])
    place = np.arange(len(labels)) - np.repeat(starts, counts)
    distances[np.repeat(np.arange(colors), counts), labels] = place - 256
    if np.count_nonzero(distances < 0) != len(labels):
        raise FormatError("RANK", "labels of a context", "distinct", "one twice")
    keys: np.ndarray = (distances << _LABEL_BITS) + np.arange(colors, dtype=np.int32)
    keys.sort(axis=1)
    return (keys & 0xFF).astype(np.uint8)


def invert(order: np.ndarray) -> np.ndarray:
    """Return ranks by context and label, (K, K) uint8, from labels by context and rank."""
    ranks = np.empty_like(order)
    positions = np.arange(len(order), dtype=np.uint8)[None]
    np.put_along_axis(ranks, order.astype(np.intp), positions, axis=1)
    return ranks


def rank(labels: np.ndarray, ranks: np.ndarray, predictor: int) -> np.ndarray:
    """Return the symbols (h, w) uint8 of one tile's labels, for predictor 1 or 2.

    Arguments:
        ranks: from invert.
    """
    index = contexts(labels, predictor).astype(np.uint16)
    index *= len(ranks)
    index += labels
    return np.take(ranks.ravel(), index)


def unrank(symbols: np.ndarray, order: np.ndarray, predictor: int) -> np.ndarray:
    """Return the labels of tiles of one size, the inverse of rank.

    Arguments:
        symbols: (tiles, h, w) uint8, each below K.
        order: (K, K) uint8 from parse_table.
        predictor: 1 or 2.

    Returns:
        (tiles, h, w) uint8.
    """
    # A step takes one column (row) of all tiles at once: each depends on the one before alone.
    axis = 2 if predictor == 1 else 1
    if symbols.size < _FEW_CHAINS * symbols.shape[axis]:
        return _unrank_one_by_one(symbols, order, axis)
    steps = np.ascontiguousarray(np.moveaxis(symbols, axis, 0))
    labels = np.empty_like(steps)
    table = order.ravel()
    index = np.zeros(steps.shape[1:], np.uint16)
    for step, out in zip(steps, labels, strict=True):
        index += step
        # The index is in bounds by construction, and "clip" spares numpy a buffer.
        table.take(index, out=out, mode="clip")
        np.multiply(out, len(order), out=index, dtype=np.uint16)
    return np.moveaxis(labels, 0, axis)


def _unrank_one_by_one(symbols: np.ndarray, order: np.ndarray, axis: int) -> np.ndarray:
    """Return labels as unrank does, a pixel at a time: faster where a step is a pixel or few."""
    rankings = [row.tobytes() for row in order]
    labels = np.empty_like(symbols)
    chains = np.moveaxis(symbols, axis, -1)
    results = np.moveaxis(labels, axis, -1)
    for place in np.ndindex(chains.shape[:-1]):
        label = 0
        chain = bytearray(chains[place].tobytes())
        for step, symbol in enumerate(chain):
            chain[step] = label = rankings[label][symbol]
        results[place] = np.frombuffer(chain, np.uint8)
    return labels


def rank_histogram(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return how often each rank occurs, (K,), from how often each label follows each context."""
    return np.bincount(ranks.ravel(), weights=counts.ravel(), minlength=len(counts))


def entropy(histogram: np.ndarray) -> float:
    """Return the order-0 entropy of symbols that occur as often as this, in bits for all."""
    occurring = histogram[histogram > 0]
    return float((occurring * np.log2(occurring.sum() / occurring)).sum())
