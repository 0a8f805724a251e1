"""Chunks read one after another."""

import io
import struct

import pytest
from conftest import chunk, head, put_together
from pieces_of_files import CODE, DONE, LABL, MIB, read_all, refused, with_prologue

from kqf.errors import FormatError, TruncatedError
from kqf.format.chunk_reader import take
from kqf.format.reader import ImageReader


@pytest.mark.parametrize("kind", [b"\0bcd", b"1abc", b" abc", b"ab-d", b"ab\xe9d", b"abc\n"])
def test_a_chunk_type_of_other_characters_is_refused(kind):
    assert refused(with_prologue((kind, b""))).field == "chunk type"


def test_an_unknown_chunk_with_a_wrong_crc_is_refused():
    wrong = chunk(b"abcd", b"x")[:-1] + b"\0"
    assert wrong != chunk(b"abcd", b"x")
    file = put_together([head(), CODE]) + wrong + chunk(*LABL) + chunk(*DONE)
    with pytest.raises(FormatError, match="abcd: crc: expected"):
        read_all(file)


@pytest.mark.parametrize("number", range(4))
def test_a_wrong_crc_is_refused_in_every_chunk(number):
    parts = with_prologue()
    data = b"".join(
        chunk(*part)[:-1] + bytes([chunk(*part)[-1] ^ (index == number)])
        for index, part in enumerate(parts)
    )
    with pytest.raises(FormatError) as caught:
        read_all(b"\x89KQF\r\n\x1a\n" + data)
    assert (caught.value.chunk, caught.value.field) == (parts[number][0].decode(), "crc")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "not a KQF file: it looks like a PNG image"),
        (b"\x89KQF\n\x1a\n\0", "the signature of KQF is damaged, as by a transfer as text"),
        (b"\x09KQF\r\n\x1a\n", "the signature of KQF is damaged, as by a transfer as text"),
        (b"xyz", "not a KQF file: it begins with 78 79 7a"),
    ],
)
def test_another_signature_is_refused_and_not_taken_for_truncation(start, message):
    with pytest.raises(FormatError) as caught:
        ImageReader(io.BytesIO(start), len(start))
    assert type(caught.value) is FormatError
    assert (caught.value.chunk, caught.value.field) == ("file", "signature")
    assert caught.value.expected == "89 4b 51 46 0d 0a 1a 0a"
    assert str(caught.value) == message


def test_part_of_a_signature_is_truncated():
    for length in range(8):
        with pytest.raises(TruncatedError):
            ImageReader(io.BytesIO(b"\x89KQF\r\n\x1a\n"[:length]), length)


def test_a_length_beyond_the_file_is_truncated_and_not_believed():
    class Recorder(io.BytesIO):
        most = 0

        def read(self, count=-1):
            assert count >= 0
            self.most = max(self.most, count)
            return super().read(count)

    data = put_together([head(), CODE]) + struct.pack(">I", 15 * MIB) + b"exif" + bytes(9)
    stream = Recorder(data)
    with pytest.raises(TruncatedError, match="exif: payload: expected 15728640 bytes, found 9"):
        ImageReader(stream, len(data))
    assert stream.most < 100


class Trickle(io.BytesIO):
    """A file that gives at most three bytes at a time, and in the end None."""

    def read(self, count=-1):
        return super().read(min(count, 3)) or None


@pytest.mark.parametrize("count", range(12))
def test_bytes_are_taken_from_files_that_give_a_few_at_a_time(count):
    stream = Trickle(b"0123456789")
    assert take(stream, count) == b"0123456789"[:count]
    assert stream.tell() == min(count, 10)
