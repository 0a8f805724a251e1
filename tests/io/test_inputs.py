"""The files that names stand for."""

from pathlib import Path

import pytest

from kqf.io.inputs import is_many, sources_of


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["", "memory://"])
def start(request):
    """Give what names begin with, of paths and of URLs, where files can be had."""
    files = [
        "in/a.png",
        "in/b[1].PNG",
        "in/notes.txt",
        "in/deep/c.kqf",
        "in/out/d.png",
        "in[2]/e.png",
    ]
    memory = request.getfixturevalue("memory") if request.param else None
    for name in files:
        if memory:
            memory.pipe_file("/" + name, b"")
        else:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
    return request.param


def found(start, name, suffix=None, output=""):
    pairs = list(sources_of(start + name, suffix, output))
    for source, place in pairs:
        assert source.startswith(start)
        assert source.endswith(place)
    return [source.removeprefix(start) for source, _ in pairs]


def test_all_pictures_of_a_folder(start):
    expected = ["in/a.png", "in/b[1].PNG", "in/out/d.png"]
    assert found(start, "in") == found(start, "in/") == found(start, "in", ".kqf") == expected
    assert found(start, "in", ".webp") == [
        "in/a.png",
        "in/b[1].PNG",
        "in/deep/c.kqf",
        "in/out/d.png",
    ]
    assert found(start, "in[2]") == ["in[2]/e.png"]


def test_places_are_below_the_folder(start):
    places = [place for _, place in sources_of(start + "in/deep", ".png", "")]
    assert places == ["c.kqf"]
    places = [place for _, place in sources_of(start + "*/deep/*.kqf", ".png", "")]
    assert places == ["in/deep/c.kqf"]
    assert list(sources_of(start + "in/a.png", None, "")) == [(start + "in/a.png", "a.png")]


def test_what_was_made_is_no_source(start):
    for output in ("in/out", "in/out/"):
        assert found(start, "in", None, start + output) == ["in/a.png", "in/b[1].PNG"]
        assert found(start, "in/*/*.png", None, start + output) == []
    for output in ("in", "other", "in/ou"):
        assert len(found(start, "in", None, start + output)) == 3


def test_patterns(start):
    assert found(start, "in/*.png") == ["in/a.png"]
    assert found(start, "**/*.kqf") == ["in/deep/c.kqf"]
    assert found(start, "in/*.txt") == ["in/notes.txt"]
    with pytest.raises(ValueError, match=r"nothing matches .*in/\*\.gif"):
        found(start, "in/*.gif")


def test_a_file_may_be_called_like_a_pattern(start):
    assert not is_many(start + "in/b[1].PNG")
    assert found(start, "in/b[1].PNG") == ["in/b[1].PNG"]


def test_one_and_many(start):
    for name in ("in", "in/", "in/*", "in[2]"):
        assert is_many(start + name)
    for name in ("in/a.png", "in/missing.png", "in/notes.txt", "in/missing"):
        assert not is_many(start + name)


def test_web_servers_and_archives_are_not_listed():
    for name in ("https://host/a/", "http://host/a?b=*", "zip://*.png::s3://in/a.zip"):
        assert not is_many(name)


def test_an_empty_folder_is_no_mistake():
    Path("empty").mkdir()
    assert list(sources_of("empty", None, "")) == []


def test_apple_double_files_are_known_by_their_bytes(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "b.png").write_bytes(b"\x00\x05\x16\x07\x00\x02")
    assert [name for _, name in sources_of(str(tmp_path), None, "")] == ["a.png"]
    assert [name for _, name in sources_of(str(tmp_path / "*.png"), None, "")] == ["a.png"]
