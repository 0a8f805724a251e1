"""The Pillow plugin: opening, loading, saving, metadata, and how each of them fails."""

import copy
import gc
import io
import multiprocessing
import pickle
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from conftest import head, put_together
from PIL import (
    Image,
    ImageCms,
    ImageFile,
    ImagePalette,
    ImageSequence,
    UnidentifiedImageError,
)

import kqf
from kqf.format.chunks import build_chunk

WIDTH, HEIGHT = 45, 33
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><x:note>blue</x:note></x:xmpmeta>'
EXIF_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112


def make_labels(colors, seed=1):
    return np.random.default_rng(seed).integers(0, colors, (HEIGHT, WIDTH)).astype(np.uint8)


def make_codebook(colors, channels, seed=2):
    """Distinct random entries; translucent in several ways where there is alpha."""
    codebook = np.random.default_rng(seed).permutation(256)[:colors, None].astype(np.uint8)
    codebook = (codebook + np.array([0, 50, 100, 150], np.uint8)[:channels]).astype(np.uint8)
    if channels in (2, 4):
        codebook[:3, -1] = 0, 128, 255
    return codebook


def make_file(channels=3, colors=20, **options):
    return kqf.encode_indexed(make_labels(colors), make_codebook(colors, channels), **options)


def make_palette_image(palette, rawmode="RGB", colors=4):
    im = Image.fromarray(make_labels(colors))
    im.putpalette(palette, rawmode)
    return im


def make_exif():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def open_bytes(data):
    return Image.open(io.BytesIO(data))


def save_bytes(im, **params):
    file = io.BytesIO()
    im.save(file, "KQF", **params)
    return file.getvalue()


def resave(im, **params):
    return open_bytes(save_bytes(im, **params))


def damage(data, chunk, offset=8):
    """Flip a bit so many bytes after the start of a chunk's type."""
    data = bytearray(data)
    data[data.index(chunk) + offset] ^= 1
    return bytes(data)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image.kqf"
    path.write_bytes(make_file())
    return path


