"""README.md and the pages in docs/ do what they say.

Blocks of a page run in their order, in a folder that holds the files they name:

- ``python``: must run; ``py``: must be Python, for what needs servers and large files;
- ``console``: commands after ``$``, whose output must be the one below but for numbers;
- ``sh``: commands whose options must be there.

Links to files of the project must lead somewhere.
"""

import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from command import run
from PIL import Image
from sklearn.datasets import load_sample_image

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("docs/*.md"))
if not (ROOT / "README.md").exists():
    pytest.skip("not a checkout: there are no pages", allow_module_level=True)
ALL = [ROOT / "README.md", *PAGES]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")
NEEDED = {"large-images.md": "dask.array", "masks.md": "zarr"}
# tests/plugins/test_libraries.py runs it, library by library.
ELSEWHERE = ("libraries.md",)


def blocks(page, *kinds):
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in kinds]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = Image.fromarray(load_sample_image("china.jpg"))
    photo.save("photo.png")
    Path("photos").mkdir()
    photo.crop((0, 0, 60, 40)).save("photos/one.png")
    photo.crop((300, 200, 360, 240)).save("photos/two.png")
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [it for it in ALL if blocks(it, "python") and it.name not in ELSEWHERE],
    ids=lambda page: page.name,
)
# Pages open images as people do, and let them go without closing them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_python_runs(page, folder, capsys):
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name], reason=f"needs {NEEDED[page.name]}")
    if page in PAGES:
        # Nothing here depends on the size, and a part takes less time.
        Image.open("photo.png").crop((100, 50, 240, 160)).save("photo.png")
    names = {}
    for kind, text in blocks(page, "python", "py"):
        code = compile(text, page.name, "exec")
        if kind == "python":
            exec(code, names)


def shape(text):
    """Return a text without its numbers, the lengths of its lines and folders of its own."""
    text = re.sub(r"/\S*/", "/", text)
    words = re.sub(r"\d[\d,.]*", "0", text).split()
    return [re.sub("─+", "─", word) for word in words]


def sessions():
    for page in ALL:
        for _, text in blocks(page, "console"):
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield pytest.param(command, output, id=f"{page.name}: {command}")


@pytest.mark.parametrize(("command", "output"), list(sessions()))
def test_sessions_print_what_they_show(command, output, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pytest.importorskip("jinja2", reason="a report's page needs it")
    pytest.importorskip("oxipng", reason="a report names it")
    program, *arguments = shlex.split(command)
    assert program == "kqf"
    if "photo.kqf" in arguments:
        run("convert", "photo.png")
    found = run(*arguments).stdout
    assert shape(found) == shape(output)
    if arguments[0] == "report":
        assert all(len(line) <= 80 or "/" in line for line in found.splitlines())


def commands():
    for page in ALL:
        for _, text in blocks(page, "sh", "console"):
            for line in text.splitlines():
                if line.removeprefix("$ ").startswith("kqf "):
                    yield pytest.param(line.removeprefix("$ "), id=f"{page.name}: {line}")


@functools.cache
def help_of(command):
    return run(command, "--help").stdout


@pytest.mark.parametrize("line", list(commands()))
def test_options_are_there(line):
    _, command, *arguments = shlex.split(line, comments=True)
    helped = help_of(command)
    for argument in arguments:
        if argument.startswith("-") and argument != "-":
            assert re.search(rf"(^|[\s,]){re.escape(argument)}\b", helped), argument


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_readme_links_to_every_page():
    text = ALL[0].read_text("utf-8")
    assert [page.name for page in PAGES if f"docs/{page.name}" not in text] == []


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_benchmarks_that_pages_name_are_there(page):
    known = {path.stem for path in (ROOT / "tools" / "bench").glob("[a-z]*.py")}
    named = re.findall(r"tools/benchmark\.py (\w+)", page.read_text("utf-8"))
    assert set(named) <= known


def test_no_message_names_an_index_that_has_no_kqf():
    sources = [*ROOT.glob("kqf/**/*.py"), *ROOT.glob("tools/**/*.py"), *ALL]
    wrong = re.compile(r"pip install ['\"]?kqf\b")
    assert [str(path) for path in sources if wrong.search(path.read_text("utf-8"))] == []


def test_the_strip_is_small():
    with Image.open(ROOT / "docs" / "strip.webp") as strip:
        assert strip.width < 1000
        assert np.asarray(strip).std() > 10
    assert (ROOT / "docs" / "strip.webp").stat().st_size < 150_000
