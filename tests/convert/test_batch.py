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
from command import draw, few, many, names, run, run_batch, run_process, start

import kqf
from kqf.convert import batch
from kqf.convert.batch import convert_many, plan
from kqf.convert.options import ConversionOptions
from kqf.convert.targets import Job
from kqf.io.paths import exists, read


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
    """Run a batch; return the records by name, and what is said on stderr."""
    out, err = run_batch("--json", *arguments, code=code)
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
    bytes_in, bytes_out = (
        sum(record[key] for record in records.values()) for key in ("bytes_in", "bytes_out")
    )
    assert err.startswith(
        "kqf: 3 made, 0 done before, 0 kept as they are, 0 failed; "
        f"{bytes_in:,} -> {bytes_out:,} bytes ({100 * bytes_out / bytes_in:.1f} %) in "
    )
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
    size = Path("in/a.png").stat().st_size
    assert f"not smaller than its source of {size}" in err
    assert "the original stays" in err
    assert f"1 kept as they are, 0 failed; {size} -> {size} bytes (100.0 %)" in err
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
    flat = np.zeros((96, 160), np.uint8)
    draw("in/a.png", flat, bits=1, optimize=True)
    os.utime("out/a.kqf", ns=(0, 0))
    assert states(convert("in", "-o", "out")[0]) == {"a.png": "kept"}
    assert names("out") == ["a.png"]


def test_a_kqf_file_that_is_there_is_not_the_png_that_is_wanted():
    for folder in ("in", "out"):
        Path(folder).mkdir()
        kqf.write(f"{folder}/a.kqf", few())
    run_batch("in", "-o", "out", "--format", "png")
    assert names("out") == ["a.kqf", "a.png"]


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
    tree(1)
    for name in ("a.png", "a.bmp"):
        draw(f"in/{name}", few())
    records, err = convert("in", "-o", "out", code=1)
    assert states(records) == {"0.bmp": "made", "a.png": "failed", "a.bmp": "failed"}
    assert "in/a.png: out/a.kqf would be used for in/a.bmp as well" in err
    assert "in/a.bmp: out/a.kqf would be used for in/a.png as well" in err
    assert names("out") == ["0.kqf"]


def test_no_target_is_another_ones_source():
    draw("a.png", many())
    convert("a.png", "-o", ".")
    before = {name: Path(name).read_bytes() for name in names()}
    assert sorted(before) == ["a.kqf", "a.png"]
    _, err = convert("a.kqf", "a.png", code=2)
    assert "a.kqf and a.png exist already: to write a.png anew, name it with -o a.png" in err
    for order in (["a.kqf", "a.png"], ["a.png", "a.kqf"]):
        jobs, outcomes = plan(order, "")
        assert jobs == []
        errors = {outcome.job.source: outcome.error for outcome in outcomes}
        assert errors == {
            "a.kqf": "a.png would be used for a.png as well: name their outputs with -o",
            "a.png": "a.kqf would be used for a.kqf as well: name their outputs with -o",
        }
    assert {name: Path(name).read_bytes() for name in names()} == before


def test_a_copy_is_not_what_another_source_becomes():
    for folder in ("x", "y"):
        Path(folder).mkdir()
    draw("x/a.png", few())
    Path("y/a.kqf").write_bytes(kqf.encode(few()))
    _, outcomes = plan(["x/a.png", "y/a.kqf"], "out/")
    assert [outcome.state for outcome in outcomes] == ["failed", "failed"]
    assert outcomes[0].error.startswith("out/a.png would be used for y/a.kqf as well")


def test_a_file_named_twice_is_made_once(folder):
    tree(1)
    Path("link").symlink_to("in")
    listed = ["in/0.bmp", "in/0.bmp", "in", "./in/0.bmp", "link/0.bmp", str(folder / "in/0.bmp")]
    jobs, outcomes = plan(listed, "out/")
    assert jobs == [Job("in/0.bmp", "out/0.kqf")]
    assert [outcome.state for outcome in outcomes] == ["done"] * 5
    _, err = convert("in/0.bmp", "./in/0.bmp", "-o", "out")
    assert names("out") == ["0.kqf"]
    assert "kqf: ./in/0.bmp: named before, as in/0.bmp" in err


