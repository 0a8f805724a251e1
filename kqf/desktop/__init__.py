"""KQF on the desktop: its file type and its thumbnails."""
