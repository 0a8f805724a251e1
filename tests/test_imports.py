"""What imports what, and what an import loads."""

import ast
import builtins
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kqf

PACKAGE = Path(kqf.__file__).parent
TOOLS = Path(__file__).parents[1] / "tools"

MODULES = sorted(str(path.relative_to(PACKAGE))[:-3] for path in PACKAGE.rglob("*.py"))
# Whose exceptions only one module may catch.
CAUGHT = {
    "construct": "format/declarations",
    "isal": "format/streams",
    "igzip_lib": "format/streams",
    "zlib": "format/streams",
}


def tree_of(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))


def test_layers_are_kept():
    """See ``tool.importlinter`` in pyproject.toml for the layers and why."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_exceptions_of_a_library_are_caught_in_one_module(module):
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
        "kqf.format",
        "kqf.format.signature",
        "kqf.plugins",
        "kqf.plugins.registration",
    }
    assert loaded.isdisjoint({"construct", "deflate", "isal", "sklearn", "scipy", "typer", "rich"})


def test_opening_a_file_loads_no_encoder(tmp_path):
    kqf.write(tmp_path / "image.kqf", np.arange(12, dtype=np.uint8).reshape(3, 4))
    script = "import sys, kqf; from PIL import Image; Image.open(sys.argv[1]).load()"
    loaded = modules_after(script, tmp_path / "image.kqf")
    assert "kqf.decoding.api" in loaded
    assert loaded.isdisjoint({"kqf.encoding", "kqf.quantization", "sklearn", "concurrent.futures"})


def test_every_public_name_is_there_and_listed():
    script = (
        "import kqf, types\n"
        "assert {*kqf.__all__} | {'open'} == {*dir(kqf)}\n"
        "for name in dir(kqf): assert not isinstance(getattr(kqf, name), types.ModuleType), name"
    )
    modules_after(script)
    with pytest.raises(AttributeError, match="'kqf' has no attribute 'decod'"):
        kqf.decod  # noqa: B018


def test_a_star_import_hides_no_builtin():
    names = {}
    exec("from kqf import *", names)
    assert names["encode"] is kqf.encode
    assert names.keys().isdisjoint(dir(builtins))


def test_type_checkers_and_python_find_names_in_the_same_modules():
    checked = {
        alias.name: node.module
        for node in ast.walk(tree_of("__init__"))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("kqf.")
        for alias in node.names
    }
    assert set(checked) == {*dir(kqf)} - {"__version__"}
    for name, module in checked.items():
        assert getattr(kqf, name) is getattr(sys.modules[module], name)


@pytest.mark.parametrize("path", sorted(TOOLS.rglob("*.py")), ids=lambda path: path.stem)
def test_what_tools_import_of_the_package_is_there(path):
    """Most tools need more libraries than tests do, and are not run by any."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "kqf":
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
