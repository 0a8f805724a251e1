"""What ``kqf convert`` refuses to do."""

import pytest
from command import draw, few, names, run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.png", "b.png", "-o", "out"),
        ("a.png", "-", "-o", "out/"),
        ("-", "-o", "out/"),
        ("-", "a.png"),
        ("a.png", "b.png", "-o", "-"),
        ("a.png", "-o", "b.kqf", "--format", "png"),
        ("a.png", "--colors", "0"),
        ("a.png", "--colors", "257"),
        ("a.png", "--effort", "10"),
        ("a.png", "--metric", "l1"),
        ("a.png", "--predictor", "paeth"),
        ("a.png", "--tile", "0"),
        ("a.png", "--tile", "8x"),
        ("a.png", "--tile", "8x0"),
        ("a.png", "--threads", "0"),
        ("a.png", "--frame", "-1"),
        ("a.png", "--what"),
    ],
)
def test_usage_errors(arguments):
    draw("a.png", few())
    draw("b.png", few())
    result = run("convert", *arguments, code=2)
    assert "Traceback" not in result.output
    assert names() == ["a.png", "b.png"]
