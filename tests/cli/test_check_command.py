"""``kqf check``."""

import json
from pathlib import Path

import pytest
from command import draw, few, run

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check():
    data = kqf.encode(few())
    Path("good.kqf").write_bytes(data)
    Path("bad.kqf").write_bytes(data[:-1])
    Path("other.kqf").write_bytes(b"GIF89a")
    assert run("check", "good.kqf").stdout == "good.kqf: ok\n"
    result = run("check", "bad.kqf", "good.kqf", "none.kqf", "other.kqf", code=1)
    lines = result.stdout.splitlines()
    missing = f"cut off after {len(data) - 1} bytes: the end is missing; "
    assert lines[0].startswith(f"bad.kqf: bad: {missing}")
    assert lines[1] == "good.kqf: ok"
    assert lines[2] == "other.kqf: bad: not a KQF file: it is of no kind that kqf knows"
    assert result.stderr == "kqf: none.kqf: No such file or directory\n"


def test_check_in_quiet():
    Path("good.kqf").write_bytes(data := kqf.encode(few()))
    Path("bad.kqf").write_bytes(data[:-1])
    assert run("check", "--quiet", "good.kqf").output == ""
    assert run("check", "--quiet", "good.kqf", "bad.kqf", code=1).stdout.startswith("bad.kqf: bad")


def test_folders_stand_for_the_kqf_files_in_them():
    Path("in/deep").mkdir(parents=True)
    Path("empty").mkdir()
    Path("in/a.kqf").write_bytes(data := kqf.encode(few()))
    Path("in/deep/b.kqf").write_bytes(data[:-1])
    draw("in/c.png", few())
    result = run("check", "in", "empty", code=1)
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        ["in/a.kqf", "ok"],
        ["in/deep/b.kqf", "bad"],
    ]
    assert result.stderr == "kqf: empty: there is no KQF file in this folder\n"
    lines = run("info", "--json", "in", code=1).stdout.splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["in/a.kqf", "in/deep/b.kqf"]
