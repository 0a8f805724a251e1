"""Write what commands print into README.md: the sessions, and the table of other formats.

    pip install '.[bench,report]'
    python tools/update_pages.py [--table FILE]

Sessions are ``console`` blocks, in which each line that begins with ``$`` is followed by what the
command prints. They run in a temporary folder with scikit-learn's china.jpg as photo.png.
``--table`` is a file that ``python tools/benchmark.py others --markdown FILE`` wrote; it takes the
place of what stands between two comments of the page.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "README.md"
SESSION = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(
    r"(<!-- python tools/benchmark\.py others.*? -->\n).*?(\n<!-- end -->)", re.DOTALL
)


def session(commands: list[str], folder: Path) -> str:
    """Return commands with what they print, in a terminal of 80 columns."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS="80")
    parts = []
    for command in commands:
        _, *arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, "-m", "kqf", *arguments],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        parts.append(f"$ {command}\n{done.stdout.replace(str(folder), '/home/you')}")
    return "```console\n" + "\n".join(parts) + "```"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    text = PAGE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        Image.fromarray(load_sample_image("china.jpg")).save(folder / "photo.png")
        text = SESSION.sub(
            lambda found: session(re.findall(r"^\$ (.*)$", found[1], re.MULTILINE), folder), text
        )
    if chosen.table:
        table = chosen.table.read_text("utf-8").strip()
        text = TABLE.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
