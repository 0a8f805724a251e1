"""The element and the viewer in Chromium."""

import contextlib
import re
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_image
from javascript import await_script, browser, serve
from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait

import kqf
import kqf.web
from kqf.cli.viewer_server import Served, ViewerServer

pytestmark = pytest.mark.slow
SECONDS = 20
# A bright column goes from left to right.
MOVING = np.zeros((4, 24, 32, 3), np.uint8)
for _number, _frame in enumerate(MOVING):
    _frame[:, 8 * _number : 8 * _number + 4] = (250, 120, 30)


@pytest.fixture(scope="module")
def opened_browser(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.set_window_size(1000, 700)
        yield found


@pytest.fixture
def page(opened_browser):
    """Give the browser, whose console says nothing of the tests before."""
    opened_browser.get_log("browser")
    return opened_browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the files for browsers beside a few images; give the folder and its address."""
    folder = tmp_path_factory.mktemp("site")
    for path in kqf.web.path().iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    kqf.write(folder / "a.kqf", smooth_image(60, 90, 3), seed=0, metadata={"comment": "<b>hi</b>"})
    kqf.write(
        folder / "turned.kqf", smooth_image(60, 90, 3), seed=0, metadata={"exif": exif.tobytes()}
    )
    (folder / "moving.kqf").write_bytes(kqf.encode_animation(MOVING, durations=40, loop=2))
    (folder / "bad.kqf").write_bytes((folder / "a.kqf").read_bytes()[:200])
    (folder / "empty.html").write_text("<!doctype html><title>empty</title>")
    with serve(folder) as address:
        yield folder, address


def run(page, site, script, *arguments):
    page.get(f"{site[1]}/empty.html")
    begin = 'const { swapImages } = await import("/element.js");'
    begin += """const make = (html) => {
        document.body.innerHTML = html;
        return document.body.firstElementChild;
    };
    const ended = (element) => new Promise((done) => {
        for (const name of ["load", "error"]) element.addEventListener(name, done);
    });"""
    return await_script(page, begin + script, *arguments)


PIXELS = """const canvas = element.shadowRoot.querySelector("canvas");
    const { width, height } = canvas;
    return [...canvas.getContext("2d").getImageData(0, 0, width, height).data];"""


@pytest.mark.parametrize("name", ["a", "turned"])
def test_the_element_shows_the_pixels(page, site, name):
    found = run(
        page,
        site,
        f"""const element = make('<kqf-img src="{name}.kqf" alt="A"></kqf-img>');
        const event = await ended(element);
        if (event.type !== "load") throw event.error; {PIXELS}""",
    )
    expected = kqf.read(site[0] / f"{name}.kqf")
    if name == "turned":
        expected = np.rot90(expected, -1)
    rgba = np.array(found, np.uint8).reshape(*expected.shape[:2], 4)
    assert np.array_equal(rgba[..., :3], expected)
    assert (rgba[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("", [90, 60]),
        ('width="45"', [45, 30]),
        ('height="120"', [180, 120]),
        ('width="50" height="50"', [50, 50]),
        ('style="width: 30px"', [30, 20]),
    ],
)
def test_the_element_is_as_large_as_an_img(page, site, attributes, size):
    text = f"""const element = make('<kqf-img src="a.kqf" {attributes}></kqf-img>');
        await ended(element);
        const {{ width, height }} = element.getBoundingClientRect();
        return [width, height, element.naturalWidth, element.naturalHeight];"""
    assert run(page, site, text) == [*size, 90, 60]


def test_the_element_tells_errors_and_shows_what_is_within(page, site):
    text = """const results = [];
        for (const html of ['<kqf-img src="bad.kqf" alt="Sea"></kqf-img>',
                '<kqf-img src="none.kqf"><i>instead</i></kqf-img>']) {
            const element = make(html);
            const event = await ended(element);
            results.push([event.type, String(event.error), element.complete,
                element.getBoundingClientRect().width > 10]);
        }
        return results;"""
    (bad, none) = run(page, site, text)
    assert re.match("KqfError: .*: payload: expected", bad[1])
    assert "none.kqf: 404" in none[1]
    assert [bad[::2], none[::2]] == [["error", True]] * 2
    assert bad[3]
    assert none[3]


def test_a_lazy_element_loads_when_it_is_near(page, site):
    text = """const outer = make('<div><div style="height: 5000px"></div>' +
            '<kqf-img src="a.kqf" loading="lazy"></kqf-img></div>');
        const element = outer.lastElementChild;
        const end = ended(element);
        await new Promise((done) => setTimeout(done, 200));
        const before = element.complete;
        element.scrollIntoView();
        await end;
        return [before, element.complete];"""
    assert run(page, site, text) == [False, True]


def test_another_source_takes_the_place_of_the_first(page, site):
    text = """const element = make('<kqf-img src="a.kqf"></kqf-img>');
        element.src = "turned.kqf";
        const event = await ended(element);
        return [event.type, element.naturalWidth];"""
    assert run(page, site, text) == ["load", 60]


def test_the_element_plays_an_animation_as_often_as_the_file_says(page, site):
    text = """const element = make('<kqf-img src="moving.kqf"></kqf-img>');
        await ended(element);
        const seen = [];
        for (const end = performance.now() + 5000; performance.now() < end; ) {
            const now = [0, 1, 2, 3].find((i) => element.image.rgba()[32 * i] === 250);
            if (now !== seen[seen.length - 1]) seen.push(now);
            if (seen.length > 3 && element.paused) break;
            await new Promise((done) => setTimeout(done, 5));
        }
        element.play();
        const again = element.paused;
        element.pause();
        return [seen, again, element.paused];"""
    seen, again, paused = run(page, site, text)
    assert "".join(map(str, seen)) in "01230123"
    assert (seen[-1], again, paused) == (3, False, True)


def test_an_animation_does_not_move_for_those_who_prefer_so(page, site):
    media = "Emulation.setEmulatedMedia"
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.execute_cdp_cmd(media, {"features": [feature]})
    try:
        text = """const element = make('<kqf-img src="moving.kqf"></kqf-img>');
            await ended(element);
            await new Promise((done) => setTimeout(done, 200));
            return [element.paused, element.image.rgba()[0]];"""
        assert run(page, site, text) == [True, 250]
    finally:
        page.execute_cdp_cmd(media, {"features": []})


def test_the_viewer_plays_and_steps(page, site):
    page.get(f"{site[1]}/viewer.html?src=moving.kqf")
    wait_for(page, "shown")
    assert "4 in 0.16 s" in text_of(page, "facts")
    WebDriverWait(page, SECONDS).until(lambda _: text_of(page, "play") == "Play")
    assert text_of(page, "time").startswith("4 of 4, 40 ms")
    for button, expected in (("next", "1 of 4"), ("next", "2 of 4"), ("back", "1 of 4")):
        page.execute_script("document.getElementById(arguments[0]).click()", button)
        WebDriverWait(page, SECONDS).until(
            lambda _, text=expected: text_of(page, "time").startswith(text)
        )
    page.execute_script("document.getElementById('play').click()")
    assert text_of(page, "play") == "Pause"
    check_no_complaints(page)


def test_img_elements_are_swapped(page, site):
    text = """make('<img src="a.kqf?1"><img src="x.png"><img src="bad.kqf">');
        const [first, other, bad] = document.querySelectorAll("img");
        const failed = new Promise((done) => bad.addEventListener("error", (event) => {
            if (event.error) done(String(event.error));
        }));
        const found = await swapImages();
        await first.decode();
        return [found.length, first.naturalWidth, other.src, await failed];"""
    count, width, other, failed = run(page, site, text)
    assert (count, width, other) == (2, 90, f"{site[1]}/x.png")
    assert failed.startswith("KqfError")


@contextlib.contextmanager
def command(*files):
    """Serve files as ``kqf view --browser`` does, and give the server."""
    with ViewerServer(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def wait_for(page, state):
    WebDriverWait(page, SECONDS).until(
        lambda _: page.execute_script("return document.body.dataset.state") == state
    )


def text_of(page, name):
    return page.execute_script("return document.getElementById(arguments[0]).innerText", name)


def check_no_complaints(page):
    """See that the page's console is empty."""
    assert [entry["message"] for entry in page.get_log("browser")] == []


def test_the_viewer_shows_a_file(page, site):
    page.get(f"{site[1]}/viewer.html?src=a.kqf")
    wait_for(page, "shown")
    assert text_of(page, "name") == "a.kqf"
    assert "90 \N{MULTIPLICATION SIGN} 60" in text_of(page, "facts")
    assert "<b>hi</b>" in text_of(page, "metadata")
    assert "HEAD at 8" in text_of(page, "chunks")
    codebook = kqf.read_indexed(site[0] / "a.kqf").codebook
    assert page.execute_script("return document.querySelectorAll('#palette button').length") == len(
        codebook
    )
    assert text_of(page, "zoom") == "700 %"
    page.execute_script("document.getElementById('one').click()")
    WebDriverWait(page, SECONDS).until(lambda _: text_of(page, "zoom") == "100 %")
    check_no_complaints(page)


def test_the_viewer_explains_what_is_wrong(page, site):
    page.get(f"{site[1]}/viewer.html?src=bad.kqf")
    wait_for(page, "failed")
    assert text_of(page, "message").startswith("This file is cut off.")


def test_the_viewer_opens_from_disk(page, site, tmp_path):
    path = tmp_path / "viewer.html"
    path.write_text(kqf.web.viewer(), "utf-8")
    page.get(path.as_uri())
    WebDriverWait(page, SECONDS).until(lambda _: text_of(page, "zoom") == "\N{EN DASH}")
    page.find_element("id", "open").send_keys(str(site[0] / "a.kqf"))
    wait_for(page, "shown")
    check_no_complaints(page)


def test_the_server_of_the_command_is_enough(page, site):
    other = Path(site[0]) / "b.png"
    Image.fromarray(smooth_image(20, 30, 3)).save(other)
    files = Served("a.kqf", site[0] / "a.kqf"), Served("b.png", other.read_bytes())
    with command(*files) as server:
        page.get(server.address)
        wait_for(page, "shown")
        page.execute_script(
            "const files = document.getElementById('files'); files.value = 1;"
            "files.dispatchEvent(new Event('change'))"
        )
        WebDriverWait(page, SECONDS).until(
            lambda _: "30 \N{MULTIPLICATION SIGN} 20" in text_of(page, "facts")
        )
        wait_for(page, "shown")
    check_no_complaints(page)


def chunk(kind, payload):
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return len(payload).to_bytes(4) + kind + payload + crc.to_bytes(4)


def test_a_large_image_is_read_in_parts(page, site):
    """1.07 gigapixels in 16,384 tiles, of which the viewer reads a few."""
    side, tile = 2**15, 2**8
    count = (side // tile) ** 2
    noise = np.random.default_rng(0).integers(0, 2, (tile, tile), np.uint8)
    noise[: tile // 2] = 0
    stream = zlib.compress(noise.tobytes())
    sides = b"".join(number.to_bytes(4) for number in (side, side, tile, tile))
    parts = [
        b"\x89KQF\r\n\x1a\n",
        chunk(b"HEAD", sides + bytes([1, 3, 1, 0])),
        chunk(b"CODE", bytes([255, 120, 0, 0, 60, 120])),
        chunk(b"tidx", len(stream).to_bytes(4) * count),
        chunk(b"LABL", stream) * count,
        chunk(b"DONE", b""),
    ]
    (site[0] / "large.kqf").write_bytes(b"".join(parts))
    with command(Served("large.kqf", site[0] / "large.kqf")) as server:
        page.get(server.address)
        wait_for(page, "shown")
        fetched = await_script(
            page,
            """let entries = [];
            for (let last = -1; entries.length !== last || last < 10; ) {
                last = entries.length;
                await new Promise((done) => setTimeout(done, 300));
                entries = performance.getEntriesByType("resource");
            }
            return entries.map((entry) => entry.encodedBodySize);""",
        )
    assert len(fetched) > 10
    assert sum(fetched) < 12e6 < (site[0] / "large.kqf").stat().st_size / 5


def test_a_large_image_shows_its_overviews(page, site):
    """A map of four colours, of which the browser fetches the smallest picture alone."""
    y, x = np.indices((4200, 4200), np.uint16)
    noise = np.random.default_rng(0).integers(0, 2, (4200, 4200), np.uint8)
    labels = (2 * (x > y) + noise).astype(np.uint8)
    codebook = np.array([[250, 0, 0], [240, 10, 10], [0, 0, 250], [10, 10, 240]], np.uint8)
    kqf.write_indexed(site[0] / "map.kqf", labels, codebook, effort=1, tile=512)
    with command(Served("map.kqf", site[0] / "map.kqf")) as server:
        page.get(server.address)
        wait_for(page, "shown")
        colors = await_script(
            page,
            """await new Promise((done) => setTimeout(done, 1500));
            const canvas = document.getElementById("canvas");
            const context = canvas.getContext("2d");
            const [w, h] = [canvas.width, canvas.height];
            const { data } = context.getImageData(0, 0, w, h);
            const place = (x, y) => 4 * (Math.round(y) * w + Math.round(x));
            const at = (x, y) => [...data.subarray(place(x, y), place(x, y) + 4)];
            const entries = performance.getEntriesByType("resource");
            const bytes = entries.filter(({ name }) => name.includes("/file/"));
            return {
                lower: at(w / 2 - h / 5, h / 2 + h / 5),
                upper: at(w / 2 + h / 5, h / 2 - h / 5),
                taken: bytes.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
            };""",
        )
    lower, upper = colors["lower"], colors["upper"]
    assert lower[0] > 230
    assert lower[2] < 25
    assert upper[2] > 230
    assert upper[0] < 25
    assert colors["taken"] < (site[0] / "map.kqf").stat().st_size / 4
    check_no_complaints(page)