class TestRegistration:
    def test_format_extension_and_type_are_registered(self, path):
        assert Image.registered_extensions()[".kqf"] == "KQF"
        assert Image.MIME["KQF"] == "image/x-kqf"
        with Image.open(path) as im:
            assert im.format == "KQF"
            assert im.get_format_mimetype() == "image/x-kqf"

    def test_register_may_be_called_again(self):
        kqf.register()
        kqf.register()
        assert Image.ID.count("KQF") == 1

    def test_register_can_be_pickled(self):
        assert pickle.loads(pickle.dumps(kqf.register)) is kqf.register

    @pytest.mark.slow
    def test_import_registers_and_opening_and_saving_leave_sklearn_out(self, path):
        code = (
            "import sys, kqf; from PIL import Image\n"
            "im = Image.open(sys.argv[1]); im.load(); im.save(sys.argv[1])\n"
            "assert im.format == 'KQF'; assert 'sklearn' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code, path], check=True, timeout=60)

    def test_a_file_is_known_by_its_content(self, tmp_path):
        path = tmp_path / "misnamed.png"
        path.write_bytes(make_file())
        with Image.open(path) as im:
            assert im.format == "KQF"

    def test_a_name_alone_makes_no_kqf_file(self, tmp_path):
        path = tmp_path / "no.kqf"
        path.write_bytes(b"not an image, whatever it is called")
        with pytest.raises(UnidentifiedImageError):
            Image.open(path)

    def test_open_without_signature_is_a_syntax_error(self):
        factory, accept = Image.OPEN["KQF"]
        assert not accept(b"\x89PNG\r\n\x1a\n")
        for data in (b"\x89PNG\r\n\x1a\n" * 9, b"", make_file()[:5]):
            with pytest.raises(SyntaxError, match="not a KQF file"):
                factory(io.BytesIO(data), "")


class TestModes:
    @pytest.mark.parametrize(
        ("channels", "mode"),
        [(1, "L"), (2, "LA"), (3, "P"), (4, "P")],
        ids=["L", "LA", "RGB", "RGBA"],
    )
    def test_channels_decide_the_mode_before_loading(self, channels, mode):
        im = open_bytes(make_file(channels))
        assert (im.mode, im.size) == (mode, (WIDTH, HEIGHT))
        im.load()
        assert (im.mode, im.size) == (mode, (WIDTH, HEIGHT))

    def test_gray_pixels_are_those_of_the_codebook(self):
        data = make_file(1)
        assert np.array_equal(np.asarray(open_bytes(data)), kqf.decode(data))

    def test_gray_and_alpha_are_those_of_the_codebook(self):
        data = make_file(2)
        assert np.array_equal(np.asarray(open_bytes(data)), kqf.decode(data))

    @pytest.mark.parametrize("channels", [3, 4])
    def test_palette_and_labels_are_those_of_the_file(self, channels):
        im = open_bytes(make_file(channels))
        assert im.palette.mode == ("RGBA" if channels == 4 else "RGB")
        assert im.palette.tobytes() == make_codebook(20, channels).tobytes()
        assert np.array_equal(np.asarray(im), make_labels(20))
        assert im.getpalette(None) == make_codebook(20, channels).ravel().tolist()

    def test_entries_that_no_pixel_has_are_kept(self):
        data = kqf.encode_indexed(np.zeros((2, 2), np.uint8), make_codebook(256, 3))
        assert open_bytes(data).getpalette() == make_codebook(256, 3).ravel().tolist()

    @pytest.mark.parametrize("channels", [3, 4])
    def test_conversion_gives_the_pixels(self, channels):
        data = make_file(channels)
        pixels = kqf.decode(data)
        rgba = np.asarray(open_bytes(data).convert("RGBA"))
        assert np.array_equal(rgba[..., :channels], pixels)
        assert np.array_equal(np.asarray(open_bytes(data).convert("RGB")), pixels[..., :3])

    @pytest.mark.parametrize(
        ("target", "params"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})]
    )
    @pytest.mark.parametrize("channels", [3, 4])
    def test_colours_and_alpha_survive_saving_as(self, channels, target, params):
        data = make_file(channels)
        file = io.BytesIO()
        open_bytes(data).save(file, target, **params)
        pixels = np.asarray(Image.open(file).convert("RGBA"))
        assert np.array_equal(pixels, np.asarray(open_bytes(data).convert("RGBA")))

    @pytest.mark.parametrize("target", ["PNG", "WEBP", "GIF"])
    @pytest.mark.parametrize("entry", [0, 7, 19])
    def test_one_transparent_colour_survives_saving_as(self, entry, target):
        codebook = make_codebook(20, 4)
        codebook[:, 3] = 255
        codebook[entry, 3] = 0
        data = kqf.encode_indexed(make_labels(20), codebook)
        im = open_bytes(data)
        assert im.has_transparency_data
        assert np.array_equal(np.asarray(im.copy().convert("RGBA")), kqf.decode(data))
        file = io.BytesIO()
        im.save(file, target, **({"lossless": True} if target == "WEBP" else {}))
        pixels = np.asarray(Image.open(file).convert("RGBA"))
        visible = pixels[..., 3:] > 0
        assert np.array_equal(pixels * visible, kqf.decode(data) * visible)
        assert np.array_equal(visible, kqf.decode(data)[..., 3:] > 0)

    @pytest.mark.parametrize("door", ["name", "format", "copy"])
    def test_several_transparent_colours_survive_saving_as_gif(self, tmp_path, door):
        codebook = make_codebook(20, 4)
        codebook[:, 3] = 255
        codebook[[3, 7, 19], 3] = 0
        data = kqf.encode_indexed(make_labels(20), codebook)
        path = tmp_path / ("image.gif" if door == "name" else "image")
        im = open_bytes(data)
        if door == "copy":
            im = copy.deepcopy(im)
        im.save(path, None if door == "name" else "GIF")
        with Image.open(path) as saved:
            pixels = np.asarray(saved.convert("RGBA"))
        visible = kqf.decode(data)[..., 3:] > 0
        assert np.array_equal(pixels[..., 3:] > 0, visible)
        assert np.array_equal(pixels * visible, kqf.decode(data) * visible)
        assert np.array_equal(np.asarray(im), make_labels(20))

    def test_hidden_opaque_colours_survive_saving_as_gif(self):
        codebook = make_codebook(20, 4)
        codebook[:, 3] = 255
        file = io.BytesIO()
        data = kqf.encode_indexed(make_labels(20), codebook)
        open_bytes(data).save(file, "GIF")
        assert np.array_equal(np.asarray(Image.open(file).convert("RGBA")), kqf.decode(data))

    def test_translucent_colours_are_refused_as_gif(self):
        file = io.BytesIO()
        with pytest.raises(ValueError, match=r"GIF has no translucent colours.* has #"):
            open_bytes(make_file(4)).save(file, "GIF")
        assert not file.getvalue()

    def test_rgb_saved_as_gif_keeps_its_colours(self):
        file = io.BytesIO()
        open_bytes(make_file(3)).save(file, "GIF")
        assert np.array_equal(np.asarray(Image.open(file).convert("RGB")), kqf.decode(make_file(3)))

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_pixels_outlive_everything_they_came_from(self, channels):
        images = [open_bytes(make_file(channels)) for _ in range(9)]
        for im in images:
            im.load()
        gc.collect()
        assert all(np.array_equal(im, open_bytes(make_file(channels))) for im in images)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_a_loaded_image_can_be_drawn_on_in_place(self, channels):
        im = open_bytes(make_file(channels))
        im.load()[1, 2] = 3
        im.putpixel((2, 1), 4)
        im.paste(5, (3, 3, 6, 6))
        assert [im.getpixel(at) for at in ((1, 2), (2, 1), (4, 4))] == [3, 4, 5]
        im.resize((9, 9)).crop((0, 0, 3, 3)).load()


