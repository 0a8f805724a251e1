"""Large images in Chromium, where two threads decode them."""

import base64
import hashlib
import itertools

import numpy as np
import pytest
from conftest import smooth_image
from javascript import await_script, browser, serve

import kqf
import kqf.web

pytestmark = pytest.mark.slow
# More than the pixels above which a second thread is asked.
WIDTH, HEIGHT, SIDE = 1700, 1300, 300
# Its tiles begin with the eighth.
REGION = (350, 320, 1650, 1299)
BEGIN = """
const [text, ...rest] = args;
const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const { decode, open } = await import("/kqf.js");
// The first large image starts the other thread, and is decoded without it.
await decode(bytes).catch(() => null);
const other = await import("/parallel.js");
for (let i = 0; i < 2000 && !other.share; i++) await new Promise((done) => setTimeout(done, 5));
if (!other.share) throw Error("the second thread has not started");
const sha256 = async (data) =>
    [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))]
        .map((byte) => byte.toString(16).padStart(2, "0")).join("");
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with (
        browser(tmp_path_factory.mktemp("profile")) as found,
        serve(kqf.web.path()) as address,
    ):
        found.get(f"{address}/package.json")
        yield found


def run(page, data, script, *arguments):
    return await_script(page, BEGIN + script, base64.b64encode(data).decode(), *arguments)


@pytest.fixture(scope="module")
def labels():
    noise = np.random.default_rng(0).integers(-9, 9, (HEIGHT, WIDTH))
    return np.clip(smooth_image(HEIGHT, WIDTH, 1)[..., 0] // 2 + noise, 0, 200).astype(np.uint8)


@pytest.fixture(scope="module")
def encoded(labels):
    codebook = np.repeat(np.arange(201, dtype=np.uint8)[:, None], 3, axis=1)
    return {
        predictor: kqf.encode_indexed(labels, codebook, predictor=predictor, tile=SIDE, effort=1)
        for predictor in ("none", "up", "copy")
    }


@pytest.mark.parametrize("region", [None, REGION])
@pytest.mark.parametrize("predictor", ["none", "up", "copy"])
def test_labels_and_rows_are_those_of_the_file(page, labels, encoded, predictor, region):
    """Rows that were told twice would have been read again by one thread."""
    found, rows = run(
        page,
        encoded[predictor],
        """const rows = [];
        const onRows = (image, upper, lower) => rows.push([upper, lower]);
        const region = rest[0] ?? undefined;
        const image = await (await open(bytes)).read({ region, onRows });
        return [await sha256(image.labels), rows];""",
        region,
    )
    left, upper, right, lower = region or (0, 0, WIDTH, HEIGHT)
    part = np.ascontiguousarray(labels[upper:lower, left:right])
    assert found == hashlib.sha256(part.tobytes()).hexdigest()
    edges = sorted({upper, lower, *range(upper // SIDE * SIDE + SIDE, lower, SIDE)})
    expected = [[first - upper, last - upper] for first, last in itertools.pairwise(edges)]
    assert rows[0] == [0, 0]
    assert sorted(rows[1:]) == expected


@pytest.fixture(scope="module")
def page_of_letters():
    """Return labels of one tile whose file has shapes."""
    generator = np.random.default_rng(1)
    labels = np.zeros((700, 900), np.uint8)
    letters = generator.integers(0, 2, (8, 9, 7), np.uint8) * 3
    for y in range(5, 680, 14):
        for x in range(5, 880, 9):
            labels[y : y + 9, x : x + 7] = letters[generator.integers(8)]
    return labels


LETTER_COLORS = np.eye(4, 3, dtype=np.uint8) * 200


@pytest.fixture(scope="module")
def lettered(page_of_letters):
    data = kqf.encode_indexed(page_of_letters, LETTER_COLORS)
    assert kqf.info(data).part_bytes["shapes"]
    return data


@pytest.mark.parametrize("region", [None, (100, 50, 800, 690)])
def test_a_tile_with_shapes(page, page_of_letters, lettered, region):
    found, rows = run(
        page,
        lettered,
        """const rows = [];
        const onRows = (image, upper, lower) => rows.push([upper, lower]);
        const file = await open(bytes);
        const region = rest[0] ?? undefined;
        const image = await file.read({ onRows, region });
        const again = await file.read({ region });
        return [[await sha256(image.labels), await sha256(again.labels)], rows];""",
        region,
    )
    left, upper, right, lower = region or (0, 0, 900, 700)
    part = np.ascontiguousarray(page_of_letters[upper:lower, left:right])
    assert found == [hashlib.sha256(part.tobytes()).hexdigest()] * 2
    assert rows == [[0, 0], [0, lower - upper]]


def test_what_follows_a_tile_is_checked(page, lettered):
    script = "return decode(bytes).then(() => null, (error) => [error.kind, error.chunk]);"
    assert run(page, lettered, script) is None
    assert run(page, lettered[:-1], script) == ["truncated", "DONE"]
    assert run(page, lettered[:-12], script) == ["truncated", "file"]
    assert run(page, lettered + b"x", script) == ["wrong", "file"]


@pytest.mark.parametrize("tile", [0, 7, 29])
def test_a_damaged_tile_is_refused(page, encoded, tile):
    data = bytearray(encoded["up"])
    at = -1
    for _ in range(tile + 1):
        at = data.index(b"LABL", at + 1)
    data[at + 50] ^= 1
    found = run(
        page,
        bytes(data),
        """const parts = (error) => [error.kind, error.chunk, error.field];
        return decode(bytes).then(() => null, parts);""",
    )
    assert found == ["wrong", "LABL", "crc"]


def test_reading_can_be_ended(page, encoded):
    found = run(
        page,
        encoded["none"],
        """const controller = new AbortController();
        const onRows = () => controller.abort();
        const reading = (await open(bytes)).read({ signal: controller.signal, onRows });
        const name = await reading.then(() => null, (error) => error.name);
        return [name, (await decode(bytes)).labels.length];""",
    )
    assert found == ["AbortError", WIDTH * HEIGHT]


def test_reading_that_has_been_ended_does_not_begin(page, lettered):
    found = run(
        page,
        lettered,
        """const signal = AbortSignal.abort();
        return (await open(bytes)).read({ signal }).then(() => null, (error) => error.name);""",
    )
    assert found == "AbortError"


@pytest.mark.parametrize("call", [1, 2, 4])
def test_an_error_of_the_caller_is_his(page, labels, encoded, call):
    """It is not called again, and the next reading is right."""
    found = run(
        page,
        encoded["none"],
        """let calls = 0;
        const onRows = () => { if (++calls === rest[0]) throw new RangeError("mine"); };
        const file = await open(bytes);
        const error = await file.read({ onRows }).then(() => null, String);
        const { labels } = await file.read();
        return [error, calls, await sha256(labels)];""",
        call,
    )
    assert found == ["RangeError: mine", call, hashlib.sha256(labels.tobytes()).hexdigest()]


def test_several_files_at_once(page, page_of_letters, lettered):
    found = run(
        page,
        lettered,
        """const images = await Promise.all(Array.from({ length: 5 }, () => decode(bytes)));
        return Promise.all(images.map(({ labels }) => sha256(labels)));""",
    )
    assert found == [hashlib.sha256(page_of_letters.tobytes()).hexdigest()] * 5


def test_the_element_leaves_tiles_to_the_other_thread(page, page_of_letters, lettered):
    """What comes from an address is whole once its only tile is."""
    found, asked = run(
        page,
        lettered,
        """await import("/element.js");
        const src = URL.createObjectURL(new Blob([bytes]));
        let messages = 0;
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (...rest) {
            messages++;
            postMessage.apply(this, rest);
        };
        const element = document.createElement("kqf-img");
        await new Promise((done, fail) => {
            element.addEventListener("load", done);
            element.addEventListener("error", ({ error }) => fail(error));
            element.src = src;
            document.body.append(element);
        });
        Worker.prototype.postMessage = postMessage;
        const context = element.shadowRoot.querySelector("canvas").getContext("2d");
        return [await sha256(context.getImageData(0, 0, 900, 700).data), messages];""",
    )
    pixels = np.full((700, 900, 4), 255, np.uint8)
    pixels[..., :3] = LETTER_COLORS[page_of_letters]
    assert found == hashlib.sha256(pixels.tobytes()).hexdigest()
    assert asked == 1


def test_a_page_may_have_any_name(page, labels, encoded):
    address = page.current_url
    page.execute_script("window.name = 'kqf-parallel'")
    page.get(address)
    script = "return [onmessage, await sha256((await decode(bytes)).labels)];"
    found = run(page, encoded["none"], script)
    assert found == [None, hashlib.sha256(labels.tobytes()).hexdigest()]


def test_the_decoder_works_without_the_module(page, labels, encoded, tmp_path):
    (tmp_path / "kqf.min.js").write_bytes((kqf.web.path() / "kqf.min.js").read_bytes())
    (tmp_path / "empty.html").write_text("<!doctype html>")
    with serve(tmp_path) as address:
        page.get(f"{address}/empty.html")
        script = BEGIN.replace("/kqf.js", "/kqf.min.js").splitlines()
        found = await_script(
            page,
            "\n".join(line for line in script if "other" not in line)
            + """
            await new Promise((done) => setTimeout(done, 50));
            return sha256((await decode(bytes)).labels);""",
            base64.b64encode(encoded["none"]).decode(),
        )
    assert found == hashlib.sha256(labels.tobytes()).hexdigest()
