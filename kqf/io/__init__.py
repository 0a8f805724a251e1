"""Paths, URLs, files written whole, and images through Pillow."""
