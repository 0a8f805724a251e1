import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from conftest import head, indexed_images, predictors, put_together, smooth_image, take_apart
from hypothesis import given
from hypothesis import strategies as st

import kqf
import kqf.decoding.api
import kqf.format.streams
from kqf.image import look_up_bands

PREDICTORS = ["none", "left", "up"]
# Each with and without an alpha, of one tile and of several, with and without metadata.
SMALL = [
    kqf.encode(
        smooth_image(11, 13, channels, 25),
        colors=20,
        predictor=predictor,
        tile=tile,
        effort=1,
        metadata=metadata,
    )
    for channels, metadata in ((3, {"comment": "é", "dpi": (3, 4.5)}), (2, None))
    for predictor in PREDICTORS
    for tile in (None, 5)
]


def without_index(data):
    return put_together([part for part in take_apart(data) if part[0] != b"tidx"])


def first_tile_at(data):
    """Return where the first LABL chunk starts."""
    at = 8
    while data[at + 4 : at + 8] != b"LABL":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return at


# --- sources


def test_all_kinds_of_source_give_the_same(tmp_path):
    data = SMALL[1]
    (tmp_path / "image.kqf").write_bytes(data)
    offset = io.BytesIO(b"before" + data)
    offset.seek(6)

    class Forward(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *args):
            raise io.UnsupportedOperation

        tell = seek

    sources = [
        data,
        bytearray(data),
        memoryview(data),
        str(tmp_path / "image.kqf"),
        tmp_path / "image.kqf",
        io.BytesIO(data),
        Forward(data),
        offset,
    ]
    expected = kqf.decode(data)
    for source in sources:
        assert np.array_equal(kqf.read(source), expected)
    for source in sources[:5]:
        assert kqf.info(source).file_bytes == len(data)


@pytest.mark.parametrize("data", ["path.kqf", None, io.BytesIO(SMALL[0])])
def test_decode_takes_bytes_alone(data):
    with pytest.raises(TypeError, match=f"expected bytes, not {type(data).__name__}"):
        kqf.decode(data)


@pytest.mark.parametrize("source", [None, 3, io.StringIO("\x89KQF")])
def test_a_source_of_another_type_is_a_type_error(source):
    with pytest.raises(TypeError):
        kqf.read(source)


@pytest.mark.parametrize("function", [kqf.read, kqf.read_indexed, kqf.info, kqf.check])
def test_a_missing_file_is_an_os_error(tmp_path, function):
    with pytest.raises(FileNotFoundError):
        function(tmp_path / "none.kqf")


def test_decoded_pixels_are_the_callers_to_change():
    data = SMALL[0]
    pixels = kqf.decode(data)
    pixels[:] = 0
    assert kqf.decode(data).any()


# --- damage


@pytest.mark.parametrize("data", SMALL)
@pytest.mark.parametrize("function", [kqf.decode, kqf.check])
def test_every_part_of_a_file_from_its_start_is_truncated(data, function):
    function(data)
    for length in range(len(data)):
        with pytest.raises(kqf.TruncatedError):
            function(data[:length], threads=1)


@pytest.mark.parametrize("data", SMALL)
def test_every_wrong_byte_is_a_format_error(data):
    for place in range(len(data)):
        damaged = bytearray(data)
        for other in (0x01, 0xA0):
            damaged[place] = data[place] ^ other
            with pytest.raises(kqf.FormatError):
                kqf.decode(damaged, threads=1)


@pytest.mark.parametrize("extra", [b"\0", b"\n", SMALL[0]])
def test_data_after_the_end_is_a_format_error(extra):
    for function in (kqf.decode, kqf.check):
        with pytest.raises(kqf.FormatError, match=f"nothing after DONE, found {len(extra)} bytes"):
            function(SMALL[0] + extra)


def inflated_or_zero(stream):
    try:
        return zlib.decompressobj().decompress(stream) or b"\0"
    except zlib.error:
        return b"\0"


@st.composite
def mutants(draw):
    """Draw a file whose chunks were changed, with every CRC right."""
    parts = take_apart(draw(st.sampled_from(SMALL)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(parts) - 1))
        kind, payload = parts[at]
        change = draw(st.integers(0, 6))
        place = draw(st.integers(0, len(payload)))
        if change == 0:
            parts[at] = kind, payload[:place]
        elif change == 1:
            parts[at] = kind, payload[:place] + draw(st.binary(max_size=5)) + payload[place:]
        elif change == 2 and len(parts) > 1:
            del parts[at]
        elif change == 3:
            parts.insert(draw(st.integers(0, len(parts))), parts[at])
        elif change == 4:
            parts[at] = parts[draw(st.integers(0, len(parts) - 1))][0], payload
        elif change == 5 and kind in (b"RANK", b"LABL"):
            # A good stream of wrong symbols.
            inflated = bytearray(inflated_or_zero(payload))
            inflated[place % len(inflated)] = draw(st.integers(0, 255))
            parts[at] = kind, zlib.compress(inflated)
        else:
            changed = draw(st.integers(0, 255)).to_bytes(1, "big")
            parts[at] = kind, payload[:place] + changed + payload[place + 1 :]
    return put_together(parts)


