"""A server on this machine alone, of the viewer and of the files that it shows."""

import hmac
import io
import mimetypes
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from kqf import web

_HOST = "127.0.0.1"
_SCRIPTS = ("kqf.js", "overviews.js", "parallel.js", "viewer.js")
_BLOCK = 2**18
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})")
# The page loads nothing but its own scripts and files.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; img-src blob: data:; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Served:
    """A file that the viewer shows.

    Attributes:
        name: as the page shows it.
        content: its path, or its bytes.
    """

    name: str
    content: Path | bytes

    def open(self) -> BinaryIO:
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")


class ViewerServer(ThreadingHTTPServer):
    """Serves the viewer and a few files, to who knows the token in the address.

    Arguments:
        files: to show; nothing else can be read.

    Attributes:
        address: of the page.
    """

    daemon_threads = True

    def __init__(self, files: Sequence[Served]) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.token = secrets.token_urlsafe(24)
        self.files = tuple(files)
        self.hosts = {f"{name}:{self.server_port}" for name in (_HOST, "localhost")}
        self.address = f"http://{_HOST}:{self.server_port}/{self.token}/"
        listed = [(served.name, f"file/{number}") for number, served in enumerate(files)]
        self.page = web.viewer_of(listed).encode()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that go away while they read."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "kqf"
    sys_version = ""
    timeout = 60

    @property
    def _viewer(self) -> ViewerServer:
        assert isinstance(self.server, ViewerServer)
        return self.server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        # A page elsewhere may give its name this machine's address, and then ask under that name.
        if self.headers.get("Host") not in self._viewer.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        start, *names = self.path.split("?")[0].split("/")
        token = names.pop(0) if names and not start else ""
        if not hmac.compare_digest(token.encode(), self._viewer.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
        elif names == [""]:
            self._send(io.BytesIO(self._viewer.page), "text/html; charset=utf-8", with_body)
        elif len(names) == 1 and names[0] in _SCRIPTS:
            script = (web.path() / names[0]).read_bytes()
            self._send(io.BytesIO(script), "text/javascript; charset=utf-8", with_body)
        elif len(names) == 2 and names[0] == "file" and re.fullmatch("[0-9]{1,6}", names[1]):
            number = int(names[1])
            if number < len(self._viewer.files):
                self._send_file(self._viewer.files[number], with_body)
            else:
                self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _send_file(self, served: Served, with_body: bool) -> None:
        kind = mimetypes.guess_type(served.name)[0] or "application/octet-stream"
        try:
            stream = served.open()
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        # What a page shows must not run as one.
        self._send(stream, kind if kind.startswith("image/") else "image/x-kqf", with_body)

    def _send(self, stream: BinaryIO, kind: str, with_body: bool) -> None:
        with stream:
            size = stream.seek(0, io.SEEK_END)
            first, end, status = _part(self.headers.get("Range"), size)
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._refuse(status, size)
                return
            self.send_response(status)
            self._end_head(kind, end - first)
            if status == HTTPStatus.PARTIAL_CONTENT:
                self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
            self.end_headers()
            if not with_body:
                return
            stream.seek(first)
            left = end - first
            while left and (block := stream.read(min(left, _BLOCK))):
                self.wfile.write(block)
                left -= len(block)
            # Of a file that was cut meanwhile the browser must not wait for the rest.
            self.close_connection = bool(left)

    def _refuse(self, status: HTTPStatus, size: int | None = None) -> None:
        body = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        self._end_head("text/plain; charset=utf-8", len(body))
        if size is not None:
            self.send_header("Content-Range", f"bytes */{size}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _end_head(self, kind: str, length: int) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        for name, value in _HEADERS.items():
            self.send_header(name, value)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing of requests."""


def _part(header: str | None, size: int) -> tuple[int, int, HTTPStatus]:
    """Return (first, end) of the bytes that a Range header asks for, and the status.

    As servers may, it takes what it does not understand for the whole.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or not any(match.groups()):
        return 0, size, HTTPStatus.OK
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return 0, size, HTTPStatus.OK
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return 0, 0, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return start, end, HTTPStatus.PARTIAL_CONTENT


def serve_until_interrupted(files: Sequence[Served], tell: Callable[[str], None]) -> None:
    """Show files in the user's browser, until Ctrl-C.

    Arguments:
        tell: prints a line for the user.
    """
    import webbrowser

    with ViewerServer(files) as server:
        try:
            if not webbrowser.open(server.address):
                tell("No browser could be started; open this address in one on this machine:")
            tell(server.address)
            tell("Ctrl-C ends it.")
            server.serve_forever(0.1)
        except KeyboardInterrupt:
            return
