"""``kqf view``: images in the system's viewer."""

from typing import Annotated

import typer
from PIL import ImageShow

from kqf.cli.session import session
from kqf.convert.api import read_input
from kqf.io.pictures import load
from kqf.text import escape


def view(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Images. - is stdin.")],
    frame: Annotated[
        int | None, typer.Option(min=0, help="Which frame of several to show; the first is 0.")
    ] = None,
) -> None:
    """Open images in the system's viewer."""
    with session(len(files)) as here:
        for name in files:
            with here.file(name):
                image, _ = load(read_input(name), frame)
                if not ImageShow.show(image, title=escape(name)):
                    raise ValueError("Pillow finds no program on this system that shows images")
