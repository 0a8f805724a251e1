"""Small files of every predictor, shared by the tests of decoding."""

from conftest import smooth_image

import kqf

PREDICTORS = ["none", "left", "up"]


# Each with and without an alpha, of one tile and of several, with and without metadata.
SMALL = [
    kqf.encode(
        smooth_image(11, 13, channels, 25),
        colors=20,
        predictor=predictor,
        tile=tile,
        effort=1,
        metadata=metadata,
    )
    for channels, metadata in ((3, {"comment": "é", "dpi": (3, 4.5)}), (2, None))
    for predictor in PREDICTORS
    for tile in (None, 5)
]


def first_tile_at(data):
    """Return where the first LABL chunk starts."""
    at = 8
    while data[at + 4 : at + 8] != b"LABL":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return at
