"""The page of a report in a browser."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_image
from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

import kqf
from kqf.report import html as page
from kqf.report.animations import measure_animation
from kqf.report.measure import Unreadable, measure

pytestmark = pytest.mark.slow
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)
NAME = "<b>bold<i> & co.png"
# One large enough that a page shows it reduced, and one stored exactly.
SIZES = {NAME: (50, 70), "large.png": (50, 130), "exact.png": (3, 2)}
SECONDS = 20


@pytest.fixture(scope="module")
def pictures():
    return {name: smooth_image(*size, 3) for name, size in SIZES.items()}


@pytest.fixture(scope="module")
def reports(pictures):
    return {
        name: measure(pixels, name=name, file_format="PNG", file_bytes=9999, threads=1)
        for name, pixels in pictures.items()
    }


@pytest.fixture(scope="module")
def address(pictures, reports, tmp_path_factory):
    sections = []
    for name in SIZES:
        with pytest.MonkeyPatch.context() as patch:
            if name == "large.png":
                patch.setattr(page, "_SIZE", 30_000)
            sections.append(page.section_of(reports[name], pictures[name], 3))
    bad = [Unreadable("<img src=x>.png", "is <script>no</script> image")]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render("KQF report", sections, list(reports.values()), bad), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in SWITCHES:
        options.add_argument(switch)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        found = webdriver.Chrome(options=options, service=Service(driver))
    except SessionNotCreatedException as error:
        pytest.skip(f"Chromium does not start: {error.msg}")
    yield found
    found.quit()


@pytest.fixture
def opened(browser, address):
    show(browser, 1600, "light")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(address)
    wait(browser, lambda: all(drawn(browser)))
    return browser


def show(browser, width, scheme):
    metrics = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def wait(browser, condition):
    return WebDriverWait(browser, SECONDS).until(lambda _: condition())


def drawn(browser):
    script = "return [...document.querySelectorAll('.image')].map((it) => 'drawn' in it.dataset)"
    return browser.execute_script(script)


def section(browser, number=1):
    return browser.find_element(By.ID, f"image-{number}")


def pixels_of(canvas):
    """Return the pixels (H, W, 3) of a canvas."""
    script = """
        const [canvas] = arguments;
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return [canvas.width, canvas.height, [...data]];
    """
    width, height, values = canvas.parent.execute_script(script, canvas)
    return np.array(values).reshape(height, width, 4)[..., :3]


def choose(browser, name, number=1):
    select = Select(section(browser, number).find_element(By.CLASS_NAME, "variant"))
    (caption,) = [each.text for each in select.options if each.text.startswith(name)]
    select.select_by_visible_text(caption)
    wait(
        browser,
        lambda: section(browser, number).find_element(By.CSS_SELECTOR, ".tag.right").text == name,
    )


def test_no_errors_and_no_requests(opened, address):
    errors = [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    requests = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    others = [url for url in requests if not url.startswith(("data:", "blob:"))]
    assert set(others) == {address}


def test_names_are_text(opened):
    assert section(opened).find_element(By.TAG_NAME, "h2").text == NAME
    cells = [cell.text for cell in opened.find_elements(By.CSS_SELECTOR, ".errors td")]
    assert cells == ["<img src=x>.png", "is <script>no</script> image"]


def divided(browser):
    script = "return getComputedStyle(arguments[0].querySelector('.result')).clipPath"
    return browser.execute_script(script, section(browser))


def test_the_divider_moves_by_mouse_and_keyboard(opened):
    before = divided(opened)
    handle = section(opened).find_element(By.CLASS_NAME, "divider")
    left = handle.rect["x"]
    ActionChains(opened).drag_and_drop_by_offset(handle, 60, 0).perform()
    dragged = divided(opened)
    assert dragged != before
    assert handle.rect["x"] == pytest.approx(left + 60, abs=3)
    section(opened).find_element(By.CLASS_NAME, "at").send_keys(Keys.HOME)
    assert divided(opened) not in (before, dragged)
    assert handle.rect["x"] < left


def test_tables_sort(opened):
    table = section(opened).find_element(By.TAG_NAME, "table")
    head = table.find_elements(By.TAG_NAME, "th")[1]

    def column():
        cells = table.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(2)")
        return [int(cell.text.replace(",", "")) for cell in cells]

    start = column()
    assert start != sorted(start)
    head.find_element(By.TAG_NAME, "button").click()
    assert column() == sorted(start)
    assert head.get_attribute("aria-sort") == "ascending"
    head.find_element(By.TAG_NAME, "button").click()
    assert column() == sorted(start, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"


def test_the_picture_and_its_error(opened, pictures, reports):
    name = "KQF, 64 colours, quality 75"
    choose(opened, name)
    original = pictures[NAME].astype(int)
    result = reports[NAME].pictures[name].pixels.astype(int)
    canvas = section(opened).find_element(By.CLASS_NAME, "result")
    assert (pixels_of(canvas) == result).all()
    note = section(opened).find_element(By.CLASS_NAME, "decoded")
    assert "decoded the KQF file: 3,500 pixels, CRC-32" in note.text
    assert "the same as the pixels that were measured" in note.text
    section(opened).find_element(By.CLASS_NAME, "as-error").click()
    wait(opened, lambda: "error" in canvas.get_attribute("aria-label"))
    assert (pixels_of(canvas) == np.minimum(8 * abs(original - result), 255)).all()


@pytest.mark.parametrize("number", [1, 2])
def test_close_up_of_the_largest_error(number, opened, pictures, reports):
    name = "KQF, 64 colours, quality 75"
    choose(opened, name, number)
    file = list(SIZES)[number - 1]
    pixels, picture = pictures[file], reports[file].pictures[name]
    worst = next(row.largest_error for row in reports[file].rows if row.name == name)
    height, width = pixels.shape[:2]
    left = min(max(worst.x - 24, 0), width - 48)
    top = min(max(worst.y - 24, 0), height - 48)
    here = section(opened, number)
    box = (slice(top, top + 48), slice(left, left + 48))
    assert (pixels_of(here.find_element(By.CLASS_NAME, "close-original")) == pixels[box]).all()
    found = pixels_of(here.find_element(By.CLASS_NAME, "close-result"))
    assert (found == picture.pixels[box]).all()
    assert f"at {worst.x}, {worst.y}." in here.find_element(By.CLASS_NAME, "where").text
    assert ("Shown at 1/" in here.text) == (number == 2)
    assert here.find_element(By.CLASS_NAME, "aim").is_displayed() == (number == 1)


def test_a_file_that_was_changed_is_told_apart(browser, address, tmp_path):
    text = Path(address.removeprefix("file://")).read_text("utf-8")
    changed = tmp_path / "changed.html"
    changed.write_text(re.sub(r'"crc": \d+', '"crc": 1', text), "utf-8")
    browser.get(changed.as_uri())
    wait(browser, lambda: all(drawn(browser)))
    note = section(browser).find_element(By.CLASS_NAME, "decoded")
    assert "not the 00000001 of the pixels that were measured" in note.text
    changed.write_text(text.replace("data:;base64,iUtR", "data:;base64,AAAA"), "utf-8")
    browser.get(changed.as_uri())
    wait(browser, lambda: "cannot be decoded: file: signature: expected" in section(browser).text)


def test_the_page_opens_on_the_picture_at_the_default_setting(opened, reports):
    stage = section(opened).find_element(By.CLASS_NAME, "stage")
    assert stage.rect["y"] < 500
    tag = section(opened).find_element(By.CSS_SELECTOR, ".tag.right").text
    assert tag == reports[NAME].default.name == "KQF, 256 colours, quality 75"


def test_a_click_looks_elsewhere(opened, pictures):
    stage = section(opened).find_element(By.CLASS_NAME, "stage")
    ActionChains(opened).move_to_element_with_offset(stage, -100, -80).click().perform()
    shown = section(opened).find_element(By.CLASS_NAME, "x").get_property("valueAsNumber")
    assert shown < 35
    canvas = section(opened).find_element(By.CLASS_NAME, "close-original")
    wait(opened, lambda: (pixels_of(canvas) == pictures[NAME][:48, :48]).all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_fits_and_can_be_read(width, scheme, opened):
    show(opened, width, scheme)
    script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wait(opened, lambda: int.__eq__(*opened.execute_script(script)))
    for name in ("back", "card"):
        for text in ("text", "quiet", "accent"):
            assert contrast(opened, name, text) >= 4.5
    lightness = sum(color(opened, "card")) / (3 * 255)
    assert (lightness > 0.5) == (scheme == "light")


def color(browser, name):
    script = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
    return bytes.fromhex(browser.execute_script(script, f"--{name}").strip().removeprefix("#"))


def contrast(browser, *names):
    """Return the contrast of two colours, 1 to 21, as WCAG 2 defines it."""
    lights = []
    for name in names:
        values = np.frombuffer(color(browser, name), np.uint8) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(lights) / min(lights)


def test_everything_has_a_name(opened):
    for kind in ("input", "select", "button", "canvas[role]", "[role=region]"):
        found = section(opened).find_elements(By.CSS_SELECTOR, kind)
        assert found
        nameless = [each for each in found if not each.accessible_name]
        assert nameless == [], kind
    for image in opened.find_elements(By.TAG_NAME, "img"):
        assert image.get_dom_attribute("alt") is not None


def test_animations_play(browser, tmp_path):
    frames = np.zeros((3, 20, 30, 3), np.uint8)
    frames[1, :10], frames[2, :, :10] = 200, 99
    done = measure_animation(kqf.encode_animation(frames, durations=50), name="a.kqf")
    path = tmp_path / "report.html"
    path.write_text(
        page.render("KQF report", [], animations=[page.animation_section(done)]), "utf-8"
    )
    browser.get_log("browser")
    browser.get(path.as_uri())
    script = "return document.querySelector('kqf-img').image?.width"
    WebDriverWait(browser, SECONDS).until(lambda driver: driver.execute_script(script) == 30)
    assert not browser.get_log("browser")
