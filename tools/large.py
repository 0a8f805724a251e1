"""The same as ``python tools/benchmark.py large``."""

import sys

from benchmark import main

if __name__ == "__main__":
    main(["large", *sys.argv[1:]])