@given(mutants(), st.sampled_from([1, 2]))
def test_a_changed_file_with_right_crcs_is_an_image_or_a_format_error(data, threads):
    try:
        image = kqf.read_indexed(data, threads=threads, max_pixels=10**7)
    except kqf.KqfError:
        with pytest.raises(kqf.KqfError, match=r": expected .*, found "):
            kqf.check(data, threads=threads, max_pixels=10**7)
        return
    info = kqf.info(data)
    assert image.labels.shape == (info.height, info.width)
    assert image.labels.max() < len(image.codebook) == info.colors
    kqf.check(data, threads=threads)


@given(st.binary(max_size=60))
def test_anything_after_a_signature_is_a_format_error(data):
    with pytest.raises(kqf.FormatError):
        kqf.decode(b"\x89KQF\r\n\x1a\n" + data)


CODE = (b"CODE", b"\x07")
DONE = (b"DONE", b"")


def one_tile(symbols, **fields):
    fields = {"width": 3, "height": 2} | fields
    codebook = (b"CODE", bytes(range(fields.get("last_label", 0) + 1)))
    return put_together([head(**fields), codebook, (b"LABL", zlib.compress(symbols)), DONE])


def test_a_hand_made_file_is_decoded():
    data = one_tile(bytes([0, 1, 2, 3, 0, 1]), last_label=3)
    assert kqf.decode(data).tolist() == [[0, 1, 2], [3, 0, 1]]


@pytest.mark.parametrize(
    ("predictor", "expected"),
    [
        # Contexts of 0: 0, 1, 2. Of 1: 2 (listed), 1, 0. Of 2: 2, 1, 0, by distance of grays.
        (1, [[1, 1, 2], [0, 2, 2]]),
        (2, [[1, 1, 0], [2, 1, 2]]),
    ],
)
def test_a_hand_made_file_with_ranks_is_decoded(predictor, expected):
    parts = [
        head(3, 2, last_label=2, predictor=predictor),
        (b"CODE", bytes([0, 10, 19])),
        (b"RANK", zlib.compress(bytes([0, 1, 2, 0]))),
        (
            b"LABL",
            zlib.compress(bytes([1, 1, 0, 0, 2, 0] if predictor == 1 else [1, 1, 0, 0, 1, 2])),
        ),
        DONE,
    ]
    assert kqf.read_indexed(put_together(parts)).labels.tolist() == expected


@pytest.mark.parametrize("number", [4, 255])
def test_a_symbol_beyond_the_labels_is_refused(number):
    data = one_tile(bytes([0, 1, 2, 3, 0, number]), last_label=3)
    with pytest.raises(kqf.FormatError, match=f"LABL: symbol in tile 0.*most 3, found {number}"):
        kqf.decode(data)


@pytest.mark.parametrize("size", [5, 7, 1])
def test_a_tile_of_another_size_is_refused(size):
    with pytest.raises(kqf.FormatError, match=r"LABL: inflated size.*6"):
        kqf.decode(one_tile(bytes(size)))


@pytest.mark.parametrize("tile", [(1, 1), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (2**31 - 1, 1)])
def test_a_header_that_lies_about_the_size_costs_nothing(tile):
    side = 2**31 - 1
    label = (b"LABL", zlib.compress(b"\0"))
    data = put_together([head(side, side, tile=tile), CODE, label, DONE])
    with pytest.raises(kqf.LimitError, match="max_pixels"):
        kqf.decode(data)
    with pytest.raises(kqf.FormatError):
        kqf.decode(data, max_pixels=None)
    with pytest.raises(kqf.FormatError):
        kqf.check(data)


def test_a_wide_header_within_the_limit_costs_nothing():
    data = put_together([head(10**8, 1, tile=(1, 1)), CODE, (b"LABL", zlib.compress(b"\0")), DONE])
    with pytest.raises(kqf.TruncatedError, match="LABL: count"):
        kqf.decode(data)


# --- regions


