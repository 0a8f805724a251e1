"""KQF in imageio, scikit-image and matplotlib, where they are installed; and the page about it."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from command import few
from PIL import Image

import kqf

PAGE = Path(__file__).parents[2] / "docs" / "libraries.md"
COMMENT = {"comment": "bl\u00e5"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def figure():
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("kqf.plugins.matplotlib")
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    return Figure(figsize=(2, 1), dpi=50)


class TestImageio:
    @pytest.fixture
    def iio(self):
        return pytest.importorskip("imageio.v3")

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_pixels_and_properties_are_read(self, iio, channels):
        pixels = few(channels).squeeze()
        kqf.write("a.kqf", pixels)
        for found in (iio.imread("a.kqf"), next(iio.imiter("a.kqf"))):
            assert np.array_equal(found, pixels)
        properties = iio.improps("a.kqf")
        assert (properties.shape, properties.dtype) == (pixels.shape, np.uint8)

    def test_metadata_is_read_and_written(self, iio):
        iio.imwrite("a.kqf", few(), dpi=(300, 72), **COMMENT)
        assert kqf.read_indexed("a.kqf").metadata == {"dpi": (300, 72), **COMMENT}
        found = iio.immeta("a.kqf")
        assert (found["comment"], found["dpi"]) == ("bl\u00e5", (300, 72))

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_pixels_are_written(self, iio, channels):
        pixels = few(channels).squeeze()
        iio.imwrite("a.kqf", pixels, effort=1)
        assert Path("a.kqf").read_bytes() == kqf.encode(pixels, effort=1)

    def test_bytes(self, iio):
        with pytest.warns(UserWarning, match="file format"):
            data = iio.imwrite("<bytes>", few(), plugin="pillow", format="KQF")
        assert np.array_equal(iio.imread(data), few())

    def test_several_images_become_frames(self, iio):
        frames = np.stack([few(), few()[::-1], few()])
        iio.imwrite("a.kqf", frames, duration=40, loop=0)
        with kqf.open_animation("a.kqf") as animation:
            assert np.array_equal(animation, frames)
            assert animation.durations == (40, 40, 40)
        assert np.array_equal(iio.imread("a.kqf", index=1), frames[1])


def test_scikit_image_reads_and_writes():
    skimage_io = pytest.importorskip("skimage.io")
    skimage_io.imsave("a.kqf", few(), check_contrast=False)
    assert np.array_equal(kqf.read("a.kqf"), few())
    assert np.array_equal(skimage_io.imread("a.kqf"), few())


class TestMatplotlib:
    def test_savefig_gives_the_pixels_of_png(self, figure):
        figure.text(0.1, 0.5, "KQF", color="red")
        figure.savefig("a.kqf", pil_kwargs={"quality": 100})
        figure.savefig("a.png")
        with Image.open("a.png") as image:
            assert np.array_equal(kqf.read("a.kqf"), np.asarray(image.convert("RGB")))
        assert kqf.read_indexed("a.kqf").metadata == {"dpi": (50, 50)}

    def test_transparent_figures_keep_their_alpha(self, figure):
        figure.savefig("a.kqf", transparent=True)
        assert kqf.read("a.kqf").shape == (50, 100, 4)
        assert not kqf.read("a.kqf")[..., 3].any()

    def test_options_metadata_and_open_files(self, figure):
        figure.text(0.1, 0.5, "KQF")
        file = io.BytesIO()
        figure.savefig(
            file, format="kqf", dpi=80, metadata=COMMENT, pil_kwargs={"colors": 4, "effort": 1}
        )
        info = kqf.info(file.getvalue())
        assert (info.width, info.height, info.colors) == (160, 80, 4)
        assert kqf.read_indexed(file.getvalue()).metadata == {"dpi": (80, 80), **COMMENT}

    def test_imsave_and_imread_go_through_pillow(self, figure):
        from matplotlib import pyplot

        pyplot.imsave("a.kqf", few(4))
        assert np.array_equal(kqf.read("a.kqf"), few(4))
        assert np.array_equal(pyplot.imread("a.kqf"), few(4))

    def test_the_format_is_listed(self, figure):
        assert figure.canvas.get_supported_filetypes()["kqf"] == "KQF palette image"


def test_the_page_runs_as_it_stands():
    pytest.importorskip("imageio")
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib").use("agg")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 6
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    names["image"].close()
    names["plt"].close("all")