class CountingFile(io.BytesIO):
    """Counts the bytes handed out."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


class TestOpening:
    def test_from_path_and_string(self, path):
        for source in (path, str(path), bytes(path)):
            with Image.open(source) as im:
                assert np.array_equal(np.asarray(im), make_labels(20))

    def test_from_an_open_file_that_stays_open(self, path):
        with path.open("rb") as file:
            im = Image.open(file)
            im.load()
            assert not file.closed

    def test_from_a_file_that_can_only_read_seek_and_tell(self, path):
        class Bare:
            def __init__(self, file):
                self.read, self.seek, self.tell = file.read, file.seek, file.tell

        with path.open("rb") as file:
            assert np.array_equal(np.asarray(Image.open(Bare(file))), make_labels(20))

    def test_from_a_stream_that_cannot_seek(self, path):
        class Stream:
            def __init__(self, data):
                self.read = io.BytesIO(data).read

        assert np.array_equal(np.asarray(Image.open(Stream(path.read_bytes()))), make_labels(20))

    def test_from_the_middle_of_a_file(self):
        factory, _ = Image.OPEN["KQF"]
        file = io.BytesIO(b"before" + make_file())
        file.seek(6)
        assert np.array_equal(np.asarray(factory(file, "")), make_labels(20))
        file.seek(6)
        factory(file, "").verify()

    def test_reads_nothing_of_the_tiles(self):
        data = make_file(colors=256, tile=8)
        file = CountingFile(data)
        Image.open(file)
        assert file.count < data.index(b"LABL") + 64

    def test_pillow_closes_its_file_after_loading(self, path):
        im = Image.open(path)
        file = im.fp
        im.load()
        assert file.closed
        assert im.fp is None

    def test_loading_twice_is_loading_once(self, path):
        with Image.open(path) as im:
            im.load()
            im.load()
            assert np.array_equal(np.asarray(im), make_labels(20))

    def test_an_image_closed_before_loading_says_so(self, path):
        with Image.open(path) as im:
            pass
        with pytest.raises(ValueError, match="closed"):
            im.load()
        im = Image.open(path)
        im.close()
        with pytest.raises(ValueError, match="closed"):
            im.load()

    @pytest.mark.parametrize("step", [1, 7, 100])
    def test_parser_takes_a_few_bytes_at_a_time(self, step):
        data = make_file(4, tile=16, metadata={"comment": "fed"})
        parser = ImageFile.Parser()
        for start in range(0, len(data), step):
            parser.feed(data[start : start + step])
        im = parser.close()
        assert im.format == "KQF"
        assert im.info["comment"] == "fed"
        assert np.array_equal(np.asarray(im), make_labels(20))

    @pytest.mark.parametrize("end", [6, 40, -20])
    def test_parser_reports_data_that_ends_early(self, end):
        parser = ImageFile.Parser()
        parser.feed(make_file()[:end])
        with pytest.raises(OSError):  # noqa: PT011 - the text is Pillow's or the format's
            parser.close()

    def test_many_threads_open_and_load(self, tmp_path):
        paths = []
        for seed in range(24):
            paths.append(tmp_path / f"{seed}.kqf")
            kqf.write_indexed(paths[-1], make_labels(9, seed), make_codebook(9, 3), tile=16)

        def load(path):
            with Image.open(path) as im:
                return np.array(im)

        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(load, paths * 3))
        for seed, labels in enumerate(loaded):
            assert np.array_equal(labels, make_labels(9, seed % 24))

    def test_many_threads_share_an_image_that_is_not_loaded(self):
        data = make_file(4, tile=8)
        expected = kqf.decode(data)
        with ThreadPoolExecutor(8) as pool:
            for _ in range(30):
                im = open_bytes(data)
                for pixels in pool.map(lambda im: np.asarray(im.convert("RGBA")), [im] * 8):
                    assert np.array_equal(pixels, expected)

    @pytest.mark.slow
    def test_spawned_workers_open_files(self, path):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context, initializer=kqf.register) as pool:
            im = pool.submit(Image.open, path).result(timeout=60)
        assert im.format == "KQF"
        assert np.array_equal(np.asarray(im), make_labels(20))

    @pytest.mark.parametrize("loaded", [False, True])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, copy.deepcopy, Image.Image.copy, lambda im: pickle.loads(pickle.dumps(im))],
        ids=["copy", "deepcopy", "Image.copy", "pickle"],
    )
    def test_duplicates_are_whole(self, duplicate, channels, loaded):
        data = make_file(channels, metadata={"comment": "twice", "exif": b"MM"})
        im = open_bytes(data)
        if loaded:
            im.load()
        other = duplicate(im)
        assert (other.mode, other.size, other.info) == (im.mode, im.size, im.info)
        assert other.getpalette(None) == im.getpalette(None)
        assert np.array_equal(np.asarray(other), np.asarray(im))
        assert np.array_equal(np.asarray(other.convert("RGBA")), np.asarray(im.convert("RGBA")))

    def test_a_pickled_image_keeps_its_palette_after_a_conversion(self):
        codebook = make_codebook(20, 4)
        codebook[:, 3] = 255
        codebook[7, 3] = 0
        im = open_bytes(kqf.encode_indexed(make_labels(20), codebook))
        # Pillow puts the transparency into the palette that it converts.
        pixels = np.asarray(im.convert("RGBA"))
        other = pickle.loads(pickle.dumps(im))
        assert other.palette.mode == "RGB"
        assert other.getpalette() == im.getpalette()
        assert np.array_equal(np.asarray(other.convert("RGBA")), pixels)


class TestAsPillowsOwn:
    """What Pillow's plugins for PNG and GIF do, and KQF does too."""

    @pytest.fixture(params=["PNG", "GIF", "KQF"])
    def path(self, request, tmp_path):
        path = tmp_path / f"image.{request.param.lower()}"
        open_bytes(make_file()).save(path)
        return path

    def test_one_frame(self, path):
        with Image.open(path) as im:
            assert (im.n_frames, im.is_animated, im.tell()) == (1, False, 0)
            im.seek(0)
            with pytest.raises(EOFError):
                im.seek(1)
            assert [frame.size for frame in ImageSequence.Iterator(im)] == [(WIDTH, HEIGHT)]
            assert np.array_equal(np.asarray(im.convert("RGB")), kqf.decode(make_file()))

    def test_thumbnail_and_draft(self, path):
        with Image.open(path) as im:
            assert im.draft("L", (9, 9)) is None
            im.thumbnail((20, 20))
            assert im.size == (20, 15)
            assert im.mode == "P"

    def test_a_loaded_image_stays_usable_when_it_is_closed(self, path):
        with Image.open(path) as im:
            im.load()
        assert im.convert("RGB").size == (WIDTH, HEIGHT)
        im.close()
        with pytest.raises(ValueError, match=r"[Cc]losed"):
            im.convert("RGB")

    def test_info_is_not_shared_with_copies(self, path):
        with Image.open(path) as im:
            im.info["note"] = 1
            other = im.copy()
            other.info["note"] = 2
            assert im.info["note"] == 1

    def test_saving_without_changes_keeps_the_palette(self, path):
        with Image.open(path) as im:
            again = resave(im)
        assert np.array_equal(np.asarray(again), make_labels(20))

    def test_edited_exif_is_saved_where_it_is_given(self, path):
        with Image.open(path) as im:
            exif = im.getexif()
            exif[ORIENTATION] = 8
            exif[0x010F] = "maker"
            again = resave(im, exif=exif)
        assert dict(again.getexif()) == {ORIENTATION: 8, 0x010F: "maker"}


