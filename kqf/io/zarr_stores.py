"""Images in zarr arrays of local folders, read and written block by block."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from kqf.io.large_image import LargeImage, Report
from kqf.io.replacing_folders import replacing_folder
from kqf.text import how_to_install

# What the folder of one array holds, beside the file that describes it, in formats 3 and 2.
_PARTS = {"zarr.json": re.compile("c"), ".zarray": re.compile(r"\.zattrs|[0-9]+(\.[0-9]+)*")}
# Width and height of chunks, and of the blocks that are written at a time.
_CHUNK = 1024
_BLOCK = 4096, 1024


def open_zarr(name: str) -> LargeImage:
    """Return the array of a zarr store as an image of gray or colours.

    Raises:
        ValueError: it is a group, or an array of another shape or dtype than images have.
        ImportError: zarr or dask is missing.
    """
    _check_installed()
    import dask.array
    import zarr

    try:
        node = zarr.open(name, mode="r")
    except FileNotFoundError as error:
        raise ValueError(f"expected a zarr array, found none in {name}") from error
    if isinstance(node, zarr.Group):
        arrays = ", ".join(sorted(f"{name}/{key}" for key in node.array_keys()))
        raise ValueError(f"is a zarr group: expected an array, such as one of: {arrays or 'none'}")
    if node.dtype not in (np.uint8, np.bool_):
        raise ValueError(f"has values of {node.dtype}: reduce them to uint8 first")
    if node.ndim not in (2, 3) or (node.ndim == 3 and not 1 <= node.shape[2] <= 4):
        raise ValueError(f"has shape {node.shape}: expected (H, W) or (H, W, 1 to 4)")
    whole = node.shards or node.chunks
    sides = [step * max(_CHUNK // step, 1) for step in whole[:2]]
    chunks: Any = (*sides, *node.shape[2:])
    return LargeImage(dask.array.from_array(node, chunks=chunks))


def check_replaceable(path: Path) -> None:
    """Raise ValueError unless nothing else than an array of zarr would be lost with a folder."""
    if not path.exists():
        return
    names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    mark = next((mark for mark in _PARTS if mark in names), "")
    if not mark or '"group"' in (path / mark).read_text("utf-8"):
        raise ValueError(f"{path} exists already and is no array of zarr: it is not replaced")
    if others := [name for name in names if name != mark and not _PARTS[mark].fullmatch(name)]:
        raise ValueError(f"{path} holds more than an array, {others[0]}: it is not replaced")


def write_zarr(
    path: Path,
    image: LargeImage,
    report: Report,
    *,
    mode: int | None = None,
    exclusive: bool = False,
) -> int:
    """Write the pixels of an image as an array (H, W) or (H, W, C) uint8 of zarr format 3.

    Arguments:
        path: of the folder, which is whole in the end, or as it was.
        mode: the permissions that a new folder may have at most, as those of a file.
        exclusive: never replace anything.

    Returns:
        the bytes of all files.

    Raises:
        ValueError: the folder may not be replaced. OSError: it cannot be written.
        ImportError: zarr or dask is missing.
    """
    _check_installed()
    import zarr

    check_replaceable(path)
    pixels = image.pixels
    width, height = image.size
    channels = tuple(map(int, pixels.shape[2:]))
    with replacing_folder(path, mode=mode, exclusive=exclusive) as folder:
        array = zarr.create_array(
            folder,
            shape=(height, width, *channels),
            chunks=(min(_CHUNK, height), min(_CHUNK, width), *channels),
            dtype="uint8",
            dimension_names=("y", "x", "c")[: pixels.ndim],
        )
        across, down = _BLOCK
        for upper in range(0, height, down):
            for left in range(0, width, across):
                box = slice(upper, upper + down), slice(left, left + across)
                array[box] = np.asarray(pixels[box])
            report(min(upper + down, height) / height)
        return size_of(folder)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _check_installed() -> None:
    try:
        import dask.array  # noqa: F401 - from here on it is there
        import zarr  # noqa: F401
    except ImportError as error:
        raise ImportError(f"zarr arrays need {error.name}: {how_to_install('large')}") from error
