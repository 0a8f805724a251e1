"""From pixels, or labels and a codebook, to the bytes of a file."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Unpack

import numpy as np

from kqf.encoding.label_search import Labelled, LabelSearch
from kqf.encoding.options import EncodeOptions, PaletteOptions, StorageOptions, documents
from kqf.encoding.output import check_kqf_target
from kqf.encoding.settings import EncodeSettings, StorageSettings
from kqf.encoding.targets import reaching, within_bytes
from kqf.image import IndexedImage, check_indexed
from kqf.io.files import Target, write_whole
from kqf.metrics import check_ssimulacra2, check_window, psnr_of, ssim_of, ssimulacra2_of
from kqf.quantization import api as quantization
from kqf.quantization.color_image import ColorImage
from kqf.quantization.colorspace import metric_for
from kqf.quantization.pixels import as_pixels


@documents(EncodeOptions)
def encode(pixels: np.ndarray, **options: Unpack[EncodeOptions]) -> bytes:
    """Return an image as the bytes of a KQF file.

    An image of at most ``colors`` distinct colours is stored exactly. The same pixels and options,
    ``threads`` aside, give the same bytes.

    Arguments:
        pixels: uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or
            (H, W, 4) RGBA; straight alpha.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above.
        TargetError: a target can't be met.
    """
    settings = EncodeSettings(options)
    return settings.with_overviews(_label(as_pixels(pixels), settings).file)


@documents(EncodeOptions)
def quantize(pixels: np.ndarray, **options: Unpack[EncodeOptions]) -> IndexedImage:
    """Return an image with the labels and the codebook that ``kqf.encode`` stores.

    The file may have the entries of a codebook that is learned in another order.

    Arguments:
        pixels: uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or
            (H, W, 4) RGBA; straight alpha.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above.
        TargetError: a target can't be met.
    """
    settings = EncodeSettings(options)
    labelled = _label(as_pixels(pixels), settings)
    return IndexedImage(labelled.labels, labelled.codebook, settings.metadata)


@documents(EncodeOptions)
def write(target: Target, pixels: np.ndarray, **options: Unpack[EncodeOptions]) -> None:
    """Encode an image and write the file.

    A path holds the whole file in the end, or is left as it was.

    Arguments:
        target: path, URL or binary file opened for writing.
        pixels: uint8 or bool, (H, W) or (H, W, 1) gray, (H, W, 2) gray + alpha, (H, W, 3) RGB or
            (H, W, 4) RGBA; straight alpha.
        **options

    Raises:
        TypeError, ValueError: an argument is not as above, or the target's name is that of another
            image format.
        TargetError: a target can't be met.
        OSError: the file can't be written.
    """
    check_kqf_target(target)
    write_whole(target, encode(pixels, **options))


@documents(StorageOptions)
def encode_indexed(
    image_or_labels: IndexedImage | np.ndarray,
    codebook: np.ndarray | None = None,
    **options: Unpack[StorageOptions],
) -> bytes:
    """Return labels and a codebook, both kept as they are, as the bytes of a KQF file.

    Arguments:
        image_or_labels: an IndexedImage, or labels (H, W) uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 (gray), 2 (gray + alpha), 3 (RGB) or 4 (RGBA);
            None with an IndexedImage, which has its own.
        **options

    The metadata of an IndexedImage is stored unless ``metadata`` is given.

    Raises:
        TypeError, ValueError: an argument is not as above.
    """
    if isinstance(image_or_labels, IndexedImage):
        if codebook is not None:
            raise TypeError("an IndexedImage has its own codebook: give no other with it")
        labels, codebook = image_or_labels.labels, image_or_labels.codebook
        if options.get("metadata") is None:
            options["metadata"] = image_or_labels.metadata
    elif codebook is None:
        raise TypeError("labels need a codebook: encode_indexed(labels, codebook)")
    else:
        labels = image_or_labels
    check_indexed(labels, codebook)
    settings = StorageSettings(options)
    labelled = Labelled(labels, codebook, settings.layout, settings.chunks)
    return settings.with_overviews(labelled.file)


@documents(StorageOptions)
def write_indexed(
    target: Target,
    image_or_labels: IndexedImage | np.ndarray,
    codebook: np.ndarray | None = None,
    **options: Unpack[StorageOptions],
) -> None:
    """Encode labels and a codebook, both kept as they are, and write the file.

    A path holds the whole file in the end, or is left as it was.

    Arguments:
        target: path, URL or binary file opened for writing.
        image_or_labels: an IndexedImage, or labels (H, W) uint8, each below K.
        codebook: (K, C) uint8, K 1 to 256, C 1 (gray), 2 (gray + alpha), 3 (RGB) or 4 (RGBA);
            None with an IndexedImage, which has its own.
        **options

    The metadata of an IndexedImage is stored unless ``metadata`` is given.

    Raises:
        TypeError, ValueError: an argument is not as above, or the target's name is that of another
            image format.
        OSError: the file can't be written.
    """
    check_kqf_target(target)
    write_whole(target, encode_indexed(image_or_labels, codebook, **options))


@documents(PaletteOptions)
def learn_palette(
    images: np.ndarray | Iterable[np.ndarray], **options: Unpack[PaletteOptions]
) -> np.ndarray:
    """Return one codebook for several images, to be passed to ``kqf.encode`` as ``palette``.

    Images are taken one after another and only their colours are counted, in bounded memory. Their
    order makes no difference, and every pixel of all images counts the same.

    Arguments:
        images: at least one array as ``kqf.encode`` takes them; a single array of two or three
            dimensions is one image.
        **options

    Returns:
        (K, C) uint8, K at most ``colors``, C as many channels as show all of the images.

    Raises:
        TypeError, ValueError: an argument is not as above.
    """
    settings = EncodeSettings(options, PaletteOptions)
    if isinstance(images, np.ndarray) and images.ndim < 4:
        images = [images]
    histogram = quantization.count_colors(map(as_pixels, images), settings.threads)
    return quantization.learn_palette(histogram, settings.codebook(histogram.colors.shape[1]))


def _label(pixels: np.ndarray, settings: EncodeSettings) -> Labelled:
    """Return labels at the quality asked for, or at the one that meets the target."""
    if settings.target_ssim is not None:
        check_window(pixels.shape)
    if settings.target_ssimulacra2 is not None:
        check_ssimulacra2(pixels.shape)
    channels = pixels.shape[2]
    palette, label_settings = settings.palette(channels), settings.labels
    codebook_settings = settings.codebook(channels)
    image = ColorImage.of(pixels, settings.threads)
    settings.check_alpha(image.histogram.colors)

    def search(colors: int) -> LabelSearch:
        metric = metric_for(settings.metric, colors)
        codebook = replace(codebook_settings, colors=colors, metric=metric)
        quantized = quantization.quantize(image, codebook, palette)
        return LabelSearch(quantized, label_settings, is_ordered=palette is not None)

    if settings.max_bytes is not None:
        least = settings.colors if palette is not None else max(len(codebook_settings.fixed), 1)
        return within_bytes(
            search, range(least, settings.colors + 1), settings.quality, settings.max_bytes
        )
    found = search(settings.colors)
    for name, measure, target in (
        ("target_psnr", psnr_of, settings.target_psnr),
        ("target_ssim", ssim_of, settings.target_ssim),
        ("target_ssimulacra2", ssimulacra2_of, settings.target_ssimulacra2),
    ):
        if target is not None:
            return reaching(found, settings.quality, partial(measure, pixels), name, target)
    return found.at(settings.quality)
