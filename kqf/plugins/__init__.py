"""KQF in other libraries: Pillow and matplotlib."""
