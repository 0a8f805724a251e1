"""Palettes that are known by name."""

import numpy as np
import pytest

from kqf.palettes.builtin import BUILTIN, find_builtin


@pytest.mark.parametrize("name", BUILTIN)
def test_each_is_a_palette_with_a_source(name):
    palette = BUILTIN[name]
    codebook = palette.codebook
    assert codebook.dtype == np.uint8
    assert 2 <= len(codebook) <= 256
    assert palette.source
    # Where the description counts, it counts right. Two of xterm's palettes overlap.
    numbers = [int(word) for word in palette.about.split() if word.isdigit()]
    assert not numbers or numbers[0] in (len(codebook), len(np.unique(codebook, axis=0)))


def test_names_are_found_however_they_are_written():
    for name in ("gameboy", "Game Boy", "GAME-BOY"):
        assert find_builtin(name) is BUILTIN["gameboy"]
    assert find_builtin("pico8") is BUILTIN["pico-8"]
    assert find_builtin("gameboy.png") is None


def test_colours_that_are_computed():
    assert BUILTIN["web-safe"].codebook[[0, 1, 6, -1]].tolist() == [
        [0, 0, 0],
        [0, 0, 51],
        [0, 51, 0],
        [255, 255, 255],
    ]
    xterm = BUILTIN["terminal256"].codebook
    assert len(xterm) == 256
    # As in the table of 256colres.h.
    assert xterm[[16, 17, 208, 231, 232, 255]].tolist() == [
        [0, 0, 0],
        [0, 0, 95],
        [255, 135, 0],
        [255, 255, 255],
        [8, 8, 8],
        [238, 238, 238],
    ]
    ega = BUILTIN["ega"].codebook
    assert len(np.unique(ega, axis=0)) == 64
    # The 16 colours that EGA starts with are those of CGA; 20 is the register of brown.
    registers = [0, 1, 2, 3, 4, 5, 20, 7, 56, 57, 58, 59, 60, 61, 62, 63]
    assert ega[registers].tolist() == BUILTIN["cga"].codebook.tolist()
    assert BUILTIN["gray4"].codebook[:, 0].tolist() == [0, 85, 170, 255]
