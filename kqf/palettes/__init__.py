"""Palettes: files, built-in ones, and what callers pass as one."""
