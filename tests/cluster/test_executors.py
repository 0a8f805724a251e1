"""Processes of this machine and of clusters."""

import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from command import draw, run, run_process

from kqf.cluster import executors

dask = pytest.importorskip("dask", reason="clusters need dask")
distributed = pytest.importorskip("distributed", reason="clusters need distributed")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw("a.png", np.zeros((1, 1), np.uint8))


@pytest.fixture
def deaf():
    """Give the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    "address", ["nowhere://x", "tcp://localhost", "localhost:port", "::::", ""]
)
def test_a_malformed_address_is_told(address):
    result = run("convert", "a.png", "-o", "out", "--scheduler", address, code=2)
    assert "no Dask scheduler answers at" in " ".join(result.stderr.split())
    assert not Path("out").exists()


def test_no_scheduler_at_an_address_is_told(monkeypatch, deaf):
    monkeypatch.setattr(executors, "_PATIENCE", 0.5)
    for address in (deaf, f"127.0.0.1:{closed_port()}"):
        with (
            pytest.raises(ValueError, match="no Dask scheduler answers at"),
            executors.cluster(address),
        ):
            pass


@pytest.mark.parametrize("address", ["nowhere://x", "127.0.0.1:{}"])
def test_a_failed_client_is_nobodys_scheduler(monkeypatch, address):
    monkeypatch.setattr(executors, "_PATIENCE", 0.5)
    clients, threads = [], set(threading.enumerate())
    start = distributed.Client.start

    def noted(client, **options):
        clients.append(client)
        start(client, **options)

    monkeypatch.setattr(distributed.Client, "start", noted)
    with (
        pytest.raises(ValueError, match="no Dask"),
        executors.cluster(address.format(closed_port())),
    ):
        pass
    (client,) = clients
    assert client.status == "closed"
    assert set(threading.enumerate()) == threads
    assert dask.config.get("scheduler") == "threads"
    with pytest.raises(ValueError, match="client"):
        distributed.get_client()


def test_the_command_ends_where_no_scheduler_answers():
    _, err = run_process("convert", "a.png", "-o", "out", "--scheduler", "nowhere://x", code=2)
    assert "--scheduler" in err
    assert not Path("out").exists()


def test_the_executor_of_a_cluster_is_none_of_dasks():
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with (
        distributed.LocalCluster(**options, dashboard_address=":0") as cluster,
        executors.cluster(cluster.scheduler_address) as (executor, threads),
    ):
        assert threads == 2
        assert executor.submit(threading.get_ident).result(timeout=60) != threading.get_ident()
        assert dask.config.get("scheduler") == "threads"
