"""A room imports only rooms below it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kqf

PACKAGE = Path(kqf.__file__).parent

# From the bottom up: what each room may import.
ORDER = {
    "errors": set(),
    "deflate": {"errors"},
    "display": set(),
    "indexed": {"display", "errors"},
    "files": {"errors"},
    "parallel": {"errors"},
    "colorspace": {"errors"},
    "container": {"deflate", "errors"},
    "histogram": {"colorspace", "parallel"},
    "labels": {"colorspace", "histogram", "parallel"},
    "codebook": {"colorspace", "histogram", "labels"},
    "learners": {"codebook", "colorspace", "histogram", "labels"},
    "dither": {"colorspace", "labels", "parallel"},
    "ranking": {"errors"},
    "layout": {"container", "deflate", "parallel", "ranking"},
    "search": {"colorspace", "container", "histogram", "labels", "layout", "parallel", "ranking"},
    "decoder": {
        "container",
        "deflate",
        "errors",
        "files",
        "indexed",
        "parallel",
        "ranking",
    },
    "measure": set(),
    "targets": {"errors"},
    "options": {
        "codebook",
        "colorspace",
        "container",
        "indexed",
        "layout",
        "parallel",
        "search",
    },
    "quantizer": {
        "codebook",
        "colorspace",
        "container",
        "dither",
        "histogram",
        "indexed",
        "labels",
        "layout",
        "learners",
        "options",
        "search",
    },
    "encoder": {
        "container",
        "files",
        "indexed",
        "layout",
        "measure",
        "options",
        "quantizer",
        "targets",
    },
    "KqfImagePlugin": {"container", "decoder", "encoder", "errors", "files", "indexed"},
    "__init__": {"KqfImagePlugin", "decoder", "encoder", "errors", "indexed", "measure"},
    # On the public API, but for writing files whole, for the values of metadata, for pictures of
    # labels and for plots in Oklab.
    "formats": {"__init__", "display"},
    "report": {"__init__", "formats"},
    "learning": {"__init__", "display", "formats", "report"},
    "terminal": {"__init__"},
    "pictures": {"terminal"},
    "palette_files": set(),
    "palettes": {"__init__", "display", "palette_files", "pictures"},
    "convert": {"__init__", "files", "palettes", "pictures", "terminal"},
    "lines": {"__init__", "convert", "terminal"},
    "tables": {"__init__", "terminal"},
    "documents": {"formats", "report", "tables", "terminal"},
    "page": {
        "__init__",
        "colorspace",
        "display",
        "documents",
        "formats",
        "report",
        "tables",
        "terminal",
    },
    "showing": {
        "convert",
        "documents",
        "files",
        "learning",
        "page",
        "palette_files",
        "palettes",
        "pictures",
        "report",
        "tables",
        "terminal",
    },
    "cli": {
        "KqfImagePlugin",
        "__init__",
        "convert",
        "lines",
        "palettes",
        "pictures",
        "showing",
        "terminal",
    },
    "__main__": {"cli"},
}
MODULES = sorted(path.stem for path in PACKAGE.rglob("*.py"))
# Whose exceptions only one room may catch.
CAUGHT = {"construct": "container", "isal": "deflate", "igzip_lib": "deflate", "zlib": "deflate"}


def tree_of(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))


def imported(module):
    """Return the names of the package's modules that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = [node.module]
            if node.module == "kqf":
                names = [f"kqf.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, second = name.partition(".")
            if first == "kqf":
                # What is no module is a name of the public API.
                found.add(second if second in ORDER else "__init__")
    return found


def test_every_module_has_its_place():
    assert set(MODULES) <= set(ORDER)


def test_the_order_lets_no_room_import_one_above_it():
    above = list(ORDER)
    for number, allowed in enumerate(ORDER.values()):
        assert allowed <= set(above[:number])


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_rooms_below_it(module):
    assert imported(module) <= ORDER[module]


def test_the_decoder_never_needs_the_encoders_rooms():
    reached, waiting = set(), ["decoder"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting += imported(module) - reached
    assert reached.isdisjoint(
        {"codebook", "dither", "encoder", "histogram", "labels", "layout", "learners", "search"}
    )
    assert {"container", "ranking"} <= reached


@pytest.mark.parametrize("module", MODULES)
def test_exceptions_of_a_library_are_caught_in_one_room(module):
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            for name in names & set(CAUGHT):
                assert CAUGHT[name] == module


def test_import_loads_nothing_that_only_the_command_line_needs():
    script = "import sys, kqf; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert {"kqf", "numpy", "construct"} <= loaded
    assert loaded.isdisjoint({"sklearn", "scipy", "typer", "rich", "click", "hypothesis"})
