"""Work spread over threads, with results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from numbers import Integral
from typing import Any, TypeVar

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


def run(work: Callable[[Item], None], items: Iterable[Item], threads: int) -> None:
    """Call ``work(item)`` for each item, at most ``2 * threads`` under way at once."""
    exhaust(each(work, items, threads))


def exhaust(steps: Iterable[object]) -> None:
    """Take all steps of an iterator that does its work in steps."""
    deque(steps, maxlen=0)


def each(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield ``work(item)`` for each item in order, at most ``2 * threads`` under way at once.

    The caller's thread takes the items, and is one of those that work: no other is started where
    there is a single item.
    """
    if threads == 1:
        yield from map(work, items)
        return
    # It takes long to import, and decoding a small image needs none of it.
    from concurrent.futures import Future, ThreadPoolExecutor

    # Nothing else may hold an outcome: an error knows the frames that it came through, and they and
    # it would keep one another, and all that they hold, until Python looks for such circles.
    pending: deque[tuple[Future[Result], Any]] = deque()

    def work_here() -> bool:
        """Work on what no other thread has begun; tell whether there was anything."""
        for place, (future, item) in enumerate(pending):
            # What has begun can't be cancelled.
            if future.cancel():
                pending[place] = Future[Result](), None
                try:
                    pending[place][0].set_result(work(item))
                except Exception as error:
                    pending[place][0].set_exception(error)
                return True
        return False

    items = iter(items)
    more = True
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        try:
            while True:
                while more and len(pending) < 2 * threads:
                    try:
                        item = next(items)
                    except StopIteration:
                        more = False
                    except Exception as error:
                        # What went wrong with items before comes first, as in one thread.
                        more = False
                        pending.append((Future[Result](), None))
                        pending[-1][0].set_exception(error)
                    else:
                        future = Future[Result]()
                        if pending:
                            pool = pool or stack.enter_context(ThreadPoolExecutor(threads - 1))
                            future = pool.submit(work, item)
                        pending.append((future, item))
                if not pending:
                    return
                while not pending[0][0].done() and work_here():
                    pass
                yield pending.popleft()[0].result()
        finally:
            while pending:
                pending.popleft()[0].cancel()