class TestVerify:
    def test_a_good_file_passes_and_is_closed(self, path):
        im = Image.open(path)
        file = im.fp
        im.verify()
        assert file.closed
        with pytest.raises(OSError, match="cannot load"):
            im.load()

    def test_all_tiles_are_inflated(self):
        data = make_file(tile=16, predictor="none")
        start = data.rindex(b"LABL")
        length = int.from_bytes(data[start - 4 : start], "big")
        payload = bytearray(data[start + 4 : start + 4 + length])
        payload[-1] ^= 1  # of the Adler-32, under a CRC that is right
        chunk = build_chunk(b"LABL", bytes(payload))
        data = data[: start - 4] + chunk + data[start + 8 + length :]
        with pytest.raises(OSError, match="LABL"):
            open_bytes(data).verify()

    @pytest.mark.parametrize("chunk", [b"LABL", b"DONE"])
    def test_each_checksum_is_checked(self, chunk):
        data = damage(make_file(), chunk, 4)
        with pytest.raises(OSError, match=f"{chunk.decode()}: crc"):
            open_bytes(data).verify()

    def test_a_damaged_file_is_closed_too(self, path):
        path.write_bytes(damage(path.read_bytes(), b"DONE", 4))
        im = Image.open(path)
        file = im.fp
        with pytest.raises(OSError, match="DONE"):
            im.verify()
        assert file.closed

    def test_what_follows_the_end_is_an_error(self):
        with pytest.raises(OSError, match="nothing after DONE"):
            open_bytes(make_file() + b"?").verify()

    def test_comes_before_loading(self):
        im = open_bytes(make_file())
        im.load()
        with pytest.raises(RuntimeError, match="before"):
            im.verify()


class TestDamage:
    @pytest.mark.parametrize("chunk", [b"HEAD", b"CODE", b"text"])
    def test_a_damaged_header_says_what_is_wrong(self, chunk):
        data = damage(make_file(metadata={"comment": "hello"}, predictor="up"), chunk, 5)
        with pytest.raises(OSError, match=chunk.decode()) as caught:
            open_bytes(data)
        assert not isinstance(caught.value, UnidentifiedImageError)
        assert isinstance(caught.value.__cause__, kqf.FormatError)
        assert str(caught.value) == str(caught.value.__cause__)

    def test_a_header_that_ends_early_says_so(self, path):
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(OSError, match="expected"):
            Image.open(path)

    @pytest.mark.parametrize("spoil", [lambda d: damage(d, b"LABL"), lambda d: d[:-20]])
    def test_damage_is_found_while_loading(self, spoil):
        im = open_bytes(spoil(make_file()))
        for _ in range(2):
            with pytest.raises(OSError, match=r"LABL|DONE") as caught:
                im.load()
            assert isinstance(caught.value.__cause__, kqf.FormatError)

    def test_truncated_files_show_what_is_there_on_request(self, monkeypatch):
        data = make_file(tile=(WIDTH, 11))
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        with pytest.warns(kqf.DamageWarning, match="1 of 3 tiles") as caught:
            labels = np.asarray(open_bytes(data[: data.rindex(b"LABL") + 9]))
        assert [warning.message.lost for warning in caught] == [((0, 22, WIDTH, HEIGHT),)]
        assert np.array_equal(labels[:22], make_labels(20)[:22])
        assert not labels[22:].any()

    def test_damaged_tiles_cost_themselves_on_request(self, monkeypatch):
        data = make_file(tile=(WIDTH, 11))
        at = data.index(b"LABL") + 12
        spoiled = data[:at] + bytes(9) + data[at + 9 :]
        opened_before = open_bytes(spoiled)
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        for image in (opened_before, open_bytes(spoiled)):
            with pytest.warns(kqf.DamageWarning, match="1 of 3 tiles") as caught:
                labels = np.asarray(image.crop())
            assert len(caught) == 1
            assert np.array_equal(labels[11:], make_labels(20)[11:])
            assert not labels[:11].any()

    def test_the_warning_names_the_line_that_loads(self, monkeypatch):
        data = make_file()[:-12]
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        with pytest.warns(kqf.DamageWarning, match="DONE") as caught:
            open_bytes(data).load()
        assert caught[0].filename == __file__

    def test_sound_files_do_not_warn(self, monkeypatch):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        assert np.array_equal(np.asarray(open_bytes(make_file())), make_labels(20))

    def test_no_cut_or_flipped_byte_raises_anything_but_oserror(self):
        data = make_file(4, tile=24, metadata={"comment": "x", "dpi": (72, 72)})
        cuts = [data[:end] for end in range(8, len(data), 7)]
        flips = [data[:at] + bytes([data[at] ^ 5]) + data[at + 1 :] for at in range(8, len(data))]
        for spoiled in cuts + flips:
            with pytest.raises(OSError):  # noqa: PT011 - any text
                open_bytes(spoiled).load()


