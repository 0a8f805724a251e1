"""Work spread over threads, with results in order."""

import os
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(threads: int | None) -> int:
    """Return the threads to use: as asked for, or one for each processor of this process.

    Raises:
        ValueError: below 1. TypeError: not an integer.
    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, Integral):
        raise TypeError(f"threads must be an integer or None, not {type(threads).__name__}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return int(threads)


def each(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield ``work(item)`` for each item in order, at most ``2 * threads`` under way at once."""
    if threads == 1:
        yield from map(work, items)
        return
    # It takes long to import, and decoding a small image needs none of it.
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        pending: list[Future[Result]] = []
        items = iter(items)
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except Exception:
                # What went wrong with items before comes first, as in one thread.
                for future in pending:
                    yield future.result()
                raise
            pending.append(pool.submit(work, item))
            if len(pending) == 2 * threads:
                yield pending.pop(0).result()
        for future in pending:
            yield future.result()
