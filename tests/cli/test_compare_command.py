"""``kqf compare``."""

import json

import pytest
from command import draw, many, names, run
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_compare():
    draw("a.png", many())
    options = ("--colors", 4, "--methods", "kmeans, octree")
    text = run("compare", "a.png", *options, "-o", "r.png").stdout
    assert "\nkmeans " in text
    assert "\noctree " in text
    with Image.open("r.png") as image:
        assert image.width > 40
    run("compare", "a.png", *options, "-o", "r.html")
    assert text.count("\n") > 4
    found = json.loads(run("compare", "a.png", *options, "--json").stdout)
    assert [each["method"] for each in found["methods"]] == ["kmeans", "octree"]
    assert found["methods"][0]["bytes"] == len(kqf.encode(many(), colors=4, quality=100))


def test_compare_refuses_what_it_does_not_know():
    draw("a.png", many())
    result = run("compare", "a.png", "--methods", "best", "-o", "r.png", code=1)
    assert result.stderr.startswith("kqf: a.png: method must be one of kmeans, ")
    assert run("compare", "none.png", "-o", "r.png", code=1).stdout == ""
    assert names() == ["a.png"]
