"""``kqf info``: what KQF files hold."""

import io
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import kqf
from kqf.cli.files import Files, each_file, source_of
from kqf.cli.messages import cut_off, described, in_words, without_prefix
from kqf.cli.parameters import AsJson
from kqf.cli.session import session
from kqf.decoding.extent import whole_tiles
from kqf.decoding.parts import measure_parts


def info(files: Files, as_json: AsJson = False) -> None:
    """Say what KQF files hold: size, colours, tiles, metadata, and what each part takes.

    The picture is not decoded. Of a file that ends too early it says how much is there, and the
    exit code is 1.
    """
    with session(len(files)) as here:
        for name in each_file(here, files):
            with here.file(name):
                source = source_of(name)
                try:
                    head = kqf.info(source)
                except kqf.KqfError as error:
                    # Of stdin there is no file to look at again.
                    raise ValueError(in_words(error, source)) from None
                whole, complete = whole_tiles(source)
                metadata = _metadata(source, head)
                parts = _parts(source, head)
                if as_json:
                    here.say(json.dumps(_record(name, head, metadata, parts, complete)))
                else:
                    here.say("\n".join(described(name, head, metadata, parts)))
                if not complete:
                    raise ValueError(cut_off(whole, head.tiles, head.file_bytes))


def _metadata(source: Path | bytes, head: kqf.Info) -> Mapping[str, Any]:
    """Return the metadata of a file, as Pillow gives it."""
    from kqf.plugins.pillow import KqfImageFile

    with KqfImageFile(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return {key: image.info[key] for key in head.metadata}


def _parts(source: Path | bytes, head: kqf.Info) -> Mapping[str, int]:
    """Return what the parts of a file take: of one that is not whole, without those of tiles."""
    try:
        return measure_parts(source)
    except kqf.KqfError:
        return head.part_bytes


def _record(
    name: str,
    head: kqf.Info,
    metadata: Mapping[str, Any],
    parts: Mapping[str, int],
    complete: bool,
) -> dict[str, Any]:
    """Return what a file holds as JSON stores it: of binary metadata, how many bytes it has."""
    return {
        "file": name,
        **{field.name: getattr(head, field.name) for field in fields(head)},
        "metadata": {
            key: {"bytes": len(without_prefix(value))} if isinstance(value, bytes) else value
            for key, value in metadata.items()
        },
        "part_bytes": parts,
        "bits_per_pixel": head.bits_per_pixel,
        "complete": complete,
    }
