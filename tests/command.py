"""Ways to run the command, and images to run it on, shared by the tests."""

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_image
from PIL import Image, ImageCms, PngImagePlugin
from typer.testing import CliRunner

import kqf
from kqf.cli import app as cli
from kqf.cluster import executors

ROOT = Path(kqf.__file__).parents[1]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta/>"


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def run_batch(*arguments, code=0, stdin=None):
    """Run a batch in this process, by one thread; return what it prints and says on stderr.

    Its processes take seconds to start. Where they matter, ``run_process`` starts them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "pool", ThreadPoolExecutor)
        result = run("convert", "--jobs", 1, "--effort", 1, *arguments, code=code, stdin=stdin)
    return result.stdout, result.stderr


def start(*arguments, **options):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "kqf", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **(pipes | options))


def run_process(*arguments, stdin=b"", code=0):
    process = start(*arguments)
    out, err = process.communicate(stdin, timeout=240)
    assert process.returncode == code, err
    assert b"Traceback" not in err
    return out, err.decode()


def draw(name, pixels, **options):
    Image.fromarray(pixels).save(name, **options)
    return pixels


def many(channels=3, seed=0):
    """Return pixels of more than 256 colours."""
    pixels = smooth_image(24, 40, channels, seed=seed)
    assert len(np.unique(pixels.reshape(-1, channels), axis=0)) > 256
    return pixels


def few(channels=3, colors=5):
    rng = np.random.default_rng(colors)
    codebook = rng.integers(0, 256, (colors, channels)).astype(np.uint8)
    return codebook[rng.integers(0, colors, (24, 40))]


def names(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


def record(*arguments, **options):
    (line,) = run("convert", "--json", *arguments, **options).stdout.splitlines()
    return json.loads(line)


def palette_image(colors, labels, mode="RGB"):
    image = Image.fromarray(np.array(labels, np.uint8)).convert("L")
    picture = Image.frombytes("P", image.size, image.tobytes())
    picture.putpalette(bytes(np.array(colors, np.uint8).ravel()), mode)
    return picture


def with_metadata(name, **more):
    exif = Image.Exif()
    exif[0x0112] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add_itxt("Comment", "hello")
    options = {"icc_profile": ICC, "exif": exif.tobytes(), "dpi": (72, 144)}
    if name.endswith(".png"):
        options["pnginfo"] = texts
    else:
        options |= {"xmp": XMP, "comment": "hello"}
    return draw(name, few(), **options, **more)


class Terminal(io.StringIO):
    def isatty(self):
        return True
