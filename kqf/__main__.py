"""``python -m kqf``, which is the command ``kqf``."""

from kqf.cli.app import main

if __name__ == "__main__":
    main()
