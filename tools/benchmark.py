"""Run a benchmark by its name: see ``tools/bench/__main__.py``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from tools.bench.__main__ import main

if __name__ == "__main__":
    main()
