"""The same bytes and labels whatever the threads, the process and its surroundings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kqf

METHODS = ("minibatch", "agglomerative", "median-cut", "octree", "random", "sample:500")
# By name: height, width, channels, step of the random walk, options of kqf.encode.
CASES = {
    "large": (1000, 1250, 3, 2, {"colors": 32, "effort": 1}),
    "lossless": (150, 400, 1, 5, {}),
    "learned": (200, 300, 3, 9, {"colors": 99}),
    "perceptual": (120, 150, 4, 9, {"colors": 60, "metric": "perceptual", "quality": 50}),
    "RGBA": (150, 150, 4, 9, {"colors": 80, "tile": 40}),
    "kept": (90, 80, 3, 9, {"colors": 40, "keep": [(1, 2, 3)], "seed": 5}),
    "ordered": (150, 150, 3, 9, {"colors": 30, "dither": "ordered"}),
    "diffused": (150, 150, 3, 9, {"colors": 30, "dither": "floyd-steinberg"}),
    "psnr": (90, 100, 3, 9, {"colors": 64, "target_psnr": 22.0, "effort": 2}),
    "bytes": (90, 100, 3, 9, {"colors": 64, "max_bytes": 4000, "effort": 2}),
    **{name: (120, 90, 3, 9, {"colors": 50, "method": name, "effort": 2}) for name in METHODS},
}
# Threads asked for, and for OpenMP and BLAS; seed of Python's hashes.
SURROUNDINGS = [(8, 1, 0), (1, 3, 1)]
SCRIPT = """
import concurrent.futures, hashlib, json, sys
import numpy as np
import kqf
from conftest import smooth_image

class Counting(concurrent.futures.ThreadPoolExecutor):
    most = 1

    def __init__(self, workers):
        super().__init__(workers)
        # The thread that asks is one more.
        Counting.most = max(Counting.most, workers + 1)

concurrent.futures.ThreadPoolExecutor = Counting

def digest(data):
    return hashlib.sha256(data).hexdigest()

cases, threads = json.loads(sys.argv[1])
found = {}
for name, (*shape, step, options) in cases.items():
    pixels = smooth_image(*shape, step, seed=len(name))
    Counting.most = 1
    data = kqf.encode(pixels, threads=threads, **options)
    image = kqf.read_indexed(data, threads=threads)
    parts = data, image.labels, image.codebook, kqf.decode(data, threads=threads)
    found[name] = [*map(digest, parts), len(image.codebook), Counting.most]
print(json.dumps(found))
"""


def run_all():
    """Return by case, for each process, digests, colours and threads."""
    package, here = Path(kqf.__file__).parents[1], Path(__file__).parents[1]
    processes = []
    for threads, native, seed in SURROUNDINGS:
        variables = {
            "OMP_NUM_THREADS": str(native),
            "OPENBLAS_NUM_THREADS": str(native),
            "PYTHONHASHSEED": str(seed),
            # Threads that spin while they wait would take the processors from each other.
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": os.pathsep.join([str(package), str(here)]),
        }
        arguments = [sys.executable, "-c", SCRIPT, json.dumps([CASES, threads])]
        processes.append(
            subprocess.Popen(
                arguments,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    printed = [process.communicate(timeout=300) for process in processes]
    for process, (_, err) in zip(processes, printed, strict=True):
        assert process.returncode == 0, err.decode()
    results = [json.loads(out) for out, _ in printed]
    return {name: [result[name] for result in results] for name in CASES}


@pytest.mark.slow
def test_threads_processes_and_their_surroundings_change_nothing():
    found = run_all()
    for case, runs in found.items():
        *digests, colors, _ = runs[0]
        assert 1 < colors <= CASES[case][-1].get("colors", 256)
        assert [run[:-1] for run in runs] == len(runs) * [[*digests, colors]], case
    # All threads work on the large image, and no two cases are one.
    assert [run[-1] for run in found["large"]] == [8, 1]
    assert len({runs[0][0] for runs in found.values()}) == len(CASES)
