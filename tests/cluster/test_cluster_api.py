"""Images as dask arrays."""

import io
import tracemalloc

import dask
import dask.array as da
import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

import kqf
from kqf.cluster import assembly, blocks
from kqf.quantization import color_counts

CHUNKS = [(200, 300), (37, 51), (7, 300), (200, 64)]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    # Some tiles a block, some blocks a batch, some batches an image.
    monkeypatch.setattr(blocks, "BLOCK_PIXELS", 2**13)
    monkeypatch.setattr(assembly, "BLOCK_PIXELS", 2**13)
    monkeypatch.setattr(blocks, "_BATCH_PIXELS", 2**15)
    monkeypatch.setattr(assembly, "_SENT_PIXELS", 2**14)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("china.jpg")[100:300, 100:360])


def encoded(array, **options):
    file = io.BytesIO()
    kqf.write_dask(file, array, **{"tile": (64, 96), "effort": 2} | options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"quality": 30, "metric": "perceptual"}])
def test_chunks_and_schedulers_make_no_difference(photograph, options):
    # Several blocks, batches and tiles still, in half the pixels.
    part = photograph[:150, :200]
    files = {encoded(da.from_array(part, chunks=(*c, 3)), **options) for c in CHUNKS}
    with dask.config.set(scheduler="synchronous"):
        files.add(encoded(da.from_array(part, chunks=(200, 100, 1)), **options))
    assert len(files) == 1
    kqf.check(files.pop())


@pytest.mark.parametrize("metric", ["mse", "perceptual"])
@pytest.mark.parametrize("colors", [256, 20])
def test_at_quality_100_labels_are_those_of_encode(photograph, metric, colors):
    # At other efforts the perceptual metric weighs calm areas, which blocks can't know all of.
    effort = 1 if metric == "perceptual" else 2
    options = {"metric": metric, "colors": colors, "quality": 100, "effort": effort}
    ours = kqf.read_indexed(encoded(da.from_array(photograph, chunks=90), **options))
    whole = kqf.quantize(photograph, **options)
    assert np.array_equal(ours.codebook, whole.codebook)
    assert np.array_equal(ours.labels, whole.labels)


def test_less_quality_takes_fewer_bytes_for_more_error(photograph):
    array = da.from_array(photograph, chunks=100)
    sizes, qualities = [], []
    for quality in (100, None, 30):
        data = encoded(array, quality=quality)
        sizes.append(len(data))
        qualities.append(kqf.psnr(photograph, kqf.decode(data)))
    assert sizes[0] > 1.05 * sizes[1] > 1.1 * sizes[2]
    assert qualities[0] > qualities[1] > qualities[2] > qualities[0] - 6


@pytest.mark.parametrize("shape", [(150, 130), (150, 130, 1), (150, 130, 2), (150, 130, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "bool"])
def test_few_colours_are_stored_exactly(shape, dtype):
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (200, *shape[2:])).astype(np.uint8)
    pixels = colors[random.integers(0, 200, shape[:2])]
    if dtype == "bool":
        pixels = pixels > 127
    found = kqf.decode(encoded(da.from_array(pixels, chunks=40)))
    assert np.array_equal(found, kqf.decode(kqf.encode(pixels)))
    assert np.array_equal(found.reshape(shape), pixels * np.uint8(255 if dtype == "bool" else 1))


def test_alpha_0_and_255_stay_exact_and_hidden_colours_become_one(photograph):
    alpha = np.clip(np.linspace(-60, 315, photograph.shape[1]), 0, 255).astype(np.uint8)
    pixels = np.dstack([photograph, np.broadcast_to(alpha, photograph.shape[:2])])
    found = kqf.decode(encoded(da.from_array(pixels, chunks=77), colors=32, quality=20))
    assert not found[:, alpha == 0].any()
    assert (found[:, alpha == 255, 3] == 255).all()


def test_palette_and_colours_to_keep(photograph):
    array = da.from_array(photograph, chunks=100)
    palette = np.array([[0, 0, 0], [120, 130, 90], [250, 250, 255]], np.uint8)
    assert np.array_equal(kqf.read_indexed(encoded(array, palette=palette)).codebook, palette)
    kept = kqf.read_indexed(encoded(array, colors=16, keep=[(255, 0, 254)])).codebook
    assert [255, 0, 254] in kept.tolist()


def test_metadata_is_stored(photograph):
    data = encoded(da.from_array(photograph, chunks=100), metadata={"comment": "large"})
    assert kqf.read_indexed(data).metadata == {"comment": "large"}


