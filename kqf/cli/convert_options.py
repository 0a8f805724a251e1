"""The options of ``kqf convert``."""

from typing import Annotated, Any

import typer

from kqf.cli.parameters import choice, decimal_number, whole_number
from kqf.cli.values import (
    parse_bytes,
    parse_frames,
    parse_region,
    parse_size,
)

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

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[IN...] [OUT]",
        help="Images and animations, to KQF; KQF files, to PNG; folders, with all images in "
        "them. - is stdin. The second of two names is the output if it does not exist or is a "
        "folder.",
        show_default=False,
    ),
]
Output = Annotated[
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
]
FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="SUFFIX",
        help="Write this format where no file name says it, such as png.",
        rich_help_panel=_FILES,
    ),
]
Colors = Annotated[
    int | None,
    typer.Option(
        "-c",
        "--colors",
        metavar="N",
        parser=whole_number(1, 256),
        help="Use at most N colours, 1 to 256. [default: 256]",
        rich_help_panel=_COLORS,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "-q",
        "--quality",
        metavar="N",
        parser=whole_number(1, 100),
        help="Take the nearest colours (100), or fewer bytes (down to 1). [default: 75]",
        rich_help_panel=_COLORS,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        parser=choice(*_METRICS),
        help="What counts as error: perceptual, what people see, or mse. [default: perceptual]",
        rich_help_panel=_COLORS,
    ),
]
Palette = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|NAME",
        help="Use the colours of an image, a KQF file, a palette file, a text with #rrggbb on "
        "each line, or a built-in palette (kqf palette --list).",
        rich_help_panel=_COLORS,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Choose colours by kmeans, minibatch, agglomerative, median-cut, octree, random "
        "or sample:N. [default: kmeans]",
        rich_help_panel=_COLORS,
    ),
]
Dither = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        parser=choice(*_DITHERS),
        help="Mix colours where one is missing: ordered, floyd-steinberg, or auto, where bands "
        "would be seen. [default: none]",
        rich_help_panel=_COLORS,
    ),
]
DitherStrength = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        parser=decimal_number,
        help="Dither so much, 0 (not at all) to 1. [default: 1]",
        rich_help_panel=_COLORS,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="#RRGGBB[AA]",
        help="Keep a colour exactly as it is; may be given again.",
        rich_help_panel=_COLORS,
    ),
]
TargetPsnr = Annotated[
    float | None,
    typer.Option(
        metavar="DB",
        parser=decimal_number,
        help="Find the lowest quality with this PSNR, in dB.",
        rich_help_panel=_COLORS,
    ),
]
TargetSsim = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        parser=decimal_number,
        help="Find the lowest quality with this SSIM, up to 1.",
        rich_help_panel=_COLORS,
    ),
]
TargetSsimulacra2 = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        parser=decimal_number,
        help="Find the lowest quality with this SSIMULACRA2: 70 looks good, 90 the same.",
        rich_help_panel=_COLORS,
    ),
]
MaxBytes = Annotated[
    int | None,
    typer.Option(
        metavar="SIZE",
        parser=parse_bytes,
        help="Find the highest quality that fits, and fewer colours if none does: 60000, 60k, "
        "1.5M, 64KiB.",
        rich_help_panel=_COLORS,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number(0),
        help="Start the search for colours with this random seed. [default: 0]",
        rich_help_panel=_COLORS,
    ),
]
Predictor = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        parser=choice(*_PREDICTORS),
        help="Store labels by none, left, up, copy or packed. [default: auto, the smallest]",
        rich_help_panel=_STORAGE,
    ),
]
Tile = Annotated[
    str | None,
    typer.Option(
        metavar="WxH|N",
        help="Size of tiles in pixels. [default: by trial]",
        rich_help_panel=_STORAGE,
    ),
]
Overviews = Annotated[
    bool | None,
    typer.Option(
        "--overviews/--no-overviews",
        help="Store smaller pictures of the image, too. [default: from 16 megapixels on]",
        show_default=False,
        rich_help_panel=_STORAGE,
    ),
]
Effort = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number(1, 9),
        help="Work fast (1) or make small files (9). [default: 5]",
        rich_help_panel=_STORAGE,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Decode the result and compare before writing it.",
        rich_help_panel=_FILES,
    ),
]
Frame = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number(0),
        help="Take this frame of several; the first is 0.",
        rich_help_panel=_FILES,
    ),
]
Frames = Annotated[
    Any,
    typer.Option(
        metavar="FIRST:END",
        parser=parse_frames,
        help="Of an animation, take the frames from one on, before another; the first is 0.",
        rich_help_panel=_ANIMATION,
    ),
]
Every = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number(1),
        help="Of an animation, take each N-th frame.",
        rich_help_panel=_ANIMATION,
    ),
]
FramesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|PATTERN",
        help="Make an animation of these images, in the order of their names, to the file that "
        "-o names; 10 a second without --fps.",
        rich_help_panel=_ANIMATION,
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        parser=decimal_number,
        help="Show so many frames of an animation a second.",
        rich_help_panel=_ANIMATION,
    ),
]
Region = Annotated[
    Any,
    typer.Option(
        metavar="L,T,R,B",
        parser=parse_region,
        help="Take this part: left, upper, right and lower side in pixels as they are stored.",
        rich_help_panel=_FILES,
    ),
]
Size = Annotated[
    Any,
    typer.Option(
        metavar="WxH|N|P%",
        parser=parse_size,
        help="Resize to W x H pixels, to N of the longer side, or to P percent of both sides, "
        "before colours are chosen.",
        rich_help_panel=_FILES,
    ),
]
Strip = Annotated[bool, typer.Option("--strip", help="Drop all metadata.", rich_help_panel=_FILES)]
Salvage = Annotated[
    bool,
    typer.Option(
        "--salvage",
        help="Take the intact tiles and frames of a damaged KQF file, and list the others.",
        rich_help_panel=_FILES,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace any existing file except the sources. A batch also makes again what is done.",
        rich_help_panel=_FILES,
    ),
]
NoOverwrite = Annotated[
    bool,
    typer.Option(
        "--no-overwrite",
        help="Replace no existing file, not even earlier results.",
        rich_help_panel=_FILES,
    ),
]
KeepTimes = Annotated[
    bool,
    typer.Option(
        "--keep-times",
        help="Give results the times of their sources.",
        rich_help_panel=_FILES,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number(1),
        help="Convert N files at once. [default for folders: as many as there are processors]",
        rich_help_panel=_BATCH,
    ),
]
FromList = Annotated[
    bool,
    typer.Option(
        "--list",
        help="Read more names from stdin, one on each line.",
        rich_help_panel=_BATCH,
    ),
]
NulSeparated = Annotated[
    bool,
    typer.Option(
        "-0",
        "--null",
        help="Read more names from stdin, separated by NUL, as find -print0 writes them.",
        rich_help_panel=_BATCH,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with 1 if a result is not smaller than its source.",
        rich_help_panel=_BATCH,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Let this Dask cluster do the work, such as tcp://host:8786.",
        rich_help_panel=_BATCH,
    ),
]
