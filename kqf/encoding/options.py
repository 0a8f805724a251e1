"""The options of the encoder: type, default and description of each, stated once."""

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

import numpy as np

from kqf.encoding.effort import DEFAULT_EFFORT
from kqf.format.declarations import MAX_COLORS

if TYPE_CHECKING:
    from PIL.Image import Dither as PillowDither

    from kqf.palettes.coerce import Palette

Metric = Literal["mse", "perceptual"]
Dither: TypeAlias = "Literal['none', 'auto', 'ordered', 'floyd-steinberg'] | PillowDither"
PredictorName = Literal["auto", "none", "left", "up", "copy", "packed"]
Colors: TypeAlias = np.ndarray | Sequence[Sequence[int]]
Tile: TypeAlias = int | Sequence[int] | np.ndarray

DEFAULT_METHOD = "kmeans"


class Option(NamedTuple):
    """What the documentation says of an option.

    Attributes:
        default: its value where it is not given.
        text: its type, range, default and meaning.
    """

    default: object
    text: str


class _Codebook(TypedDict, total=False):
    colors: Annotated[
        int, Option(MAX_COLORS, "1 to 256, by default 256; entries of the codebook at most.")
    ]
    metric: Annotated[
        Metric,
        Option(
            "perceptual",
            'what counts as error: "perceptual" (default), what people see: squared distance in '
            'Oklab, more of it in calm areas; or "mse", squared error of the sRGB values.',
        ),
    ]
    method: Annotated[
        str,
        Option(
            DEFAULT_METHOD,
            'how to learn the codebook: "kmeans" (default), the best; "minibatch" (k-means on '
            'small batches); "agglomerative" (Ward\'s merging); "median-cut" (Pillow\'s, without '
            'alpha); "octree" (Pillow\'s); "random" (colours of random pixels); or "sample:N" '
            '(scikit-learn\'s k-means on N random pixels). "median-cut", "octree" and "random" '
            "give the same codebook for all metrics.",
        ),
    ]
    keep: Annotated[
        Colors | None,
        Option(
            None,
            "(n, C) integers from 0 to 255, by default None; colours that the codebook must hold "
            "exactly. Not with palette.",
        ),
    ]
    seed: Annotated[
        int, Option(0, "at least 0, by default 0; of the random numbers that learning uses.")
    ]


class _Labels(TypedDict, total=False):
    quality: Annotated[
        int | None,
        Option(
            None,
            "1 to 100; at 100 each pixel becomes the nearest colour of the codebook, and the lower "
            "the quality, the more error is accepted for fewer bytes. What is exact at 100 is "
            "exact at every quality. Photographs with 256 colours reach a SSIMULACRA2 of 81 in the "
            "mean at 100 and at 75, 79 at 50 and 71 at 25. None (default) stands for 75, whose "
            "faint bands show in skies alone; for 100 with effort 1 or dither but auto; with a "
            "target it is the highest quality to try, 100.",
        ),
    ]
    palette: Annotated[
        "Palette | None",
        Option(
            None,
            "codebook to use as it is, its order and unused entries included: an array (K, C) of "
            'integers from 0 to 255 or of booleans, a list of tuples or of "#rrggbb" strings, the '
            "path of a palette file or image, the name of a built-in palette, an IndexedImage, a "
            "Pillow image or a Pillow ImagePalette. None (default): a codebook is learned.",
        ),
    ]


class _Targets(TypedDict, total=False):
    dither: Annotated[
        "Dither | None",
        Option(
            None,
            'None or "none" (default); "ordered", a pattern that compresses well; '
            '"floyd-steinberg", error diffusion, smoother and some bytes more; or a '
            'PIL.Image.Dither; or "auto", error diffusion where bands would be seen in more than '
            "1 % of the image, and else none. At quality 100 all of the image is dithered, below "
            "it the calm areas, where bands would show.",
        ),
    ]
    dither_strength: Annotated[
        float, Option(1.0, "0 (none) to 1 (default); share of the error that dithering passes on.")
    ]
    target_psnr: Annotated[
        float | None,
        Option(
            None,
            "above 0, dB, by default None; find the lowest quality whose kqf.psnr is at least "
            "this. One target at a time.",
        ),
    ]
    target_ssim: Annotated[
        float | None,
        Option(
            None,
            "above 0, by default None; find the lowest quality whose kqf.ssim is at least this. "
            "Images must be 11 x 11 pixels or larger.",
        ),
    ]
    target_ssimulacra2: Annotated[
        float | None,
        Option(
            None,
            "above 0, at most 100, by default None; find the lowest quality whose kqf.ssimulacra2 "
            "is at least this: about 70 is high quality, 90 cannot be told from the original.",
        ),
    ]
    max_bytes: Annotated[
        int | None,
        Option(
            None,
            "at least 1, bytes, by default None; find the highest quality whose file is not "
            "larger; if no quality is small enough, with fewer colours.",
        ),
    ]


