"""Processes to work in, of this machine or of a Dask cluster, as executors."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process

from kqf.text import how_to_install, reason

# Seconds for each step of getting through to a cluster.
_PATIENCE = 10


@contextmanager
def pool(processes: int) -> Iterator[Executor]:
    """Give an executor whose processes leave Ctrl-C to this one, and end when it is killed."""
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Give the executor of a Dask cluster, and how many threads its workers have by now.

    What dask does apart from it goes on as it did.

    Raises:
        ImportError: distributed is not installed. ValueError: no scheduler answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(f"Dask clusters need distributed: {how_to_install('dask')}") from error
    try:
        asyncio.run(_reach(address))
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except TimeoutError as error:
        raise ValueError(f"no Dask scheduler answers at {address!r} in {_PATIENCE} s") from error
    except MemoryError as error:
        # Anything can be read as a length.
        raise ValueError(f"what answers at {address!r} is no Dask scheduler") from error
    except Exception as error:
        # Its plugins and both sides' protocols have errors of many kinds.
        raise ValueError(f"no Dask scheduler answers at {address!r}: {reason(error)}") from error
    logger = logging.getLogger("distributed.client")
    level = logger.level
    # What it says of a scheduler that is lost comes as an error of its futures.
    logger.setLevel(logging.CRITICAL)
    try:
        with client:
            yield client.get_executor(pure=False), sum(client.nthreads().values())
    finally:
        logger.setLevel(level)


async def _reach(address: str) -> None:
    """Connect to a scheduler and leave it again; on failure nothing stays open.

    A client with a thread of its own waits for ever where something else listens than a scheduler.
    """
    from distributed import Client

    client = Client(address, asynchronous=True, timeout=_PATIENCE, set_as_default=False)
    try:
        async with asyncio.timeout(_PATIENCE):
            await client
    finally:
        await client.close()
