"""The tool that compares the decoders in Python and JavaScript on changed files."""

from itertools import islice

import differential
import numpy as np
from javascript import ROOT

import kqf


def test_decoders_agree_on_changed_files():
    files = list(islice(differential.changed_files(1), 400))
    assert differential.differences(files) == []
    # Some of them are still files, or there would be little to compare.
    assert 10 < sum("kind" not in differential.in_python(data) for data in files) < 200


def test_differences_are_found(monkeypatch):
    data = (ROOT / "spec" / "vectors" / "valid" / "A_example.kqf").read_bytes()
    ours = differential.in_python(data)
    for other in (ours | {"labels": "x"}, {"kind": "wrong", "message": "no"}):
        monkeypatch.setattr(differential, "in_python", lambda _, other=other: other)
        ((found, one, two),) = differential.differences([data])
        assert (found, one) == (data, other)
        assert two["labels"] == ours["labels"]


def test_a_limit_is_none_of_the_kinds_of_faults():
    data = kqf.encode_indexed(np.zeros((2100, 2100), np.uint8), np.zeros((1, 1), np.uint8))
    assert differential.in_python(data)["kind"] == "limit"
    assert differential.in_javascript([data])[0]["kind"] == "limit"


def test_damaged_overviews_do_not_matter():
    data = (ROOT / "spec" / "vectors" / "valid" / "6.8_overviews.kqf").read_bytes()
    at = data.index(b"oidx") + 5
    changed = data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]
    ours, (theirs,) = differential.in_python(changed), differential.in_javascript([changed])
    assert "kind" not in ours
    assert theirs["labels"] == ours["labels"]
