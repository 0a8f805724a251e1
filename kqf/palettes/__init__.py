"""Palette files, and the palette of an image."""