class TestLimits:
    def test_pillow_warns_of_many_pixels(self, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)
        with pytest.warns(Image.DecompressionBombWarning):
            open_bytes(make_file()).load()

    def test_pillow_refuses_twice_as_many(self, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT // 2 - 1)
        with pytest.raises(Image.DecompressionBombError):
            open_bytes(make_file())

    def test_without_a_limit_there_is_none(self, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
        side = 14_000  # more than twice what Pillow allows unless told
        tiles = 140 * [(b"LABL", zlib.compress(bytes(side * 100), 1))]
        top = [head(side, side, (side, 100)), (b"CODE", b"\0")]
        im = open_bytes(put_together([*top, *tiles, (b"DONE", b"")]))
        im.load()
        assert im.getpixel((side - 1, side - 1)) == 0


class TestSaving:
    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
    def test_pixels_come_back_as_they_were(self, mode):
        channels = len(mode)
        pixels = make_codebook(20, channels)[make_labels(20)].squeeze()
        im = Image.fromarray(pixels)
        assert im.mode == mode
        data = save_bytes(im)
        assert kqf.info(io.BytesIO(data)).channels == channels
        assert np.array_equal(kqf.decode(data), pixels)

    def test_bilevel_is_gray(self):
        im = Image.fromarray(make_labels(2) > 0)
        assert im.mode == "1"
        assert np.array_equal(kqf.decode(save_bytes(im)), make_labels(2) * 255)

    def test_palette_with_alpha_channel_is_rgba(self):
        im = open_bytes(make_file(3)).convert("PA")
        im.putalpha(Image.fromarray(make_labels(3) * 100))
        assert im.mode == "PA"
        expected = np.dstack([kqf.decode(make_file(3)), make_labels(3) * 100])
        assert np.array_equal(kqf.decode(save_bytes(im)), expected)

    def test_padded_rgb_is_rgb(self):
        pixels = kqf.decode(make_file(3))
        im = Image.fromarray(pixels).convert("RGBX")
        assert np.array_equal(kqf.decode(save_bytes(im)), pixels)

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBa", "La"])
    def test_other_modes_are_converted_and_say_so(self, mode):
        colors = np.array([[[9, 8, 7, 255], [90, 5, 70, 90], [200, 0, 99, 255]]], np.uint8)
        im = Image.fromarray(colors)
        im = im.convert("LA").convert("La") if mode == "La" else im.convert("RGB").convert(mode)
        target = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
        with pytest.warns(UserWarning, match=f"mode {mode} is converted to {target}") as caught:
            data = save_bytes(im, quality=100)
        assert caught[0].filename == __file__
        assert np.array_equal(kqf.decode(data), np.asarray(im.convert(target)))

    def test_the_profile_of_inks_is_dropped(self):
        inks = Image.new("CMYK", (2, 2))
        inks.info["icc_profile"] = ICC[:16] + b"CMYK" + ICC[20:]
        with pytest.warns(UserWarning, match="converted"):
            assert "icc_profile" not in resave(inks).info
        assert "icc_profile" not in resave(inks.convert("RGB")).info
        assert resave(Image.new("RGB", (2, 2)), icc_profile=ICC).info["icc_profile"] == ICC

    @pytest.mark.parametrize(
        ("mode", "dtype"), [("I;16", "<u2"), ("I;16B", ">u2"), ("I;16L", "<u2")]
    )
    def test_of_16_bits_the_higher_byte_is_kept(self, mode, dtype):
        values = np.array([[0, 255, 256, 0x1234, 0xFFFF]], dtype)
        im = Image.frombytes(mode, (5, 1), values.tobytes())
        with pytest.warns(UserWarning, match="16 bits a channel are cut to 8"):
            assert kqf.decode(save_bytes(im)).tolist() == [[0, 0, 1, 0x12, 0xFF]]

    @pytest.mark.parametrize("mode", ["I", "F"])
    def test_modes_without_a_range_are_refused_and_nothing_is_written(self, mode):
        file = io.BytesIO()
        with pytest.raises(OSError, match=f"cannot write mode {mode} as KQF: .*convert\\('L'\\)"):
            Image.new(mode, (2, 2)).save(file, "KQF")
        assert not file.getvalue()

    def test_by_extension_path_and_open_file(self, tmp_path):
        im = Image.new("RGB", (3, 2), "red")
        im.save(tmp_path / "a.kqf")
        im.save(str(tmp_path / "B.KQF"))
        with (tmp_path / "c").open("wb") as file:
            im.save(file, format="kqf")
        contents = [file.read_bytes() for file in tmp_path.iterdir()]
        assert contents == [save_bytes(im)] * 3

    def test_an_opened_file_can_be_saved_over_itself(self, path):
        with Image.open(path) as im:
            im.save(path)
        with Image.open(path) as im:
            assert np.array_equal(np.asarray(im), make_labels(20))

    def test_options_are_those_of_encode(self):
        pixels = kqf.decode(make_file(3))
        options = {"colors": 7, "metric": "perceptual", "effort": 2, "seed": 3, "tile": 16}
        options |= {"predictor": "left", "quality": 100, "threads": 1}
        assert save_bytes(Image.fromarray(pixels), **options) == kqf.encode(pixels, **options)
        palette = make_codebook(5, 3)
        data = save_bytes(Image.fromarray(pixels), palette=palette)
        assert data == kqf.encode(pixels, palette=palette)

    def test_the_image_itself_stays_as_it_was(self):
        im = make_palette_image(bytes(range(12)))
        before = im.copy()
        save_bytes(im, transparency=2, comment="new")
        assert im == before

    @pytest.mark.parametrize("mode", ["P", "RGB", "L"])
    def test_an_unknown_option_is_refused(self, mode):
        for name in ("compress_level", "pixels", "labels", "subsampling"):
            with pytest.raises(TypeError, match=f"no option '{name}' here: expected colors, "):
                save_bytes(Image.new(mode, (2, 2)), **{name: 1})
        with pytest.raises(TypeError, match="no option 'qualty' here: did you mean 'quality'"):
            save_bytes(Image.new(mode, (2, 2)), qualty=1)
        with pytest.raises(TypeError, match="metadata is given by its keys: icc_profile, "):
            save_bytes(Image.new(mode, (2, 2)), metadata={})

    @pytest.mark.parametrize("palette", ["list", "hex", "ImagePalette", "image", "file", "name"])
    def test_palettes_of_every_kind(self, tmp_path, palette):
        colors = [(0, 0, 0), (255, 255, 255), (255, 0, 0)]
        picture = Image.new("P", (1, 1))
        picture.putpalette(sum(colors, ()))
        (tmp_path / "a.hex").write_text("000000\nffffff\nff0000\n")
        given = {
            "list": colors,
            "hex": ["#000000", "#ffffff", "#ff0000"],
            "ImagePalette": ImagePalette.ImagePalette("RGB", bytes(sum(colors, ()))),
            "image": picture,
            "file": tmp_path / "a.hex",
            "name": "web-safe",
        }[palette]
        pixels = kqf.decode(make_file(3))
        found = kqf.read_indexed(save_bytes(Image.fromarray(pixels), palette=given))
        if palette == "name":
            assert not (found.codebook % 51).any()
        else:
            assert found.codebook[:3].tolist() == [list(color) for color in colors]
        assert save_bytes(Image.fromarray(pixels), palette=given) == kqf.encode(
            pixels, palette=given
        )

    @pytest.mark.parametrize(
        ("dither", "same"),
        [
            (Image.Dither.FLOYDSTEINBERG, "floyd-steinberg"),
            (Image.Dither.ORDERED, "ordered"),
            (Image.Dither.NONE, None),
            ("none", None),
        ],
    )
    def test_dithering_is_given_as_pillow_gives_it(self, dither, same):
        im = Image.linear_gradient("L").convert("RGB").resize((40, 40))
        options = {"colors": 4, "quality": 100}
        assert save_bytes(im, dither=dither, **options) == kqf.encode(
            np.asarray(im), dither=same, **options
        )

    @pytest.mark.parametrize(
        "option", [{"colors": 0}, {"metric": "best"}, {"effort": 10}, {"predictor": "down"}]
    )
    def test_an_unknown_value_is_refused(self, option):
        with pytest.raises(ValueError, match=next(iter(option))):
            save_bytes(Image.new("RGB", (2, 2)), **option)

    def test_an_empty_image_is_refused(self):
        for mode in ("P", "RGB"):
            with pytest.raises(ValueError, match=r"pixel|sides"):
                save_bytes(Image.new(mode, (0, 3)))

    def test_a_failed_save_leaves_no_file(self, tmp_path):
        path = tmp_path / "no.kqf"
        for mode, options in (("F", {}), ("RGB", {"effort": 99}), ("P", {"comment": 1})):
            with pytest.raises((OSError, ValueError, TypeError)):
                Image.new(mode, (2, 2)).save(path, **options)
            assert not path.exists()

    def test_a_failed_save_writes_nothing(self):
        file = io.BytesIO()
        with pytest.raises(ValueError, match="metadata 'dpi'"):
            Image.new("RGB", (2, 2)).save(file, "KQF", dpi=(0, 0))
        assert not file.getvalue()


class TestSavingPalettes:
    def test_labels_and_palette_are_kept(self):
        codebook = make_codebook(9, 3)
        labels = make_labels(4)
        im = Image.fromarray(labels)
        im.putpalette(codebook.tobytes())
        image = kqf.read_indexed(save_bytes(im))
        assert np.array_equal(image.labels, labels)
        assert np.array_equal(image.codebook, codebook)

    def test_equal_entries_stay_apart(self):
        im = make_palette_image(bytes([1, 2, 3] * 4))
        image = kqf.read_indexed(save_bytes(im))
        assert np.array_equal(image.labels, make_labels(4))
        assert len(image.codebook) == 4

    def test_an_rgba_palette_is_kept(self):
        codebook = make_codebook(4, 4)
        image = kqf.read_indexed(save_bytes(make_palette_image(codebook.tobytes(), "RGBA")))
        assert np.array_equal(image.labels, make_labels(4))
        assert np.array_equal(image.codebook, codebook)

    @pytest.mark.parametrize("where", ["info", "parameter"])
    @pytest.mark.parametrize(
        ("transparency", "alpha"),
        [(2, [255, 255, 0, 255]), (b"\0\x80", [0, 128, 255, 255]), (200, [255] * 4)],
    )
    def test_transparency_becomes_alpha(self, transparency, alpha, where):
        im = make_palette_image(bytes(range(12)))
        if where == "info":
            im.info["transparency"] = transparency
            data = save_bytes(im)
        else:
            data = save_bytes(im, transparency=transparency)
        image = kqf.read_indexed(data)
        assert image.codebook[:, 3].tolist() == alpha
        assert image.codebook[:, :3].ravel().tolist() == list(range(12))
        assert np.array_equal(image.labels, make_labels(4))

    def test_transparency_none_strips_it(self):
        im = make_palette_image(bytes(range(12)))
        im.info["transparency"] = 1
        assert kqf.read_indexed(save_bytes(im, transparency=None)).codebook.shape == (4, 3)

    @pytest.mark.parametrize("transparency", [-1, 256, (1, 2, 3), "no"])
    def test_other_transparency_is_refused(self, transparency):
        with pytest.raises((TypeError, ValueError)):
            save_bytes(make_palette_image(bytes(range(12))), transparency=transparency)

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "PA"])
    def test_given_transparency_is_for_palettes_alone(self, mode):
        with pytest.raises(ValueError, match="transparency= is for mode P"):
            save_bytes(Image.new(mode, (2, 2)), transparency=0)

    def test_the_transparent_colour_of_other_modes_becomes_alpha(self):
        for mode, color in (("L", 7), ("RGB", (7, 8, 9))):
            im = Image.new(mode, (2, 1))
            im.putpixel((0, 0), color)
            im.info["transparency"] = color
            assert kqf.decode(save_bytes(im))[0, :, -1].tolist() == [0, 255]

    def test_a_palette_too_short_is_filled_as_pillow_shows_it(self):
        im = make_palette_image(bytes(range(9)), colors=6)
        data = save_bytes(im)
        assert kqf.info(data).colors == 6
        assert np.array_equal(kqf.decode(data), np.asarray(im.convert("RGB")))

    def test_no_palette_at_all_is_shown_as_pillow_does(self):
        im = Image.new("P", (2, 2), 3)
        assert np.array_equal(kqf.decode(save_bytes(im)), np.asarray(im.convert("RGB")))

    @pytest.mark.parametrize(
        ("data", "rawmode"), [(bytes(range(16)), "RGBX"), (bytes(range(12)), "BGR")]
    )
    def test_palettes_given_in_other_raw_modes(self, data, rawmode):
        im = make_palette_image(data, rawmode)
        saved = save_bytes(im)
        assert kqf.info(saved).colors == 4
        assert np.array_equal(kqf.decode(saved), np.asarray(im.convert("RGB")))

    def test_a_gray_palette_stays_a_palette(self):
        im = Image.fromarray(make_labels(9) * 20).convert("P")
        data = save_bytes(im)
        assert kqf.info(data).channels == 3
        assert np.array_equal(kqf.decode(data), np.asarray(im.convert("RGB")))

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_an_opened_file_saves_to_the_same_image(self, channels):
        first = kqf.read_indexed(make_file(channels))
        again = kqf.read_indexed(save_bytes(open_bytes(make_file(channels))))
        assert np.array_equal(again.pixels, first.pixels)
        if channels > 2:
            assert np.array_equal(again.labels, first.labels)
            assert np.array_equal(again.codebook, first.codebook)

    def test_png_and_gif_palettes_come_through(self):
        for source_format in ("PNG", "GIF"):
            source = make_palette_image(make_codebook(4, 3).tobytes())
            file = io.BytesIO()
            source.save(file, source_format, transparency=3)
            im = Image.open(file)
            data = save_bytes(im)
            assert np.array_equal(kqf.decode(data), np.asarray(im.convert("RGBA")))

    @pytest.mark.parametrize(
        "option",
        [
            {"colors": 3},
            {"colors": 300},
            {"colors": "all"},
            {"quality": 90},
            {"metric": "mse"},
            {"seed": 0},
            {"palette": make_codebook(4, 3)},
        ],
        ids=lambda option: next(iter(option)),
    )
    def test_options_that_would_change_labels_are_refused(self, option):
        name = next(iter(option))
        im = make_palette_image(bytes(range(12)))
        with pytest.raises(ValueError, match=f"{name}= is not for mode P.*convert\\('RGB'\\)"):
            save_bytes(im, **option)
        with pytest.raises(ValueError, match=r"convert\('RGBA'\)"):
            save_bytes(im, transparency=1, **option)

    def test_options_that_leave_labels_alone_are_honoured(self):
        im = make_palette_image(bytes(range(12)))
        codebook = np.arange(12, dtype=np.uint8).reshape(4, 3)
        data = save_bytes(
            im, dither=None, colors=4, quality=100, predictor="up", tile=20, effort=2, threads=1
        )
        options = {"predictor": "up", "tile": 20, "effort": 2}
        assert data == kqf.encode_indexed(make_labels(4), codebook, **options)


