"""Labels with their codebook as tiled BigTIFF files, written tile by tile."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kqf.image import look_up
from kqf.io.image_metadata import exif_of
from kqf.io.large_image import Report
from kqf.text import how_to_install

if TYPE_CHECKING:
    from dask.array import Array

_SIDE = 512
# Bytes of tiles that are compressed at a time.
_AHEAD = 2**24
_XMP, _DESCRIPTION, _ORIENTATION = 700, 270, 274
_TEXTS = (271, 272, 305, 306, 315, 33432)
_BYTE, _ASCII, _SHORT = 1, 2, 3


def write_tiff(
    file: BinaryIO,
    labels: "Array",
    codebook: np.ndarray,
    metadata: Mapping[str, Any],
    report: Report,
) -> list[str]:
    """Write a TIFF file: RGB by a palette, gray and translucent colours by their channels.

    Arguments:
        file: that can seek and be read.
        labels: dask array (H, W) uint8.
        codebook: (K, C) uint8, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
        metadata: as ``IndexedImage.metadata``.

    Returns:
        the metadata that the file does not hold, in words.

    Raises:
        ImportError: tifffile is missing. OSError: the file cannot be written.
    """
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"large TIFF files need {error.name}: {how_to_install('large')}"
        ) from error
    channels = codebook.shape[1]
    options, dropped = _metadata_options(metadata)
    if channels == 3:
        options["colormap"] = np.zeros((3, 256), np.uint16)
        options["colormap"][:, : len(codebook)] = codebook.T.astype(np.uint16) * 257
    elif channels in (2, 4):
        options["extrasamples"] = ["unassalpha"]
    samples = () if channels in (1, 3) else (channels,)
    # The name of a file that has none is a number, which tifffile does not take.
    named: Any = _Named(file)
    with tifffile.TiffWriter(named, bigtiff=True) as writer:
        writer.write(
            _tiles(labels, None if channels == 3 else codebook, report),
            shape=(*map(int, labels.shape), *samples),
            dtype=np.uint8,
            tile=(_SIDE, _SIDE),
            photometric={3: "palette", 4: "rgb"}.get(channels, "minisblack"),
            planarconfig="contig" if samples else None,
            compression="zlib",
            buffersize=_AHEAD,
            metadata=None,
            software=False,
            **options,
        )
    return dropped


class _Named:
    """A file with a name that is text."""

    name = "image.tif"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _tiles(labels: "Array", codebook: np.ndarray | None, report: Report) -> Iterator[np.ndarray]:
    """Yield tiles of labels, or of pixels if there is a codebook, row by row."""
    height, width = map(int, labels.shape)
    # Whole tiles, and about the rows of a block, which is read once.
    rows = _SIDE * -(-labels.chunks[0][0] // _SIDE)
    for top in range(0, height, rows):
        band = np.asarray(labels[top : top + rows])
        for upper in range(0, len(band), _SIDE):
            # Before the tiles, as nobody asks for more after the last one.
            report(min(top + upper + _SIDE, height) / height)
            for left in range(0, width, _SIDE):
                part = band[upper : upper + _SIDE, left : left + _SIDE]
                padding = [(0, _SIDE - side) for side in part.shape]
                tile = np.pad(part, padding, mode="edge")
                yield tile if codebook is None else look_up(tile, codebook)


def _metadata_options(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of tifffile's writer for metadata, and the keys that it does not keep."""
    options: dict[str, Any] = {}
    tags: list[tuple[int, int, int, Any, bool]] = []
    dropped = []
    exif = exif_of(metadata)
    tags += [(tag, _ASCII, 0, str(exif[tag]).encode(), True) for tag in _TEXTS if tag in exif]
    if exif.get(_ORIENTATION) in range(1, 9):
        tags.append((_ORIENTATION, _SHORT, 1, exif[_ORIENTATION], True))
    descriptions = {str(text) for text in (metadata.get("comment"), exif.get(_DESCRIPTION)) if text}
    if len(descriptions) > 1 or set(exif) - {_DESCRIPTION, _ORIENTATION, *_TEXTS}:
        dropped.append("further EXIF")
    if description := metadata.get("comment") or exif.get(_DESCRIPTION):
        options["description"] = str(description).encode()
    if "icc_profile" in metadata:
        options["iccprofile"] = metadata["icc_profile"]
    if "dpi" in metadata:
        options["resolution"] = metadata["dpi"]
        options["resolutionunit"] = "INCH"
    if xmp := metadata.get("xmp"):
        tags.append((_XMP, _BYTE, len(xmp), xmp, True))
    return {**options, "extratags": tags}, dropped
