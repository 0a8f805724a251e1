"""KQF in other libraries: Pillow."""
