"""The same as ``python tools/benchmark.py speed``."""

import sys

from benchmark import main

if __name__ == "__main__":
    main(["speed", *sys.argv[1:]])
