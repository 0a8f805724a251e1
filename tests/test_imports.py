"""A room imports only rooms below it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kqf

PACKAGE = Path(kqf.__file__).parent

# From the bottom up: what each room may import.
ORDER = {
    "errors": set(),
    "signature": set(),
    "deflate": {"errors"},
    "parallel": {"errors"},
    "display": set(),
    "indexed": {"display", "errors", "parallel"},
    "files": {"errors"},
    "colorspace": {"errors"},
    "container": {"deflate", "errors", "signature"},
    "histogram": {"colorspace", "parallel"},
    "labels": {"colorspace", "histogram", "parallel"},
    "codebook": {"colorspace", "histogram", "labels", "parallel"},
    "learners": {"codebook", "colorspace", "histogram", "labels"},
    "dither": {"colorspace", "labels", "parallel"},
    "ranking": {"errors", "parallel"},
    "layout": {"container", "deflate", "parallel", "ranking"},
    "search": {"colorspace", "container", "histogram", "labels", "layout", "parallel", "ranking"},
    "salvage": {"container", "deflate", "errors", "signature"},
    "decoder": {
        "container",
        "deflate",
        "errors",
        "files",
        "indexed",
        "parallel",
        "ranking",
        "salvage",
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
    "tally": {"colorspace", "histogram"},
    "together": {"colorspace", "container", "histogram", "options", "quantizer", "tally"},
    "blockwise": {
        "colorspace",
        "container",
        "deflate",
        "files",
        "histogram",
        "indexed",
        "labels",
        "layout",
        "options",
        "quantizer",
        "search",
        "tally",
        "together",
    },
    "opened": {"container", "decoder", "files", "indexed"},
    "KqfImagePlugin": {
        "container",
        "decoder",
        "encoder",
        "errors",
        "files",
        "indexed",
        "salvage",
        "signature",
    },
    "registration": {"KqfImagePlugin", "signature"},
    "__init__": {
        "blockwise",
        "decoder",
        "encoder",
        "errors",
        "indexed",
        "measure",
        "opened",
        "registration",
        "salvage",
        "together",
    },
    # On the public API, but for writing files whole, for the values of metadata, for pictures of
    # labels and for plots in Oklab.
    "formats": {"__init__", "display"},
    "report": {"__init__", "formats"},
    "learning": {"__init__", "display", "formats", "report"},
    "large_files": set(),
    "terminal": {"__init__"},
    "pictures": {"terminal"},
    "palette_files": set(),
    "palettes": {"__init__", "display", "palette_files", "pictures"},
    "places": {"files"},
    "convert": {
        "__init__",
        "files",
        "large_files",
        "palettes",
        "pictures",
        "places",
        "terminal",
    },
    "sources": {"places"},
    "batch": {"convert", "places", "sources", "terminal"},
    "executors": {"terminal"},
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
        "sources",
        "tables",
        "terminal",
    },
    "cli": {
        "KqfImagePlugin",
        "__init__",
        "batch",
        "convert",
        "executors",
        "lines",
        "palettes",
        "pictures",
        "places",
        "showing",
        "sources",
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


def modules_after(script, *arguments):
    """Return the names of all modules that a script leaves loaded in a fresh process."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys; print(*sys.modules)", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


def test_import_loads_little_more_than_pillow():
    loaded = modules_after("import kqf")
    assert {name for name in loaded if name.startswith("kqf.")} == {
        "kqf.registration",
        "kqf.signature",
    }
    assert loaded.isdisjoint({"construct", "deflate", "isal", "sklearn", "scipy", "typer", "rich"})


def test_opening_a_file_loads_no_encoder(tmp_path):
    kqf.write(tmp_path / "image.kqf", np.arange(12, dtype=np.uint8).reshape(3, 4))
    script = "import sys, kqf; from PIL import Image; Image.open(sys.argv[1]).load()"
    loaded = modules_after(script, tmp_path / "image.kqf")
    assert "kqf.decoder" in loaded
    assert loaded.isdisjoint({"kqf.encoder", "kqf.codebook", "sklearn", "concurrent.futures"})


def test_every_public_name_is_there_and_listed():
    script = (
        "import kqf, types\n"
        "assert {*kqf.__all__} <= {*dir(kqf)}\n"
        "for name in kqf.__all__: assert not isinstance(getattr(kqf, name), types.ModuleType), name"
    )
    modules_after(script)
    with pytest.raises(AttributeError, match="'kqf' has no attribute 'decod'"):
        kqf.decod  # noqa: B018


def test_type_checkers_and_python_find_names_in_the_same_rooms():
    checked = {
        alias.name: node.module
        for node in ast.walk(tree_of("__init__"))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("kqf.")
        for alias in node.names
    }
    assert set(checked) == set(kqf.__all__) - {"__version__"}
    for name, module in checked.items():
        assert getattr(kqf, name) is getattr(sys.modules[module], name)
