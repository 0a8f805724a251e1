"""How KQF files are known."""

# Their first bytes (section 4.1 of the specification).
SIGNATURE = b"\x89KQF\r\n\x1a\n"
# Their name among Pillow's formats.
FORMAT = "KQF"
