"""KQF in browsers: the decoder and an element, for pages to serve or include."""

from pathlib import Path


def path() -> Path:
    """Return the folder of ``kqf.js``, ``element.js`` and ``package.json``.

    ``kqf.js`` is an ES module that decodes KQF in browsers and Node; ``element.js`` defines the
    element ``<kqf-img>`` by it.
    """
    return Path(__file__).parent