@given(
    indexed_images(max_side=14),
    predictors,
    st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.booleans(),
    st.data(),
)
def test_a_region_is_the_same_part_of_the_whole(image, predictor, tile, index, data):
    labels, codebook = image
    encoded = kqf.encode_indexed(labels, codebook, predictor=predictor, tile=tile, effort=1)
    encoded = encoded if index else without_index(encoded)
    height, width = labels.shape
    left, upper = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    lower = data.draw(st.integers(upper + 1, height))
    box = (left, upper, right, lower)
    threads = data.draw(st.sampled_from([1, 2]))
    part = kqf.read_indexed(encoded, region=box, threads=threads)
    assert part.labels.tolist() == labels[upper:lower, left:right].tolist()
    assert part.codebook.tolist() == codebook.tolist()
    pixels = kqf.decode(encoded, region=box)
    assert pixels.tolist() == kqf.decode(encoded)[upper:lower, left:right].tolist()


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_only_tiles_that_a_region_touches_are_inflated(predictor, index, monkeypatch):
    # Tiles of 10 x 8: 4 columns, 3 rows.
    data = kqf.encode(smooth_image(20, 35, 3), predictor=predictor, tile=(10, 8), effort=1)
    data = data if index else without_index(data)
    inflated = []

    def counting(stream, size, chunk):
        if chunk == "LABL":
            inflated.append(size)
        return inflate(stream, size, chunk)

    inflate = kqf.format.streams.inflate
    monkeypatch.setattr(kqf.format.tiles, "inflate", counting)
    for box, sizes in [
        ((0, 0, 1, 1), [80]),
        ((9, 7, 11, 9), [80] * 4),
        ((10, 8, 20, 16), [80]),
        ((30, 16, 35, 20), [20]),
        ((29, 15, 31, 17), [80, 40, 40, 20]),
        ((0, 19, 35, 20), [40, 40, 40, 20]),
        (None, [80, 80, 80, 40] * 2 + [40, 40, 40, 20]),
    ]:
        inflated.clear()
        kqf.decode(data, region=box, threads=1)
        assert sorted(inflated) == sorted(sizes)


def test_a_region_reads_no_other_tiles_where_there_is_an_index():
    class Recorder(io.BytesIO):
        bytes_read = 0

        def read(self, count=-1):
            data = super().read(count)
            self.bytes_read += len(data)
            return data

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (100, 100), dtype=np.uint8)
    data = kqf.encode(noise, tile=20, predictor="none", effort=1)
    file = Recorder(data)
    assert np.array_equal(kqf.read(file, region=(45, 45, 50, 50)), noise[45:50, 45:50])
    assert file.bytes_read < first_tile_at(data) + 600


def test_damage_outside_a_region_is_not_met():
    data = bytearray(kqf.encode(smooth_image(20, 20, 3), tile=10, effort=1))
    expected = kqf.decode(bytes(data))
    data[-13] ^= 1
    assert np.array_equal(kqf.decode(data, region=(0, 0, 20, 10)), expected[:10])
    with pytest.raises(kqf.FormatError, match="LABL: crc"):
        kqf.decode(data, region=(10, 10, 20, 20))


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 0, 5), (0, 0, 5, 0), (3, 3, 3, 3), (5, 0, 4, 2), (0, 5, 2, 4),
        (-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 14, 5), (0, 0, 5, 12), (13, 11, 14, 12),
    ],
)  # fmt: skip
def test_a_region_that_is_empty_or_outside_is_a_value_error(region):
    with pytest.raises(ValueError, match=r"inside \(0, 0, 13, 11\), not") as caught:
        kqf.decode(SMALL[0], region=region)
    assert not isinstance(caught.value, kqf.KqfError)


@pytest.mark.parametrize("region", [(0.9, 0, 2, 2), "0022", (0, 0, "2", 2), (0, 0, None, 2), 7])
def test_a_region_that_is_not_of_integers_is_a_type_error(region):
    with pytest.raises(TypeError):
        kqf.decode(SMALL[0], region=region)


@pytest.mark.parametrize("region", [(1, 2, 3), (1, 2, 3, 4, 5), ()])
def test_a_region_of_other_than_four_sides_is_a_caller_error(region):
    with pytest.raises((TypeError, ValueError)) as caught:
        kqf.decode(SMALL[0], region=region)
    assert not isinstance(caught.value, kqf.KqfError)


def test_a_region_may_be_of_numpys_integers():
    region = tuple(np.array([1, 2, 5, 7]))
    assert np.array_equal(kqf.decode(SMALL[1], region=region), kqf.decode(SMALL[1])[2:7, 1:5])


# --- limits


