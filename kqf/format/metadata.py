"""Metadata and the payloads of its chunks (section 6)."""

from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

from kqf.errors import FormatError
from kqf.format.declarations import MAX_METADATA, MAX_METADATA_CHUNK, METADATA_TYPES, Physical

MICROMETRES_PER_INCH = 25_400
_DPI_STEPS = 1000  # of one inch: finer than any density met in practice


def build_metadata(metadata: Mapping[str, object]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (chunk type, payload) for each entry (section 6).

    Raises:
        ValueError, TypeError: an unknown key, a value of the wrong type or too long.
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a mapping, as a dict is, not {type(metadata).__name__}")
    total = 0
    for key in metadata:
        if key not in METADATA_TYPES:
            raise ValueError(
                f"unknown metadata {key!r}: expected one of {', '.join(METADATA_TYPES)}"
            )
    for key, kind in METADATA_TYPES.items():
        if key not in metadata:
            continue
        payload = _build_value(key, metadata[key])
        total += len(payload)
        if not 1 <= len(payload) <= MAX_METADATA_CHUNK or total > MAX_METADATA:
            raise ValueError(
                f"metadata {key!r} takes {len(payload)} bytes: expected 1 to {MAX_METADATA_CHUNK}, "
                f"and at most {MAX_METADATA} for all of it"
            )
        yield kind, payload


def _build_value(key: str, value: Any) -> bytes:
    if key == "dpi":
        numbers = tuple(value) if isinstance(value, Iterable) else ()
        if len(numbers) != 2 or not all(
            isinstance(number, Real) and not isinstance(number, bool) for number in numbers
        ):
            raise TypeError(f"metadata 'dpi' must be two numbers, not {value!r:.80}")
        x, y = (float(number) for number in numbers)
        steps = 1 if x.is_integer() and y.is_integer() else _DPI_STEPS
        pixels = [round(number * steps) if 0 < number < 2**32 else 0 for number in (x, y)]
        if not all(0 < count < 2**32 for count in pixels):
            least, most = 1 / steps, (2**32 - 1) / steps
            raise ValueError(f"metadata 'dpi' must be {least} to {most}, not {value!r}")
        unit = MICROMETRES_PER_INCH * steps
        fields = {"x_pixels": pixels[0], "y_pixels": pixels[1], "unit_micrometres": unit}
        return bytes(Physical.build(fields))
    if key == "comment":
        if not isinstance(value, str):
            raise TypeError(f"metadata 'comment' must be a str, not {type(value).__name__}")
        if "\0" in value:
            raise ValueError(f"metadata 'comment' must have no NUL, not {value!r:.80}")
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            found = f"{error.reason} at {error.start}"
            raise ValueError(f"metadata 'comment' must be valid in UTF-8: {found}") from error
    if not isinstance(value, bytes):
        raise TypeError(f"metadata {key!r} must be bytes, not {type(value).__name__}")
    return value


def _parse_value(key: str, payload: bytes) -> object:
    if key == "dpi":
        if len(payload) != Physical.sizeof():
            raise FormatError("phys", "length", Physical.sizeof(), len(payload))
        fields = Physical.parse(payload)
        pixels = fields.x_pixels, fields.y_pixels
        # One division alone, so that the nearest float comes out.
        x, y = (count * MICROMETRES_PER_INCH / fields.unit_micrometres for count in pixels)
        return x, y
    if key == "comment":
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise FormatError(
                "text", "payload", "UTF-8", f"{error.reason} at {error.start}"
            ) from error
        if "\0" in text:
            raise FormatError("text", "payload", "no NUL", f"one at {text.index(chr(0))}")
        return text
    return payload


def parse_metadata(payloads: Mapping[bytes, bytes]) -> dict[str, object]:
    """Return ``IndexedImage.metadata`` from the payloads of chunks, the inverse of building."""
    return {
        key: _parse_value(key, payloads[kind])
        for key, kind in METADATA_TYPES.items()
        if kind in payloads
    }
