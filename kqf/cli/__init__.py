"""The command ``kqf``."""
