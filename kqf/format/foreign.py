"""What a file that is not KQF looks like, by its first bytes."""

from kqf.format.signature import SIGNATURE

# Bytes that describe() wants to see.
SEEN = 16

_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"II+\0", "a BigTIFF image"),
    (b"MM\0+", "a BigTIFF image"),
    (b"BM", "a BMP image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (b"qoif", "a QOI image"),
    (b"8BPS", "a Photoshop image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"<svg", "an SVG image"),
    (b"<", "an HTML or XML document"),
)
_BRANDS = {b"avif": "an AVIF image", b"avis": "an AVIF image"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1"), "a HEIF image")


def describe(start: bytes) -> str:
    """Say what a file without KQF's signature seems to be.

    Arguments:
        start: its first SEEN bytes, or all of a shorter file.

    >>> describe(b"GIF89a")
    'not a KQF file: it looks like a GIF image'
    """
    if not start:
        return "not a KQF file: it is empty"
    if SIGNATURE.startswith(start):
        return f"the file ends after {len(start)} bytes, within the signature of KQF"
    if b"KQF" in start[:4]:
        return "the signature of KQF is damaged, as by a transfer as text"
    for signature, name in _STARTS:
        if start.startswith(signature):
            return f"not a KQF file: it looks like {name}"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "not a KQF file: it looks like a WebP image"
    if start[4:8] == b"ftyp":
        return f"not a KQF file: it looks like {_BRANDS.get(start[8:12], 'an MP4 video')}"
    return f"not a KQF file: it begins with {start[:8].hex(' ')}"
