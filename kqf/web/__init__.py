"""KQF in browsers: the decoder, an element and a viewer, for pages to serve or include."""

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path

_SCRIPT = '<script type="module" src="./viewer.js"></script>'
_FILES = re.compile(r'(?<=<script id="named" type="application/json">)\s*\[]\s*(?=</script>)')


def path() -> Path:
    """Return the folder of ``kqf.js``, ``element.js``, ``viewer.html`` and ``package.json``.

    ``kqf.js`` is an ES module that decodes KQF in browsers and Node; ``element.js`` defines the
    element ``<kqf-img>`` by it; ``kqf.min.js`` is both of them, smaller. ``viewer.html`` shows
    files, and takes their addresses as ``viewer.html?src=ADDRESS``. Served from one folder they
    need nothing else.
    """
    return Path(__file__).parent


def import_map(*names: str) -> str:
    """Return a script element after which modules in a page may import scripts of ``path``.

    It holds all of them: pages from disk may not import modules from files.

    Arguments:
        names: as they are imported; each ends in the name of its file.
    """
    scripts = {
        name: base64.b64encode((path() / name.rpartition("/")[2]).read_bytes()).decode()
        for name in names
    }
    imports = {name: f"data:text/javascript;base64,{script}" for name, script in scripts.items()}
    return f'<script type="importmap">{json.dumps({"imports": imports})}</script>'


def viewer() -> str:
    """Return ``viewer.html`` with its scripts in it: one page that also opens from disk."""
    script = (path() / "viewer.js").read_text("utf-8").replace("</script", "<\\/script")
    inlined = f'{import_map("./kqf.js", "./overviews.js")}<script type="module">{script}</script>'
    return _page().replace(_SCRIPT, inlined)


def viewer_of(files: Iterable[tuple[str, str]]) -> str:
    """Return ``viewer.html`` as it shows files, beside which its scripts are served.

    Arguments:
        files: name and address of each.
    """
    listed = json.dumps([{"name": name, "address": address} for name, address in files])
    # No name ends the script that it stands in.
    listed = listed.replace("<", "\\u003c")
    return _FILES.sub(lambda _: listed, _page(), count=1)


def _page() -> str:
    return (path() / "viewer.html").read_text("utf-8")
