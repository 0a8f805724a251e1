"""The subcommand that converts images to KQF and back."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from kqf.cli import messages as lines
from kqf.cli.parameters import AsJson, Threads
from kqf.cli.session import Session, session
from kqf.cluster import executors
from kqf.convert import batch
from kqf.convert.api import PIPE, Wishes, convert_file, read_input
from kqf.io.inputs import is_many
from kqf.io.paths import absolute, is_url, localized
from kqf.palettes.coerce import load_palette
from kqf.palettes.files import read_palette

Metric = StrEnum("Metric", ["MSE", "PERCEPTUAL"])
Predictor = StrEnum("Predictor", ["AUTO", "NONE", "LEFT", "UP"])
Dither = StrEnum("Dither", {"FLOYD_STEINBERG": "floyd-steinberg", "ORDERED": "ordered"})


def convert(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IN...]",
            help="Images, to KQF; KQF files, to PNG; folders, with all in them. - is stdin.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A file, whose suffix says the format; a folder (one that ends with / is made); "
            "- for stdout. Without it, a file beside the input.",
            show_default=False,
        ),
    ] = "",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="SUFFIX", help="Format where no file name says it, such as webp."
        ),
    ] = None,
    colors: Annotated[
        int | None, typer.Option(min=1, max=256, help="Colours at the most. [default: 256]")
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option(help="What counts as error. [default: mse]")
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="100: the nearest colours; less: fewer bytes. [default: 75]",
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Colours to use: of an image, a KQF file, a palette (.gpl, .act, .css, .svg, "
            ".json), or a text with #rrggbb on each line.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="kmeans, minibatch, agglomerative, median-cut, octree, random or sample:N. "
            "[default: kmeans]"
        ),
    ] = None,
    dither: Annotated[
        Dither | None, typer.Option(help="Mix colours where one is missing. [default: none]")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="#RRGGBB[AA]",
            help="A colour that must stay exactly as it is; may be given again.",
        ),
    ] = None,
    target_psnr: Annotated[
        float | None, typer.Option(help="Find the lowest quality with this PSNR, in dB.")
    ] = None,
    target_ssim: Annotated[
        float | None, typer.Option(help="Find the lowest quality with this SSIM, up to 1.")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, help="Find the highest quality that fits.")
    ] = None,
    predictor: Annotated[
        Predictor | None,
        typer.Option(help="How labels are predicted. [default: auto, the smallest]"),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(metavar="WxH|N", help="Size of tiles in pixels. [default: by trial]"),
    ] = None,
    effort: Annotated[
        int | None, typer.Option(min=1, max=9, help="1 is fast, 9 small. [default: 5]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the search for colours. [default: 0]")
    ] = None,
    threads: Threads = None,
    frame: Annotated[
        int | None, typer.Option(min=0, help="Which frame of several to take; the first is 0.")
    ] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Drop all metadata.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Decode the result and compare before writing it.")
    ] = False,
    salvage: Annotated[
        bool,
        typer.Option("--salvage", help="Of a damaged KQF file, take what is whole; say what not."),
    ] = False,
    no_overwrite: Annotated[
        bool, typer.Option("--no-overwrite", help="Fail where the output exists.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Files at once, as a batch (see below). [default: of folders, processors]"
        ),
    ] = None,
    from_list: Annotated[
        bool, typer.Option("--list", help="Read more names from stdin, one on each line.")
    ] = False,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="Batch: keep times of modification.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Batch: make again what is there and no older.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Batch: exit with 1 if a result is not smaller.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Batch: let this Dask cluster do it, such as tcp://host:8786."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert images to KQF and back.

    Images of at most 256 colours, and mode P, are stored without loss. Metadata is kept (ICC, EXIF,
    XMP, density, comment). WebP is written lossless.

    Folders, patterns, --list, --jobs and --scheduler make a batch: the output is a folder that
    mirrors each input folder, and where the result is not smaller, the original is copied in its
    place. What is there, either of them, and no older than its source is skipped.

    All may be URLs that fsspec knows, such as s3://bucket/folder; where a server tells no times,
    what is there is skipped.
    """
    names = list(inputs or [])
    if from_list:
        # Names may hold what no encoding has, and all but ends of lines.
        try:
            listed = os.fsdecode(read_input(PIPE)).replace("\r\n", "\n")
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--list") from error
        names += [line for line in listed.split("\n") if line]
    elif not names:
        raise typer.BadParameter("none given", param_hint="IN")
    try:
        names, output = list(map(localized, names)), localized(output)
    except ImportError as error:
        raise typer.BadParameter(str(error)) from error
    as_batch = from_list or jobs or scheduler is not None or any(map(_is_many, names))
    if not as_batch and (keep_times or force or strict):
        what = "--keep-times, --force and --strict are for a batch: add --jobs"
        raise typer.BadParameter(what)
    options: dict[str, Any] = {
        "colors": colors,
        "metric": metric,
        "quality": quality,
        "method": method,
        "dither": dither,
        "keep": None if keep is None else [_parse_color(text) for text in keep],
        "target_psnr": target_psnr,
        "target_ssim": target_ssim,
        "max_bytes": max_bytes,
        "predictor": predictor,
        "tile": _parse_tile(tile),
        "effort": effort,
        "seed": seed,
        "threads": threads,
    }
    given = {key: value for key, value in options.items() if value is not None}
    if not as_batch:
        output = _check_output(names, output, file_format)
    elif PIPE in names or output == PIPE or Path(output or ".").is_file():
        raise typer.BadParameter("a batch takes files and folders, and makes a folder")
    elif keep_times and any(map(is_url, (output and [output]) or names)):
        raise typer.BadParameter("--keep-times: not for URLs to write to")
    suffix = None if file_format is None else "." + file_format.lower().removeprefix(".")
    to_pipe = output == PIPE or (not output and PIPE in names)
    if to_pipe and (sys.stdout is None or sys.stdout.isatty()):
        raise typer.BadParameter("stdout is a terminal or closed: redirect it", param_hint="-o")
    with session(len(names)) as here:
        if palette is not None:
            with here.file(palette):
                given["palette"] = (
                    read_palette(PIPE, read_input(PIPE))
                    if palette == PIPE
                    else load_palette(palette)
                )
        if output.endswith("/") and not as_batch and not is_url(output):
            with here.file(output):
                Path(output).mkdir(parents=True, exist_ok=True)
        if here.failed:
            return
        wishes = Wishes(given, suffix, frame, strip, verify, not no_overwrite, salvage=salvage)
        if as_batch:
            work = _Work(jobs, scheduler, keep_times, force, strict, as_json)
            _convert_batch(here, names, output, wishes, work)
            return
        written: dict[str, str] = {}
        for name in names:
            line = ""
            with here.file(name):
                made, notes = convert_file(name, output, wishes, written)
                for note in notes:
                    here.note(name, note)
                line = json.dumps(asdict(made)) if as_json else lines.converted(made)
            if as_json and here.error:
                line = json.dumps({"input": name, "error": here.error})
            if line:
                here.say(line, on_stderr=to_pipe)


