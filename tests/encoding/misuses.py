"""Ten calls that type checkers must refuse, one in each line that ends in a comment."""

import numpy as np

import kqf

pixels = np.zeros((20, 20, 3), np.uint8)
options: kqf.EncodeOptions = {"colors": 16, "dither": "none"}


def call_wrongly() -> None:
    kqf.encode(pixels, **options)
    kqf.encode(pixels, method="sample:100", tile=[64, 64], palette=["#000", "#fff"])
    kqf.encode(pixels, dither="fs")  # 1
    kqf.encode(pixels, metric="foo")  # 2
    kqf.encode(pixels, qualty=50)  # 3
    kqf.encode(pixels, colors="64")  # 4
    kqf.write("a.kqf", pixels, predictor="down")  # 5
    kqf.write("a.kqf", pixels, max_bytes="60k")  # 6
    kqf.quantize(pixels, tile="64")  # 7
    kqf.encode_indexed(pixels[..., 0], pixels[0], quality=50)  # 8
    kqf.learn_palette([pixels], effort=5.5)  # 9
    kqf.write_dask("a.kqf", pixels, threads=2)  # 10
