"""What each part of a file takes, in bytes."""

from kqf.format.chunks import FRAME_SIZE
from kqf.format.declarations import Predictor
from kqf.format.reader import ImageReader
from kqf.format.tiles import code_bytes, split_tile
from kqf.io.files import Source, open_source

# What the labels of a tile are stored as.
_STORED_AS = {
    Predictor.NONE: "labels",
    Predictor.LEFT: "ranks",
    Predictor.UP: "ranks",
    Predictor.COPY: "new_labels",
    Predictor.PACKED: "packed_labels",
}


def measure_parts(source: Source) -> dict[str, int]:
    """Return the bytes of each part that a file has; together they are all of its bytes.

    Nothing is decoded, but all of the file is read.

    Arguments:
        source: path, bytes or seekable binary file.

    Returns:
        any of ``codebook``, ``ranking`` (the table of label prediction), ``shapes`` (what the image
        repeats), ``overviews`` (the image in smaller sizes), ``placements`` (where shapes are),
        ``codes`` (where predictor copy copies from), ``labels``, ``ranks``, ``new_labels`` or
        ``packed_labels`` by the predictor, ``later_frames`` (all of an animation but the first
        one), and ``chunks`` (metadata, and all that holds the parts together).

    Raises:
        FormatError: the file breaks a rule. OSError: it can't be read.
    """
    with open_source(source) as (stream, size):
        reader = ImageReader(stream, size)
        head = reader.head
        known = "codebook", "ranking", "shapes", "overviews"
        found = {part: reader.part_bytes[part] for part in known}
        found |= {"placements": 0, "codes": 0, _STORED_AS[head.predictor]: 0}
        for number, payload in reader.tiles(range(head.tiles)):
            parts = split_tile(payload, head, number)
            found["placements"] += len(payload) - len(parts.labels)
            codes = code_bytes(parts.labels, head, number)
            found["codes"] += codes
            found[_STORED_AS[head.predictor]] += len(parts.labels) - codes
        if reader.timing is not None:
            found["later_frames"] = size - FRAME_SIZE - reader.chunks_after_tiles().offset
        found["chunks"] = size - sum(found.values())
    return {part: length for part, length in found.items() if length}
