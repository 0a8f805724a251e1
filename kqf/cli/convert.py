"""The subcommand that converts images to KQF, from KQF, and to palette images."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from kqf.cli import messages as lines
from kqf.cli.batch import BatchOptions, convert_batch
from kqf.cli.names import any_many, check_output, read_names
from kqf.cli.parameters import AsJson, Quiet, Threads, choice, decimal_number, whole_number
from kqf.cli.session import Session, session
from kqf.cli.values import (
    parse_bytes,
    parse_color,
    parse_frames,
    parse_region,
    parse_size,
    parse_tile,
)
from kqf.convert.api import convert_file
from kqf.convert.batch import plan
from kqf.convert.joining import join_frames
from kqf.convert.options import ConversionOptions, Overwrite
from kqf.convert.targets import Job, split_names
from kqf.io.paths import exists, is_url, localized
from kqf.io.pipes import PIPE, read_input
from kqf.palettes.coerce import load_palette
from kqf.palettes.files import read_palette

_METRICS = ("perceptual", "mse")
_PREDICTORS = ("auto", "none", "left", "up", "copy", "packed")
_DITHERS = ("none", "auto", "ordered", "floyd-steinberg")
_COLORS, _STORAGE, _ANIMATION, _FILES, _BATCH = (
    "Colours",
    "Storage in a KQF file",
    "Animations",
    "Files",
    "Batches",
)


def convert(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IN...] [OUT]",
            help="Images and animations, to KQF; KQF files, to PNG; folders, with all images in "
            "them. - is stdin. The second of two names is the output if it does not exist or is a "
            "folder.",
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
            "colours that KQF would have; .zarr of a KQF file; a folder (one that ends with / "
            "is made); - for stdout. "
            "Without it, a file beside the input.",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = "",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="SUFFIX",
            help="Write this format where no file name says it, such as png.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    colors: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--colors",
            metavar="N",
            parser=whole_number(1, 256),
            help="Use at most N colours, 1 to 256. [default: 256]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "-q",
            "--quality",
            metavar="N",
            parser=whole_number(1, 100),
            help="Take the nearest colours (100), or fewer bytes (down to 1). [default: 75]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=choice(*_METRICS),
            help="What counts as error: perceptual, what people see, or mse. [default: perceptual]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Use the colours of an image, a KQF file, a palette file, a text with #rrggbb on "
            "each line, or a built-in palette (kqf palette --list).",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Choose colours by kmeans, minibatch, agglomerative, median-cut, octree, random "
            "or sample:N. [default: kmeans]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    dither: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=choice(*_DITHERS),
            help="Mix colours where one is missing: ordered, floyd-steinberg, or auto, where bands "
            "would be seen. [default: none]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    dither_strength: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            parser=decimal_number,
            help="Dither so much, 0 (not at all) to 1. [default: 1]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="#RRGGBB[AA]",
            help="Keep a colour exactly as it is; may be given again.",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            parser=decimal_number,
            help="Find the lowest quality with this PSNR, in dB.",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    target_ssim: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            parser=decimal_number,
            help="Find the lowest quality with this SSIM, up to 1.",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    target_ssimulacra2: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            parser=decimal_number,
            help="Find the lowest quality with this SSIMULACRA2: 70 looks good, 90 the same.",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(
            metavar="SIZE",
            parser=parse_bytes,
            help="Find the highest quality that fits, and fewer colours if none does: 60000, 60k, "
            "1.5M, 64KiB.",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(0),
            help="Start the search for colours with this random seed. [default: 0]",
            rich_help_panel=_COLORS,
        ),
    ] = None,
    predictor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=choice(*_PREDICTORS),
            help="Store labels by none, left, up, copy or packed. [default: auto, the smallest]",
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            metavar="WxH|N",
            help="Size of tiles in pixels. [default: by trial]",
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    overviews: Annotated[
        bool | None,
        typer.Option(
            "--overviews/--no-overviews",
            help="Store smaller pictures of the image, too. [default: from 16 megapixels on]",
            show_default=False,
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    effort: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(1, 9),
            help="Work fast (1) or make small files (9). [default: 5]",
            rich_help_panel=_STORAGE,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Decode the result and compare before writing it.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    frame: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(0),
            help="Take this frame of several; the first is 0.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    frames: Annotated[
        Any,
        typer.Option(
            metavar="FIRST:END",
            parser=parse_frames,
            help="Of an animation, take the frames from one on, before another; the first is 0.",
            rich_help_panel=_ANIMATION,
        ),
    ] = None,
    every: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(1),
            help="Of an animation, take each N-th frame.",
            rich_help_panel=_ANIMATION,
        ),
    ] = 1,
    frames_from: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|PATTERN",
            help="Make an animation of these images, in the order of their names, to the file that "
            "-o names; 10 a second without --fps.",
            rich_help_panel=_ANIMATION,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            parser=decimal_number,
            help="Show so many frames of an animation a second.",
            rich_help_panel=_ANIMATION,
        ),
    ] = None,
    region: Annotated[
        Any,
        typer.Option(
            metavar="L,T,R,B",
            parser=parse_region,
            help="Take this part: left, upper, right and lower side in pixels as they are stored.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    size: Annotated[
        Any,
        typer.Option(
            metavar="WxH|N|P%",
            parser=parse_size,
            help="Resize to W x H pixels, to N of the longer side, or to P percent of both sides, "
            "before colours are chosen.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    strip: Annotated[
        bool, typer.Option("--strip", help="Drop all metadata.", rich_help_panel=_FILES)
    ] = False,
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage",
            help="Take the intact tiles and frames of a damaged KQF file, and list the others.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace any existing file except the sources. A batch also makes again what is "
            "done.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    no_overwrite: Annotated[
        bool,
        typer.Option(
            "--no-overwrite",
            help="Replace no existing file, not even earlier results.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    keep_times: Annotated[
        bool,
        typer.Option(
            "--keep-times",
            help="Give results the times of their sources.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(1),
            help="Convert N files at once. [default for folders: as many as there are processors]",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    from_list: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Read more names from stdin, one on each line.",
            rich_help_panel=_BATCH,
        ),
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "-0",
            "--null",
            help="Read more names from stdin, separated by NUL, as find -print0 writes them.",
            rich_help_panel=_BATCH,
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 1 if a result is not smaller than its source.",
            rich_help_panel=_BATCH,
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let this Dask cluster do the work, such as tcp://host:8786.",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Convert images to KQF and back, or quantize them to palette PNG, GIF or lossless WebP.

    Images of at most 256 colours, and mode P, are stored without loss. Metadata is kept (ICC, EXIF,
    XMP, density, comment).

    Existing files are safe: only -o names a file that may be replaced. Where the command chooses
    the name, it replaces a KQF file of an image of the same size in pixels, which an earlier run
    has made, and nothing else; not even that where another image beside the source has the same
    name but for the suffix. --force replaces any file but a source.

    Folders, patterns, --list, --jobs and --scheduler make a batch: the output is a folder that
    mirrors each input folder, and where the result is not smaller, or a GIF would lose translucent
    colours, the original is copied in its place. A result that is no older than its source is
    skipped, so that a second run goes on where the first one was stopped.

    Large TIFF files become KQF block by block, and large KQF files become BigTIFF (.tif). Arrays of
    zarr (.zarr, local folders) are read and written in the same way. Killed, the command leaves no
    half file or folder under the name of its output, and starts anew.

    All names may be URLs that fsspec knows, such as s3://bucket/folder; where a server tells no
    times, existing results are skipped.
    """
    if force and no_overwrite:
        raise typer.BadParameter("--force and --no-overwrite contradict each other")
    names = [] if frames_from else read_names(inputs, from_list or null, null)
    if frames_from and (inputs or not output or output == PIPE):
        raise typer.BadParameter("takes no other inputs, and needs -o", param_hint="--frames-from")
    try:
        names, output = list(map(localized, names)), localized(output)
        if not output and not (from_list or null):
            names, output = split_names(names)
    except (ImportError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    as_batch = bool(from_list or null or jobs or scheduler is not None or any_many(names))
    if strict and not as_batch:
        raise typer.BadParameter("--strict is for a batch: add --jobs")
    output = check_output(names, output, file_format, as_batch)
    to_pipe = output == PIPE or (not output and PIPE in names)
    if keep_times and (to_pipe or PIPE in names or any(map(is_url, [output] if output else names))):
        raise typer.BadParameter("--keep-times: not for pipes, nor for URLs to write to")
    if to_pipe and (sys.stdout is None or sys.stdout.isatty()):
        raise typer.BadParameter("stdout is a terminal or closed: redirect it", param_hint="-o")
    encoder: dict[str, Any] = {
        "colors": colors,
        "metric": metric,
        "quality": quality,
        "method": method,
        "dither": None if dither == "none" else dither,
        "dither_strength": dither_strength,
        "keep": None if keep is None else [parse_color(text) for text in keep],
        "target_psnr": target_psnr,
        "target_ssim": target_ssim,
        "target_ssimulacra2": target_ssimulacra2,
        "max_bytes": max_bytes,
        "predictor": predictor,
        "tile": parse_tile(tile),
        "overviews": overviews,
        "effort": effort,
        "seed": seed,
        "threads": threads,
    }
    options = ConversionOptions(
        {key: value for key, value in encoder.items() if value is not None},
        suffix=None if file_format is None else "." + file_format.lower().removeprefix("."),
        frame=frame,
        frames=frames,
        every=every,
        fps=fps,
        region=region,
        size=size,
        strip=strip,
        verify=verify,
        salvage=salvage,
        overwrite=Overwrite.ALL if force else Overwrite.NONE if no_overwrite else Overwrite.RESULTS,
        keep_times=keep_times,
        only_smaller=as_batch,
    )
    with session(len(names), quiet) as here:
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
        if frames_from:
            with here.file(frames_from):
                made, notes = join_frames(Job(frames_from, output, named=True), options)
                for note in notes:
                    here.note(frames_from, note)
                here.tell(json.dumps(asdict(made)) if as_json else lines.converted(made))
        elif as_batch:
            work = BatchOptions(jobs, scheduler, strict, as_json)
            convert_batch(here, names, output, options, work)
        else:
            _convert_each(here, names, output, options, to_pipe, as_json)


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
    for outcome in planned:
        for note in outcome.notes:
            here.note(outcome.job.source, note)
    failed = [(each.job, each.error) for each in planned if each.error]
    for job, error in failed + [(job, "") for job in jobs]:
        line = ""
        with here.file(job.source):
            if error:
                raise ValueError(error)
            made, notes = convert_file(job, options, here.progress)
            for note in notes:
                here.note(job.source, note)
            line = json.dumps(asdict(made)) if as_json else lines.converted(made)
        if as_json and here.error:
            line = json.dumps({"input": job.source, "error": here.error})
        if line:
            (here.say if as_json else here.tell)(line, on_stderr=to_pipe)
    if len(names) > 2 and here.error and not exists(names[-1]):
        here.note(names[-1], "if it was to be the output, name it with -o")