class TestFrames:
    @pytest.fixture
    def animation(self):
        file = io.BytesIO()
        frames = [Image.new("P", (4, 4), color) for color in (0, 1)]
        frames[0].putpalette(bytes(range(6)))
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
        im = Image.open(file)
        assert im.n_frames == 2
        return im

    def test_save_all_with_one_frame_works(self):
        im = make_palette_image(bytes(range(12)))
        assert save_bytes(im, save_all=True) == save_bytes(im)
        assert save_bytes(im, save_all=True, append_images=[]) == save_bytes(im)

    def test_appended_images_are_refused_where_one_is_to_be_saved(self):
        im = Image.new("L", (2, 2))
        with pytest.raises(ValueError, match="append_images"):
            save_bytes(im, append_images=[im], save_all=False)

    def test_without_save_all_the_current_frame_is_saved(self, animation):
        animation.seek(1)
        data = save_bytes(animation)
        assert np.array_equal(open_bytes(data).convert("RGB"), animation.convert("RGB"))


class TestMetadata:
    @pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
    def test_all_of_it_makes_the_round_trip(self, mode):
        given = {
            "icc_profile": ICC,
            "exif": make_exif().tobytes(),
            "xmp": XMP,
            "dpi": (300, 72.5),
            "comment": "bl\u00e5",
        }
        im = resave(Image.new(mode, (2, 2)), **given)
        assert {key: im.info[key] for key in given} == given
        assert im.getexif()[ORIENTATION] == 6
        assert im.getxmp() == {"xmpmeta": {"note": "blue"}}
        again = resave(im)
        assert {key: again.info[key] for key in given} == given

    def test_there_is_none_unless_given(self):
        assert open_bytes(save_bytes(Image.new("RGB", (2, 2)))).info == {}

    def test_exif_objects_are_taken(self):
        assert resave(Image.new("L", (2, 2)), exif=make_exif()).getexif() == make_exif()

    def test_the_chunk_holds_exif_without_the_prefix_of_jpeg(self):
        exif = make_exif().tobytes()
        data = save_bytes(Image.new("L", (2, 2)), exif=exif)
        assert kqf.read_indexed(data).metadata["exif"] == exif.removeprefix(EXIF_PREFIX)

    def test_exif_opens_with_one_prefix_however_it_was_stored(self):
        exif = make_exif().tobytes()
        for stored in (exif, exif.removeprefix(EXIF_PREFIX)):
            assert open_bytes(make_file(metadata={"exif": stored})).info["exif"] == exif

    def test_xmp_may_be_text(self):
        assert resave(Image.new("L", (2, 2)), xmp=XMP.decode()).info["xmp"] == XMP

    @pytest.mark.parametrize("target", ["PNG", "JPEG", "WEBP"])
    def test_what_other_formats_hold_is_kept(self, target):
        file = io.BytesIO()
        Image.new("RGB", (2, 2)).save(
            file, target, icc_profile=ICC, exif=make_exif(), xmp=XMP, dpi=(96, 96)
        )
        im = resave(Image.open(file))
        assert im.info["icc_profile"] == ICC
        assert im.getexif()[ORIENTATION] == 6
        if target != "WEBP":
            assert [round(number) for number in im.info["dpi"]] == [96, 96]
        if target != "PNG":
            assert im.info["xmp"] == XMP

    @pytest.mark.parametrize("target", ["GIF", "JPEG"])
    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
    def test_comments_of_other_formats_become_text(self, target, encoding):
        file = io.BytesIO()
        Image.new("L", (2, 2)).save(file, target, comment="fj\u00e4ll".encode(encoding))
        im = Image.open(file)
        assert isinstance(im.info["comment"], bytes)
        assert resave(im).info["comment"] == "fj\u00e4ll"

    def test_what_is_given_wins(self):
        im = Image.new("L", (2, 2))
        im.info = {"comment": "old", "dpi": (1, 1), "icc_profile": b"old"}
        info = resave(im, comment="new", dpi=(2, 2), icc_profile=b"new").info
        assert info == {"comment": "new", "dpi": (2, 2), "icc_profile": b"new"}

    @pytest.mark.parametrize("nothing", [None, b"", ""])
    @pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp", "dpi", "comment"])
    def test_none_and_nothing_strip(self, key, nothing):
        full = {"icc_profile": ICC, "exif": b"MM", "xmp": XMP, "dpi": (9, 9), "comment": "x"}
        im = open_bytes(make_file(metadata=full))
        assert set(resave(im, **{key: nothing}).info) == set(full) - {key}

    def test_empty_exif_strips(self):
        im = open_bytes(make_file(metadata={"exif": b"MM"}))
        assert "exif" not in resave(im, exif=Image.Exif()).info
        assert "exif" not in resave(im, exif=EXIF_PREFIX).info

    @pytest.mark.parametrize(
        "dpi",
        [(0, 0), (72, 0), (float("nan"), 1), (float("inf"), 1), (-1, -1), 72, (1, 2, 3)],
    )
    def test_densities_that_are_none_are_dropped_from_info_alone(self, dpi):
        im = Image.new("L", (2, 2))
        im.info["dpi"] = dpi
        assert "dpi" not in resave(im).info
        with pytest.raises((TypeError, ValueError), match="dpi"):
            save_bytes(im, dpi=dpi)

    def test_comments_that_are_no_text_are_dropped_from_info_alone(self):
        im = Image.new("L", (2, 2))
        for comment in ("a\0b", 7):
            im.info["comment"] = comment
            assert "comment" not in resave(im).info
            with pytest.raises((TypeError, ValueError), match="comment"):
                save_bytes(im, comment=comment)
        im.info["comment"] = b"ended by a zero\0"
        assert resave(im).info["comment"] == "ended by a zero"

    @pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp"])
    def test_other_types_are_refused(self, key):
        with pytest.raises(TypeError, match=key):
            save_bytes(Image.new("L", (2, 2)), **{key: 5})

    def test_info_of_other_kinds_is_left_alone(self):
        im = Image.new("L", (2, 2))
        im.info = {"gamma": 0.45, "Software": "x", "loop": 0}
        assert resave(im).info == {}


