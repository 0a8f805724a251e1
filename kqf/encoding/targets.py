"""The quality, or the number of colours, that meets a target, found with few tries."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial

from kqf.encoding.label_search import Labelled, LabelSearch
from kqf.errors import TargetError
from kqf.metrics import Part


def reaching(
    search: LabelSearch,
    highest: int,
    measure: Callable[[Part], float],
    name: str,
    target: float,
) -> Labelled:
    """Return the labels of the lowest quality that measures at least ``target``.

    Arguments:
        highest: quality to try at most.
        measure: returns the likeness to the original, as ``metrics.psnr_of`` does.
        name: of the target, for the error.

    Raises:
        TargetError: not even the highest quality reaches the target.
    """

    def measured(quality: int) -> float:
        found = search.at(quality)
        return measure(lambda box: found.codebook[found.labels[box]])

    return search.at(lowest_reaching(measured, highest, name, target))


def within_bytes(
    search: Callable[[int], LabelSearch], colors: range, highest: int, limit: int
) -> Labelled:
    """Return the best labels whose file takes at most ``limit`` bytes.

    Quality is lowered first. If no quality is small enough, so is the number of colours: of all
    numbers tried, the labels with the least error are returned.

    Arguments:
        search: returns labels for at most so many colours.
        colors: numbers of colours to choose from.
        highest: quality to try at most.

    Raises:
        TargetError: not even the fewest colours at quality 1 are small enough.
    """
    best: tuple[float, Labelled] | None = None
    reached: list[tuple[int, int]] = []
    for count in fewer_colors(colors):
        labels = search(count)
        quality = highest_within(partial(_size, labels), highest, limit)
        if quality is None:
            reached.append((labels.at(1).size, count))
        elif not reached:
            return labels.at(quality)
        else:
            found = labels.at(quality)
            error = labels.error(found)
            if best is not None and error >= best[0]:
                break
            best = error, found
        # Of a large image, nothing of this number's may be held beside the next.
        del labels
    if best is None:
        size, count = min(reached)
        raise TargetError(
            f"max_bytes={limit} can't be met: the smallest file has {size} bytes, by "
            f"colors={count}, quality=1"
        )
    return best[1]


def _size(search: LabelSearch, quality: int) -> int:
    return search.at(quality).size


def lowest_reaching(measure: Callable[[int], float], highest: int, name: str, target: float) -> int:
    """Return the lowest quality whose measure is at least ``target``, in at most 8 tries.

    Arguments:
        measure: of what a quality gives; must not fall as quality rises.
        highest: quality to try at most.
        name: of the target, for the error.

    Raises:
        TargetError: not even the highest quality reaches the target.
    """
    best = measure(highest)
    if best < target:
        raise TargetError(f"{name}={target} can't be met: quality {highest} reaches {best:.6g}")
    return 1 + bisect_left(range(1, highest), True, key=lambda one: measure(one) >= target)


def highest_within(measure: Callable[[int], float], highest: int, limit: float) -> int | None:
    """Return the highest quality whose measure is at most ``limit``, in at most 9 tries.

    Where none is, two tries show it.

    Arguments:
        measure: of what a quality gives; must not fall as quality rises.
        highest: quality to try at most.

    Returns:
        None if even quality 1 exceeds the limit.
    """
    if measure(highest) <= limit:
        return highest
    if measure(1) > limit:
        return None
    return 1 + bisect_left(range(2, highest), True, key=lambda one: measure(one) > limit)


def fewer_colors(colors: range) -> Iterator[int]:
    """Yield the highest number, then powers of two below it, and last the lowest number."""
    count = colors[-1]
    yield count
    while count > colors[0]:
        count = max(1 << (count - 1).bit_length() - 1, colors[0])
        yield count
