"""Which existing files a conversion may replace."""

import os
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, run, run_batch

import kqf
from kqf.convert.targets import split_names


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def contents():
    """Give a function that returns what all files hold."""
    return lambda: {
        str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()
    }


def test_there_and_back_leaves_the_original(contents):
    draw("photo.png", many())
    run("convert", "photo.png")
    before = contents()
    result = run("convert", "photo.kqf", code=1)
    assert result.stderr == (
        "kqf: photo.kqf: photo.png exists already: "
        "naming it with -o photo.png or --force replaces it\n"
    )
    assert contents() == before


def test_all_files_of_a_folder_converted_twice_lose_nothing(contents):
    draw("a.png", many())
    draw("b.png", many(seed=1))
    run("convert", "a.png", "b.png")
    before = contents()
    run("convert", *names(), code=1)
    assert contents() == before


def test_two_files_that_could_be_input_and_output_are_refused(contents):
    draw("photo.png", many())
    draw("out.png", few())
    kqf.write("out.kqf", few(colors=9))
    before = contents()
    for arguments in (("photo.png", "out.kqf"), ("out.kqf", "photo.png")):
        result = run("convert", *arguments, code=2)
        assert f"{arguments[0]} and {arguments[1]} exist already" in result.stderr
        assert f"name it with -o {arguments[1]}" in " ".join(result.stderr.split())
        assert contents() == before
    run("convert", "photo.png", "out.png", "--effort", 1)
    assert (kqf.read("out.kqf") == few()).all()


def test_two_files_of_one_kind_are_two_inputs():
    draw("a.png", few())
    draw("b.bmp", few())
    run("convert", "a.png", "b.bmp")
    assert names() == ["a.kqf", "a.png", "b.bmp", "b.kqf"]


def test_a_second_name_that_does_not_exist_is_the_output():
    draw("a.png", few())
    run("convert", "a.png", "b.kqf")
    run("convert", "b.kqf", "c.bmp")
    run("convert", "a.png", "deep/")
    assert names() == ["a.png", "b.kqf", "c.bmp", "deep"]
    assert names("deep") == ["a.kqf"]
    assert "no suffix" in run("convert", "a.png", "c", code=1).stderr


def test_a_second_name_that_is_a_folder_is_the_output():
    Path("there").mkdir()
    draw("a.png", few())
    run("convert", "a.png", "there")
    assert names("there") == ["a.kqf"]
    Path("in").mkdir()
    draw("in/b.bmp", many())
    for state in ("1 made", "1 done before"):
        assert state in run_batch("in", "out")[1]
        assert names("out") == ["b.kqf"]
        assert names("in") == ["b.bmp"]


def test_which_of_several_names_is_the_output(folder):
    for name in ("a.png", "b.png"):
        draw(name, few())
    Path("there").mkdir()
    assert split_names(["a.png"]) == (["a.png"], "")
    assert split_names(["a.png", "b.png", "there"]) == (["a.png", "b.png", "there"], "")
    assert split_names(["a.png", "*.png"]) == (["a.png", "*.png"], "")
    assert split_names(["*.png", "there"]) == (["*.png"], "there")
    assert split_names(["a.png", "-"]) == (["a.png"], "-")
    assert split_names(["-", "c.kqf"]) == (["-"], "c.kqf")
    with pytest.raises(ValueError, match="new/ is no folder: name the folder to write to with -o"):
        split_names(["a.png", "b.png", "new/"])
    with pytest.raises(ValueError, match=r"a.png exists already: .* -o a.png"):
        split_names(["-", "a.png"])


def test_a_file_named_twice_is_converted_once(contents):
    draw("a.png", few())
    draw("b.png", few())
    before = contents()
    assert "are the same file" in run("convert", "a.png", "./a.png", code=2).stderr
    assert "is a file, not a folder" in run("convert", "a.png", "-o", "b.png/", code=2).stderr
    assert contents() == before
    result = run("convert", "a.png", "./a.png", "b.png")
    assert result.stderr == "kqf: ./a.png: named before, as a.png\n"
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["a.png", "b.png"]


def test_a_third_name_that_does_not_exist_is_told(contents):
    draw("a.png", few())
    draw("b.png", few())
    result = run("convert", "a.png", "b.png", "c.kqf", code=1)
    assert "kqf: c.kqf: if it was to be the output, name it with -o" in result.stderr


