"""Make the test vectors of spec/kqf.md, from explicit bytes and without kqf.

    python tools/make_vectors.py            writes spec/vectors/
    python tools/make_vectors.py --check    exits with 1 unless that would change nothing

Files in ``valid`` are named by the section that they show, files in ``invalid`` by the rule that
they break; all else in them is right. ``manifest.json`` says what a decoder gives: for ``valid``
the pixels, for ``invalid`` the kind of section 10 of the specification, and the class, chunk and
field of the error that kqf raises.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from tools.vectors.animated import animations, invalid_animations
from tools.vectors.invalid import invalid_files
from tools.vectors.invalid_2 import invalid_files_of_version_2
from tools.vectors.overviews import files_of_wrong_overviews, files_with_overviews
from tools.vectors.valid import valid_files
from tools.vectors.valid_2 import valid_files_of_version_2

FOLDER = Path(__file__).parent.parent / "spec" / "vectors"


def make() -> dict[str, bytes]:
    """Return the contents of every file below ``FOLDER``, by its name there."""
    files: dict[str, bytes] = {}
    manifest: dict[str, dict[str, object]] = {"valid": {}, "invalid": {}}
    for one in [
        *valid_files(),
        *valid_files_of_version_2(),
        *animations(),
        *files_with_overviews(),
    ]:
        _put(files, f"valid/{one.name}.kqf", one.data())
        manifest["valid"][one.name + ".kqf"] = one.entry()
    for bad in [
        *invalid_files(),
        *invalid_files_of_version_2(),
        *invalid_animations(),
        *files_of_wrong_overviews(),
    ]:
        _put(files, f"invalid/{bad.file}.kqf", bad.data)
        manifest["invalid"][bad.file + ".kqf"] = bad.entry()
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True)
    files["manifest.json"] = (text + "\n").encode()
    return files


def _put(files: dict[str, bytes], name: str, data: bytes) -> None:
    if name.lower() in {other.lower() for other in files}:
        raise SystemExit(f"two vectors of the name {name}")
    if data in files.values():
        raise SystemExit(f"{name} has a twin")
    files[name] = data


def differences(files: dict[str, bytes]) -> list[str]:
    """Return a line for each file that is missing, different or too many."""
    present = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    lines = [f"missing: {name}" for name in files.keys() - present.keys()]
    lines += [f"unknown: {name}" for name in present.keys() - files.keys()]
    common = files.keys() & present.keys()
    lines += [f"different: {name}" for name in common if files[name] != present[name]]
    return sorted(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the test vectors of spec/kqf.md.")
    parser.add_argument("--check", action="store_true", help="change nothing, report differences")
    arguments = parser.parse_args()
    files = make()
    if arguments.check:
        lines = differences(files)
        print("\n".join(lines) or f"{len(files)} files as they should be")
        return 1 if lines else 0
    for line in differences(files):
        if line.startswith("unknown: "):
            (FOLDER / line.removeprefix("unknown: ")).unlink()
    for name, data in files.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
