"""The metadata of images that Pillow opened, as far as KQF stores it."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps, TiffTags

from kqf.text import reason

# Pillow hands out, and most of its writers expect, EXIF with JPEG's prefix; KQF stores none.
EXIF_PREFIX = b"Exif\0\0"
# What KQF stores, and the types in which undamaged files give it.
_STORED: dict[str, tuple[type, ...]] = {
    "icc_profile": (bytes,),
    "exif": (bytes,),
    "xmp": (bytes, str),
    "dpi": (tuple,),
    "comment": (bytes, str),
}
# TIFF keeps its layout in the same directory: only these tags describe the picture.
_TIFF_TAGS = (270, 271, 272, 274, 305, 306, 315, 33432)
_TIFF_DIRECTORIES = (0x8769, 0x8825)
# Positions of pixels on Earth, IPTC, Photoshop's resources and GDAL's metadata.
_TIFF_DROPPED = (33550, 33723, 33922, 34264, 34377, 34735, 42112, 42113)
# Texts of PNG that become metadata of another kind.
_PNG_STORED = ("Comment", "XML:com.adobe.xmp", "Raw profile type exif")
_IPTC = 0x0404
_SRGB_GAMMA = 0.45455
_SRGB_CHROMATICITY = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# An image in these modes has a profile of inks or of Lab, which KQF does not store.
_CONVERTED_COLORS = ("CMYK", "LAB")
# The colour space that an ICC profile is for.
_PROFILE_SPACE = slice(16, 20)


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """Return all metadata that KQF stores, in the form in which Pillow's plugins take it."""
    found = {
        key: value
        for key, types in _STORED.items()
        if (value := image.info.get(key)) and isinstance(value, types)
    }
    if comment := image.info.get("Comment"):
        found.setdefault("comment", str(comment))
    if "exif" not in found:
        try:
            exif = _exif(image)
        except Exception as error:
            # Pillow raises anything about damaged EXIF, which is no reason to give up the picture.
            warnings.warn(f"EXIF is damaged and dropped: {reason(error)}", stacklevel=1)
        else:
            if len(exif):
                found["exif"] = exif.tobytes()
    return found


def _exif(image: Image.Image) -> Image.Exif:
    """Return EXIF that is not in one piece in the file: of TIFF, or in a text of PNG."""
    exif = image.getexif()
    if image.format != "TIFF":
        return exif
    kept = Image.Exif()
    for tag in _TIFF_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    for directory in _TIFF_DIRECTORIES:
        if entries := exif.get_ifd(directory):
            kept[directory] = entries
    return kept


def exif_of(metadata: Mapping[str, Any]) -> Image.Exif:
    """Return the EXIF in metadata; empty, with a warning, where it is damaged."""
    exif = Image.Exif()
    try:
        exif.load(metadata.get("exif", b""))
        # Damage may show only where a tag is read.
        dict(exif)
    except Exception as error:
        warnings.warn(f"EXIF is damaged and dropped: {reason(error)}", stacklevel=1)
        return Image.Exif()
    return exif


def fits_profile(image: Image.Image, profile: object) -> bool:
    """Tell whether an ICC profile still describes an image once it is gray or RGB."""
    if image.mode in _CONVERTED_COLORS:
        return profile is None
    return not isinstance(profile, bytes) or profile[_PROFILE_SPACE] not in (b"CMYK", b"Lab ")


def dropped_metadata(image: Image.Image) -> list[str]:
    """Return what a KQF file does not keep of the metadata of a loaded image, in words."""
    info = image.info
    notes = []
    texts = [key for key in getattr(image, "text", {}) if key not in _PNG_STORED]
    if texts:
        notes.append(f"PNG's text is dropped: {', '.join(texts)}")
    if not info.get("icc_profile") and "srgb" not in info:
        gamma, chromaticity = info.get("gamma"), info.get("chromaticity")
        if gamma and not np.isclose(gamma, _SRGB_GAMMA, atol=0.002):
            notes.append(f"gamma {gamma:g} is dropped: colours may look different")
        if chromaticity and not np.allclose(chromaticity, _SRGB_CHROMATICITY, atol=0.002):
            notes.append("the chromaticities are dropped: colours may look different")
    aspect = info.get("aspect")
    if aspect and aspect[0] != aspect[1]:
        notes.append(f"the pixels' aspect ratio {aspect[0]}:{aspect[1]} is dropped")
    resources = info.get("photoshop")
    if isinstance(resources, dict) and _IPTC in resources:
        notes.append("IPTC is dropped")
    tags = getattr(image, "tag_v2", {})
    if names := [
        TiffTags.lookup(tag).name.removesuffix("Tag") for tag in _TIFF_DROPPED if tag in tags
    ]:
        notes.append(f"metadata of TIFF is dropped: {', '.join(names)}")
    return notes


def take_metadata(image: Image.Image) -> dict[str, Any]:
    """Return the metadata in ``info``, and remove it from there."""
    return {key: image.info.pop(key) for key in _STORED if key in image.info}


def stripped(image: Image.Image) -> Image.Image:
    """Return an image without metadata, turned upright if EXIF or XMP says how."""
    image = _upright(image)
    take_metadata(image)
    return image


def upright_labels(labels: np.ndarray, metadata: Mapping[str, object]) -> np.ndarray:
    """Return labels (H, W) uint8 turned upright, if EXIF or XMP in ``metadata`` says how."""
    image = Image.fromarray(labels)
    image.info.update(metadata)
    return np.asarray(_upright(image))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:
        warnings.warn(f"EXIF is damaged and dropped: {reason(error)}", stacklevel=1)
        return image
