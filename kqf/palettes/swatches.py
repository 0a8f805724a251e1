"""A palette's entries with the share of an image that each covers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.display import in_color


@dataclass(frozen=True)
class Swatch:
    """One entry of a palette.

    Attributes:
        label: its row number in the palette.
        color: red, green, blue, and alpha if the palette has any, 0 to 255 each.
        pixels: how many pixels of an image have this colour.
        share: the same as a share of all pixels, 0 to 1.
    """

    label: int
    color: tuple[int, ...]
    pixels: int = 0
    share: float = 0.0

    @property
    def name(self) -> str:
        """The colour as #rrggbb, or as #rrggbbaa unless it is opaque."""
        shown = self.color[:3] if self.color[3:] == (255,) else self.color
        return "#" + bytes(shown).hex()

    def record(self) -> dict[str, object]:
        """Return the entry as JSON stores it."""
        return {"label": self.label, "color": self.name, "pixels": self.pixels, "share": self.share}


def swatches_of(codebook: np.ndarray, counts: Sequence[int] | np.ndarray = ()) -> list[Swatch]:
    """Return the entries of a codebook.

    Arguments:
        codebook: (K, C) uint8, C from 1 to 4.
        counts: how many pixels have each colour, (K,); empty where there is no image.
    """
    counted = np.zeros(len(codebook), np.int64) if len(counts) == 0 else np.asarray(counts)
    pixels = max(int(counted.sum()), 1)
    return [
        Swatch(label, tuple(color), count, count / pixels)
        for label, (color, count) in enumerate(
            zip(in_color(codebook).tolist(), counted.tolist(), strict=True)
        )
    ]
