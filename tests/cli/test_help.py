"""What the command says of itself, and how it answers what it can't do."""

import re

import pytest
from command import run

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version_and_help():
    assert run("--version").stdout == f"kqf {kqf.__version__}\n"
    assert run("-V").stdout == run("--version").stdout
    assert run("-v").stdout == f"kqf {kqf.__version__}\n"
    for command in (
        "convert",
        "info",
        "check",
        "report",
        "compare",
        "palette",
        "view",
        "desktop",
        "help",
    ):
        text = run(command, "--help").stdout
        assert f"Usage: kqf {command}" in text.replace("root", "kqf")
        assert run(command, "-h").stdout == text
        assert run("help", command).stdout.split() == text.split()
        # No words of Python's or of the library's.
        if command != "convert":
            assert not re.search(r"list\[|<(str|int|float)|range>|None\b", text)
    assert run("help", "desktop", "install").stdout.split() == (
        run("desktop", "install", "-h").stdout.split()
    )
    assert "x is not a command of info." in run("help", "info", "x", code=2).stderr
    assert run("help").stdout == run("-h").stdout
    assert run("version").stdout == run("-v").stdout
    assert "[OPTIONS] FILE..." in run("info", "-h").stdout
    assert "[OPTIONS] [IMAGE|PALETTE|FOLDER]..." in run("palette", "-h").stdout
    assert "Did you mean 'info'?" in run("help", "inf", code=2).stderr


def test_the_help_shows_commands_to_start_with():
    lines = run("-h").stdout.splitlines()
    assert "  kqf convert photo.png    write photo.kqf" in lines
    # Nothing is cut short at 80 columns.
    assert not any(line.endswith("...") for line in lines[1:])
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", ["photo.png", "photo.kqf", "./photo", "-", "folder/"])
def test_a_file_in_a_commands_place_is_answered(name):
    result = run(name, "-q", 50, code=2)
    assert f"{name} is a file, and a command must come first:\n" in result.stderr
    assert f"  kqf convert {name} -q 50  " in result.stderr
    assert f"  kqf view {name}  " in result.stderr


def test_options_without_a_command():
    assert "Options follow a command" in run("-q", 50, "a.png", code=2).stderr


def test_completion_is_offered():
    text = run("--help").stdout
    assert "--install-completion" in text
    assert "--show-completion" in text