def test_the_source_is_never_replaced(folder, contents):
    draw("a.png", few())
    kqf.write("b.kqf", few())
    (folder / "link.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    before = contents()
    for output in ("a.png", "./a.png", "link.png", "hard.png", str(folder / "a.png")):
        for flags in ((), ("--force",)):
            result = run("convert", "a.png", "-o", output, *flags, code=1)
            assert f"{output} is the same file" in result.stderr
    assert (
        "is the same file" in run("convert", "b.kqf", "--format", "kqf", "--force", code=1).stderr
    )
    assert contents() == before


def test_a_source_of_another_conversion_is_never_replaced(contents):
    draw("a.png", few())
    kqf.write("a.kqf", few(colors=9))
    draw("b.png", few())
    before = contents()
    run("convert", "a.png", "a.kqf", "b.png", "--force", code=1)
    after = contents()
    after.pop("b.kqf")
    assert after == before


def test_only_a_kqf_file_of_the_same_size_is_an_earlier_result(contents):
    draw("a.png", few())
    run("convert", "a.png", "--colors", 3)
    run("convert", "a.png")
    assert (kqf.read("a.kqf") == few()).all()
    for other in (few()[:9], few()[:, :9]):
        kqf.write("a.kqf", other)
        before = contents()
        assert "a.kqf exists already" in run("convert", "a.png", code=1).stderr
        assert contents() == before
    kqf.write("a.kqf", few().transpose(1, 0, 2))
    run("convert", "a.png")
    Path("a.kqf").write_bytes(kqf.encode(few())[:-9])
    run("convert", "a.png")
    kqf.check("a.kqf")


def test_force_and_a_name_replace_other_files():
    draw("a.png", few())
    for arguments in (("-o", "a.kqf"), ("--force",)):
        Path("a.kqf").write_bytes(b"mine")
        run("convert", "a.png", *arguments)
        kqf.check("a.kqf")
    Path("a.kqf").write_bytes(b"mine")
    for arguments in ((), ("-o", "a.kqf")):
        result = run("convert", "a.png", "--no-overwrite", *arguments, code=1)
        assert "a.kqf exists already" in result.stderr
    assert "contradict" in run("convert", "a.png", "--force", "--no-overwrite", code=2).stderr
    assert Path("a.kqf").read_bytes() == b"mine"


def test_a_file_in_a_folder_that_was_named_is_not_named_itself(contents):
    draw("a.png", few())
    Path("out").mkdir()
    Path("out/a.kqf").write_bytes(b"mine")
    before = contents()
    for arguments in (("-o", "out"), ("-o", "out/")):
        assert "out/a.kqf exists already" in run("convert", "a.png", *arguments, code=1).stderr
    assert contents() == before


def test_a_link_that_leads_nowhere_is_a_file_of_the_user(folder):
    draw("a.png", few())
    (folder / "a.kqf").symlink_to("nowhere")
    assert "a.kqf exists already" in run("convert", "a.png", code=1).stderr


def test_a_batch_replaces_nothing_of_the_user(contents):
    Path("in").mkdir()
    Path("out").mkdir()
    draw("in/a.bmp", many())
    draw("in/flat.png", np.zeros((1, 1), np.uint8))
    for name in ("out/a.kqf", "out/flat.png"):
        Path(name).write_bytes(b"mine")
        os.utime(name, ns=(0, 0))
    before = contents()
    _, err = run_batch("in", "-o", "out", code=1)
    assert "out/a.kqf exists already: --force replaces it" in err
    assert "out/flat.png exists already: --force replaces it" in err
    assert contents() == before
    run_batch("in", "-o", "out", "--force")
    kqf.check("out/a.kqf")
    assert Path("out/flat.png").read_bytes() == Path("in/flat.png").read_bytes()


def test_a_copy_that_is_there_is_no_hindrance():
    Path("in").mkdir()
    Path("out").mkdir()
    draw("in/flat.png", np.zeros((1, 1), np.uint8))
    Path("out/flat.png").write_bytes(Path("in/flat.png").read_bytes())
    os.utime("out/flat.png", ns=(0, 0))
    assert "1 kept" in run_batch("in", "-o", "out")[1]


def test_urls_are_as_safe_as_paths(memory):
    draw("a.png", few())
    memory.pipe("/a.png", Path("a.png").read_bytes())
    memory.pipe("/a.kqf", b"mine")
    assert "memory://a.kqf exists already" in run("convert", "memory://a.png", code=1).stderr
    assert memory.cat("/a.kqf") == b"mine"
    run("convert", "memory://a.png", "-o", "memory://a.kqf")
    assert (kqf.decode(memory.cat("/a.kqf")) == few()).all()
    run("convert", "memory://a.png", "--colors", 2)
    assert kqf.info(memory.cat("/a.kqf")).colors == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_what_is_private_stays_private():
    Path("in").mkdir()
    draw("in/a.bmp", many())
    draw("in/flat.png", np.zeros((1, 1), np.uint8))
    for name, mode in (("in/a.bmp", 0o600), ("in/flat.png", 0o640)):
        Path(name).chmod(mode)
    before = os.umask(0o022)
    try:
        run("convert", "in/a.bmp", "--effort", 1)
        run_batch("in", "-o", "out")
    finally:
        os.umask(before)
    modes = {path: Path(path).stat().st_mode & 0o777 for path in ("in/a.kqf", "out/a.kqf")}
    assert modes == {"in/a.kqf": 0o600, "out/a.kqf": 0o600}
    assert Path("out/flat.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_result_can_be_written_again_though_its_source_is_read_only():
    draw("a.png", few())
    Path("a.png").chmod(0o444)
    for _ in range(2):
        run("convert", "a.png")
    assert Path("a.kqf").stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize("other", ["a.bmp", "a.BMP"])
def test_a_result_that_another_image_may_have_made_is_not_replaced(folder, other):
    draw("a.png", few(colors=5))
    draw(other, few(colors=7))
    run("convert", "a.png")
    made = Path("a.kqf").read_bytes()
    error = run("convert", other, code=1).stderr
    assert error.startswith(f"kqf: {other}: a.kqf exists already and may be made of a.png: ")
    assert "-o a.kqf" in error
    assert "--force" in error
    assert Path("a.kqf").read_bytes() == made
    run("convert", other, "--force")
    assert np.array_equal(kqf.read("a.kqf"), few(colors=7))


def test_what_is_no_image_does_not_keep_a_result_from_being_replaced(folder):
    draw("a.png", few())
    Path("a.txt").write_text("a")
    run("convert", "a.png")
    draw("a.png", few(colors=7))
    run("convert", "a.png")
    assert np.array_equal(kqf.read("a.kqf"), few(colors=7))
