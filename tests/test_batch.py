"""Many files made from others."""

import json
import os
import signal
import subprocess
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, run, run_process, start

import kqf
from kqf.batch import Job, convert_many, plan
from kqf.convert import Wishes


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(count=3):
    """Draw pictures at two depths that get smaller as KQF; return their pixels by path."""
    drawn = {}
    for number in range(count):
        path = Path("in") / ("deep" if number % 2 else ".") / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn[path] = draw(path, many(seed=number))
    return drawn


def convert(*arguments, code=0):
    """Run a batch of one process; return the states by name, and what is said on stderr."""
    arguments = "convert", "--json", "--jobs", 1, "--effort", 1, *arguments
    out, err = run_process(*arguments, code=code)
    records = [json.loads(line) for line in out.splitlines()]
    return {Path(record["input"]).name: record for record in records}, err


def states(records):
    return {name: record["state"] for name, record in records.items()}


def test_a_tree_is_mirrored_and_a_second_run_does_nothing():
    drawn = tree()
    Path("in/notes.txt").write_text("no picture")
    records, err = convert("in", "-o", "out")
    assert set(states(records).values()) == {"made"}
    assert len(records) == 3
    assert err == "kqf: 3 made, 0 done before, 0 kept as they are, 0 failed\n"
    assert names("out") == ["0.kqf", "2.kqf", "deep"]
    assert names("out/deep") == ["1.kqf"]
    for path, pixels in drawn.items():
        made = (Path("out") / path.relative_to("in")).with_suffix(".kqf")
        assert np.array_equal(kqf.read(made), kqf.decode(kqf.encode(pixels, effort=1)))
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.kqf")}
    assert set(states(convert("in", "-o", "out")[0]).values()) == {"done"}
    assert before == {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.kqf")}
    os.utime("in/0.bmp", ns=(0, 2 * max(before.values())))
    assert states(convert("in", "-o", "out")[0]) == {
        "0.bmp": "made",
        "1.bmp": "done",
        "2.bmp": "done",
    }
    assert set(states(convert("in", "--force", "-o", "out")[0]).values()) == {"made"}


def test_times_are_kept_on_request():
    tree(1)
    os.utime("in/0.bmp", ns=(10**18, 10**18))
    convert("in", "-o", "now")
    convert("in", "-o", "then", "--keep-times")
    assert Path("now/0.kqf").stat().st_mtime_ns > 10**18
    assert Path("then/0.kqf").stat().st_mtime_ns == 10**18


def test_what_gets_no_smaller_is_copied():
    Path("in").mkdir()
    draw("in/a.png", np.zeros((1, 1), np.uint8))
    records, err = convert("in", "-o", "out")
    assert states(records) == {"a.png": "kept"}
    assert "would not be smaller" in err
    assert names("out") == ["a.png"]
    assert Path("out/a.png").read_bytes() == Path("in/a.png").read_bytes()
    assert states(convert("in", "-o", "out")[0]) == {"a.png": "done"}
    records, _ = convert("in", "-o", "strict", "--strict", code=1)
    assert "--strict" in records["a.png"]["error"]
    convert("in")
    assert names("in") == ["a.png"]


def test_a_copy_writes_over_nothing_where_that_is_forbidden():
    for folder in ("in", "out"):
        Path(folder).mkdir()
    draw("in/a.png", np.zeros((1, 1), np.uint8))
    Path("out/a.png").write_bytes(b"mine")
    os.utime("out/a.png", ns=(0, 0))
    records, _ = convert("in", "-o", "out", "--no-overwrite", code=1)
    assert "out/a.png exists already" in records["a.png"]["error"]
    assert Path("out/a.png").read_bytes() == b"mine"


def test_a_copy_takes_the_place_of_what_an_older_source_became():
    Path("in").mkdir()
    draw("in/a.png", np.tile(many(), (4, 4, 1)), compress_level=0)
    convert("in", "-o", "out")
    draw("in/a.png", np.zeros((1, 1), np.uint8))
    os.utime("out/a.kqf", ns=(0, 0))
    assert states(convert("in", "-o", "out")[0]) == {"a.png": "kept"}
    assert names("out") == ["a.png"]


def test_a_damaged_file_is_told_and_the_others_made():
    tree(2)
    Path("in/bad.png").write_bytes(b"no picture")
    records, err = convert("in", "-o", "out", code=1)
    assert states(records) == {"0.bmp": "made", "1.bmp": "made", "bad.png": "failed"}
    assert "not an image that Pillow knows" in records["bad.png"]["error"]
    assert "in/bad.png: not an image that Pillow knows" in err
    assert names("out") == ["0.kqf", "deep"]


def test_names_from_stdin():
    drawn = tree(2)
    listed = "\n".join(map(str, drawn)).encode()
    run_process("convert", "--list", "--jobs", 2, "--effort", 1, "-o", "out", stdin=listed)
    assert names("out") == ["0.kqf", "1.kqf"]


def test_two_sources_never_become_one_target():
    Path("in").mkdir()
    for name in ("a.png", "a.bmp"):
        draw(f"in/{name}", few())
    result = run("convert", "in", "-o", "out", code=1)
    assert "in/a.png and in/a.bmp would both become out/a.kqf" in result.stderr
    assert not Path("out").exists()


def test_targets_inside_of_a_source_are_no_sources():
    tree(1)
    Path("in/out").mkdir()
    draw("in/out/b.png", few())
    assert [job.source for job in plan(["in"], "in/out")] == ["in/0.bmp"]


def test_kqf_files_of_a_folder_become_another_format_on_request():
    tree(1)
    convert("in", "-o", "out")
    assert [job.target for job in plan(["out"], "", ".webp")] == ["out/0.webp"]
    assert plan(["out"], "") == []


def test_refused_requests():
    draw("a.png", few())
    assert "are for a batch" in run("convert", "a.png", "--strict", code=2).stderr
    assert "none given" in run("convert", code=2).stderr


def test_a_missing_file_is_told_and_the_others_made():
    draw("a.bmp", many())
    records, err = convert("missing.png", "a.bmp", "-o", "out", code=1)
    assert states(records) == {"missing.png": "failed", "a.bmp": "made"}
    assert "missing.png: No such file or directory" in err


def begin():
    """Start a batch of many pictures, and return once the first are made."""
    Path("in").mkdir()
    for number in range(30):
        draw(f"in/{number}.bmp", np.tile(many(seed=number), (4, 4, 1)))
    process = start("convert", "in", "-o", "out", "--jobs", 2, stdin=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(Path("out").glob("*.kqf")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_there_are_whole_files_alone(number):
    process = begin()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    before = {path: path.read_bytes() for path in Path("out").glob("*.kqf")}
    assert 0 < len(before) < 30
    for path in before:
        kqf.check(path)
    run_process("convert", "in", "-o", "out", "--jobs", 2)
    assert len(list(Path("out").glob("*.kqf"))) == 30
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_cluster_gives_the_same_bytes(folder):
    distributed = pytest.importorskip("distributed")
    tree(4)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with distributed.LocalCluster(**options, dashboard_address=":0") as cluster:
        with distributed.Client(cluster) as client:
            # Not where the command runs.
            client.run(os.chdir, "/")
        address = cluster.scheduler_address
        run_process(
            *("convert", "in", "-o", "there", "--scheduler", address),
            *("--effort", 1),
        )
    convert("in", "-o", "here")
    made = sorted(path.relative_to("here") for path in Path("here").rglob("*.kqf"))
    assert len(made) == 4
    for path in made:
        assert (Path("there") / path).read_bytes() == (Path("here") / path).read_bytes()


# Connections that a killed process leaves behind are noticed whenever memory is tidied up.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker_that_is_killed_loses_and_doubles_nothing(folder):
    distributed = pytest.importorskip("distributed")
    Path("in").mkdir()
    for number in range(24):
        draw(Path("in") / f"{number}.png", many(seed=number))
    jobs = plan(["in"], "out")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=":0", silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = list(client.run(os.getpid).values())
        outcomes = []
        for outcome in convert_many(
            jobs, Wishes({"effort": 2}), client.get_executor(pure=False), ahead=6
        ):
            outcomes.append(outcome)
            if len(outcomes) == 5:
                os.kill(workers[0], signal.SIGKILL)
    assert sorted(outcome.job.source for outcome in outcomes) == sorted(job.source for job in jobs)
    # A file that was whole before its worker died is found done.
    assert {outcome.state for outcome in outcomes} <= {"made", "done"}
    for job in jobs:
        kqf.check(job.target)


def test_a_process_that_dies_is_told():
    tree()

    class Dying(Executor):
        def submit(self, *_, **__):
            future = Future()
            future.set_exception(BrokenProcessPool("died"))
            return future

    with pytest.raises(ChildProcessError, match="run it again"):
        list(convert_many(plan(["in"], "out"), Wishes({}), Dying(), ahead=2))


def test_patterns_that_no_shell_resolved():
    tree()
    found = sorted(str(path) for path in Path("in").rglob("*.bmp"))
    assert found
    assert [job.source for job in plan(["in/**/*.bmp"], "out")] == found
    result = run("convert", "no*.png", "-o", "out", code=1)
    assert "nothing matches no*.png" in result.stderr


def test_what_a_pattern_made_is_none_of_its_sources():
    draw("a.bmp", many())
    draw("flat.png", np.zeros((1, 1), np.uint8))
    expected = {("a.bmp", "out/a.kqf"), ("flat.png", "out/flat.kqf")}
    for _ in range(2):
        jobs = {job for pattern in ("**/*.png", "**/*.bmp") for job in plan([pattern], "out")}
        assert {(job.source, job.target) for job in jobs} == expected
        run_process("convert", "**/*.png", "**/*.bmp", "-o", "out", "--jobs", 1)
    assert names("out") == ["a.kqf", "flat.png"]


def test_a_folder_by_url_may_be_one_to_make(folder):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    draw("a.bmp", many())
    run("convert", "a.bmp", "-o", (folder / "new").as_uri() + "/", "--effort", 1)
    assert names("new") == ["a.kqf"]


def test_kqf_files_become_png_though_they_grow():
    tree()
    convert("in", "-o", "out")
    run_process("convert", "--jobs", 1, "out", "-o", "back", "--format", "png")
    made = sorted(
        path.relative_to("out").with_suffix(".png") for path in Path("out").rglob("*.kqf")
    )
    assert made
    assert all((Path("back") / path).exists() for path in made)


def test_a_palette_of_a_folder_serves_all_in_it():
    tree()
    Path("in/bad.png").write_bytes(b"bad")
    result = run("palette", "in", "-o", "shared.gpl", "--colors", 20, code=1)
    assert "bad.png: not an image" in result.stderr
    Path("in/bad.png").unlink()
    convert("in", "-o", "out", "--palette", "shared.gpl")
    books = {kqf.read_indexed(path).codebook.tobytes() for path in Path("out").rglob("*.kqf")}
    assert len(books) == 1


def test_folders_may_be_urls(folder):
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    drawn = tree()
    memory = fsspec.filesystem("memory")
    for path in drawn:
        memory.pipe_file(f"/batch/{path.as_posix()}", path.read_bytes())
    memory.pipe_file("/batch/in/flat.png", Path(draw_flat("flat.png")).read_bytes())
    jobs = plan(["memory://batch/in/"], "memory://batch/out")
    assert [job.target for job in jobs] == [
        "memory://batch/out/0.kqf",
        "memory://batch/out/2.kqf",
        "memory://batch/out/deep/1.kqf",
        "memory://batch/out/flat.kqf",
    ]
    for expected in (["kept", "made", "made", "made"], ["done"] * 4):
        with ThreadPoolExecutor(1) as threads:
            outcomes = list(
                convert_many(jobs, Wishes({"effort": 1}, smaller=True), threads, ahead=2)
            )
        assert sorted(outcome.state for outcome in outcomes) == expected
    convert("in", "-o", "out")
    for path in Path("out").rglob("*.kqf"):
        assert memory.cat_file(f"/batch/{path.as_posix()}") == path.read_bytes()
    assert memory.cat_file("/batch/out/flat.png") == Path("flat.png").read_bytes()
    found = plan(["memory://batch/in/**/*.bmp"], "out", ".kqf")
    assert [job.target for job in found] == ["out/0.kqf", "out/2.kqf", "out/deep/1.kqf"]
    made, _ = convert((folder / "in").as_uri(), "-o", (folder / "there").as_uri())
    assert set(states(made).values()) == {"made"}
    assert names("there") == names("out")


def draw_flat(name):
    draw(name, np.zeros((1, 1), np.uint8))
    return name


def test_urls_that_cannot_be_had_are_told():
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    with pytest.raises(ValueError, match="nothing matches memory://nowhere/"):
        plan(["memory://nowhere/"], "out")
    job = Job("memory://nowhere/a.png", "out/a.kqf")
    with ThreadPoolExecutor(1) as threads:
        (outcome,) = convert_many([job], Wishes({}), threads, ahead=1)
    assert outcome.state == "failed"
    assert not Path("out").exists()


def test_what_one_job_ends_in_leaves_the_others():
    tree(2)

    class Killing(ThreadPoolExecutor):
        def submit(self, function, job, *rest):
            if job.source.endswith("0.bmp"):
                future = Future()
                future.set_exception(RuntimeError("its worker died 4 times"))
                return future
            return super().submit(function, job, *rest)

    with Killing(1) as threads:
        outcomes = list(convert_many(plan(["in"], "out"), Wishes({}), threads, ahead=2))
    assert {outcome.state: outcome.error for outcome in outcomes} == {
        "made": "",
        "failed": "its worker died 4 times",
    }


def test_no_cluster_at_an_address_is_told():
    pytest.importorskip("distributed", reason="clusters need distributed")
    tree(1)
    result = run("convert", "in", "-o", "out", "--scheduler", "nowhere://x", code=2)
    assert "unknown address scheme 'nowhere'" in result.stderr
    assert not Path("out").exists()


def test_a_file_named_twice_is_made_once():
    tree(1)
    assert len(plan(["in/0.bmp", "in/0.bmp", "in"], "out")) == 1
