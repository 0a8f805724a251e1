"""Run a benchmark by its name.

    python tools/benchmark.py NAME [ARGUMENT ...]
    python -m tools.bench NAME [ARGUMENT ...]

Most need ``pip install '.[bench]'``. ``NAME --help`` says what it measures and how.
"""

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

NAMES = (
    "parts",
    "files",
    "graphics",
    "animations",
    "looks",
    "masks",
    "others",
    "published",
    "rare",
    "speed",
    "large",
    "batch",
)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    if arguments and arguments[0] in NAMES:
        import_module(f"tools.bench.{arguments[0]}").main(arguments[1:])
        return
    print(__doc__)
    for name in NAMES:
        # Importing a benchmark would need all that it compares.
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))
        print(f"  {name:10}  {(ast.get_docstring(tree) or '').splitlines()[0]}")
    if arguments not in ([], ["--help"], ["-h"]):
        raise SystemExit(f"expected one of these names, found {arguments[0]}")


if __name__ == "__main__":
    main()
