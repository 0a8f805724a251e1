"""Many images by the command, with one process and with two: throughput and memory.

    pip install .
    python tools/benchmark.py batch [--number N] [--effort N] [--jobs N ...] [--scheduler]

It makes images of 768 x 512 pixels of scikit-learn's two sample photographs, no two alike, and runs
``kqf convert FOLDER -o FOLDER`` over a quarter of them and over all, once for each number of
processes. It prints images a second, and the most memory that any one process held (not on
Windows): flat if it does not grow with the number of images. With ``--scheduler`` (extra ``dask``)
it also runs them on a ``distributed.LocalCluster`` of two processes and compares the bytes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .images import samples
from .output import parser_for

SIZE = 768, 512


def draw(folder: Path, number: int) -> None:
    folder.mkdir()
    photographs = [Image.fromarray(image) for image in samples().values()]
    random = np.random.default_rng(0)
    for index in range(number):
        photograph = photographs[index % len(photographs)]
        left, upper = (int(random.integers(0, side // 4)) for side in photograph.size)
        right, lower = (int(side - random.integers(0, side // 4)) for side in photograph.size)
        crop = photograph.crop((left, upper, right, lower)).resize(SIZE)
        crop.save(folder / f"{index:06}.png", compress_level=1)


def convert(source: Path, target: Path, *options: object) -> tuple[float, float]:
    """Return seconds, and the MiB that the largest of the processes held."""
    command = [sys.executable, "-m", "kqf", "convert", source, "-o", target, *options]
    start = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"kqf convert ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_maxrss * unit / 2**20


def same(one: Path, other: Path) -> bool:
    files = sorted(path.name for path in one.iterdir())
    return files == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in files
    )


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--effort", type=int, default=5)
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--scheduler", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "few", max(asked.number // 4, 1))
        draw(folder / "all", asked.number)
        print("| jobs | images | seconds | images a second | largest process, MiB |")
        print("|" + "---|" * 5)
        for jobs in asked.jobs:
            for which in ("few", "all"):
                target = folder / f"{which}-{jobs}"
                number = len(list((folder / which).iterdir()))
                options = "--jobs", jobs, "--threads", 1, "--effort", asked.effort
                seconds, peak = convert(folder / which, target, *options)
                rate = number / seconds
                print(
                    f"| {jobs} | {number} | {seconds:.1f} | {rate:.2f} | {peak:.0f} |", flush=True
                )
        if asked.scheduler:
            from distributed import LocalCluster

            with LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
            ) as cluster:
                address = cluster.scheduler_address
                options = "--scheduler", address, "--threads", 1, "--effort", asked.effort
                convert(folder / "all", folder / "cluster", *options)
            equal = same(folder / "cluster", folder / f"all-{asked.jobs[0]}")
            print(f"\nbytes from the cluster: {'the same' if equal else 'OTHERS'}")
