"""What one animation takes as KQF and in other formats."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, features

from kqf.convert.animations import make_animation
from kqf.convert.options import ConversionOptions
from kqf.io.moving_pictures import MovingPicture
from kqf.report.columns import ANIMATIONS
from kqf.report.competitors import KQF
from kqf.report.tables import Table
from kqf.text import escape

_GIF = b"GIF8"


@dataclass(frozen=True)
class AnimationRow:
    """What one animation takes in one format.

    Attributes:
        encoder: the format, and the program that writes it where several could.
        bytes: size of the whole file.
        kqf_share: bytes of KQF as a share of these bytes.
        exact: whether all frames are the very pixels of the file that was given.
    """

    encoder: str
    bytes: int
    kqf_share: float
    exact: bool

    @property
    def name(self) -> str:
        return self.encoder

    def record(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class AnimationReport:
    """One animation, stored in every format.

    Attributes:
        name, file_format, file_bytes: of the file that was given.
        width, height: in pixels.
        frames: their number. milliseconds: of all frames together.
        rows: first the file that was given, then KQF.
        given, file: the file that was given, and the KQF file.
    """

    name: str
    file_format: str
    file_bytes: int
    width: int
    height: int
    frames: int
    milliseconds: float
    rows: tuple[AnimationRow, ...]
    given: bytes = field(repr=False)
    file: bytes = field(repr=False)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        size = f"{self.width:,} x {self.height:,} pixels"
        plays = f"{self.frames:,} frames, {self.milliseconds / 1000:,.2f} s"
        return f"{escape(Path(self.name).name)}: {escape(self.file_format)}, {size}, {plays}"

    @property
    def table(self) -> Table:
        return Table(self.title, ANIMATIONS, self.rows)

    def record(self) -> dict[str, Any]:
        """Return the report for JSON."""
        kept = {key: value for key, value in vars(self).items() if key not in ("given", "file")}
        return kept | {"rows": [row.record() for row in self.rows]}


def measure_animation(
    data: bytes,
    *,
    name: str,
    threads: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> AnimationReport:
    """Store an animation in every format as ``kqf convert`` does, and measure what each takes.

    A format that can't hold it is left out.

    Arguments:
        data: the file. name: of it. threads: at the most; None for all processors.
        progress: is told the share that is done, 0 to 1.

    Raises:
        ValueError, KqfError: it cannot be read.
    """
    encoder = {} if threads is None else {"threads": threads}
    kqf_file = make_animation(data, ".kqf", ConversionOptions(encoder, strip=True))
    done = 0.5
    progress(done)
    with Image.open(io.BytesIO(data)) as image:
        moving = MovingPicture([image])
        file_format = image.format or ""
    files = [(f"{file_format} file as given", data, True)]
    files += [(KQF, kqf_file.data, bool(kqf_file.exact))]
    for other, file in _others(data):
        files.append((other, file, True))
        done += (1 - done) / 2
        progress(done)
    rows = [
        AnimationRow(encoder, len(file), len(kqf_file.data) / len(file), exact)
        for encoder, file, exact in files
    ]
    return AnimationReport(
        name,
        file_format,
        len(data),
        *moving.size,
        frames=len(moving),
        milliseconds=sum(time or 0 for time in moving.durations),
        rows=tuple(rows),
        given=data,
        file=kqf_file.data,
    )


def _others(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield encoders and files of other formats that show the same frames."""
    options = ConversionOptions(strip=True)
    if not data.startswith(_GIF):
        with suppress(ValueError):
            yield "GIF (Pillow)", make_animation(data, ".gif", options).data
    elif program := shutil.which("gifsicle"):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "a.gif", Path(folder) / "b.gif"
            source.write_bytes(data)
            command = [program, "-O3", str(source), "-o", str(target)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                yield "GIF (gifsicle -O3)", target.read_bytes()
    if features.check("webp"):
        with suppress(ValueError):
            yield "WebP lossless", make_animation(data, ".webp", options).data
    with suppress(ValueError):
        yield "APNG (Pillow)", make_animation(data, ".png", options).data
