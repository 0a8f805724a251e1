"""Work spread over threads, with results in order."""

import os
from collections import deque
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
    """Yield ``work(item)`` for each item in order, at most ``2 * threads`` under way at once.

    The caller's thread takes the items, and is one of those that work.
    """
    if threads == 1:
        yield from map(work, items)
        return
    # It takes long to import, and decoding a small image needs none of it.
    from concurrent.futures import Future, ThreadPoolExecutor

    def work_here(item: Item) -> Future[Result]:
        future = Future[Result]()
        try:
            future.set_result(work(item))
        except Exception as error:
            future.set_exception(error)
        return future

    pending: deque[tuple[Future[Result], Item]] = deque()
    items = iter(items)
    failure = None
    ended = False
    with ThreadPoolExecutor(threads - 1) as pool:
        try:
            while True:
                while not ended and len(pending) < 2 * threads:
                    try:
                        item = next(items)
                    except StopIteration:
                        ended = True
                    except Exception as error:
                        # What went wrong with items before comes first, as in one thread.
                        ended, failure = True, error
                    else:
                        pending.append((pool.submit(work, item), item))
                if not pending:
                    break
                while not pending[0][0].done():
                    # What another thread has begun can't be cancelled.
                    for place, (future, item) in enumerate(pending):
                        if future.cancel():
                            pending[place] = work_here(item), item
                            break
                    else:
                        break
                yield pending.popleft()[0].result()
        finally:
            for future, _ in pending:
                future.cancel()
    if failure:
        raise failure
