"""An animation that may be damaged, read whole."""

from io import BytesIO
from typing import Any

from kqf.decoding.file import Trailing, check_trailing
from kqf.decoding.information import info_of
from kqf.decoding.salvage import Salvager
from kqf.decoding.salvaged_frames import salvage_frames
from kqf.format.chunk_reader import take
from kqf.io.files import Source, open_source

# threads, max_pixels and max_work of open_animation.
Limits = tuple[int | None, int | None, int | None]


class SalvagedFile:
    """A file that may be damaged, in memory, in place of a KqfFile.

    Attributes:
        decoder: of its frames. damage: what is wrong with it, None if nothing is.
        head, info, shape, metadata: as those of a KqfFile.
    """

    def __init__(
        self,
        source: Source,
        max_metadata: int,
        max_chunks: int,
        trailing: Trailing,
        limits: Limits,
    ) -> None:
        check_trailing(trailing)
        with open_source(source) as (stream, size):
            data = take(stream, size)
        self._arguments = data, max_metadata, max_chunks, trailing, limits
        salvager = Salvager(BytesIO(data), len(data), max_metadata, max_chunks, trailing)
        self.decoder, self.damage = salvage_frames(salvager, *limits)
        self.head = salvager.head
        self.info = info_of(salvager if self.damage else salvager.strict or salvager)

    def __reduce__(self) -> tuple[Any, ...]:
        return SalvagedFile, self._arguments

    @property
    def shape(self) -> tuple[int, ...]:
        size = self.head.height, self.head.width
        return size if self.head.channels == 1 else (*size, self.head.channels)

    @property
    def metadata(self) -> dict[str, object]:
        return dict(self.info.metadata)

    def close(self) -> None:
        """Do nothing: no file is open."""
