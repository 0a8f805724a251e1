"""The bytes of a converted image, made from the bytes of its source."""

import io
import warnings
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

import kqf
from kqf.convert.options import ConversionOptions
from kqf.convert.palette import match_image
from kqf.io.image_metadata import stripped, take_metadata, upright_labels
from kqf.io.modes import codebook_of, without_palette
from kqf.io.palette_images import FORMATS, save_palette_image
from kqf.io.pictures import Picture, format_of, is_kqf, load, load_picture, save

# The options of the encoder that leave labels as they are.
STORAGE = ("predictor", "tile", "overviews", "effort", "threads")
# Those that mean nothing where the result is not KQF.
_KQF_ONLY = ("predictor", "tile", "overviews")
# Those that a stored palette might not satisfy: they are applied to the pixels instead.
_OF_PIXELS = {"palette", "keep", "max_bytes"}
# With any of these, a KQF file that becomes another format is quantized anew.
QUANTIZING = {*_OF_PIXELS, "colors", "dither", "dither_strength", "method", "metric", "quality"}
QUANTIZING |= {"target_psnr", "target_ssim", "target_ssimulacra2"}
_FEWEST_COLORS = 2


@dataclass(frozen=True)
class Made:
    """A file made from another.

    Attributes:
        data: its bytes.
        width, height: pixels.
        colors: entries of the codebook.
        exact: whether it shows the very pixels of its source; None where that can't be told.
        notes: what else the user should know.
        largest_error: the pixel that differs most; None where none does, or it is not known.
    """

    data: bytes
    width: int
    height: int
    colors: int
    exact: bool | None
    notes: list[str] = field(default_factory=list)
    largest_error: kqf.LargestError | None = None


def make(
    name: str,
    data: bytes,
    suffix: str,
    options: ConversionOptions,
    picture: Picture | None = None,
) -> Made:
    """Return the file of a format that a source becomes.

    Arguments:
        name, data: of the source.
        suffix: of the format to make.
        picture: made of the source already; its data is not used then.

    Raises:
        ValueError, KqfError: it cannot be made.
    """
    from_kqf = is_kqf(name, data)
    if picture is not None:
        if suffix == ".kqf":
            return _to_kqf(data, False, options, picture)
        if (
            from_kqf
            and format_of(suffix) not in FORMATS
            and not QUANTIZING & options.encoder.keys()
        ):
            return _save_picture(picture.image, suffix, options)
        return _to_palette_image(data, False, suffix, options, picture)
    if from_kqf and options.frame is not None:
        frames = kqf.info(data).frames
        if options.frame >= frames:
            raise ValueError(f"has no frame {options.frame}: the last one is {frames - 1}")
        if frames > 1:
            picture = load_picture(data, options.frame)
            return make(name, data, suffix, replace(options, frame=None), picture)
    damage: list[kqf.DamageWarning] = []
    if from_kqf and options.salvage:
        data, damage = _salvage(data, options.encoder.get("threads"))
    if suffix == ".kqf":
        made = _to_kqf(data, from_kqf, options)
    elif from_kqf and not QUANTIZING & options.encoder.keys():
        made = _from_kqf(data, suffix, options)
    else:
        made = _to_palette_image(data, from_kqf, suffix, options)
    if not damage:
        return made
    exact = made.exact and not any(each.lost for each in damage)
    notes = [*(f"damaged: {each}" for each in damage), *made.notes]
    return Made(made.data, made.width, made.height, made.colors, exact, notes, made.largest_error)


