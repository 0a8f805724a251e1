"""The oldest versions of dependencies that pyproject.toml allows, as constraints for pip.

python tools/oldest.py > oldest.txt && pip install -c oldest.txt -e '.[dev]'
"""

import re
import tomllib
from itertools import chain
from pathlib import Path


def main() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = set()
    for requirement in chain(*groups):
        name, version, marker = re.fullmatch(
            r"([\w-]+)(?:\[.*\])?>=([\d.]+)(;.*)?", requirement
        ).groups()
        lines.add(f"{name}=={version}{marker or ''}")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
