"""Files that appear, change and vanish while batches run again and again: nothing is lost."""

import io
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from command import few
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PIL import Image

import kqf
from kqf.convert.batch import convert_many, plan
from kqf.convert.options import ConversionOptions, Overwrite

# One gets smaller as KQF, the next one does not, another has another size, two are no pictures.
PICTURES = {
    "large": np.tile(few(), (2, 2, 1)),
    "other": np.tile(few(colors=6), (2, 2, 1)),
    "tiny": np.zeros((1, 1), np.uint8),
    "wide": few()[:8],
}
# Sources, and what batches make of them or copy.
NAMES = [
    *("in/a.bmp", "in/a.kqf", "in/b.png", "in/b.kqf", "in/deep/c.kqf", "in/deep/c.png"),
    *("out/a.kqf", "out/a.bmp", "out/b.png", "out/b.kqf", "out/deep/c.kqf", "out/deep/c.png"),
]


@cache
def encoded(kind, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("file" + suffix)
        if suffix == ".kqf":
            kqf.write(path, PICTURES[kind], effort=1)
        else:
            Image.fromarray(PICTURES[kind]).save(path)
        return path.read_bytes()


class Batches(RuleBasedStateMachine):
    """The user owns every file that no batch has written since."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.owned = {}
        self.clock = 10**18
        for name, kind in (("in/a.bmp", "large"), ("in/b.png", "tiny"), ("in/deep/c.kqf", "wide")):
            self.write(name, kind, True)

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        name=st.sampled_from(NAMES),
        kind=st.sampled_from([*PICTURES, "junk"]),
        newer=st.sampled_from([False, False, False, True]),
    )
    def write(self, name, kind, newer):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"junk of mine" if kind == "junk" else encoded(kind, path.suffix)
        path.write_bytes(data)
        self.clock += 10**9
        time = self.clock if newer else 10**15
        os.utime(path, ns=(time, time))
        self.owned[path] = data

    @rule(name=st.sampled_from(NAMES[3:]))
    def remove(self, name):
        path = self.root / name
        path.unlink(missing_ok=True)
        self.owned.pop(path, None)

    @rule(
        inputs=st.sampled_from([["in"], ["in"], ["in/a.bmp", "in/b.png", "in/deep/c.kqf"]]),
        output=st.sampled_from(["out/", "out/", ""]),
        suffix=st.sampled_from([None, None, ".png"]),
        overwrite=st.sampled_from([Overwrite.RESULTS, Overwrite.RESULTS, Overwrite.NONE]),
    )
    def convert(self, inputs, output, suffix, overwrite):
        names = [str(self.root / name) for name in inputs]
        options = ConversionOptions(
            {} if suffix else {"effort": 1}, suffix=suffix, overwrite=overwrite, only_smaller=True
        )
        jobs, _ = plan(names, f"{self.root}/{output}" if output else "", suffix)
        before = self.contents()
        with ThreadPoolExecutor(1) as threads:
            outcomes = list(convert_many(jobs, options, threads, ahead=2))
        after = self.contents()
        # A KQF file of the same name and size counts as an earlier result: it is not the user's.
        replaceable = {
            Path(job.target) for job in jobs if self.is_earlier_result(job, before, overwrite)
        }
        for path, data in self.owned.items():
            assert after.get(path) == data or path in replaceable, path
        for outcome in outcomes:
            if outcome.state == "made":
                assert after[Path(outcome.job.target)]
            assert outcome.error or outcome.state != "failed"
        assert not [path for path in after if ".tmp" in path.name]
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                self.owned.pop(path, None)

    def contents(self):
        return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def is_earlier_result(self, job, before, overwrite):
        target = Path(job.target)
        if overwrite is Overwrite.NONE or target.suffix != ".kqf" or target not in before:
            return False
        sizes = []
        for path in (target, Path(job.source)):
            try:
                with Image.open(io.BytesIO(before[path])) as image:
                    sizes.append(sorted(image.size))
            except (KeyError, OSError, ValueError):
                return False
        return sizes[0] == sizes[1]

    @invariant()
    def files_of_the_user_are_whole(self):
        for path, data in getattr(self, "owned", {}).items():
            assert path.read_bytes() == data


# Fewer than the profile has: each is many batches.
Batches.TestCase.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=30, deadline=None
)
TestBatches = Batches.TestCase
