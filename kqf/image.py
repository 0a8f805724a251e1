"""An image as labels and a codebook."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kqf.text import describe
from kqf.threads import run

if TYPE_CHECKING:
    from PIL import Image

    from kqf.io.files import Source, Target

# Labels looked up at a time: numpy makes an index of eight bytes of each, or of each two.
BAND = 2**18
# Labels from which on they are looked up in twos: with fewer, making the table takes longer.
_PAIRED = 2**19


@dataclass(frozen=True, eq=False)
class IndexedImage:
    """Labels, the codebook whose rows they number, and metadata.

    Two are equal if labels, codebook and metadata are. As arrays can be changed, an indexed image
    has no hash.

    Attributes:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, K from 1 to 256, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA),
            straight alpha.
        metadata: any of ``icc_profile``, ``exif``, ``xmp`` (bytes), ``dpi`` (two floats, pixels
            per inch) and ``comment`` (str); a dict of its own for each image.
    """

    labels: np.ndarray
    codebook: np.ndarray
    metadata: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_indexed(self.labels, self.codebook)
        object.__setattr__(self, "metadata", dict(self.metadata))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IndexedImage):
            return NotImplemented
        return (
            np.array_equal(self.labels, other.labels)
            and np.array_equal(self.codebook, other.codebook)
            and self.metadata == other.metadata
        )

    @property
    def pixels(self) -> np.ndarray:
        """The pixels: (H, W) uint8 for gray, (H, W, C) uint8 otherwise."""
        return look_up(self.labels, self.codebook)

    @classmethod
    def open(cls, source: "Source") -> "IndexedImage":
        """Read an indexed image from a file of any format that Pillow reads.

        The palette of an image that has one is kept as it is, RGB or RGBA; of any other image,
        which may have at most 256 colours, the codebook holds these.

        Arguments:
            source: path, URL that fsspec knows, bytes-like object or binary file.

        Raises:
            FormatError: a KQF file breaks a rule. ValueError: not an image, damaged, or of more
            than 256 colours. OSError: the file can't be read.
        """
        # Imported only here: an image is needed by the modules that read and write files.
        from kqf.image_files import load

        return load(source)

    def save(self, path_or_file: "Target", format: str | None = None, **options: Any) -> None:  # noqa: A002 - as Pillow's Image.save
        """Write the image to a file, with exactly its colours where the format can hold them.

        Palette PNG and GIF keep the codebook as their palette, in its order; PNG is written with
        1, 2, 4 or 8 bits a pixel and, if it is installed, optimised by oxipng. WebP is lossless.
        A path holds all of the file at the end, or is left as it was.

        Arguments:
            path_or_file: path, URL that fsspec knows, or binary file open for writing.
            format: ``"KQF"`` or the name of one of Pillow's formats; None to choose it by the
                suffix of the name.
            options: for KQF, those of ``kqf.encode_indexed``; for PNG, ``keep_palette=False`` to
                let oxipng sort the palette and leave unused colours out; for all other formats,
                those of Pillow's writer.

        Raises:
            ValueError: the format is unknown or can't hold the image. OSError: the file can't be
            written.

        Warns:
            UserWarning: the format does not keep some of the metadata.
        """
        # Imported only here: an image is needed by the modules that read and write files.
        from kqf.image_files import save

        save(self, path_or_file, format, options)

    def to_pillow(self) -> "Image.Image":
        """Return the image as one of Pillow's, of mode ``P``, with the metadata in its ``info``."""
        # Imported only here: decoding does not need Pillow.
        from kqf.display import picture_of

        picture = picture_of(self.labels, self.codebook)
        picture.info.update(self.metadata)
        return picture

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture, its colours and numbers."""
        # Imported only here: decoding does not need Pillow.
        from kqf.display import as_html

        return as_html(self.labels, self.codebook)


def look_up(labels: np.ndarray, codebook: np.ndarray, threads: int = 1) -> np.ndarray:
    """Return the pixels that labels stand for, (H, W) for one channel, else (H, W, C)."""
    pixels = np.empty((labels.size, codebook.shape[1]), np.uint8)
    flat = labels.reshape(-1)
    bands = ((first, flat[first : first + BAND]) for first in range(0, labels.size, BAND))
    look_up_bands(bands, codebook, pixels, threads)
    return shaped(pixels, labels.shape)


def look_up_bands(
    bands: Iterable[tuple[int, np.ndarray]], codebook: np.ndarray, pixels: np.ndarray, threads: int
) -> None:
    """Write the pixels that labels stand for into ``pixels``, (N, C) uint8.

    Arguments:
        bands: the place of the first pixel of each, and its labels (n,).
    """
    # Codebooks of fewer colours are filled up: a table for every byte.
    entries = codebook.take(np.arange(256), axis=0, mode="clip")
    channels = codebook.shape[1]
    pairs = None
    if len(pixels) >= _PAIRED:
        # By two labels as they lie in memory.
        octets = np.arange(2**16, dtype=np.uint16).view(np.uint8)
        pairs = entries.take(octets, axis=0).reshape(-1, 2 * channels)

    def look_up_band(band: tuple[int, np.ndarray]) -> None:
        first, labels = band[0], np.ascontiguousarray(band[1])
        out = pixels[first : first + labels.size]
        paired = 0
        if pairs is not None:
            paired = labels.size - labels.size % 2
            index = labels[:paired].view(np.uint16)
            np.take(pairs, index, axis=0, out=out[:paired].reshape(-1, 2 * channels), mode="clip")
        np.take(entries, labels[paired:], axis=0, out=out[paired:], mode="clip")

    run(look_up_band, bands, threads)


def shaped(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return pixels (N, C) as an image, (H, W) for one channel, else (H, W, C)."""
    return pixels.reshape(shape if pixels.shape[1] == 1 else (*shape, pixels.shape[1]))


def check_codebook(codebook: np.ndarray) -> None:
    """Raise TypeError or ValueError unless ``codebook`` is (1..256, 1..4) uint8."""
    if not isinstance(codebook, np.ndarray) or codebook.dtype != np.uint8:
        raise TypeError(f"a codebook must be a uint8 array, not {describe(codebook)}")
    if codebook.ndim != 2 or not 1 <= len(codebook) <= 256 or not 1 <= codebook.shape[1] <= 4:
        raise ValueError(f"a codebook must be (1..256, 1..4), not {describe(codebook)}")


def check_indexed(labels: np.ndarray, codebook: np.ndarray) -> None:
    """Raise TypeError or ValueError unless the two make an image."""
    check_codebook(codebook)
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        raise TypeError(f"labels must be a uint8 array, not {describe(labels)}")
    if labels.ndim != 2 or not labels.size:
        raise ValueError(f"labels must be (H, W) of at least one pixel, not {describe(labels)}")
    if len(codebook) < 256 and (highest := int(labels.max())) >= len(codebook):
        raise ValueError(f"label {highest} has no entry in a codebook of {len(codebook)} colours")