def test_no_file_is_left_open(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        im = Image.open(path)
        im.load()
        del im
        path.write_bytes(path.read_bytes()[:30])
        with pytest.raises(OSError, match=r"HEAD|CODE|file"):
            Image.open(path)
        gc.collect()


def test_a_tag_deleted_from_exif_is_not_written():
    im = Image.new("RGB", (8, 8))
    exif = Image.Exif()
    exif[0x10E] = "where I live"
    exif[0x131] = "a program"
    jpeg = io.BytesIO()
    im.save(jpeg, "JPEG", exif=exif)
    with Image.open(jpeg) as opened:
        del opened.getexif()[0x10E]
        buffer = io.BytesIO()
        opened.save(buffer, "KQF")
    assert b"where I live" not in buffer.getvalue()
    assert dict(Image.open(buffer).getexif()) == {0x131: "a program"}


# Overviews.


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_thumbnail_reads_an_overview(channels):
    codebook = np.random.default_rng(1).integers(0, 256, (20, channels), np.uint8)
    labels = np.repeat(np.repeat(np.arange(20, dtype=np.uint8).reshape(4, 5), 300, 0), 500, 1)
    data = kqf.encode_indexed(labels, codebook, effort=1, overviews=True)
    with Image.open(io.BytesIO(data)) as image:
        assert image.draft(None, (250, 150)) == (image.mode, (0, 0, 312.5, 150))
        assert image.size == (313, 150)
        with kqf.open(data) as file:
            small = file.read_indexed(scale=8)
        expected = small.labels if image.mode == "P" else small.pixels
        assert np.array_equal(np.asarray(image), expected)
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((100, 100))
        assert image.size == (100, 48)
    with Image.open(io.BytesIO(data)) as image:
        assert image.draft(None, (626, 1)) is None
        assert image.size == (2500, 1200)
        image.load()
        assert image.draft(None, (250, 150)) is None


def test_an_image_whose_overviews_are_damaged_is_loaded_whole():
    labels = np.zeros((600, 1100), np.uint8)
    data = bytearray(kqf.encode_indexed(labels, np.zeros((1, 3), np.uint8), overviews=True))
    data[data.index(b"oidx") + 4] ^= 1
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((100, 100))
        assert image.size == (100, 55)


def test_save_takes_overviews():
    image = Image.new("P", (600, 10))
    buffer = io.BytesIO()
    image.save(buffer, "KQF", overviews=True)
    assert kqf.info(buffer.getvalue()).scales == (4,)
