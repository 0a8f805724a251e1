"""What a command says while it goes through files."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from command import Terminal, few, run, run_process, start
from PIL import Image

import kqf
from kqf.cli import session as terminal


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["[red]x[bold].png", "[", "\x1b[31m.png", "a\nb.png"])
def test_names_are_printed_as_they_are_or_escaped(name):
    Image.fromarray(few()).save(name, "PNG")
    shown = name.replace("\x1b", "\\x1b").replace("\n", "\\n")
    result = run("convert", name, "-o", "out.kqf")
    assert result.stdout.startswith(f"{shown} -> out.kqf  ")
    assert run("check", name, code=1).stdout.startswith(f"{shown}: bad: ")
    assert run("report", name).stdout.startswith(f"{shown}: PNG, 40 x 24")


def test_escapes():
    assert terminal.escape("a b é 漢") == "a b é 漢"
    assert terminal.escape("\udc80\u202e\x9b\t") == r"\udc80\u202e\x9b\t"


@pytest.mark.parametrize("total", [1, 3])
def test_the_progress_bar_is_drawn_on_stderr_alone(total, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "_BAR_AFTER", 0)
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with terminal.session(total) as session:
        with session.file("a"):
            while session.bar is None:
                time.sleep(0.01)
        session.say("one line")
    assert capsys.readouterr().out == "one line\n"
    assert "\u2501" in screen.getvalue()


def test_the_bar_of_a_single_file_has_its_name(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "_BAR_AFTER", 0)
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with terminal.session(1) as session, session.file("some/[red]photo.png"):
        while session.bar is None:
            time.sleep(0.01)
    assert "[red]photo.png" in screen.getvalue()


def test_in_quiet_only_errors_and_results_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    quiet = terminal.Session(2, quiet=True)
    quiet.say("a result")
    quiet.tell("what was done")
    quiet.note("a", "a note")
    with quiet.file("b"):
        raise ValueError("an error")
    assert quiet.failed
    assert capsys.readouterr().out == "a result\n"
    assert screen.getvalue() == "kqf: b: an error\n"


def test_an_interrupt_says_how_many_files_are_done(capsys):

    def stop_after_one():
        with terminal.session(3) as session:
            with session.file("a"):
                pass
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        stop_after_one()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "kqf: stopped; 1 of 3 files are done\n"


def test_a_broken_pipe_ends_quietly():
    Path("a.kqf").write_bytes(kqf.encode(few()))
    for arguments in (["check", *["a.kqf"] * 9], ["convert", "a.kqf", "-o", "-"], ["--help"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = start(*arguments, stdout=write_end)
        os.close(write_end)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err == b""


def wait_until_idle(process):
    """Return once a process has slept for half a second, as it does when it waits for stdin."""
    status = Path(f"/proc/{process.pid}/stat")
    if not status.exists():
        time.sleep(5)
        return
    until, asleep = time.monotonic() + 60, 0
    while asleep < 50 and time.monotonic() < until:
        time.sleep(0.01)
        asleep = asleep + 1 if status.read_text().rsplit(") ", 1)[1][0] == "S" else 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_an_interrupt_ends_quietly():
    process = start("convert", "-")
    wait_until_idle(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_a_name_that_is_no_text(folder):
    name = os.fsdecode(b"\xff.png")
    try:
        Image.fromarray(few()).save(name)
    except OSError:
        pytest.skip("this file system takes only text")
    out, _ = run_process("convert", name)
    assert out.startswith(b"\\udcff.png -> \\udcff.kqf  ")
