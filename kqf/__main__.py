"""``python -m kqf``, which is the command ``kqf``."""

from kqf.cli import main

if __name__ == "__main__":
    main()
