"""How much of a file is there, from the heads of its chunks alone."""

from kqf.format.chunk_reader import take
from kqf.format.chunks import CRC_SIZE, HEAD_SIZE, parse_chunk_head
from kqf.format.signature import SIGNATURE
from kqf.io.files import Source, open_source


def whole_tiles(source: Source) -> tuple[int, bool]:
    """Return how many tiles of a file are there in full length, and whether its end is.

    Nothing is decoded, and no checksum is compared.

    Arguments:
        source: path, bytes or seekable binary file.

    Raises:
        OSError: it can't be read.
    """
    tiles = 0
    with open_source(source) as (stream, size):
        start = stream.tell()
        at = len(SIGNATURE)
        while at + HEAD_SIZE <= size:
            stream.seek(start + at)
            length, kind = parse_chunk_head(take(stream, HEAD_SIZE))
            at += HEAD_SIZE + length + CRC_SIZE
            if at > size:
                break
            if kind == b"DONE":
                return tiles, True
            tiles += kind == b"LABL"
    return tiles, False
