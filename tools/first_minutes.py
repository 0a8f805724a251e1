"""Do what README.md says first, in a new environment, and check what a newcomer sees.

    python tools/first_minutes.py [--keep]

It copies the files that git knows into a temporary folder, runs the README's first command there in
a terminal of 80 columns, and requires that

- the command ends with an overview of both pictures: their names, bytes before and after, KQF's
  share of PNG8 (with its optimiser), GIF and lossless WebP, and a path where there is a page;
- this takes at most 12 lines, and no line but the path is longer than 80 characters;
- there are no Markdown pipes and no colour codes, for the output is not a terminal;
- a second report takes at most 10 seconds of one processor, and overwrites nothing;
- the page of both pictures is smaller than 2 MB for each.

It needs an index of packages, as the README's command does.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES, COLUMNS, SECONDS = 12, 80, 10
BYTES = 2 * 2_000_000
INSTALLED = "Successfully installed"
PAGE = "Page with the pictures: "


def first_command() -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    return next(line for line in text.splitlines() if line.startswith("python3 -m venv"))


def copy_to(folder: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def run(command: str, folder: Path) -> tuple[list[str], float]:
    """Return the lines that a shell's command prints, and the seconds of a processor it took."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["COLUMNS"] = str(COLUMNS)
    start = seconds_of_children()
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
    )
    seconds = seconds_of_children() - start
    if done.returncode:
        raise SystemExit(f"{command}\nfailed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.splitlines(), seconds


def seconds_of_children() -> float:
    """Return the time that processors spent on commands so far, whatever else they did."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def faults_of(lines: list[str], folder: Path) -> list[str]:
    """Return what is wrong with the last lines of a report, in words."""
    faults = []
    text = "\n".join(lines)
    if len(lines) > LINES:
        faults.append(f"a report has {len(lines)} lines, more than {LINES}")
    for name in ("china.jpg", "flower.jpg"):
        row = next((line.split() for line in lines if line.startswith(name)), [])
        sizes = [int(word.replace(",", "")) for word in row[1:3] if word[0].isdigit()]
        if len(sizes) != 2 or not sizes[0] > sizes[1] > 0:
            faults.append(f"no line with {name} and its bytes before and after")
        if sum(word == "%" for word in row) < 3:
            faults.append(f"{name} is not compared with three other formats")
    faults += [
        f"{word} is not named" for word in ("PNG8", "oxipng", "GIF", "WebP") if word not in text
    ]
    if not (lines and lines[-1].startswith(PAGE)):
        faults.append("the last line does not say where the page is")
    elif not (folder / lines[-1].removeprefix(PAGE)).is_file():
        faults.append(f"there is no page where the last line says: {lines[-1]}")
    elif (folder / lines[-1].removeprefix(PAGE)).stat().st_size > BYTES:
        faults.append("the page is too large")
    long = [line for line in lines if len(line) > COLUMNS and not line.startswith(PAGE)]
    faults += [f"longer than {COLUMNS} characters: {line}" for line in long]
    if re.search(r"[|\x1b]", text):
        faults.append("there are pipes of Markdown or codes of terminals")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder, and say where it is")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kqf-first-")).resolve()
    try:
        copy_to(folder)
        command = first_command()
        print(f"+ {command}")
        lines, seconds = run(command, folder)
        installed = max(number for number, line in enumerate(lines) if line.startswith(INSTALLED))
        lines = lines[installed + 1 :]
        print("\n".join(lines))
        faults = faults_of(lines, folder)
        again, second = run(command.rpartition("&& ")[2], folder)
        print(f"seconds of a processor: the command {seconds:.1f}, a second report {second:.1f}")
        faults += faults_of(again, folder)
        if again[-1] == lines[-1]:
            faults.append("the second report overwrote the first")
        if second > SECONDS:
            faults.append(f"a report took {second:.1f} s, more than {SECONDS}")
    finally:
        if chosen.keep:
            print(folder)
        else:
            shutil.rmtree(folder)
    if faults:
        raise SystemExit("\n".join(faults))
    print("all as promised")


if __name__ == "__main__":
    main()
