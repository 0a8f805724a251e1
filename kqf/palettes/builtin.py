"""Palettes that are known by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Builtin:
    """A palette that is known by name.

    Attributes:
        about: what it is, in a few words.
        source: where its values come from.
        values: its colours as hexadecimal digits, separated by spaces.
    """

    about: str
    source: str
    values: str

    @property
    def codebook(self) -> np.ndarray:
        """The colours, (K, 3) uint8."""
        return np.frombuffer(bytes.fromhex(self.values), np.uint8).reshape(-1, 3).copy()


def find_builtin(name: str) -> Builtin | None:
    """Return a palette by its name, in any case and with or without hyphens and spaces.

    >>> find_builtin("Game Boy").codebook.tolist()[0]
    [15, 56, 15]
    """
    return _BY_PLAIN_NAME.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def _hex(*levels: int) -> str:
    return bytes(levels).hex()


def _grays(count: int) -> Builtin:
    values = " ".join(_hex(*[round(255 * step / (count - 1))] * 3) for step in range(count))
    return Builtin(f"{count} grays from black to white", "evenly spaced", values)


def _cube(*levels: int) -> str:
    return " ".join(_hex(*color) for color in product(levels, repeat=3))


def _octal(digits: str, value: Callable[[int], int]) -> str:
    words = dict.fromkeys(digits.split())
    return " ".join(_hex(*(value(int(digit)) for digit in word)) for word in words)


def _ega_channel(register: int, bit: int) -> int:
    """Return one channel of an EGA colour: its lower bit adds two thirds, the upper one third."""
    return 0xAA * (register >> bit & 1) + 0x55 * (register >> bit + 3 & 1)


_XTERM16 = (
    "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff"
)
_XTERM_CUBE = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)
_XTERM = "https://invisible-island.net/xterm/, XTerm-col.ad and 256colres.h"
_CGA = (
    "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa "
    "555555 5555ff 55ff55 55ffff ff5555 ff55ff ffff55 ffffff"
)

BUILTIN: Mapping[str, Builtin] = {
    "terminal": Builtin("the 16 colours of xterm", _XTERM, _XTERM16),
    "terminal256": Builtin(
        "the 256 colours of xterm",
        _XTERM,
        " ".join(
            [
                _XTERM16,
                _cube(*_XTERM_CUBE),
                *(_hex(*[8 + 10 * step] * 3) for step in range(24)),
            ]
        ),
    ),
    "web-safe": Builtin(
        "216 colours of the early web",
        "Netscape's 6 x 6 x 6 cube, in steps of 51",
        _cube(*range(0, 256, 51)),
    ),
    "html16": Builtin(
        "the 16 colours that HTML named first",
        "HTML 4.01, section 6.5",
        "000000 c0c0c0 808080 ffffff 800000 ff0000 800080 ff00ff "
        "008000 00ff00 808000 ffff00 000080 0000ff 008080 00ffff",
    ),
    "cga": Builtin("16 colours of the IBM CGA", "IBM 5153 monitor, dark yellow as brown", _CGA),
    "ega": Builtin(
        "all 64 colours of the IBM EGA",
        "two bits a channel, in the order of its registers (rgbRGB)",
        " ".join(_hex(*map(_ega_channel, [register] * 3, (2, 1, 0))) for register in range(64)),
    ),
    "gameboy": Builtin(
        "4 greens of the Nintendo Game Boy",
        "https://en.wikipedia.org/wiki/List_of_video_game_console_palettes",
        "0f380f 306230 8bac0f 9bbc0f",
    ),
    "nes": Builtin(
        "54 colours of the Nintendo Entertainment System",
        "https://www.nesdev.org/wiki/PPU_palettes, 2C02",
        "545454 001e74 081090 300088 440064 5c0030 540400 3c1800 202a00 083a00 004000 003c00 "
        "00323c 000000 989698 084cc4 3032ec 5c1ee4 8814b0 a01464 982220 783c00 545a00 287200 "
        "087c00 007628 006678 eceeec 4c9aec 787cec b062ec e454ec ec58b4 ec6a64 d48820 a0aa00 "
        "74c400 4cd020 38cc6c 38b4cc 3c3c3c a8ccec bcbcec d4b2ec ecaeec ecaed4 ecb4b0 e4c490 "
        "ccd278 b4de78 a8e290 98e2b4 a0d6e4 a0a2a0",
    ),
    "nes-rgb": Builtin(
        "50 colours of arcade machines with the NES's chip",
        "https://www.nesdev.org/wiki/PPU_palettes, 2C03",
        _octal(
            "333 014 006 326 403 503 510 420 320 120 031 040 022 000 555 036 027 407 507 704 700 "
            "630 430 140 040 053 044 777 357 447 637 707 737 740 750 660 360 070 276 077 567 657 "
            "757 747 755 764 772 773 572 473 276 467",
            lambda digit: round(255 * digit / 7),
        ),
    ),
    "c64": Builtin(
        "16 colours of the Commodore 64",
        "Philip Timmermann, https://www.pepto.de/projects/colorvic/2001/",
        "000000 ffffff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f "
        "6f4f25 433900 9a6759 444444 6c6c6c 9ad284 6c5eb5 959595",
    ),
    "c64-colodore": Builtin(
        "16 colours of the Commodore 64, measured again",
        "Philip Timmermann, https://www.colodore.com",
        "000000 ffffff 813338 75cec8 8e3c97 56ac4d 2e2c9b edf171 "
        "8e5029 553800 c46c71 4a4a4a 7b7b7b a9ff9f 706deb b2b2b2",
    ),
    "zx-spectrum": Builtin(
        "15 colours of the Sinclair ZX Spectrum",
        "https://en.wikipedia.org/wiki/ZX_Spectrum_graphic_modes, at 85 % and 100 %",
        "000000 0000d8 d80000 d800d8 00d800 00d8d8 d8d800 d8d8d8 "
        "0000ff ff0000 ff00ff 00ff00 00ffff ffff00 ffffff",
    ),
    "pico-8": Builtin(
        "16 colours of the PICO-8 fantasy console",
        "https://www.lexaloffle.com/dl/docs/pico-8_manual.html",
        "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 "
        "ff004d ffa300 ffec27 00e436 29adff 83769c ff77a8 ffccaa",
    ),
    "solarized": Builtin(
        "16 colours of Ethan Schoonover's Solarized",
        "https://ethanschoonover.com/solarized/",
        "002b36 073642 586e75 657b83 839496 93a1a1 eee8d5 fdf6e3 "
        "b58900 cb4b16 dc322f d33682 6c71c4 268bd2 2aa198 859900",
    ),
    "nord": Builtin(
        "16 colours of Nord",
        "https://www.nordtheme.com/docs/colors-and-palettes",
        "2e3440 3b4252 434c5e 4c566a d8dee9 e5e9f0 eceff4 8fbcbb "
        "88c0d0 81a1c1 5e81ac bf616a d08770 ebcb8b a3be8c b48ead",
    ),
    "okabe-ito": Builtin(
        "8 colours that colour-blind people can tell apart",
        "Okabe and Ito, https://jfly.uni-koeln.de/color/",
        "000000 e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7",
    ),
    "epaper7": Builtin(
        "7 colours of electronic paper (ACeP)",
        "Waveshare, https://github.com/waveshareteam/e-Paper, epd7in3f.py",
        "000000 ffffff 00ff00 0000ff ff0000 ffff00 ff8000",
    ),
    "black-white": _grays(2),
    "gray4": _grays(4),
    "gray16": _grays(16),
    "gray256": _grays(256),
}
_BY_PLAIN_NAME = {_plain(name): palette for name, palette in BUILTIN.items()}