def _salvage(data: bytes, threads: int | None) -> tuple[bytes, list[kqf.DamageWarning]]:
    """Return a sound file of the intact tiles of a damaged one, and its warnings, if any."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = kqf.read_indexed(data, threads=threads, errors="salvage")
    damage = [each.message for each in caught if isinstance(each.message, kqf.DamageWarning)]
    if not damage:
        return data, damage
    sound = kqf.encode_indexed(
        found.labels, found.codebook, metadata=found.metadata, effort=1, threads=threads
    )
    return sound, damage


@dataclass
class _Source:
    """What a source holds, as the options ask for it.

    Attributes:
        stored: labels and codebook that are kept as they are; None where it is quantized.
        image: of Pillow, with the metadata in its ``info``.
        encoder: the options that apply to it.
        changes: how its pixels were changed when it was read, in words.
        notes: what else the user should know.
    """

    stored: kqf.IndexedImage | None
    image: Image.Image
    encoder: dict[str, Any]
    changes: list[str]
    notes: list[str]


def _load(data: bytes, options: ConversionOptions, picture: Picture | None) -> _Source:
    encoder = dict(options.encoder)
    picture = picture or load_picture(data, options.frame)
    image, changes = picture.image, picture.changes
    notes = [*changes, *picture.left_out]
    if options.strip:
        image = stripped(image)
    else:
        notes += picture.dropped
    if image.mode == "P" and len(codebook := codebook_of(image)) <= colors_to_keep(options):
        encoder = {key: value for key, value in encoder.items() if key in STORAGE}
        stored = kqf.IndexedImage(np.asarray(image), codebook)
        return _Source(stored, image, encoder, changes, notes)
    if "palette" in encoder:
        image, encoder["palette"] = match_image(image, encoder["palette"])
    image = without_palette(image)
    if "keep" in encoder and image.mode == "RGBA":
        encoder["keep"] = [(*color, 255)[:4] for color in encoder["keep"]]
    return _Source(None, image, encoder, changes, notes)


def _to_kqf(
    data: bytes, from_kqf: bool, options: ConversionOptions, picture: Picture | None = None
) -> Made:
    threads = options.encoder.get("threads")
    if from_kqf and kqf.info(data).colors <= colors_to_keep(options):
        return _repack(data, options)
    source = _load(data, options, picture)
    meant: kqf.IndexedImage | None = None
    if options.verify:
        meant = source.stored or kqf.quantize(np.asarray(source.image), **source.encoder)
    buffer = io.BytesIO()
    source.image.save(buffer, "KQF", **source.encoder)
    found = kqf.read_indexed(buffer.getvalue(), threads=threads)
    if meant:
        # The encoder may order a codebook that it has learned.
        is_learned = source.stored is None and source.encoder.get("palette") is None
        _verify(_ordered(found) if is_learned else found, _ordered(meant) if is_learned else meant)
    return _made(buffer.getvalue(), found, source, source.notes)


def colors_to_keep(options: ConversionOptions) -> int:
    """Return how many colours a stored palette may have to be kept as it is, 0 for none."""
    if _OF_PIXELS & options.encoder.keys():
        return 0
    colors: int = options.encoder.get("colors", 256)
    return colors


def _repack(data: bytes, options: ConversionOptions) -> Made:
    """Store the labels of a KQF file anew."""
    threads = options.encoder.get("threads")
    storage = {key: value for key, value in options.encoder.items() if key in STORAGE}
    meant = kqf.read_indexed(data, threads=threads)
    metadata = meant.metadata
    if options.strip:
        meant = kqf.IndexedImage(upright_labels(meant.labels, metadata), meant.codebook)
        metadata = {}
    made = kqf.encode_indexed(meant.labels, meant.codebook, metadata=metadata, **storage)
    if options.verify:
        _verify(kqf.read_indexed(made, threads=threads), meant)
    height, width = meant.labels.shape
    return Made(made, width, height, len(meant.codebook), True)


def _made(data: bytes, found: kqf.IndexedImage, source: _Source, notes: list[str]) -> Made:
    """Return a file that holds ``found``, compared with the pixels that it was made from."""
    pixels, shown = np.asarray(without_palette(source.image)), found.pixels
    same = np.array_equal(shown, pixels)
    largest = None if same else kqf.largest_error(pixels, shown)
    height, width = found.labels.shape
    exact = same and not source.changes
    return Made(data, width, height, len(found.codebook), exact, notes, largest)


def _ordered(image: kqf.IndexedImage) -> kqf.IndexedImage:
    """Return an image with its codebook sorted."""
    order = np.lexsort(image.codebook.T)
    return kqf.IndexedImage(np.argsort(order).astype(np.uint8)[image.labels], image.codebook[order])


def _verify(found: kqf.IndexedImage, meant: kqf.IndexedImage) -> None:
    if not np.array_equal(found.labels, meant.labels):
        raise ValueError("verification failed: it decodes to other labels than meant")
    if not np.array_equal(found.codebook, meant.codebook):
        raise ValueError("verification failed: it decodes to another codebook than meant")


def _from_kqf(data: bytes, suffix: str, options: ConversionOptions) -> Made:
    """Save a KQF file in another format, with its very pixels."""
    _refuse_encoder(suffix, options)
    # Its errors name what is wrong, where Pillow's would say that the file is not an image.
    head = kqf.info(data)
    image, _ = load(data)
    return _save_picture(image, suffix, options, head.colors)


def _save_picture(
    image: Image.Image, suffix: str, options: ConversionOptions, colors: int | None = None
) -> Made:
    """Save an image in another format than KQF, with its very pixels if that keeps them.

    Arguments:
        colors: entries of its codebook; None where it has none, and its colours are counted.
    """
    _refuse_encoder(suffix, options)
    file_format = format_of(suffix)
    if options.strip:
        image = stripped(image)
    made, exact, dropped = save(image, file_format, take_metadata(image))
    if options.verify and not exact:
        what = "shows other pixels" if exact is False else "cannot be read back"
        raise ValueError(f"verification failed: as {file_format} it {what}")
    width, height = image.size
    if colors is None:
        colors = len(image.getcolors(width * height) or ())
    return Made(made, width, height, colors, exact, notes_on(file_format, dropped))


def _refuse_encoder(suffix: str, options: ConversionOptions) -> None:
    # A batch may hold other images as well, for which these options mean something.
    ignored = {*STORAGE, "seed"} - set(_KQF_ONLY) if options.only_smaller else {"threads"}
    refuse_for(suffix, options.encoder.keys() - ignored)


def refuse_for(suffix: str, keys: Iterable[str]) -> None:
    """Refuse options that mean nothing for files of another format than KQF."""
    refuse(keys, f"for writing KQF alone, not {suffix}")


def refuse(keys: Iterable[str], reason: str) -> None:
    """Raise ValueError with the flags of the command that these options have, if there are any."""
    if flags := sorted(f"--{key.replace('_', '-')}" for key in keys):
        raise ValueError(f"{', '.join(flags)}: {reason}")


def notes_on(file_format: str, dropped: list[str]) -> list[str]:
    """Return a note on metadata that a format cannot keep, if there is any."""
    return [f"{file_format} keeps no {', '.join(dropped)}"] if dropped else []


def _to_palette_image(
    data: bytes,
    from_kqf: bool,
    suffix: str,
    options: ConversionOptions,
    picture: Picture | None = None,
) -> Made:
    """Quantize an image and save it in another format than KQF."""
    refuse_for(suffix, options.encoder.keys() & set(_KQF_ONLY))
    file_format = format_of(suffix)
    if from_kqf:
        # Its errors name what is wrong, where Pillow's would say that the file is not an image.
        kqf.info(data)
    source = _load(data, options, picture)
    metadata = _as_stored(take_metadata(source.image))
    limit = source.encoder.pop("max_bytes", None)

    def saved(colors: int | None) -> tuple[bytes, list[str], kqf.IndexedImage]:
        encoder = dict(source.encoder)
        if colors is not None:
            encoder["colors"] = colors
        image = source.stored or kqf.quantize(np.asarray(source.image), **encoder)
        return *_save(image, file_format, metadata, "palette" in encoder), image

    made, dropped, image = saved(None)
    if limit is not None and len(made) > limit:
        most = min(source.encoder.get("colors", 256), len(image.codebook))
        choices = range(_FEWEST_COLORS, most)
        fits = bisect_left(choices, True, key=lambda colors: len(saved(colors)[0]) > limit)
        made, dropped, image = saved(choices[max(fits - 1, 0)])
        if len(made) > limit:
            raise kqf.TargetError(
                f"max_bytes={limit} can't be met: {len(image.codebook)} colours take {len(made)}"
            )
    if options.verify and file_format in FORMATS:
        _verify_shown(made, image, file_format)
    return _made(made, image, source, [*source.notes, *notes_on(file_format, dropped)])


def _save(
    image: kqf.IndexedImage, file_format: str, metadata: Mapping[str, Any], keep_palette: bool
) -> tuple[bytes, list[str]]:
    """Return a file with exactly the colours of an indexed image, and the metadata it lacks."""
    if file_format in FORMATS:
        return save_palette_image(
            image.labels, image.codebook, file_format, metadata, keep_palette=keep_palette
        )
    data, exact, dropped = save(image.to_pillow(), file_format, metadata)
    if not exact:
        raise ValueError(f"{file_format} does not keep exact colours: .png, .gif and .webp do")
    return data, dropped


def _as_stored(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata in the types that all of Pillow's writers take."""
    stored = dict(metadata)
    if isinstance(comment := stored.get("comment"), bytes):
        stored["comment"] = comment.rstrip(b"\0").decode("utf-8", "replace")
    if isinstance(xmp := stored.get("xmp"), str):
        stored["xmp"] = xmp.encode()
    return stored


def _verify_shown(data: bytes, image: kqf.IndexedImage, file_format: str) -> None:
    """Raise ValueError unless a file shows exactly the pixels of an indexed image."""
    with Image.open(io.BytesIO(data)) as opened:
        shown = np.array(opened.convert("RGBA"))
    meant = np.array(Image.fromarray(image.pixels).convert("RGBA"))
    # Nobody sees the colours of transparent pixels, and GIF has none.
    for pixels in (shown, meant):
        pixels[pixels[..., 3] == 0] = 0
    if not np.array_equal(shown, meant):
        raise ValueError(f"verification failed: as {file_format} it shows other pixels")
