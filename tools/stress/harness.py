"""One target in one process: fuzzed by atheris, or given the files of folders.

    python tools/stress/harness.py TARGET RECORDS [libFuzzer's options] CORPUS [FOLDER ...]
    python tools/stress/harness.py --replay TARGET RECORDS FILE|FOLDER ...

RECORDS is a folder for the inputs that took most time and most memory, ``slowest`` and ``largest``.

What an input may take, all calls of its target together:

- 1 s of the process's time on all processors, and 0.5 µs more for each pixel; 10 s to encode, which
  goes to any effort that it is asked for;
- 256 MiB more than the process had before, and 4 bytes for each pixel.

``targets.pixels_of`` says which pixels count. With atheris's counters in it the code may take
four times as long; the slowest input is then timed without.
"""

import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

from PIL import Image

MIB = 2**20
SECONDS = 1.0
ENCODER_SECONDS = 10.0
SECONDS_PER_PIXEL = 0.5e-6
BYTES = 256 * MIB
BYTES_PER_PIXEL = 4
SLOWDOWN = 4

# What targets use, imported beforehand: no input is to pay for it.
MODULES = "kqf.decoding.api", "kqf.decoding.file", "kqf.plugins.pillow", "concurrent.futures"
MORE_MODULES = {
    "plugin": ("kqf.encoding.api",),
    "encode_indexed": ("kqf.encoding.api",),
    "encode": (
        "kqf.encoding.api",
        "kqf.quantization.methods",
        "skimage.metrics",
        "sklearn.cluster",
    ),
}


class Memory:
    """The process's memory: Linux alone tells how high it rose between two moments."""

    def __init__(self) -> None:
        self._reset = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = os.open("/proc/self/status", os.O_RDONLY)

    def start(self) -> None:
        os.pwrite(self._reset, b"5", 0)
        self._before = self._read(b"VmRSS:")

    def risen(self) -> int:
        """Return the bytes by which it was higher than at the start, at most."""
        return self._read(b"VmHWM:") - self._before

    def _read(self, name: bytes) -> int:
        text = os.pread(self._status, 2**14, 0)
        return int(text[text.index(name) + len(name) :].split(maxsplit=1)[0]) * 1024


class Watch:
    """A target whose time and memory are watched.

    Arguments:
        pixels_of: how many pixels excuse what an input takes.
        seconds: to take without any pixels.
        records: folder for the inputs that take most.
        slowdown: times as long as otherwise that the code may take.
    """

    def __init__(
        self,
        target: Callable[[bytes], None],
        pixels_of: Callable[[bytes], int],
        seconds: float,
        records: Path,
        slowdown: int,
    ) -> None:
        self._target, self._pixels_of, self._seconds = target, pixels_of, seconds
        self._records, self._slowdown = records, slowdown
        self._memory = Memory()
        # By name, the highest value and the bytes of its input.
        self._highest: dict[str, tuple[float, int]] = {"slowest": (0, 0), "largest": (0, 0)}

    def __call__(self, data: bytes) -> None:
        self._memory.start()
        start = process_time()
        self._target(data)
        seconds, memory = process_time() - start, self._memory.risen()
        self._record("slowest", seconds, data)
        self._record("largest", memory, data)
        pixels = self._pixels_of(data)
        most = (self._seconds + SECONDS_PER_PIXEL * pixels) * self._slowdown
        assert seconds <= most, f"took {seconds:.2f} s, allowed were {most:.2f}"
        most = BYTES + BYTES_PER_PIXEL * pixels
        assert memory <= most, f"took {memory / MIB:.0f} MiB, allowed were {most / MIB:.0f}"

    def _record(self, name: str, value: float, data: bytes) -> None:
        if value > self._highest[name][0]:
            self._highest[name] = value, len(data)
            self._records.joinpath(name).write_bytes(data)

    def save(self) -> None:
        self._records.joinpath("figures.json").write_text(json.dumps(self._highest))


def replay(target: Callable[[bytes], None], watch: Watch, paths: list[Path]) -> None:
    """Give files, and all files of folders, to a target."""
    files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    inputs = [file.read_bytes() for file in sorted(files)]
    # Who comes first pays for more than itself; and where coverage is measured no time counts.
    for data in inputs[:1]:
        target(data)
    for data in inputs:
        (target if "coverage" in sys.modules else watch)(data)
    watch.save()


def main(arguments: list[str]) -> None:
    warnings.simplefilter("error")
    replaying = arguments[0] == "--replay"
    name, records, *rest = arguments[replaying:]
    if replaying:
        load(name)
    else:
        import atheris

        with atheris.instrument_imports(include=["kqf"]):
            load(name)
    import mutator
    from targets import FILE_TARGETS, TARGETS, pixels_of

    slowdown = 1 if replaying else SLOWDOWN
    seconds = SECONDS if name in FILE_TARGETS else ENCODER_SECONDS
    watch = Watch(TARGETS[name], partial(pixels_of, name), seconds, Path(records), slowdown)
    if replaying:
        replay(TARGETS[name], watch, [Path(path) for path in rest])
        return

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        try:
            return mutator.mutate(data, most, seed, atheris.Mutate)
        except BaseException:
            # libFuzzer would wait for ever.
            traceback.print_exc()
            os._exit(os.EX_SOFTWARE)

    options = {"custom_mutator": mutate} if name in FILE_TARGETS else {}
    atheris.Setup([sys.argv[0], *rest], watch, **options)
    atheris.Fuzz()


def load(name: str) -> None:
    for module in (*MODULES, *MORE_MODULES.get(name, ())):
        importlib.import_module(module)
    Image.init()


if __name__ == "__main__":
    main(sys.argv[1:])
