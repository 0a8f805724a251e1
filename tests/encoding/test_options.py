"""Every option is documented, and only options that there are are taken."""

import inspect

import numpy as np
import pytest

import kqf
from kqf.encoding import options

PIXELS = np.zeros((2, 2), np.uint8)
KINDS = {
    "encode": options.EncodeOptions,
    "write": options.EncodeOptions,
    "quantize": options.EncodeOptions,
    "encode_indexed": options.StorageOptions,
    "write_indexed": options.StorageOptions,
    "learn_palette": options.PaletteOptions,
    "write_dask": options.BlockwiseOptions,
    "write_indexed_dask": options.BlockwiseStorageOptions,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_signature_and_docstring_show_all_options(name, kind):
    function = getattr(kqf, name)
    parameters = inspect.signature(function).parameters
    shown = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert shown == {name: option.default for name, option in options.options_of(kind).items()}
    assert not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    for option in shown:
        assert f"\n        {option}: " in function.__doc__
    assert "**options" not in function.__doc__
    assert max(map(len, function.__doc__.splitlines())) <= 100


@pytest.mark.parametrize("name", options.options_of(options.EncodeOptions))
def test_a_default_is_what_an_option_left_out_means(name):
    option = options.options_of(options.EncodeOptions)[name]
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert kqf.encode(pixels, **{name: option.default}) == kqf.encode(pixels)


def test_an_option_that_there_is_not_names_the_nearest():
    with pytest.raises(TypeError, match="no option 'qualty' here: did you mean 'quality'"):
        kqf.encode(PIXELS, qualty=50)
    with pytest.raises(TypeError, match="no option 'dithering' here: did you mean 'dither'"):
        kqf.quantize(PIXELS, dithering="ordered")
    with pytest.raises(
        TypeError, match="expected predictor, tile, overviews, metadata, effort, threads"
    ):
        kqf.encode_indexed(PIXELS, np.zeros((1, 1), np.uint8), colors=50)