def test_one_name_in_two_folders_ends_nothing_else():
    tree(2)
    Path("other").mkdir()
    draw("other/0.bmp", many(seed=5))
    listed = b"in/0.bmp\nother/0.bmp\nin/deep/1.bmp"
    out, _ = run_batch("--list", "--json", "-o", "out", stdin=listed, code=1)
    found = {json.loads(line)["input"]: json.loads(line)["state"] for line in out.splitlines()}
    assert found == {"in/0.bmp": "failed", "other/0.bmp": "failed", "in/deep/1.bmp": "made"}
    assert names("out") == ["1.kqf"]


@pytest.mark.skipif(os.name == "nt", reason="names are no bytes there")
def test_names_may_be_of_any_bytes():
    draw("a.bmp", many())
    listed = [b"caf\xe9 \x85.bmp", b"tab\tand\rmore.bmp", b"b[1].bmp"]
    for name in listed:
        Path(os.fsdecode(name)).write_bytes(Path("a.bmp").read_bytes())
    run_process("convert", "--list", "-o", "out", "--effort", 1, stdin=b"\r\n".join(listed))
    made = sorted(os.fsencode(name) for name in names("out"))
    assert made == sorted(name.replace(b".bmp", b".kqf") for name in listed)


def test_targets_inside_of_a_source_are_no_sources():
    tree(1)
    Path("in/out").mkdir()
    draw("in/out/b.png", few())
    assert [job.source for job in plan(["in"], "in/out")[0]] == ["in/0.bmp"]


def test_kqf_files_of_a_folder_become_another_format_on_request():
    tree(1)
    convert("in", "-o", "out")
    assert [job.target for job in plan(["out"], "", ".webp")[0]] == ["out/0.webp"]
    assert plan(["out"], "") == ([], [])


def test_refused_requests():
    draw("a.png", few())
    assert "--strict is for a batch" in run("convert", "a.png", "--strict", code=2).stderr
    assert "none given" in run("convert", code=2).stderr


def test_a_missing_file_is_told_and_the_others_made():
    draw("a.bmp", many())
    records, err = convert("missing.png", "a.bmp", "-o", "out", code=1)
    assert states(records) == {"missing.png": "failed", "a.bmp": "made"}
    assert "missing.png: No such file or directory" in err


MANY = "convert", "in", "-o", "out", "--jobs", 2, "--effort", 2


def begin():
    """Start a batch of many pictures, and return once the first are made."""
    Path("in").mkdir()
    for number in range(16):
        draw(f"in/{number}.bmp", np.tile(many(seed=number), (4, 4, 1)))
    process = start(*MANY, stdin=subprocess.DEVNULL)
    until = time.monotonic() + 240
    while not list(Path("out").glob("*.kqf")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.slow
def test_stopped_at_any_moment_there_are_whole_files_alone(number):
    process = begin()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    before = {path: path.read_bytes() for path in Path("out").glob("*.kqf")}
    assert 0 < len(before) < 16
    for path in before:
        kqf.check(path)
    run_process(*MANY)
    assert len(list(Path("out").glob("*.kqf"))) == 16
    assert all(path.read_bytes() == data for path, data in before.items())


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(folder):
    distributed = pytest.importorskip("distributed")
    tree(4)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with distributed.LocalCluster(**options, dashboard_address=":0") as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
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
@pytest.mark.slow
def test_a_worker_that_is_killed_loses_and_doubles_nothing(folder):
    distributed = pytest.importorskip("distributed")
    Path("in").mkdir()
    for number in range(12):
        draw(Path("in") / f"{number}.png", many(seed=number))
    jobs, _ = plan(["in"], "out/")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=":0", silence_logs=50) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        workers = list(client.run(os.getpid).values())
        outcomes = []
        for outcome in convert_many(
            jobs, ConversionOptions({"effort": 2}), client.get_executor(pure=False), ahead=6
        ):
            outcomes.append(outcome)
            if len(outcomes) == 3:
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
        list(convert_many(plan(["in"], "out/")[0], ConversionOptions(), Dying(), ahead=2))


def test_patterns_that_no_shell_resolved():
    tree()
    found = sorted(str(path) for path in Path("in").rglob("*.bmp"))
    assert found
    assert [job.source for job in plan(["in/**/*.bmp"], "out/")[0]] == found
    result = run("convert", "no*.png", "-o", "out", code=1)
    assert "nothing matches no*.png" in result.stderr


