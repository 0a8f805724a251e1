"""``kqf view``: images in the system's viewer, or in the terminal."""

import os
import sys
from typing import Annotated

import typer
from PIL import Image, ImageOps, ImageShow

from kqf.cli.parameters import whole_number
from kqf.cli.session import Session, session
from kqf.io.pictures import load
from kqf.io.pipes import read_input
from kqf.text import escape

_NO_VIEWER = "there is no program that shows images here"


def view(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Images of any format. - reads standard input."),
    ],
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw the picture in the terminal.")
    ] = False,
    frame: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole_number(0), help="Show this frame of several; the first is 0."
        ),
    ] = None,
) -> None:
    """Show images in the system's viewer, or in the terminal.

    Where no viewer can be opened, such as on a server, the terminal shows the picture with
    coloured half blocks, as large as fits. Transparent parts are shown over a checkerboard.
    """
    with session(len(files)) as here:
        for name in files:
            with here.file(name):
                image, _ = load(read_input(name), frame)
                image = ImageOps.exif_transpose(image)
                if terminal:
                    _draw(here, image, forced=True)
                elif not (_has_screen() and ImageShow.show(image, title=escape(name))):
                    if not _shows_colors():
                        raise ValueError(f"{_NO_VIEWER}; --terminal draws it with colours")
                    here.note(name, f"{_NO_VIEWER}, so the terminal draws it")
                    _draw(here, image, forced=False)


def _has_screen() -> bool:
    """Tell whether a viewer could open a window."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _shows_colors() -> bool:
    from rich.console import Console

    console = Console()
    return console.is_terminal and console.color_system is not None and not console.no_color


def _draw(here: Session, image: Image.Image, forced: bool) -> None:
    from kqf.cli.terminal import drawn

    here.say(drawn(image, forced))
