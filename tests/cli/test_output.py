"""What subcommands refuse to write."""

from pathlib import Path

import pytest
from command import draw, few, many, names, run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "a.png", "-o", "r.pdf"),
        ("report", "a.png", "--colors", "0"),
        ("report", "a.png", "--colors", "16,many"),
        ("compare", "a.png", "-o", "r.md"),
        ("compare", "a.png", "--colors", "257"),
        ("palette", "a.png", "-o", "r.aco"),
        ("view",),
    ],
)
def test_usage_errors(arguments):
    draw("a.png", few())
    assert "Traceback" not in run(*arguments, code=2).output
    assert names() == ["a.png"]


@pytest.mark.parametrize("command", ["compare", "palette"])
def test_the_image_itself_is_not_written_over(command):
    draw("a.png", many())
    before = Path("a.png").read_bytes()
    result = run(command, "a.png", "-o", "./a.png", code=1)
    assert result.stderr == "kqf: ./a.png: is the same file as a.png\n"
    assert Path("a.png").read_bytes() == before