def test_what_a_pattern_made_is_none_of_its_sources():
    draw("a.bmp", many())
    draw("flat.png", np.zeros((1, 1), np.uint8))
    expected = {("a.bmp", "out/a.kqf"), ("flat.png", "out/flat.kqf")}
    for _ in range(2):
        jobs = {job for pattern in ("**/*.png", "**/*.bmp") for job in plan([pattern], "out/")[0]}
        assert {(job.source, job.target) for job in jobs} == expected
        run_batch("**/*.png", "**/*.bmp", "-o", "out")
    assert names("out") == ["a.kqf", "flat.png"]


def test_a_folder_by_url_may_be_one_to_make(folder):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    draw("a.bmp", many())
    run("convert", "a.bmp", "-o", (folder / "new").as_uri() + "/", "--effort", 1)
    assert names("new") == ["a.kqf"]


def test_kqf_files_become_png_though_they_grow():
    tree()
    convert("in", "-o", "out")
    run_batch("out", "-o", "back", "--format", "png")
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


def by_threads(jobs, **options):
    chosen = ConversionOptions({"effort": 1}, only_smaller=True, **options)
    with ThreadPoolExecutor(2) as threads:
        outcomes = convert_many(jobs, chosen, threads, ahead=4)
        return {outcome.job.source: outcome for outcome in outcomes}


def states_of(outcomes):
    return sorted(outcome.state for outcome in outcomes.values())


def uploaded(memory):
    """Put pictures to memory://in, one of which gets no smaller."""
    drawn = tree()
    draw("in/flat.png", np.zeros((1, 1), np.uint8))
    for path in [*drawn, Path("in/flat.png")]:
        memory.pipe_file("/" + path.as_posix(), path.read_bytes())
    memory.pipe_file("/in/notes.txt", b"no picture")
    return drawn


@pytest.mark.parametrize("source", ["memory://in", "memory:///in/", "in"])
@pytest.mark.parametrize("target", ["memory://out", "out"])
def test_folders_may_be_urls(memory, source, target):
    drawn = uploaded(memory)
    jobs, _ = plan([source], target)
    places = ["0.kqf", "2.kqf", "deep/1.kqf", "flat.kqf"]
    assert sorted(job.target for job in jobs) == [f"{target}/{place}" for place in places]
    for expected in (["kept", "made", "made", "made"], ["done"] * 4):
        assert states_of(by_threads(jobs)) == expected
    by_threads(plan(["in"], "here")[0])
    for path in drawn:
        place = path.relative_to("in").with_suffix(".kqf").as_posix()
        assert read(f"{target}/{place}") == Path("here", place).read_bytes()
    assert read(f"{target}/flat.png") == Path("in/flat.png").read_bytes()
    assert not exists(f"{target}/flat.kqf")


def test_a_newer_source_behind_a_url_is_made_again(memory):
    uploaded(memory)
    jobs, _ = plan(["memory://in/"], "memory://out/")
    by_threads(jobs)
    memory.pipe_file("/in/0.bmp", Path("in/2.bmp").read_bytes())
    assert [name for name, each in by_threads(jobs).items() if each.state == "made"] == [
        "memory://in/0.bmp"
    ]
    assert memory.cat_file("/out/0.kqf") == memory.cat_file("/out/2.kqf")


def test_where_no_time_is_known_what_is_there_is_done(memory, monkeypatch):
    uploaded(memory)
    monkeypatch.delattr(type(memory), "modified")
    jobs, _ = plan(["memory://in/"], "memory://out/")
    assert states_of(by_threads(jobs)) == ["kept", "made", "made", "made"]
    memory.pipe_file("/in/0.bmp", Path("in/2.bmp").read_bytes())
    assert states_of(by_threads(jobs)) == ["done"] * 4


def test_a_url_in_another_spelling_is_the_same_file(memory):
    uploaded(memory)
    jobs, _ = plan(["memory://in"], "memory:///in")
    assert states_of(by_threads(jobs)) == ["kept", "made", "made", "made"]
    assert memory.cat_file("/in/flat.png") == Path("in/flat.png").read_bytes()
    again, _ = plan(["memory://in"], "memory:///in")
    assert again == jobs


