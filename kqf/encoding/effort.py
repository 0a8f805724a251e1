"""What each step of ``effort`` spends on the codebook, the labels and the layout."""

from dataclasses import dataclass

from kqf.encoding.label_search import SearchEffort
from kqf.encoding.layout import LayoutEffort
from kqf.quantization.kmeans import KMeansEffort


@dataclass(frozen=True)
class Preset:
    """The settings of one effort.

    Attributes:
        quality: used unless another is asked for.
        weighted: whether calm areas count more.
    """

    quality: int
    kmeans: KMeansEffort
    search: SearchEffort
    layout: LayoutEffort
    weighted: bool = True


DEFAULT_EFFORT = 5
# Little of the difference to 100 is seen, most in skies, and files are 17 % smaller, 5 to 41.
_UNSEEN = 75
_ALL = (2, 3, 4, 6)
_WIDE = (64, 128, 192, 256, 512)
# Zopfli takes a few hundredths of the time for them.
_ZOPFLI_BYTES = 2**15
PRESETS = {
    # A search would take longer than all else, so quality is 100.
    1: Preset(
        100,
        KMeansEffort(8192, 5, 0, 1),
        SearchEffort(2, 1, 1),
        LayoutEffort(1, 4, (256,), (4,), 0, 0, 2**20),
        weighted=False,
    ),
    2: Preset(
        _UNSEEN,
        KMeansEffort(6144, 8, 0, 2),
        SearchEffort(2, 1, 1),
        LayoutEffort(1, 8, (256,), (4,), 0, 0, 2**21),
    ),
    3: Preset(
        _UNSEEN,
        KMeansEffort(6144, 10, 1, 3),
        SearchEffort(2, 1, 1),
        LayoutEffort(4, 10, (256,), (3, 6), 0, 2**14, 2**22),
    ),
    4: Preset(
        _UNSEEN,
        KMeansEffort(6144, 10, 2, 4),
        SearchEffort(2, 1, 1),
        LayoutEffort(6, 11, (128, 256), (2, 4, 8), 0, 2**15, 2**22),
    ),
    5: Preset(
        _UNSEEN,
        KMeansEffort(6144, 10, 2, 8),
        SearchEffort(2, 2, 1),
        LayoutEffort(6, 12, (128, 256), _ALL, 0.01, 2**16, 2**24, True, _ZOPFLI_BYTES),
    ),
    6: Preset(
        _UNSEEN,
        KMeansEffort(8192, 10, 6, 10),
        SearchEffort(3, 3, 2),
        LayoutEffort(8, 12, (128, 192, 256), _ALL, 0.03, 2**17, 2**26, True, _ZOPFLI_BYTES),
    ),
    7: Preset(
        _UNSEEN,
        KMeansEffort(16384, 20, 12, 16),
        SearchEffort(4, 4, 2),
        LayoutEffort(9, 12, _WIDE[:4], _ALL, 0.05, 2**18, 2**26, True, _ZOPFLI_BYTES),
    ),
    8: Preset(
        _UNSEEN,
        KMeansEffort(32768, 20, 20, 16),
        SearchEffort(6, 5, 2),
        LayoutEffort(10, 12, _WIDE, _ALL, 0.1, 2**19, 2**30, True, _ZOPFLI_BYTES),
    ),
    9: Preset(
        _UNSEEN,
        KMeansEffort(65536, 40, 40, 16),
        SearchEffort(10, 8, 2),
        LayoutEffort(10, 12, _WIDE, _ALL, 1, 2**62, 2**62, True, 2**18),
    ),
}
