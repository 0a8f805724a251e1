"""The subcommand that converts images to KQF, from KQF, and to palette images."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typer

from kqf.cli import convert_options as option
from kqf.cli import messages as lines
from kqf.cli.batch import BatchOptions, convert_batch
from kqf.cli.names import any_many, check_output, read_names
from kqf.cli.parameters import AsJson, Quiet, Threads
from kqf.cli.session import Session, session
from kqf.cli.values import (
    parse_color,
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


def convert(
    inputs: option.Inputs = None,
    output: option.Output = "",
    file_format: option.FileFormat = None,
    colors: option.Colors = None,
    quality: option.Quality = None,
    metric: option.Metric = None,
    palette: option.Palette = None,
    method: option.Method = None,
    dither: option.Dither = None,
    dither_strength: option.DitherStrength = None,
    keep: option.Keep = None,
    target_psnr: option.TargetPsnr = None,
    target_ssim: option.TargetSsim = None,
    target_ssimulacra2: option.TargetSsimulacra2 = None,
    max_bytes: option.MaxBytes = None,
    seed: option.Seed = None,
    predictor: option.Predictor = None,
    tile: option.Tile = None,
    overviews: option.Overviews = None,
    effort: option.Effort = None,
    verify: option.Verify = False,
    frame: option.Frame = None,
    frames: option.Frames = None,
    every: option.Every = 1,
    frames_from: option.FramesFrom = None,
    fps: option.Fps = None,
    region: option.Region = None,
    size: option.Size = None,
    strip: option.Strip = False,
    salvage: option.Salvage = False,
    force: option.Force = False,
    no_overwrite: option.NoOverwrite = False,
    keep_times: option.KeepTimes = False,
    jobs: option.Jobs = None,
    from_list: option.FromList = False,
    null: option.NulSeparated = False,
    strict: option.Strict = False,
    scheduler: option.Scheduler = None,
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
