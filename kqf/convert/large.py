"""KQF files of TIFF images that are encoded block by block."""

from pathlib import Path

import kqf
from kqf.convert.making import Made
from kqf.convert.options import ConversionOptions
from kqf.convert.sizes import compare_sizes
from kqf.convert.targets import Job, check_target, is_exclusive
from kqf.io.large_tiff import open_tiff, size_of
from kqf.io.paths import is_url, mode_of
from kqf.io.pipes import PIPE
from kqf.io.replacing import replacing

# The options of kqf.write_dask.
_OF_BLOCKS = {
    "colors",
    "effort",
    "keep",
    "method",
    "metric",
    "palette",
    "predictor",
    "quality",
    "seed",
    "tile",
}


def write_large(job: Job, options: ConversionOptions) -> tuple[Made, int, int]:
    """Make a KQF file of a large TIFF image.

    Returns:
        what was made, without its bytes; the bytes of the source and of the file made.

    Raises:
        ValueError, OSError: it cannot be made; nothing was written.
    """
    encoder = {key: value for key, value in options.encoder.items() if key != "threads"}
    flags = [f"--{key.replace('_', '-')}" for key in encoder if key not in _OF_BLOCKS]
    flags += [f"--{key}" for key in ("verify", "frame") if getattr(options, key)]
    if flags:
        raise ValueError(f"{', '.join(flags)}: not for an image so large")
    if job.target == PIPE or is_url(job.target):
        raise ValueError("so large an image can be written only to a local file")
    check_target(job, size_of(job.source), options)
    array, metadata = open_tiff(job.source)
    if "palette" in encoder and array.ndim == 2:
        raise ValueError("--palette: not for a gray image so large")
    if "keep" in encoder:
        encoder["keep"] = [color[: array.shape[2]] for color in encoder["keep"]]
    if options.strip:
        metadata = {}
    mode = mode_of(job.source)
    bytes_in = Path(job.source).stat().st_size
    exclusive = is_exclusive(job, options)
    with replacing(
        Path(job.target), mode=None if mode is None else mode & 0o666, exclusive=exclusive
    ) as file:
        kqf.write_dask(file, array, metadata=metadata, **encoder)
        bytes_out = file.tell()
        notes = compare_sizes(bytes_in, bytes_out, options)
    head = kqf.info(job.target)
    notes.append("large: encoded block by block")
    return Made(b"", head.width, head.height, head.colors, None, notes), bytes_in, bytes_out