def _is_many(name: str) -> bool:
    try:
        return is_many(name)
    except (ImportError, OSError, ValueError):
        # Told when it is to be read.
        return False


@dataclass(frozen=True)
class _Work:
    """How a batch is to be done: the options of that name."""

    jobs: int | None
    scheduler: str | None
    keep_times: bool
    force: bool
    strict: bool
    as_json: bool


def _convert_batch(
    here: Session, names: list[str], output: str, wishes: Wishes, work: _Work
) -> None:
    if work.scheduler is not None:
        # The processes of a cluster may work in other folders.
        names, output = list(map(absolute, names)), absolute(output)
    tasks, planned = batch.plan(names, output, wishes.suffix)
    here.restart(len(tasks) + len(planned))
    wishes = replace(wishes, smaller=True)
    with _executor(here, work, len(tasks)) as (executor, processes, threads):
        options = {"threads": threads, **wishes.options}
        outcomes = batch.convert_many(
            tasks,
            replace(wishes, options=options),
            executor,
            ahead=batch.ahead_of(processes),
            keep_times=work.keep_times,
            force=work.force,
        )
        totals: Counter[str] = Counter()
        with here.attempt(output or "."), closing(outcomes):
            for outcome in chain(planned, outcomes):
                totals[outcome.state] += 1
                source = outcome.job.source
                with here.file(source):
                    for note in outcome.notes:
                        here.note(source, note)
                    if outcome.error:
                        raise ValueError(outcome.error)
                    if outcome.state == "kept" and work.strict:
                        raise ValueError("kept as it is, and --strict was given")
                if work.as_json:
                    record = asdict(outcome.made) if outcome.made else {"input": source}
                    errors = {"error": here.error} if here.error else {}
                    here.say(json.dumps({**record, "state": outcome.state, **errors}))
                elif outcome.made:
                    here.say(lines.converted(outcome.made))
        here.say(f"kqf: {lines.ended(totals)}", on_stderr=True)


@contextmanager
def _executor(here: Session, work: _Work, tasks: int) -> Iterator[tuple[Executor, int, int]]:
    """Give what does the work, how many processes it has, and threads for each file."""
    if work.scheduler is None:
        processors = os.cpu_count() or 1
        processes = max(min(work.jobs or processors, tasks), 1)
        with executors.pool(processes) as pool:
            yield pool, processes, max(processors // processes, 1)
        return
    with ExitStack() as stack:
        try:
            executor, threads = stack.enter_context(executors.cluster(work.scheduler))
        except (ImportError, ValueError) as error:
            raise typer.BadParameter(str(error), param_hint="--scheduler") from error
        if not threads:
            here.note(work.scheduler, "has no workers yet, and waits for some")
        yield executor, work.jobs or max(threads, 1), 1


def _check_output(inputs: list[str], output: str, file_format: str | None) -> str:
    """Return where output goes, a folder with ``/`` at its end; refuse what can't be meant."""
    if output and output != PIPE and Path(output).is_dir() and not output.endswith("/"):
        output += "/"
    one_place = output and not output.endswith("/")
    if len(inputs) > 1 and (one_place or PIPE in inputs):
        what = "several inputs need a folder that exists, or a name that ends with /"
        raise typer.BadParameter(what, param_hint="-o")
    if PIPE in inputs and output.endswith("/"):
        raise typer.BadParameter("stdin has no name to use in a folder", param_hint="-o")
    if file_format is not None and one_place and output != PIPE:
        raise typer.BadParameter("the output's suffix says the format", param_hint="--format")
    return output


def _parse_color(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"#?([0-9a-fA-F]{2}){1,4}", text):
        raise typer.BadParameter(f"{text!r} is not #rrggbb", param_hint="--keep")
    return tuple(bytes.fromhex(text.removeprefix("#")))


def _parse_tile(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8})?", text):
        raise typer.BadParameter(f"{text!r} is not WxH or N", param_hint="--tile")
    width, _, height = text.partition("x")
    return (int(width), int(height)) if height else int(width)