class _Layout(TypedDict, total=False):
    predictor: Annotated[
        PredictorName,
        Option(
            "auto",
            '"none", "left", "up", "copy", "packed" (for at most 16 colours), or "auto" (default) '
            "for the smallest file.",
        ),
    ]
    tile: Annotated[
        Tile | None,
        Option(
            None,
            "(width, height) of the tiles, 1 to 2**31 - 1 pixels, or one integer for square tiles; "
            "None (default) for the sizes that suit the image.",
        ),
    ]
    overviews: Annotated[
        bool | None,
        Option(
            None,
            "whether to store smaller pictures of the image, too, from which a part of the file "
            "shows all of it; about a tenth more bytes. None (default): for images of 2**24 pixels "
            "or more, unless there is max_bytes. Images of at most 512 pixels a side have none.",
        ),
    ]
    metadata: Annotated[
        Mapping[str, object] | None,
        Option(
            None,
            'mapping with any of "icc_profile", "exif", "xmp" (bytes), "dpi" (two numbers) and '
            '"comment" (str); by default None.',
        ),
    ]


class _Effort(TypedDict, total=False):
    effort: Annotated[
        int, Option(DEFAULT_EFFORT, f"1 (fast) to 9 (small), by default {DEFAULT_EFFORT}.")
    ]


class _Threads(TypedDict, total=False):
    threads: Annotated[
        int | None,
        Option(None, "at least 1; use at most so many; None (default) for one per processor."),
    ]


class PaletteOptions(_Codebook, _Effort, _Threads, total=False):
    """Options of ``kqf.learn_palette``."""


class BlockwiseStorageOptions(_Layout, _Effort, total=False):
    """Options of ``kqf.write_indexed_dask``."""


class BlockwiseOptions(_Codebook, _Labels, _Layout, _Effort, total=False):
    """Options of ``kqf.write_dask``."""


class StorageOptions(_Layout, _Effort, _Threads, total=False):
    """Options of ``kqf.encode_indexed`` and ``kqf.write_indexed``."""


class EncodeOptions(_Codebook, _Labels, _Targets, _Layout, _Effort, _Threads, total=False):
    """Options of ``kqf.encode``, ``kqf.write`` and ``kqf.quantize``."""


def options_of(kind: type) -> dict[str, Option]:
    """Return all options of a TypedDict of this module by name, in the order of its documentation.

    >>> list(options_of(StorageOptions))
    ['predictor', 'tile', 'overviews', 'metadata', 'effort', 'threads']
    """
    return {name: hint.__metadata__[0] for name, hint in kind.__annotations__.items()}


def with_defaults(given: Mapping[str, object], kind: type) -> dict[str, Any]:
    """Return all options of the encoder: those given, and the defaults of all others.

    Arguments:
        kind: TypedDict of the options that may be given.

    Raises:
        TypeError: another option is given.
    """
    allowed = options_of(kind)
    for name in given:
        if name not in allowed:
            close = get_close_matches(name, allowed, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected {', '.join(allowed)}"
            raise TypeError(f"there is no option {name!r} here: {hint}")
    return {name: option.default for name, option in options_of(EncodeOptions).items()} | {**given}


Function = TypeVar("Function", bound=Callable[..., Any])


def documents(kind: type) -> Callable[[Function], Function]:
    """Return a decorator that documents a function's ``**options`` by a TypedDict.

    The line ``**options`` of the docstring's arguments is replaced by all options, and
    ``inspect.signature`` shows them with their defaults.
    """

    def decorate(function: Function) -> Function:
        options = options_of(kind)
        signature = inspect.signature(function)
        parameters = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters += [
            inspect.Parameter(name, keyword, default=option.default)
            for name, option in options.items()
        ]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        if function.__doc__:
            lines = [_described(name, option) for name, option in options.items()]
            function.__doc__ = function.__doc__.replace("        **options", "\n".join(lines))
        return function

    return decorate


def _described(name: str, option: Option) -> str:
    text, indent = f"{name}: {option.text}", 8 * " "
    return textwrap.fill(text, 92, initial_indent=indent, subsequent_indent=indent + 4 * " ")
