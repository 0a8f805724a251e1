"""Times and memory of KQF beside other encoders and decoders, in one run.

    pip install '.[bench]'
    python tools/benchmark.py speed [FOLDER|IMAGE ...] [--only ROW ...] [--seconds N]
                          [--json FILE] [--markdown FILE]
    python tools/benchmark.py speed --list

Of the images given it takes the largest for the rows of large images, and the one nearest to 0.4
megapixels for those of small ones. Without any it takes scikit-learn's china.jpg, as it is and, for
the large one, enlarged to 9.7 megapixels with noise.

Each piece of work and its peer run in turn, and a ratio is the median over these pairs: a machine
that other work slows down slows both. The ratio of their fastest runs stands beside it. Every
result is compared with the original: the mean squared error of a channel is that of the last pair,
of decoders against the pixels that the file holds.

Peak memory is that of a fresh process above what it needs to start and to do the same work on an
image of 64 x 64: what it reads is included. These rows need Linux.
"""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property, partial
from pathlib import Path

import deflate
import numpy as np
from PIL import Image

import kqf
from kqf.format.reader import ImageReader

from .contests import Contest, Load, Outcome, Timing, markdown, run, weigh
from .encoders import by_libimagequant, optimized, palette_image, save
from .images import paths_in, samples
from .output import add_images, add_output, number, parser_for, write

SMALL_PIXELS = 400_000
LARGE_WIDTH = 3824
# Of the noise on the enlarged sample, so that it has about as many colours as a photograph.
NOISE = 4.0
SIDE = 256


# Images


