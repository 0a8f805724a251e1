"""The codec ``kqf`` of zarr format 3, from label arrays to bytes.

zarr finds it by its entry point; ``zarr.create_array`` takes ``KqfCodec()`` as ``serializer``.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from kqf.encoding.effort import DEFAULT_EFFORT
from kqf.plugins.label_chunks import check_chunk, check_effort, decode, encode

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

_NAME = "kqf"


@dataclass(frozen=True)
class KqfCodec(ArrayBytesCodec):  # type: ignore[misc]
    """Store chunks (..., H, W) of uint8 or bool without loss; it needs no compressor behind it.

    Attributes:
        effort: 1 (fast) to 9 (small).
    """

    effort: int = DEFAULT_EFFORT
    is_fixed_size = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "effort", check_effort(self.effort))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "KqfCodec":
        """Return the codec that an array's metadata names.

        Raises:
            ValueError, TypeError: it names another codec, or options that this one has not.
        """
        if data["name"] != _NAME:
            raise ValueError(f"expected the codec {_NAME}, found {data['name']}")
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return what an array's metadata says of the codec."""
        return {"name": _NAME, "configuration": {"effort": self.effort}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raise TypeError or ValueError unless the array is (..., H, W) of uint8 or bool."""
        check_chunk(shape, dtype.to_native_dtype())

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: "ArraySpec") -> int:
        """Raise NotImplementedError: the size depends on the labels."""
        raise NotImplementedError

    def _decode_sync(self, chunk_data: "Buffer", chunk_spec: "ArraySpec") -> "NDBuffer":
        count = prod(chunk_spec.shape)
        labels: Any = decode(memoryview(chunk_data.to_bytes()), count)
        labels = labels.view(chunk_spec.dtype.to_native_dtype()).reshape(chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(labels)

    def _encode_sync(self, chunk_data: "NDBuffer", chunk_spec: "ArraySpec") -> "Buffer":
        data = encode(np.asarray(chunk_data.as_ndarray_like()), self.effort)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: "Buffer", chunk_spec: "ArraySpec") -> "NDBuffer":
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: "NDBuffer", chunk_spec: "ArraySpec") -> "Buffer":
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)
