"""What would be on an instance's screen: the last lines of its console, as a picture.

Source: EC2 User Guide, "Troubleshoot an unreachable instance" (console screenshots).
"""

from __future__ import annotations

import re

from gureum.resources.jpeg import SIDE, Block, picture

COLUMNS, LINES = 80, 25
"""Letters of a screen."""

_DARK, _LIGHT = 0, 208
_TAB = 8
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""Control sequences of terminals (ECMA-48), which move and colour what is written."""

_UNKNOWN = 0x7F
_LETTERS = (
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649552250 0005030000"
    "001c224100 0041221c00 14083e0814 08083e0808 0050300000 0808080808 0060600000 2010080402"
    "3e5149453e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503"
    "3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 0041221408 0201510906"
    "324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e"
    "7f09090906 3e4151215e 7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f"
    "6314081463 0708700807 6151494543 007f414100 0204081020 0041417f00 0402010204 4040404040"
    "0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 0c5252523e"
    "7f08040478 00447d4000 2040443d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438"
    "7c14141408 081414187c 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c"
    "4428102844 0c5050503c 4464544c44 0008364100 00007f0000 0041360800 1008081008 7f4141417f"
).replace(" ", "")
"""Five columns of seven dots for each letter from the space on, as on character displays, the
highest dot lowest; the last is for all that has no other."""


def screen(console: bytes) -> list[str]:
    """The lines that a console of so many columns and lines ends with."""
    text = _SEQUENCE.sub("", console.decode(errors="replace"))
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        written = _written(line)
        lines += [written[n : n + COLUMNS] for n in range(0, len(written) or 1, COLUMNS)]
    shown = lines[-LINES:]
    return [each.ljust(COLUMNS) for each in shown] + [" " * COLUMNS] * (LINES - len(shown))


def _written(line: str) -> str:
    """A line after what moves in it: back by one, to its beginning, to the next column of eight."""
    found: list[str] = []
    at = 0
    for letter in line:
        if letter == "\r":
            at = 0
        elif letter == "\b":
            at = max(0, at - 1)
        elif letter == "\t":
            at += _TAB - at % _TAB
        elif letter >= " ":
            found += [" "] * (at + 1 - len(found))
            found[at] = letter
            at += 1
    return "".join(found)


def screenshot(console: bytes) -> bytes:
    """A JPEG file of the screen, 640 by 400 pixels."""
    lines = screen(console)
    blocks = {
        f"{half}{letter}": _block(letter, half)
        for letter in {*"".join(lines)}
        for half in ("upper", "lower")
    }
    rows = [[f"{half}{letter}" for letter in line] for line in lines for half in ("upper", "lower")]
    return picture(blocks, rows)


def _block(letter: str, half: str) -> Block:
    """The upper or lower half of a letter's cell, in which each dot is two pixels high."""
    code = ord(letter) if " " <= letter <= "~" else _UNKNOWN
    start = (code - ord(" ")) * 10
    columns = bytes.fromhex(_LETTERS[start : start + 10])
    first = 0 if half == "upper" else SIDE // 2
    return tuple(
        tuple(
            _LIGHT if 1 <= x <= 5 and columns[x - 1] >> (first + y // 2) & 1 else _DARK
            for x in range(SIDE)
        )
        for y in range(SIDE)
    )
