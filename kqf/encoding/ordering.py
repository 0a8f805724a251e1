"""The order of a codebook that nobody else has ordered."""

import numpy as np

from kqf.quantization.histogram import bands_of

# Steps between entries cost about the square roots of their differences, here in sixteenths. In
# whole numbers, so that all machines agree.
_COSTS = np.round(16 * np.sqrt(np.arange(511))).astype(np.int32)
# Rounds in which parts of the walk are turned round; more of them save no more.
_ROUNDS = 15


def walk(codebook: np.ndarray, rounds: int = _ROUNDS) -> np.ndarray:
    """Return an order of entries in which each is near the one before.

    Differences from entry to entry are then small, as a packed codebook has them (section 5.7), and
    so are those of labels of alike colours. The walk begins at the entry whose samples sum up to
    least and goes on to the nearest one left, the lowest number first; then parts of it are turned
    round where that makes it shorter (2-opt, DOI 10.1287/opre.6.6.791).

    Arguments:
        codebook: (K, C) uint8.
        rounds: of turning parts round, at most.

    Returns:
        (K,) int64: numbers of entries, in their new order.
    """
    costs = _step_costs(codebook)
    left = costs.copy()
    order = np.empty(len(costs), np.int64)
    at = int(codebook.sum(axis=1).argmin())
    far = np.iinfo(np.int32).max
    for place in range(len(order)):
        order[place] = at
        left[:, at] = far
        at = int(left[at].argmin())
    for _ in range(rounds):
        if not _turn(order, costs):
            break
    return order


def _step_costs(codebook: np.ndarray) -> np.ndarray:
    """Return what it costs to have one entry follow another, (K, K) int32, symmetric."""
    entries = codebook.astype(np.int16)
    if entries.shape[1] > 2:
        # Differences as they will be stored: of red and blue less green.
        entries[:, [0, 2]] -= entries[:, [1]]
    costs = np.zeros((len(entries), len(entries)), np.int32)
    for channel in entries.T:
        costs += _COSTS[np.abs(channel[:, None] - channel)]
    return costs


def _turn(order: np.ndarray, costs: np.ndarray) -> bool:
    """Turn round parts of a walk (K,) in place, the best first and none that touch one another.

    Returns:
        whether any was.
    """
    count = len(order)
    steps = costs[np.ix_(order, order)]
    along = np.diagonal(steps, 1)
    # What turning places i to j round changes: the steps into i and out of j.
    change = np.zeros((count, count), np.int32)
    change[1:] += steps[:-1] - along[:, None]
    change[:, :-1] += steps[:, 1:] - along
    change = np.triu(change, 1)
    ends = change.argmin(axis=1)
    gains = change[np.arange(count), ends]
    used = np.zeros(count, np.bool_)
    for begin in np.argsort(gains, kind="stable").tolist():
        end = int(ends[begin])
        if gains[begin] >= 0:
            break
        around = slice(max(begin - 1, 0), end + 2)
        if not used[around].any():
            used[around] = True
            order[begin : end + 1] = order[begin : end + 1][::-1].copy()
    return bool(used.any())


def reorder(
    labels: np.ndarray, codebook: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (H, W) and codebook (K, C) with the entries in another order."""
    places = np.empty(len(order), np.uint8)
    places[order] = np.arange(len(order))
    reordered = np.empty_like(labels)
    # A band at a time: numpy makes an index of eight bytes of every label.
    for rows in bands_of(labels.shape):
        reordered[rows] = places.take(labels[rows])
    return reordered, codebook[order]
