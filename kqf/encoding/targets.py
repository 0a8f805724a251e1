"""The quality that meets a target, found with few tries."""

from bisect import bisect_left
from collections.abc import Callable

from kqf.errors import TargetError


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


def highest_within(measure: Callable[[int], float], highest: int, name: str, limit: float) -> int:
    """Return the highest quality whose measure is at most ``limit``, in at most 8 tries.

    Arguments, errors: as for lowest_reaching; the error says what quality 1 comes to.
    """
    if measure(highest) <= limit:
        return highest
    quality = bisect_left(range(1, highest), True, key=lambda one: measure(one) > limit)
    if not quality:
        raise TargetError(f"{name}={limit} can't be met: quality 1 comes to {measure(1):.6g}")
    return quality