def test_as_many_pixels_as_allowed_are_read_and_no_more():
    data = SMALL[0]
    assert kqf.decode(data, max_pixels=11 * 13).shape == (11, 13, 3)
    with pytest.raises(kqf.LimitError, match="max_pixels=142, found 143"):
        kqf.decode(data, max_pixels=142)
    with pytest.raises(kqf.LimitError):
        kqf.check(data, max_pixels=142)
    kqf.check(data, max_pixels=143)


def test_the_limit_counts_the_tiles_that_a_region_touches():
    data = kqf.encode(smooth_image(20, 35, 3), tile=(10, 8), effort=1)
    for box, pixels in [((0, 0, 1, 1), 80), ((9, 7, 11, 9), 320), ((29, 15, 35, 17), 180)]:
        assert kqf.decode(data, region=box, max_pixels=pixels) is not None
        with pytest.raises(kqf.LimitError, match=f"max_pixels={pixels - 1}, found {pixels}"):
            kqf.decode(data, region=box, max_pixels=pixels - 1)


@pytest.mark.parametrize("function", [kqf.decode, kqf.read, kqf.read_indexed, kqf.info])
def test_as_much_metadata_as_allowed_is_read_and_no_more(function):
    data = kqf.encode(smooth_image(2, 2, 3), metadata={"exif": bytes(10), "comment": "12345"})
    function(data, max_metadata=15)
    with pytest.raises(kqf.LimitError, match="max_metadata=14, found 15"):
        function(data, max_metadata=14)


@pytest.mark.parametrize(("threads", "kind"), [(0, ValueError), (1.5, TypeError)])
def test_wrong_threads_are_a_caller_error(threads, kind):
    for function in (kqf.decode, kqf.read_indexed, kqf.check):
        with pytest.raises(kind, match="threads must be") as caught:
            function(SMALL[0], threads=threads)
        assert not isinstance(caught.value, kqf.KqfError)


# --- info and check


def test_info_says_what_the_file_is():
    pixels = smooth_image(20, 35, 4)
    metadata = {"comment": "x", "icc_profile": b"y"}
    data = kqf.encode(pixels, colors=30, tile=(10, 8), predictor="up", effort=1, metadata=metadata)
    found = kqf.info(data)
    assert found == kqf.Info(
        width=35,
        height=20,
        channels=4,
        colors=found.colors,
        predictor="up",
        tile_width=10,
        tile_height=8,
        tiles=12,
        metadata={"icc_profile": b"y", "comment": "x"},
        file_bytes=len(data),
    )
    assert 20 < found.colors <= 30
    assert found.bits_per_pixel == len(data) * 8 / 700


class Fenced(io.BytesIO):
    """A file that must not be read beyond a place."""

    def __init__(self, data, end):
        super().__init__(data)
        self.end = end

    def read(self, count=-1):
        assert 0 <= count <= self.end - self.tell(), "read beyond the fence"
        return super().read(count)


@pytest.mark.parametrize("data", SMALL)
def test_info_reads_nothing_beyond_the_head_of_the_first_tile(data):
    # Its chunk's length and type are how a reader knows that it is one.
    end = first_tile_at(data) + 8
    assert kqf.info(Fenced(data, end)) == kqf.info(data)
    with pytest.raises(AssertionError, match="fence"):
        kqf.read(Fenced(data, end))
    assert kqf.info(data[:end]).width == 13


def test_check_takes_whole_files_and_gives_nothing():
    for data in SMALL:
        assert kqf.check(data) is None
        assert kqf.check(io.BytesIO(data), threads=2) is None


