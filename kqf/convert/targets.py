"""Where a conversion writes its result, and which files it may replace."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import kqf
from kqf.convert.options import ConversionOptions, Overwrite
from kqf.io.inputs import is_pattern, picture_suffixes
from kqf.io.paths import (
    exists,
    file_name,
    is_folder,
    is_same,
    is_url,
    joined,
    renamed,
    with_suffix,
)
from kqf.io.pictures import is_kqf
from kqf.io.pipes import PIPE
from kqf.io.remote import read

# Enough of a file to tell whether it is KQF.
_START = 8


@dataclass(frozen=True)
class Job:
    """One file to make.

    Attributes:
        source: path or URL, ``-`` for stdin.
        target: path or URL of the file to make, ``-`` for stdout.
        named: whether the user named the target itself, so that it may be replaced.
    """

    source: str
    target: str
    named: bool = False

    @property
    def copy(self) -> str:
        """Where a batch puts a copy of the source if the result is not smaller."""
        return renamed(self.target, file_name(self.source))


def split_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Tell the inputs from the output where no ``-o`` names it.

    The second of two names is the output if it does not exist or is a folder, as with ``cp``. If
    both exist, both are inputs.

    Returns:
        the inputs, and the output; empty if there is none.

    Raises:
        ValueError: one of two existing files is KQF and the other is not, so that they could as
            well be input and output; or a name that ends with ``/`` is no folder.
    """
    if len(names) == 2 and PIPE in names:
        source, second = names
        if second != PIPE and exists(second) and not is_folder(second):
            raise ValueError(f"{second} exists already: to write it anew, name it with -o {second}")
        return [source], second
    if len(names) != 2 or is_pattern(names[1]):
        missing = next((name for name in names[1:] if name.endswith("/") and not exists(name)), "")
        if missing and len(names) > 1:
            raise ValueError(f"{missing} is no folder: name the folder to write to with -o")
        return list(names), ""
    source, second = names
    if is_folder(second) or not exists(second):
        return [source], second
    if is_same(source, second):
        raise ValueError(f"{source} and {second} are the same file: name another one with -o")
    if is_pattern(source) or is_folder(source) or holds_kqf(source) == holds_kqf(second):
        return [source, second], ""
    raise ValueError(
        f"{source} and {second} exist already: to write {second} anew, name it with -o {second}; "
        "to convert both, give one at a time"
    )


def job_for(source: str, output: str, suffix: str | None) -> Job:
    """Return what to make of one source.

    Arguments:
        output: path or URL of a file, or of a folder if it ends with ``/``; ``-`` for stdout; empty
            for a file beside the source, or stdout if the source is stdin.
        suffix: as ConversionOptions.suffix.

    Raises:
        ValueError: the output has no suffix to tell a format by.
    """
    if output == PIPE or (source == PIPE and not output):
        return Job(source, PIPE, named=True)
    if output and not output.endswith("/"):
        if not Path(output).suffix:
            raise ValueError(
                f"{output} has no suffix to tell a format by; a folder's name ends with /"
            )
        return Job(source, output, named=True)
    suffix = suffix or (".png" if holds_kqf(source) else ".kqf")
    return Job(source, with_suffix(joined(output, file_name(source)) if output else source, suffix))


def check_target(job: Job, size: tuple[int, int] | None, options: ConversionOptions) -> None:
    """Raise ValueError if the target exists and may not be replaced.

    Arguments:
        size: width and height of the source, None if they are not known.
    """
    target = job.target
    if target == PIPE:
        return
    if job.source != PIPE and is_same(job.source, target):
        raise ValueError(f"{target} is the same file: name another one with -o")
    if options.overwrite is Overwrite.ALL:
        return
    if options.overwrite is Overwrite.NONE:
        if exists(target):
            raise ValueError(f"{target} exists already")
    elif not job.named and exists(target):
        ways = _ways_to_replace(target, options)
        if not _is_earlier_result(target, size):
            raise ValueError(f"{target} exists already: {ways}")
        if other := _other_source(job.source):
            raise ValueError(f"{target} exists already and may be made of {other}: {ways}")


def check_copy(job: Job, data: bytes, options: ConversionOptions) -> bool:
    """Tell whether the copy of a source is still to be written.

    Raises:
        ValueError: another file has its name and may not be replaced.
    """
    if is_same(job.copy, job.source):
        return False
    if not exists(job.copy) or options.overwrite is Overwrite.ALL:
        return True
    if _read_start(job.copy, len(data) + 1) == data:
        return False
    if options.overwrite is Overwrite.NONE:
        raise ValueError(f"{job.copy} exists already")
    raise ValueError(f"{job.copy} exists already: {_ways_to_replace(job.copy, options)}")


def is_exclusive(job: Job, options: ConversionOptions) -> bool:
    """Tell whether a target must not exist when it is written, even if it did not before."""
    if options.overwrite is Overwrite.ALL or job.target == PIPE:
        return False
    return options.overwrite is Overwrite.NONE or not (job.named or exists(job.target))


def _ways_to_replace(target: str, options: ConversionOptions) -> str:
    # A batch takes only a folder as its output.
    named = "" if options.only_smaller else f"naming it with -o {target} or "
    return f"{named}--force replaces it"


def _is_earlier_result(target: str, size: tuple[int, int] | None) -> bool:
    """Tell whether a file of the name that the command chose may be what it wrote before.

    That is a KQF file of an image of the same size in pixels, turned or not.
    """
    try:
        found = kqf.info(read(target) if is_url(target) else target)
    except (kqf.KqfError, OSError, ValueError):
        return False
    return size is None or sorted((found.width, found.height)) == sorted(size)


def _other_source(source: str) -> str:
    """Return another image beside a source that makes a KQF file of the same name, or ""."""
    if source == PIPE or is_url(source) or Path(source).suffix.lower() == ".kqf":
        return ""
    # Listing a folder for each of its files would take long where it holds many.
    for suffix in sorted(picture_suffixes() - {".kqf"}):
        for spelled in (suffix, suffix.upper(), suffix.title()):
            other = with_suffix(source, spelled)
            if Path(other).is_file() and not is_same(source, other):
                return other
    return ""


def holds_kqf(name: str) -> bool:
    """Tell whether a file is KQF by its name or, if that is a local file's, by its first bytes."""
    if Path(name).suffix.lower() == ".kqf":
        return True
    try:
        return not is_url(name) and is_kqf(name, _read_start(name, _START))
    except OSError:
        return False


def _read_start(name: str, size: int) -> bytes:
    if is_url(name):
        return read(name)[:size]
    with Path(name).open("rb") as file:
        return file.read(size)