def images_from(places: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return a small and a large image, (H, W, 3) uint8."""
    paths = paths_in(places)
    if not paths:
        small = samples()["china.jpg"]
        return small, enlarged(small)
    sizes = {}
    for path in paths:
        with Image.open(path) as image:
            sizes[path] = image.width * image.height
    chosen = min(paths, key=lambda path: abs(sizes[path] - SMALL_PIXELS)), max(paths, key=sizes.get)
    return tuple(np.asarray(Image.open(path).convert("RGB")) for path in chosen)


def enlarged(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    size = LARGE_WIDTH, round(LARGE_WIDTH * height / width)
    large = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).normal(0, NOISE, large.shape).round()
    return (large + noise).clip(0, 255).astype(np.uint8)


class Picture:
    """One image and the files made of it, each once."""

    def __init__(self, pixels: np.ndarray, folder: Path, name: str) -> None:
        self.pixels, self.folder, self.name = pixels, folder, name
        self.size = pixels.shape[0] * pixels.shape[1]
        self.megapixels = f"{self.size / 1e6:.1f} MP"

    @cached_property
    def indexed(self) -> kqf.IndexedImage:
        return kqf.quantize(self.pixels, effort=1)

    @cached_property
    def shown(self) -> np.ndarray:
        return self.indexed.pixels

    @cache  # noqa: B019
    def kqf(self, predictor: str) -> bytes:
        """Return the labels as KQF."""
        image = self.indexed
        return kqf.encode_indexed(image.labels, image.codebook, predictor=predictor)

    @cached_property
    def palette_image(self) -> Image.Image:
        return palette_image(self.indexed.labels, self.indexed.codebook)

    @cached_property
    def png8(self) -> bytes:
        """The same labels as PNG."""
        return save(self.palette_image, "PNG")

    @cached_property
    def webp(self) -> bytes:
        """The same pixels as lossless WebP."""
        return save(Image.fromarray(self.shown), "WEBP", lossless=True, exact=True)

    @cached_property
    def quarters(self) -> list[np.ndarray]:
        height, width = (side // 2 for side in self.pixels.shape[:2])
        return [
            np.ascontiguousarray(self.pixels[y : y + height, x : x + width])
            for y in (0, height)
            for x in (0, width)
        ]

    @cached_property
    def encoded_quarters(self) -> list[bytes]:
        """The labels of the quarters as KQF."""
        image = self.indexed
        height, width = (side // 2 for side in image.labels.shape)
        return [
            kqf.encode_indexed(part, image.codebook, predictor="left")
            for half in (image.labels[:height], image.labels[height : 2 * height])
            for part in map(np.ascontiguousarray, (half[:, :width], half[:, width : 2 * width]))
        ]

    def path(self, suffix: str, data: Callable[[], bytes]) -> Path:
        """Return the path of a file that holds this data."""
        path = self.folder / f"{self.name}{suffix}"
        if not path.exists():
            path.write_bytes(data())
        return path


# Work


def load(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def open_and_close(path: Path) -> None:
    with Image.open(path):
        pass


def quantized(pixels: np.ndarray, speed: int) -> Image.Image:
    image = by_libimagequant(pixels, speed=speed)
    return palette_image(image.labels, image.codebook)


def by_scikit_learn(pixels: np.ndarray) -> np.ndarray:
    """Return pixels with 64 colours as scikit-learn's example of colour quantization does."""
    from sklearn.cluster import KMeans
    from sklearn.utils import shuffle

    values = (pixels.astype(np.float64) / 255).reshape(-1, 3)
    chosen = shuffle(values, random_state=0, n_samples=1000)
    kmeans = KMeans(n_clusters=64, random_state=0).fit(chosen)
    labels = kmeans.predict(values)
    return 255 * kmeans.cluster_centers_[labels].reshape(pixels.shape)


def count_colors(pixels: np.ndarray) -> np.ndarray:
    """Return how often each colour occurs, (2**24,): one counting pass."""
    values = pixels[..., 0].astype(np.uint32)
    for channel in (1, 2):
        values <<= 8
        values |= pixels[..., channel]
    return np.bincount(values.ravel(), minlength=2**24)


def labels_of(data: bytes) -> list[tuple[bytes, int]]:
    """Return the zlib stream of each tile and the bytes that it inflates to."""
    reader = ImageReader(io.BytesIO(data), len(data))
    shapes = [reader.head.tile_shape(number) for number in range(reader.head.tiles)]
    streams = [stream for _, stream in reader.tiles(range(reader.head.tiles))]
    return [(stream, h * w) for stream, (h, w) in zip(streams, shapes, strict=True)]


def inflate_all(streams: Iterable[tuple[bytes, int]]) -> None:
    for stream, size in streams:
        deflate.zlib_decompress(stream, size)


def execute(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


# Outcomes


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean squared error of a channel, band by band."""
    total = 0.0
    for first in range(0, len(one), 256):
        rows = slice(first, first + 256)
        total += float(((one[rows].astype(np.float64) - other[rows]) ** 2).sum())
    return total / one.size


def of_file(pixels: np.ndarray, data: bytes) -> Outcome:
    return Outcome(difference(np.asarray(load(data).convert("RGB")), pixels), len(data))


def of_pixels(picture: Picture, result: Image.Image | np.ndarray) -> Outcome:
    """Judge what a decoder gave, the whole image or its upper left corner."""
    if isinstance(result, Image.Image):
        result = np.asarray(result.convert("RGB"))
    expected = picture.shown[: result.shape[0], : result.shape[1]]
    return Outcome(difference(result, expected))


# The rows


def rows(small: Picture, large: Picture) -> Iterator[Contest | Load]:
    """Yield all that there is to measure. Nothing is computed before its work is asked for."""
    yield from encoding(small, large)
    for picture, targets in ((large, (0.4, 1.0)), (small, (1.0, 1.3))):
        yield from loading(picture, *targets)
    yield from decoding(large)
    yield from starting(large.folder)
    yield from scaling(large)
    yield from limits(large)
    yield from memory(large)


def encoding(small: Picture, large: Picture) -> Iterator[Contest]:
    yield Contest(
        "encode-fast-large",
        f"encode at effort 1, {large.megapixels}",
        "libimagequant speed 4, PNG by Pillow",
        lambda: kqf.encode(large.pixels, effort=1),
        lambda: save(quantized(large.pixels, 4), "PNG"),
        0.30,
        partial(of_file, large.pixels),
        error=1.0,
    )
    for picture in (large, small):
        yield Contest(
            f"encode-{picture.name}",
            f"encode by default, {picture.megapixels}",
            "libimagequant slowest, oxipng level 6",
            lambda picture=picture: kqf.encode(picture.pixels),
            lambda picture=picture: optimized(save(quantized(picture.pixels, 1), "PNG")),
            0.50,
            partial(of_file, picture.pixels),
            bytes=0.75,
        )
    china = cache(lambda: samples()["china.jpg"])
    yield Contest(
        "quantize",
        "quantize china.jpg to 64 colours at effort 1",
        "scikit-learn's example, 1,000 pixels",
        lambda: kqf.quantize(china(), colors=64, effort=1).pixels,
        lambda: by_scikit_learn(china()),
        1.5,
        lambda result: Outcome(difference(result, china())),
        error=0.90,
    )


def loading(picture: Picture, plain: float, predicted: float) -> Iterator[Contest]:
    for predictor, target in (("none", plain), ("left", predicted), ("up", predicted)):
        yield Contest(
            f"load-{predictor}-{picture.name}",
            f"open and load, predictor {predictor}, {picture.megapixels}",
            "PNG8 of the same labels",
            lambda predictor=predictor: load(picture.kqf(predictor)),
            lambda: load(picture.png8),
            target,
            partial(of_pixels, picture),
        )


def decoding(large: Picture) -> Iterator[Contest]:
    for predictor in ("left", "up"):
        yield Contest(
            f"load-{predictor}-webp",
            f"open and load, predictor {predictor}, {large.megapixels}",
            "lossless WebP of the same pixels",
            lambda predictor=predictor: load(large.kqf(predictor)),
            lambda: load(large.webp),
            0.35,
            partial(of_pixels, large),
        )
    yield Contest(
        "open",
        "open without loading",
        "PNG8",
        lambda: open_and_close(large.path(".kqf", lambda: large.kqf("auto"))),
        lambda: open_and_close(large.path(".png", lambda: large.png8)),
        2.0,
    )
    yield Contest(
        "region",
        f"decode a region of {SIDE} x {SIDE} of {large.megapixels}",
        "decode all of it",
        lambda: kqf.decode(large.kqf("auto"), region=(0, 0, SIDE, SIDE)),
        lambda: kqf.decode(large.kqf("auto")),
        0.06,
        partial(of_pixels, large),
    )


def starting(folder: Path) -> Iterator[Contest]:
    icon, out = folder / "icon.png", folder / "icon.kqf"
    y, x = np.mgrid[:64, :64].astype(np.uint8)
    Image.fromarray(np.dstack([4 * x, 4 * y, x ^ y])).save(icon)
    yield Contest(
        "import",
        "import kqf, a fresh process",
        "import numpy, PIL.Image",
        lambda: execute("-c", "import kqf"),
        lambda: execute("-c", "import numpy, PIL.Image"),
        1.4,
    )
    yield Contest(
        "convert-icon",
        "kqf convert of an icon of 64 x 64, a fresh process",
        "import sklearn.cluster",
        lambda: execute("-m", "kqf", "convert", str(icon), "-o", str(out)),
        lambda: execute("-c", "import sklearn.cluster"),
        1.3,
    )


def scaling(large: Picture) -> Iterator[Contest]:
    # The quarters hold the same pixels, so the time of one is a quarter of their time.
    yield Contest(
        "scale-encode",
        f"encode at effort 1, {large.megapixels}",
        "its four quarters",
        lambda: kqf.encode(large.pixels, effort=1),
        lambda: [kqf.encode(quarter, effort=1) for quarter in large.quarters],
        4.3 / 4,
    )
    yield Contest(
        "scale-decode",
        f"decode, predictor left, {large.megapixels}",
        "its four quarters",
        lambda: kqf.decode(large.kqf("left")),
        lambda: [kqf.decode(data) for data in large.encoded_quarters],
        4.3 / 4,
    )
    yield Contest(
        "threads-encode",
        f"encode by default with two threads, {large.megapixels}",
        "one thread",
        lambda: kqf.encode(large.pixels, threads=2),
        lambda: kqf.encode(large.pixels, threads=1),
        0.65,
        partial(of_file, large.pixels),
        error=1.0,
    )
    for predictor in ("none", "left", "up"):
        yield Contest(
            f"threads-decode-{predictor}",
            f"decode with two threads, predictor {predictor}, {large.megapixels}",
            "one thread",
            lambda predictor=predictor: kqf.decode(large.kqf(predictor), threads=2),
            lambda predictor=predictor: kqf.decode(large.kqf(predictor), threads=1),
            0.65,
            partial(of_pixels, large),
        )


def limits(large: Picture) -> Iterator[Contest]:
    streams = cache(lambda predictor: labels_of(large.kqf(predictor)))
    copy = cache(lambda: np.empty_like(large.indexed.labels))
    for predictor in ("none", "left", "up"):
        decode = partial(lambda predictor: kqf.read_indexed(large.kqf(predictor), threads=1))
        yield Contest(
            f"limit-inflate-{predictor}",
            f"decode labels with one thread, predictor {predictor}, {large.megapixels}",
            "inflate alone, libdeflate",
            partial(decode, predictor),
            lambda predictor=predictor: inflate_all(streams(predictor)),
        )
        yield Contest(
            f"limit-copy-{predictor}",
            f"decode labels, predictor {predictor}, {large.megapixels}",
            "copy the labels",
            lambda predictor=predictor: kqf.read_indexed(large.kqf(predictor)),
            lambda: np.copyto(copy(), large.indexed.labels),
        )
    yield Contest(
        "limit-count",
        f"encode at effort 1, {large.megapixels}",
        "count each colour once",
        lambda: kqf.encode(large.pixels, effort=1),
        lambda: count_colors(large.pixels),
    )


_ENCODE = """
import kqf, numpy
def work(path):
    kqf.encode(numpy.load(path), effort={effort})
"""
_DECODE = """
import kqf
def work(path):
    kqf.read(path)
"""


def memory(large: Picture) -> Iterator[Load]:
    icon = Picture(np.ascontiguousarray(large.pixels[:64, :64]), large.folder, "small-part")

    def arrays() -> tuple[Path, Path]:
        return tuple(
            picture.path(".npy", lambda picture=picture: as_npy(picture.pixels))
            for picture in (large, icon)
        )

    def files(predictor: str) -> tuple[Path, Path]:
        return tuple(
            picture.path(f"-{predictor}.kqf", lambda picture=picture: picture.kqf(predictor))
            for picture in (large, icon)
        )

    for effort, target in ((1, 24), (5, 60)):
        yield Load(
            f"memory-encode-{effort}",
            f"encode at effort {effort}, {large.megapixels}",
            target,
            _ENCODE.format(effort=effort),
            arrays,
            large.size,
        )
    for predictor in ("none", "left", "up"):
        yield Load(
            f"memory-decode-{predictor}",
            f"decode, predictor {predictor}, {large.megapixels}",
            4,
            _DECODE,
            partial(files, predictor),
            large.size,
        )


def as_npy(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, pixels)
    return buffer.getvalue()


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    parser.add_argument("--only", nargs="+", metavar="ROW", help="names, or how they begin")
    parser.add_argument("--list", action="store_true", help="print the names of all rows")
    parser.add_argument("--seconds", type=float, default=3, metavar="N", help="at least, a row")
    add_output(parser)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        small, large = (
            Picture(pixels, Path(folder), name)
            for pixels, name in zip(images_from(asked.places), ("small", "large"), strict=True)
        )
        chosen = [
            row
            for row in rows(small, large)
            if not asked.only or row.name.startswith(tuple(asked.only))
        ]
        if asked.list:
            print(*(row.name for row in chosen), sep="\n")
            return
        if not chosen:
            parser.error(f"no row begins with {' or '.join(asked.only)}: see --list")
        results = []
        for row in chosen:
            results.append(weigh(row) if isinstance(row, Load) else run(row, asked.seconds))
            done = results[-1]
            value = done.ratio if isinstance(done, Timing) else done.bytes_per_pixel
            found = f"{done.name}  {number(value)} of {number(done.target)}"
            print(f"{len(results)}/{len(chosen)} {found}", file=sys.stderr, flush=True)
    write(asked, markdown(results), results)
