"""Saves figures of matplotlib as KQF, once ``import kqf.plugins.matplotlib`` has run."""

from os import PathLike
from typing import IO, Any

import numpy as np
from matplotlib.backend_bases import register_backend
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from kqf.format.signature import FORMAT
from kqf.plugins.registration import register


class FigureCanvasKqf(FigureCanvasAgg):
    """The canvas that matplotlib draws on for a file named ``.kqf``."""

    def print_kqf(
        self,
        filename_or_obj: str | PathLike[str] | IO[bytes],
        *,
        metadata: dict[str, Any] | None = None,
        pil_kwargs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Draw the figure and save it, RGB if it is opaque, otherwise RGBA.

        Arguments:
            metadata: any of ``icc_profile``, ``exif``, ``xmp``, ``dpi`` and ``comment``; ``dpi`` is
                the figure's unless given.
            pil_kwargs: options of ``kqf.encode``, such as ``{"colors": 16}``.
        """
        # matplotlib has no annotations here.
        canvas: Any = self
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        if (pixels[..., 3] == 255).all():
            pixels = pixels[..., :3]
        options = {"dpi": (self.figure.dpi, self.figure.dpi), **(metadata or {})}
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.save(filename_or_obj, FORMAT, **options, **(pil_kwargs or {}))


register()
register_backend("kqf", FigureCanvasKqf, "KQF palette image")
