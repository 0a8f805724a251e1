"""The subcommand that converts images to KQF, from KQF, and to palette images."""

import json
import os
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kqf.cli import messages as lines
from kqf.cli.batch import BatchOptions, convert_batch
from kqf.cli.parameters import AsJson, Threads
from kqf.cli.session import Session, session
from kqf.cli.values import parse_bytes, parse_color, parse_tile
from kqf.convert.api import convert_file
from kqf.convert.batch import plan
from kqf.convert.options import ConversionOptions, Overwrite
from kqf.convert.targets import split_names
from kqf.io.inputs import is_many
from kqf.io.paths import exists, is_folder, is_url, localized
from kqf.io.pipes import PIPE, read_input
from kqf.palettes.coerce import load_palette
from kqf.palettes.files import read_palette

Metric = StrEnum("Metric", ["MSE", "PERCEPTUAL"])
Predictor = StrEnum("Predictor", ["AUTO", "NONE", "LEFT", "UP"])
Dither = StrEnum(
    "Dither", {"NONE": "none", "FLOYD_STEINBERG": "floyd-steinberg", "ORDERED": "ordered"}
)


def convert(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IN...] [OUT]",
            help="Images, to KQF; KQF files, to PNG; folders, with all images in them. - is stdin. "
            "The second of two names is the output if it does not exist or is a folder.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A file, whose suffix says the format: .kqf, or .png, .gif or .webp with the "
            "colours that KQF would have; a folder (one that ends with / is made); - for stdout. "
            "Without it, a file beside the input.",
            show_default=False,
        ),
    ] = "",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="SUFFIX", help="Format where no file name says it, such as png."
        ),
    ] = None,
    colors: Annotated[
        int | None,
        typer.Option("-c", "--colors", min=1, max=256, help="Most colours. [default: 256]"),
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option(help="What counts as error. [default: mse]")
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "-q",
            "--quality",
            min=1,
            max=100,
            help="100 takes the nearest colours; less takes fewer bytes. [default: 75]",
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
        int | None,
        typer.Option(
            parser=parse_bytes,
            metavar="N[k|M|KiB|MiB]",
            help="Find the highest quality that fits into so many bytes; 1k is 1000, 1KiB 1024.",
        ),
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
        typer.Option(
            "--salvage", help="Take the intact tiles of a damaged KQF file, and list the others."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace any existing file except the sources. A batch also makes again what is "
            "done.",
        ),
    ] = False,
    no_overwrite: Annotated[
        bool,
        typer.Option("--no-overwrite", help="Replace no existing file, not even earlier results."),
    ] = False,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="Give results the times of their sources.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Files at once, as a batch (see above). [default for folders: all processors]",
        ),
    ] = None,
    from_list: Annotated[
        bool, typer.Option("--list", help="Batch: read more names from stdin, one on each line.")
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "-0", "--null", help="--list with names separated by NUL, as by find -print0."
        ),
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
    """Convert images to KQF and back, or quantize them to palette PNG, GIF or lossless WebP.

    Images of at most 256 colours, and mode P, are stored without loss. Metadata is kept (ICC, EXIF,
    XMP, density, comment).

    Existing files are safe: only -o names a file that may be replaced. Where the command chooses
    the name, it replaces a KQF file of an image of the same size in pixels, which an earlier run
    has made, and nothing else. --force replaces any file but a source.

    Folders, patterns, --list, --jobs and --scheduler make a batch: the output is a folder that
    mirrors each input folder, and where the result is not smaller, the original is copied in its
    place. A result that is no older than its source is skipped, so that a second run goes on where
    the first one was stopped.

    All names may be URLs that fsspec knows, such as s3://bucket/folder; where a server tells no
    times, existing results are skipped.
    """
    if force and no_overwrite:
        raise typer.BadParameter("--force and --no-overwrite contradict each other")
    names = _names(inputs, from_list or null, null)
    try:
        names, output = list(map(localized, names)), localized(output)
        if not output and not (from_list or null):
            names, output = split_names(names)
    except (ImportError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    as_batch = bool(from_list or null or jobs or scheduler is not None or _any_many(names))
    if strict and not as_batch:
        raise typer.BadParameter("--strict is for a batch: add --jobs")
    output = _check_output(names, output, file_format, as_batch)
    if keep_times and any(map(is_url, (output and [output]) or names)):
        raise typer.BadParameter("--keep-times: not for URLs to write to")
    to_pipe = output == PIPE or (not output and PIPE in names)
    if to_pipe and (sys.stdout is None or sys.stdout.isatty()):
        raise typer.BadParameter("stdout is a terminal or closed: redirect it", param_hint="-o")
    encoder: dict[str, Any] = {
        "colors": colors,
        "metric": metric,
        "quality": quality,
        "method": method,
        "dither": None if dither is Dither.NONE else dither,
        "keep": None if keep is None else [parse_color(text) for text in keep],
        "target_psnr": target_psnr,
        "target_ssim": target_ssim,
        "max_bytes": max_bytes,
        "predictor": predictor,
        "tile": parse_tile(tile),
        "effort": effort,
        "seed": seed,
        "threads": threads,
    }
    options = ConversionOptions(
        {key: value for key, value in encoder.items() if value is not None},
        suffix=None if file_format is None else "." + file_format.lower().removeprefix("."),
        frame=frame,
        strip=strip,
        verify=verify,
        salvage=salvage,
        overwrite=Overwrite.ALL if force else Overwrite.NONE if no_overwrite else Overwrite.RESULTS,
        keep_times=keep_times,
        only_smaller=as_batch,
    )
    with session(len(names)) as here:
        if palette is not None:
            with here.attempt(palette):
                colors_to_use = (
                    read_palette(PIPE, read_input(PIPE))
                    if palette == PIPE
                    else load_palette(palette)
                )
                options = replace(options, encoder={**options.encoder, "palette": colors_to_use})
            if here.failed:
                return
        if as_batch:
            work = BatchOptions(jobs, scheduler, strict, as_json)
            convert_batch(here, names, output, options, work)
        else:
            _convert_each(here, names, output, options, to_pipe, as_json)


def _names(inputs: list[str] | None, from_list: bool, null: bool) -> list[str]:
    names = list(inputs or [])
    if not from_list:
        if not names:
            raise typer.BadParameter("none given", param_hint="IN")
        if "" in names:
            raise typer.BadParameter("an empty name", param_hint="IN")
        return names
    try:
        # Names may hold bytes of no encoding.
        listed = os.fsdecode(read_input(PIPE))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--list") from error
    separated = listed.split("\0") if null else listed.replace("\r\n", "\n").split("\n")
    return names + [name for name in separated if name]


def _any_many(names: list[str]) -> bool:
    for name in names:
        try:
            if is_many(name):
                return True
        except (ImportError, OSError, ValueError):
            # Reading it tells what is wrong.
            continue
    return False


def _check_output(names: list[str], output: str, file_format: str | None, as_batch: bool) -> str:
    """Return the output, a folder with ``/`` at its end; refuse what can't be meant."""
    if output == PIPE:
        if as_batch or len(names) > 1:
            raise typer.BadParameter("several images do not fit into stdout", param_hint="-o")
        return output
    if as_batch:
        if PIPE in names or (not is_url(output) and Path(output or ".").is_file()):
            raise typer.BadParameter("a batch takes files and folders, and makes a folder")
        return output if not output or output.endswith("/") else output + "/"
    if output and not output.endswith("/") and is_folder(output):
        output += "/"
    one_file = output and not output.endswith("/")
    if len(names) > 1 and (one_file or PIPE in names):
        what = "several inputs need a folder that exists, or a name that ends with /"
        raise typer.BadParameter(what, param_hint="-o")
    if PIPE in names and output.endswith("/"):
        raise typer.BadParameter("stdin has no name to use in a folder", param_hint="-o")
    if file_format is not None and one_file:
        raise typer.BadParameter("the output's suffix says the format", param_hint="--format")
    return output


def _convert_each(
    here: Session,
    names: list[str],
    output: str,
    options: ConversionOptions,
    to_pipe: bool,
    as_json: bool,
) -> None:
    """Convert files one after the other, in this process."""
    jobs, planned = plan(names, output, options.suffix)
    if output.endswith("/") and not is_url(output):
        with here.attempt(output):
            Path(output).mkdir(parents=True, exist_ok=True)
        if here.failed:
            return
    for job, error in [(each.job, each.error) for each in planned] + [(job, "") for job in jobs]:
        line = ""
        with here.file(job.source):
            if error:
                raise ValueError(error)
            made, notes = convert_file(job, options)
            for note in notes:
                here.note(job.source, note)
            line = json.dumps(asdict(made)) if as_json else lines.converted(made)
        if as_json and here.error:
            line = json.dumps({"input": job.source, "error": here.error})
        if line:
            here.say(line, on_stderr=to_pipe)
    if len(names) > 2 and here.error and not exists(names[-1]):
        here.note(names[-1], "if it was to be the output, name it with -o")
