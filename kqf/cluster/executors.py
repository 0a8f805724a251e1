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
from typing import Any

from kqf.text import how_to_install, reason

# Seconds for each step of connecting to a cluster.
_PATIENCE = 10


@contextmanager
def pool(processes: int) -> Iterator[Executor]:
    """Yield an executor whose processes ignore Ctrl-C and end when this process is killed."""
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
    """Yield the executor of a Dask cluster and the number of threads that its workers have now.

    Dask's default client and scheduler stay as they are.

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
        # What something else answers is read as the length of a message.
        raise ValueError(f"what answers at {address!r} is not a Dask scheduler") from error
    except Exception as error:
        # Plugins and protocols of both sides raise errors of many kinds.
        raise ValueError(f"no Dask scheduler answers at {address!r}: {reason(error)}") from error
    logger = logging.getLogger("distributed.client")
    level = logger.level
    # A lost scheduler is reported by errors of the futures; the logger would repeat it.
    logger.setLevel(logging.CRITICAL)
    try:
        with client:
            threads: Any = client.nthreads()
            yield client.get_executor(pure=False), sum(threads.values())
    finally:
        logger.setLevel(level)


async def _reach(address: str) -> None:
    """Connect to a scheduler and disconnect; on failure nothing stays open.

    A client with a thread of its own would wait for ever if something other than a scheduler
    listens there.
    """
    from distributed import Client

    client: Any = Client(address, asynchronous=True, timeout=_PATIENCE, set_as_default=False)
    try:
        async with asyncio.timeout(_PATIENCE):
            await client
    finally:
        await client.close()
