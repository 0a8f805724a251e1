"""``kqf view --browser``: the server of the viewer."""

import http.client
import re
import signal
import sys
import threading
import webbrowser
from pathlib import Path

import pytest
from command import draw, few, run, start
from PIL import Image

import kqf
from kqf.cli import view as command
from kqf.cli.viewer_server import Served, ViewerServer

DATA = kqf.encode(few(), seed=0)


@pytest.fixture
def server(tmp_path):
    """Serve a KQF file and a PNG file, of a folder that holds another file too."""
    (tmp_path / "a.kqf").write_bytes(DATA)
    (tmp_path / "secret.txt").write_text("secret")
    files = [Served("a.kqf", tmp_path / "a.kqf"), Served("</script>.png", b"0123456789")]
    with ViewerServer(files) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(server, path, method="GET", **headers):
    """Ask for a path after the token, or for one that begins with a slash as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    path = path if path.startswith("/") else f"/{server.token}/{path}"
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response.headers


def test_page_and_files(server):
    status, page, headers = ask(server, "")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert b'{"name": "\\u003c/script>.png", "address": "file/1"}' in page
    status, body, headers = ask(server, "file/0")
    assert (status, body) == (200, DATA)
    assert headers["Content-Type"] == "image/x-kqf"
    assert headers["Cache-Control"] == "no-store"
    assert ask(server, "kqf.js")[0] == ask(server, "viewer.js")[0] == 200


def test_the_server_is_reached_from_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 32
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/"


@pytest.mark.parametrize("path", ["/", "/file/0", "/x/file/0", "//file/0", "/kqf.js", "/%/"])
def test_without_the_token_nothing_is_served(server, path):
    status, body, _ = ask(server, path)
    assert (status, body) == (403, b"403 Forbidden\n")


def test_a_token_that_is_cut_or_lengthened_is_refused(server):
    for token in (server.token[:-1], server.token + "A", server.token.swapcase()):
        assert ask(server, f"/{token}/file/0")[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", ""])
def test_other_names_of_this_machine_are_refused(server, host):
    assert ask(server, "file/0", Host=host)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "file/../secret.txt",
        "file/..%2fsecret.txt",
        "file/%2e%2e/secret.txt",
        "file/secret.txt",
        "secret.txt",
        "file/2",
        "file/-1",
        "file/0/",
        "file/00000000",
        "file/",
        "viewer.html",
        "__init__.py",
        "element.js/",
        "..",
        "file//etc/passwd",
    ],
)
def test_nothing_but_the_files_is_served(server, path):
    status, body, _ = ask(server, path)
    assert (status, body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=3-3", 206, b"3"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-30", 206, b"0123456789"),
        ("bytes=5-1000", 206, b"56789"),
        ("bytes=0-9", 206, b"0123456789"),
        ("bytes=10-", 416, b"416 Requested Range Not Satisfiable\n"),
        ("bytes=-0", 416, b"416 Requested Range Not Satisfiable\n"),
        # What is no range of bytes asks for all.
        ("bytes=5-4", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("items=0-1", 200, b"0123456789"),
        ("bytes=" + "9" * 5000 + "-", 200, b"0123456789"),
    ],
)
def test_ranges(server, header, status, body):
    found = ask(server, "file/1", Range=header)
    assert found[:2] == (status, body)
    if status == 206:
        first = b"0123456789".index(body)
        assert found[2]["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/10"
    if status == 416:
        assert found[2]["Content-Range"] == "bytes */10"


def test_head_has_no_body(server):
    status, body, headers = ask(server, "file/1", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "10")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server, method):
    assert ask(server, "file/1", method=method)[0] == 501


def test_a_file_that_is_gone_is_not_found(server):
    server.files[0].content.unlink()
    assert ask(server, "file/0")[0] == 404


@pytest.fixture
def served(monkeypatch, folder):
    """Return the files that the command would serve."""
    found = []
    monkeypatch.setattr(command, "serve_until_interrupted", lambda files, tell: found.extend(files))
    return found


def test_kqf_files_are_served_as_they_are_and_others_as_png(served):
    Path("a.kqf").write_bytes(DATA)
    draw("b.tiff", few())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("CMYK", (4, 2)).save("c.jpg", exif=exif)
    zarr = pytest.importorskip("zarr", reason="arrays in folders need zarr")
    zarr.create_array("d.zarr", data=few())
    run("view", "--browser", "a.kqf", "b.tiff", "c.jpg", "d.zarr", "none.png", code=1)
    assert [file.name for file in served] == ["a.kqf", "b.tiff", "c.jpg", "d.zarr"]
    with served[0].open() as file:
        assert file.read() == DATA
    images = [Image.open(file.open()) for file in served[1:]]
    sizes = [(40, 24), (2, 4), (40, 24)]
    assert [(image.format, image.size) for image in images] == [("PNG", size) for size in sizes]


def test_the_browser_is_chosen_where_there_is_no_viewer(served, monkeypatch):
    from PIL import ImageShow

    draw("a.png", few())
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(ImageShow, "_viewers", [])
    monkeypatch.setattr(webbrowser, "get", lambda *_: webbrowser.Chrome("chromium"))
    run("view", "a.png")
    assert [file.name for file in served] == ["a.png"]
    monkeypatch.setattr(webbrowser, "get", lambda *_: webbrowser.GenericBrowser("lynx"))
    assert "no program that shows images" in run("view", "a.png", code=1).stderr


def test_browser_and_terminal_exclude_one_another(folder):
    draw("a.png", few())
    assert (
        "either --terminal or --browser"
        in run("view", "--browser", "--terminal", "a.png", code=2).stderr
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
def test_ctrl_c_ends_it(folder, monkeypatch):
    Path("a.kqf").write_bytes(DATA)
    monkeypatch.setenv("BROWSER", "true")
    process = start("view", "--browser", "a.kqf")
    try:
        line = process.stdout.readline().decode()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]+/\n", line)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        _, errors = process.communicate()
    assert errors == b""
