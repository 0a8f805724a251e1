"""A file put together from its parts."""

import io
from collections.abc import Iterable, Sequence

import numpy as np

from kqf.format.chunks import END, build_chunk
from kqf.format.declarations import TileIndex
from kqf.format.header import Head, build_header
from kqf.format.signature import SIGNATURE


def build(
    head: Head,
    codebook: np.ndarray,
    ranking: bytes | None,
    metadata: Iterable[tuple[bytes, bytes]],
    streams: Iterable[bytes],
    *,
    shapes: bytes | None = None,
    packed: bytes | None = None,
) -> bytes:
    """Return a whole file from its parts.

    Arguments:
        codebook: (K, C) uint8.
        ranking: the zlib stream of ``RANK``, None with predictor 0.
        metadata: types and payloads of chunks, from build_metadata.
        streams: the payload of each tile, in the order of the tiles, taken one after another.
        shapes: the payload of ``SHAP``, None without shapes.
        packed: the payload of ``PCOD``, None if it may not be used.
    """
    chunks = list(metadata)

    def prologue(lengths: Sequence[int]) -> bytes:
        return build_prologue(
            head, codebook, ranking, chunks, lengths, shapes=shapes, packed=packed
        )

    # Written on at once, so that the streams of a large image are not held beside its file.
    file = io.BytesIO()
    file.write(prologue([0] * head.tiles))
    lengths = []
    for stream in streams:
        lengths.append(len(stream))
        file.write(build_tile(stream))
    file.write(END)
    file.seek(0)
    file.write(prologue(lengths))
    return file.getvalue()


def build_prologue(
    head: Head,
    codebook: np.ndarray,
    ranking: bytes | None,
    metadata: Sequence[tuple[bytes, bytes]],
    lengths: Sequence[int],
    *,
    shapes: bytes | None = None,
    packed: bytes | None = None,
) -> bytes:
    """Return all that stands before the first tile.

    Arguments:
        lengths: bytes of each tile's stream; the result is as long for any. Others: as of build.
    """
    parts = [SIGNATURE, build_chunk(b"HEAD", build_header(head))]
    parts.append(build_codebook(codebook, packed))
    if ranking is not None:
        parts.append(build_chunk(b"RANK", ranking))
    if shapes is not None:
        parts.append(build_chunk(b"SHAP", shapes))
    parts += [build_chunk(kind, payload) for kind, payload in metadata]
    if len(lengths) > 1:
        parts.append(
            build_chunk(b"tidx", TileIndex.build({"lengths": lengths}, tiles=len(lengths)))
        )
    return b"".join(parts)


def build_codebook(codebook: np.ndarray, packed: bytes | None) -> bytes:
    """Return ``PCOD`` of a payload if that is smaller, else ``CODE``."""
    if packed is not None and len(packed) < codebook.size:
        return build_chunk(b"PCOD", packed)
    return build_chunk(b"CODE", codebook.tobytes())


def build_tile(stream: bytes) -> bytes:
    """Return the chunk of a tile's stream."""
    return build_chunk(b"LABL", stream)
