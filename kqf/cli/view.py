"""``kqf view``: images in the system's viewer, in a browser, or in the terminal."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageOps, ImageShow

import kqf
from kqf.cli.parameters import whole_number
from kqf.cli.session import Session, session
from kqf.cli.viewer_server import Served, serve_until_interrupted
from kqf.convert.large import picture_no_longer
from kqf.format.signature import SIGNATURE
from kqf.io.moving_pictures import MovingPicture, is_animation
from kqf.io.paths import is_zarr
from kqf.io.pictures import load
from kqf.io.pipes import PIPE, read_input
from kqf.text import escape

# Pixels of the longer side of what is shown of an image too large to be held.
_LONGER = 2048
_NO_VIEWER = "there is no program that shows images here"


def view(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Images of any format. - reads standard input."),
    ],
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw the picture in the terminal.")
    ] = False,
    browser: Annotated[
        bool,
        typer.Option("--browser", help="Show all files in the browser, until Ctrl-C."),
    ] = False,
    frame: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole_number(0), help="Show this frame of several; the first is 0."
        ),
    ] = None,
) -> None:
    """Show images in the system's viewer, in a browser, or in the terminal.

    The browser shows palette, sizes and metadata of KQF files beside the image. It gets them from
    this machine alone, under an address that nobody can guess, and only as long as the command
    runs.

    Where there is no viewer, the browser shows the images if there is one. Where no window can be
    opened, such as on a server, the terminal shows them with coloured half blocks, as large as
    fits. Transparent parts are shown over a checkerboard.

    Animations play in the browser, and in a terminal until their end or Ctrl-C; system viewers get
    the first frame.

    An image of more than 67 megapixels is shown in a smaller size, but the browser shows all of a
    KQF file.
    """
    if terminal and browser:
        raise typer.BadParameter("either --terminal or --browser")
    in_browser: list[Served] = []
    with session(len(files), bar=False) as here:
        for name in files:
            with here.file(name):
                if browser:
                    in_browser.append(_served(name, frame))
                    continue
                image, changes, moving = _load(name, frame)
                if moving and terminal and _is_terminal():
                    _play(here, moving, forced=True)
                    continue
                for change in changes:
                    here.note(name, change)
                if terminal:
                    _draw(here, image, forced=True)
                elif _has_screen() and ImageShow.show(image, title=escape(name)):
                    pass
                elif _has_screen() and _has_browser():
                    in_browser.append(_served(name, frame))
                elif _shows_colors():
                    here.note(name, f"{_NO_VIEWER}, so the terminal draws it")
                    if moving:
                        _play(here, moving, forced=False)
                    else:
                        _draw(here, image, forced=False)
                    # No viewer opened, which scripts want to know.
                    here.failed = True
                else:
                    raise ValueError(f"{_NO_VIEWER}; --terminal draws it with colours")
        if in_browser:
            serve_until_interrupted(in_browser, here.tell)


def _load(
    name: str, frame: int | None, data: bytes | None = None
) -> tuple[Image.Image, list[str], bytes]:
    """Return an image, upright and not too large to be held, and what was changed for that.

    Arguments:
        data: of the file, if it was read.

    Returns:
        the image or the first frame, the changes in words, and the file if it is an animation.
    """
    if data is None and name != PIPE:
        picture = picture_no_longer(name, _LONGER, frame)
        if picture is not None:
            return ImageOps.exif_transpose(picture.image), picture.changes, b""
    data = read_input(name) if data is None else data
    moves = frame is None and is_animation(data)
    image, _ = load(data, 0 if moves else frame)
    return ImageOps.exif_transpose(image), [], data if moves else b""


def _served(name: str, frame: int | None) -> Served:
    """Return a file as the browser gets it: KQF as it is, animations as KQF, all else as PNG."""
    title = Path(name).name or name
    path = Path(name)
    data = None
    if name != PIPE and path.is_file():
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return Served(title, path.resolve())
    elif not is_zarr(name):
        data = read_input(name)
        if data.startswith(SIGNATURE):
            return Served(title, data)
    image, _, moving = _load(name, frame, data)
    if moving:
        with Image.open(io.BytesIO(moving)) as frames:
            return Served(title, _as_kqf(MovingPicture([frames])))
    buffer = io.BytesIO()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    image.save(buffer, "PNG", compress_level=1)
    return Served(title, buffer.getvalue())


def _as_kqf(moving: MovingPicture) -> bytes:
    """Return an animation as the viewer plays it, its very pixels."""
    durations = [duration or 0 for duration in moving.durations]
    return kqf.encode_animation(
        moving, durations=durations, loop=moving.plays, exact=True, effort=1
    )


def _has_browser() -> bool:
    """Tell whether there is a browser with windows of its own."""
    import webbrowser

    try:
        # Browsers in a terminal are of the plain class.
        return type(webbrowser.get()) is not webbrowser.GenericBrowser
    except webbrowser.Error:
        return False


def _has_screen() -> bool:
    """Tell whether a viewer could open a window."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _shows_colors() -> bool:
    from rich.console import Console

    console = Console()
    return console.is_terminal and console.color_system is not None and not console.no_color


def _draw(here: Session, image: Image.Image, forced: bool) -> None:
    from kqf.cli.terminal import drawn

    here.say(drawn(image, forced))


def _play(here: Session, data: bytes, forced: bool) -> None:
    from kqf.cli.playing import play

    with Image.open(io.BytesIO(data)) as image:
        play(MovingPicture([image]), forced, here.say)