def test_check_finds_damage_in_the_last_tile():
    data = bytearray(SMALL[1])
    data[-13] ^= 1
    with pytest.raises(kqf.FormatError, match="LABL: crc"):
        kqf.check(bytes(data), threads=2)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("tile", [None, (9, 60), (50, 7)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_take_the_place_of_their_labels(channels, tile, predictor, threads, monkeypatch):
    # Many bands, in threads.
    monkeypatch.setattr("kqf.decoding.labels.BAND", 51)
    monkeypatch.setattr("kqf.decoding.labels._BATCH_PIXELS", 1)
    monkeypatch.setattr("kqf.decoding.labels._THREAD_PIXELS", 1)
    monkeypatch.setattr("kqf.image._PAIRED", 0)
    monkeypatch.setattr("kqf.format.prediction._MANY_CHAINS", 64)
    rng = np.random.default_rng(channels)
    labels = rng.integers(0, 99, (60, 50), dtype=np.uint8)
    codebook = rng.integers(0, 256, (99, channels), dtype=np.uint8)
    data = kqf.encode_indexed(labels, codebook, predictor=predictor, tile=tile, effort=1)
    assert np.array_equal(kqf.read_indexed(data, threads=threads).labels, labels)
    pixels = kqf.decode(data, threads=threads)
    assert np.array_equal(pixels.reshape(60, 50, channels), codebook[labels])


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_bands_may_be_looked_up_in_any_order(predictor, monkeypatch):
    def backwards(bands, *rest):
        look_up_bands(reversed(list(bands)), *rest)

    monkeypatch.setattr("kqf.decoding.labels.BAND", 51)
    monkeypatch.setattr("kqf.decoding.labels.look_up_bands", backwards)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 99, (60, 50), dtype=np.uint8)
    codebook = rng.integers(0, 256, (99, 3), dtype=np.uint8)
    data = kqf.encode_indexed(labels, codebook, predictor=predictor, effort=1)
    assert np.array_equal(kqf.decode(data), codebook[labels])


def test_a_tile_that_does_not_inflate_costs_nothing():
    parts = [head(4000, 4000, channels=4), (b"CODE", bytes(4))]
    data = put_together([*parts, (b"LABL", bytes(20_000)), (b"DONE", b"")])
    for threads in (1, 2):
        tracemalloc.start()
        with pytest.raises(kqf.FormatError, match="LABL: zlib stream"):
            kqf.decode(data, threads=threads)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_the_first_of_several_damages_is_told_with_any_threads(monkeypatch):
    monkeypatch.setattr("kqf.decoding.labels._THREAD_PIXELS", 1)
    monkeypatch.setattr("kqf.decoding.labels._BATCH_PIXELS", 1)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 4, (64, 64), dtype=np.uint8)
    parts = take_apart(kqf.encode_indexed(noise, np.zeros((4, 1), np.uint8), tile=8))
    places = [at for at, (kind, _) in enumerate(parts) if kind == b"LABL"]
    for tile in (40, 9, 22):
        symbols = bytearray(zlib.decompress(parts[places[tile]][1]))
        symbols[5] = 4 + tile
        parts[places[tile]] = b"LABL", zlib.compress(symbols)
    data = put_together([part for part in parts if part[0] != b"tidx"])
    for threads in (1, 2, 5):
        with pytest.raises(kqf.FormatError, match=r"symbol in tile 9: .*found 13"):
            kqf.decode(data, threads=threads)


def test_an_index_that_disagrees_with_the_tiles_is_refused():
    parts = take_apart(kqf.encode(smooth_image(20, 20, 3), tile=10, effort=1))
    for at, (kind, payload) in enumerate(parts):
        if kind == b"tidx":
            lengths = list(struct.unpack(">4I", payload))
            lengths[2] += 1
            parts[at] = kind, struct.pack(">4I", *lengths)
    data = put_together(parts)
    with pytest.raises(kqf.FormatError, match=r"tidx: lengths\[2\]"):
        kqf.decode(data)
    with pytest.raises(kqf.FormatError):
        kqf.check(data)
    assert kqf.info(data).tiles == 4


def test_labels_before_damage_are_kept_where_that_is_asked_for():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, (30, 20), dtype=np.uint8)
    data = kqf.encode_indexed(labels, np.zeros((4, 1), np.uint8), tile=(20, 10), effort=1)
    second = first_tile_at(data)
    second += 12 + int.from_bytes(data[second : second + 4], "big")
    for cut in (second, second + 20):
        with pytest.warns(kqf.DamageWarning, match="2 of 3 tiles"):
            found = kqf.read_indexed(data[:cut], errors="salvage").labels
        assert np.array_equal(found[:10], labels[:10])
        assert not found[10:].any()
        with pytest.raises(kqf.TruncatedError):
            kqf.decode(data[:cut])


def test_asking_what_a_file_holds_leaves_it_where_it_stood():
    data = kqf.encode(np.zeros((3, 4), np.uint8))
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    assert kqf.info(file).width == 4
    assert kqf.read(file).shape == (3, 4)


@pytest.mark.parametrize("look", [kqf.info, kqf.check, kqf.read, kqf.read_indexed, kqf.decode])
def test_chunks_before_the_tiles_are_limited_by_the_caller(look):
    metadata = {"exif": b"1", "xmp": b"2", "comment": "3"}
    data = kqf.encode(np.zeros((3, 4), np.uint8), predictor="none", metadata=metadata)
    look(data, max_chunks=3)
    with pytest.raises(kqf.LimitError, match="chunks before LABL: expected at most max_chunks=2"):
        look(data, max_chunks=2)
