"""Files that are not KQF."""

import io

import pytest
from PIL import Image

import kqf
from kqf.format.foreign import SEEN, describe


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WebP", "AVIF"])
def test_images_of_pillow_are_known(name):
    buffer = io.BytesIO()
    Image.init()
    if name.upper() not in Image.SAVE:
        pytest.skip(f"Pillow has no {name}")
    Image.new("RGB", (3, 3)).save(buffer, name.upper())
    article = "an" if name == "AVIF" else "a"
    message = f"not a KQF file: it looks like {article} {name} image"
    assert describe(buffer.getvalue()[:SEEN]) == message
    for read in (kqf.decode, kqf.info, kqf.check, kqf.open):
        with pytest.raises(kqf.FormatError) as caught:
            read(buffer.getvalue())
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"\xff\x0a\xfa", "a JPEG XL image"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
        (b"II+\0\x08\0", "a BigTIFF image"),
        (b"MM\0*\0\0", "a TIFF image"),
        (b"\0\0\0\x18ftypheic", "a HEIF image"),
        (b"\0\0\0\x18ftypisom", "an MP4 video"),
        (b"<!DOCTYPE html>", "an HTML or XML document"),
    ],
)
def test_other_common_files_are_known(start, kind):
    assert describe(start) == f"not a KQF file: it looks like {kind}"


def test_what_is_unknown_is_shown():
    assert describe(b"0123456789") == "not a KQF file: it begins with 30 31 32 33 34 35 36 37"
    assert describe(b"RIFF\0\0\0\0WAVE").startswith("not a KQF file: it begins with")


def test_part_of_the_signature_and_a_damaged_one():
    assert describe(b"") == "not a KQF file: it is empty"
    assert describe(b"\x89KQ") == "the file ends after 3 bytes, within the signature of KQF"
    assert "damaged" in describe(b"\x89KQF\n\x1a\n\0")
    assert "damaged" in describe(b"KQF\r\n\x1a\n\0")