@pytest.mark.parametrize("predictor", ["auto", "none", "left", "up", "copy"])
def test_labels_are_kept_as_they_are(predictor, tmp_path):
    random = np.random.default_rng(0)
    labels = np.repeat(random.integers(0, 5, (50, 70), dtype=np.uint8), 3, axis=1)
    codebook = random.integers(0, 256, (9, 3), dtype=np.uint8)
    path = tmp_path / "mask.kqf"
    array = da.from_array(labels, chunks=33)
    kqf.write_indexed_dask(path, array, codebook, predictor=predictor, tile=32)
    found = kqf.read_indexed(path)
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.codebook, codebook)
    assert predictor in ("auto", kqf.info(path).predictor)


def test_drawn_images_are_copied_with_any_chunks():
    """Ellipses, in several tiles, of which some are cut off."""
    page = Image.new("L", (520, 300))
    draw = ImageDraw.Draw(page)
    random = np.random.default_rng(3)
    for x, y, width, height, label in random.integers(5, (520, 300, 150, 150, 250), (40, 5)):
        draw.ellipse((x - width, y - height, x, y), int(label))
    pixels = np.asarray(page)
    options = {"tile": (256, 128), "quality": 100, "effort": 5}
    data = encoded(da.from_array(pixels, chunks=77), **options)
    info = kqf.info(data)
    assert (info.version, info.predictor) == (2, "copy")
    assert np.array_equal(kqf.decode(data), pixels)
    assert data == encoded(da.from_array(pixels, chunks=(300, 90)), **options)
    assert len(data) < len(encoded(da.from_array(pixels), **options, predictor="none"))
    assert kqf.info(encoded(da.from_array(pixels), **options | {"effort": 4})).version == 1


def test_what_blocks_cannot_be_stored_by_is_refused():
    narrow = da.zeros((2, 70_000), dtype="uint8")
    with pytest.raises(ValueError, match="none, left, up or copy, not packed"):
        encoded(narrow, predictor="packed")
    with pytest.raises(ValueError, match="at most 65281 pixels a side, not 70000"):
        encoded(narrow, predictor="copy", tile=70_000)
    assert kqf.decode(encoded(narrow, tile=70_000)).shape == (2, 70_000)


def test_a_label_too_high_is_refused_and_nothing_written(tmp_path):
    labels = np.zeros((100, 120), np.uint8)
    # Beyond the tiles of the sample.
    labels[99, 119] = 4
    path = tmp_path / "mask.kqf"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="below 4, not 4"):
        kqf.write_indexed_dask(
            path, da.from_array(labels, chunks=50), np.zeros((4, 1), np.uint8), tile=(7, 7)
        )
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_file_as_it_was(photograph, tmp_path):
    seen = []

    def fail_later(block):
        seen.append(block.shape)
        if len(seen) > 40:
            raise OSError("gone")
        return block

    path = tmp_path / "photo.kqf"
    path.write_bytes(b"before")
    array = da.from_array(photograph, chunks=(50, 50, 3)).map_blocks(fail_later, meta=photograph)
    seen.clear()
    with pytest.raises(OSError, match="gone"), dask.config.set(scheduler="synchronous"):
        kqf.write_dask(path, array, tile=(64, 96), effort=1)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_colours(monkeypatch):
    monkeypatch.setattr(color_counts, "MAX_DISTINCT", 2**12)
    monkeypatch.setattr(blocks, "BLOCK_PIXELS", 2**15)
    monkeypatch.setattr(assembly, "BLOCK_PIXELS", 2**15)

    def noise(block_info):
        place = block_info[None]["array-location"]
        size = [stop - start for start, stop in place]
        return np.random.default_rng(place[0]).integers(0, 64, size, np.uint8)

    # 165000 colours in 33000 cells.
    array = da.map_blocks(
        noise,
        chunks=((64,) * 8, (512,), (3,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        try:
            encoded(array, effort=1, colors=8)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 12e6


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros((4, 4), np.uint8), TypeError, "dask array, not ndarray"),
        (da.zeros((4, 4), dtype="uint16"), TypeError, "uint8 or bool, not uint16"),
        (da.zeros((4, 4, 5), dtype="uint8"), ValueError, r"not \(4, 4, 5\)"),
        (da.zeros((4,), dtype="uint8"), ValueError, r"not \(4,\)"),
        (da.zeros((0, 4), dtype="uint8"), ValueError, "sides"),
        (da.zeros((4, 4), dtype="uint8")[da.zeros(4) < 1], ValueError, "compute_chunk_sizes"),
    ],
)
def test_other_arrays_are_refused(array, error, message):
    with pytest.raises(error, match=message):
        kqf.write_dask(io.BytesIO(), array)


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes(photograph):
    distributed = pytest.importorskip("distributed", reason="the cluster needs distributed")
    array = da.from_array(photograph, chunks=(100, 130, 3))
    here = encoded(array)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        dask.config.set(scheduler=client.get),
    ):
        assert encoded(array) == here
