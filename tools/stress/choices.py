"""Choices made by bytes, so that a fuzzer that changes bytes changes choices."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Choices:
    """Numbers read off ``data`` from its start; where it ends, the first of what there is."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count`` - 1, of one byte for each 8 bits that it has."""
        width = max(-(-(count - 1).bit_length() // 8), 1)
        octets = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(octets, "big") % count

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]
