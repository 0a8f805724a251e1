"""An open file through any sequence of reads, slices, threads, pickling and closing."""

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import smooth_image
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import kqf

SHAPE = 23, 31, 3


class OpenFile(RuleBasedStateMachine):
    """The file gives the pixels of the whole, whatever was done to it before."""

    @initialize(
        predictor=st.sampled_from(["none", "left", "up"]),
        tile=st.sampled_from([None, 8, (31, 5), (7, 23)]),
        kind=st.sampled_from(["bytes", "file"]),
        place=st.integers(0, 9),
    )
    def open(self, predictor, tile, kind, place):
        data = kqf.encode(smooth_image(*SHAPE), colors=50, predictor=predictor, tile=tile, effort=1)
        self.whole = kqf.decode(data)
        source = data
        if kind != "bytes":
            source = io.BytesIO(bytes(place) + data)
            source.seek(place)
        self.source = source
        self.file = kqf.open(source)
        self.closed = False
        self.owned = kind == "bytes"

    def readable(self):
        return not self.closed or not self.owned

    @rule(data=st.data(), threads=st.sampled_from([None, 1, 2]))
    def read(self, data, threads):
        left, upper = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 22))
        right, lower = data.draw(st.integers(left + 1, 31)), data.draw(st.integers(upper + 1, 23))
        box = left, upper, right, lower
        if not self.readable():
            with pytest.raises(ValueError, match="closed"):
                self.file.read(box)
            return
        expected = self.whole[upper:lower, left:right]
        assert np.array_equal(self.file.read(box, threads=threads), expected)
        assert np.array_equal(self.file.read_indexed(box).pixels, expected)

    @precondition(lambda self: self.readable())
    @rule(index=hnp.basic_indices(SHAPE, allow_newaxis=True))
    def slice(self, index):
        assert np.array_equal(self.file[index], self.whole[index])

    @precondition(lambda self: self.readable())
    @rule(index=hnp.basic_indices(SHAPE))
    def slice_in_threads(self, index):
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(self.file.__getitem__, [index] * 8):
                assert np.array_equal(found, self.whole[index])

    @precondition(lambda self: self.readable())
    @rule()
    def pickle(self):
        with pickle.loads(pickle.dumps(self.file)) as again:
            assert np.array_equal(again.read(), self.whole)

    @precondition(lambda self: not self.owned)
    @rule(place=st.integers(0, 1000))
    def move(self, place):
        self.source.seek(place)

    @rule()
    def say(self):
        assert self.file.shape == SHAPE
        assert self.file.info.file_bytes > 0

    @rule()
    def close(self):
        self.file.close()
        self.closed = True


OpenFile.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
TestOpenFile = OpenFile.TestCase