def test_names_of_a_server_never_lead_out_of_the_output(memory):
    memory.pipe_file("/in/a/../../../b.png", Path(draw_flat("b.png")).read_bytes())
    jobs, (outcome,) = plan(["memory://in/"], "out/deep")
    assert jobs == []
    assert "outside of out/deep" in outcome.error


def draw_flat(name):
    draw(name, np.zeros((1, 1), np.uint8))
    return name


def test_urls_that_cannot_be_had_are_told(memory):
    jobs, (outcome,) = plan(["memory://nowhere/", "memory://nowhere/a.png"], "out/")
    assert outcome.error == "nothing matches memory://nowhere/"
    (failed,) = by_threads(jobs).values()
    assert (failed.state, failed.error) == ("failed", "No such file or directory")
    result = run("convert", "nowhere://a/", "-o", "out", code=1)
    assert "nowhere" in result.stderr
    assert not Path("out").exists()


def test_urls_of_local_files_are_paths(folder):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    tree()
    made, _ = convert((folder / "in").as_uri(), "-o", (folder / "there").as_uri(), "--keep-times")
    assert set(states(made).values()) == {"made"}
    assert names("there") == ["0.kqf", "2.kqf", "deep"]


def test_keeping_times_of_urls_is_refused():
    tree(1)
    result = run("convert", "in", "-o", "memory://out", "--keep-times", code=2)
    assert "nor for URLs" in result.stderr


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
        outcomes = list(
            convert_many(plan(["in"], "out/")[0], ConversionOptions(), threads, ahead=2)
        )
    assert {outcome.state: outcome.error for outcome in outcomes} == {
        "made": "",
        "failed": "its worker died 4 times",
    }


def test_names_separated_by_nul():
    drawn = tree(2)
    Path("in/0.bmp").rename("in/two\nlines.bmp")
    listed = "\0".join(["in/two\nlines.bmp", *map(str, list(drawn)[1:])]).encode() + b"\0"
    run_batch("-0", "-o", "out", stdin=listed)
    assert names("out") == ["1.kqf", "two\nlines.kqf"]


def test_apple_double_files_are_no_pictures():
    drawn = tree(1)
    for path in drawn:
        path.with_name("._" + path.name).write_bytes(bytes.fromhex("0005160700020000"))
    assert states(convert("in", "-o", "out")[0]) == {"0.bmp": "made"}
    assert [job.source for job in plan(["in/*"], "out/")[0]] == ["in/0.bmp"]


def test_a_source_that_changes_while_it_is_converted_is_made_again(monkeypatch):
    (path,) = tree(1)
    jobs, _ = plan(["in"], "out/")
    convert_once = batch.convert_file

    def slowly(job, options):
        made = convert_once(job, options)
        draw(path, many(seed=9))
        return made

    with monkeypatch.context() as patch:
        patch.setattr(batch, "convert_file", slowly)
        (outcome,) = by_threads(jobs).values()
    assert "changed while it was converted" in outcome.notes[-1]
    assert states_of(by_threads(jobs)) == ["made"]
    assert np.array_equal(kqf.read("out/0.kqf"), kqf.decode(kqf.encode(many(seed=9), effort=1)))


def test_a_batch_of_kqf_and_other_images_takes_the_options_of_both(folder):
    Path("in").mkdir()
    draw("in/a.bmp", few())
    kqf.write("in/b.kqf", few(colors=7))
    _, err = run_batch("in", "-o", "out", "--format", "png", "--seed", 1)
    assert "2 made" in err
    assert names("out") == ["a.png", "b.png"]


def test_a_batch_keeps_originals_that_a_gif_can_not_show(folder):
    Path("in").mkdir()
    draw("in/a.png", few(4))
    draw("in/b.bmp", few())
    _, err = run_batch("in", "-o", "out", "--format", "gif")
    assert "GIF has no translucent colours" in err
    assert "the original stays" in err
    assert "1 made, 0 done before, 1 kept as they are, 0 failed" in err
    assert Path("out/a.png").read_bytes() == Path("in/a.png").read_bytes()


def test_totals_of_a_batch_that_makes_nothing_tell_no_bytes(folder):
    Path("bad.png").write_bytes(b"no image")
    _, err = run_batch("bad.png", code=1)
    assert "1 failed; in " in err
    assert "->" not in err
