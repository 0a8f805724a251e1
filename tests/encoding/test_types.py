"""Type checkers refuse wrong options."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

MISUSES = Path(__file__).parent / "misuses.py"
ROOT = Path(__file__).parents[2]


def expected_lines():
    lines = MISUSES.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if re.search(r"# \d+$", line)}


def lines_with_errors(command, pattern):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return {int(number) for number in re.findall(pattern, done.stdout)}, done.stdout


def test_mypy_finds_every_misuse_and_nothing_else():
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", MISUSES]
    found, output = lines_with_errors(command, r"misuses\.py:(\d+): error")
    assert len(expected_lines()) == 10
    assert found == expected_lines(), output


def test_pyright_finds_every_misuse_and_nothing_else():
    pytest.importorskip("pyright")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, MISUSES]
    found, output = lines_with_errors(command, r"misuses\.py:(\d+):\d+ - error")
    assert found == expected_lines(), output
