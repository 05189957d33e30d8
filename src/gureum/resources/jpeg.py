"""A picture of grey blocks as a baseline JPEG file.

Pictures here are made of few different blocks, of 8 by 8 pixels each, that occur many times: each
is transformed once.  Codes are of one length, so that no table of statistics is needed; a block
costs a few bytes more for it.

Source: ITU-T T.81 (JPEG), Annexes A (transform), B (file format), F (baseline coding); JFIF 1.01.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import cos, pi, sqrt

SIDE = 8
"""Pixels of a block's side."""

Block = tuple[tuple[int, ...], ...]
"""Rows of grey values, 0 to 255."""

_QUANTUM = 12
"""What all coefficients are divided by: sharp enough for letters."""

_ZIGZAG = tuple(
    sorted(
        ((row, column) for row in range(SIDE) for column in range(SIDE)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
)
"""Rows and columns of coefficients, low frequencies first."""

_BASIS = tuple(
    tuple(cos((2 * x + 1) * u * pi / (2 * SIDE)) * (sqrt(0.5) if u == 0 else 1) / 2
          for x in range(SIDE))
    for u in range(SIDE)
)  # fmt: skip

_DC_SYMBOLS = tuple(range(12))
_DC_LENGTH = 4
_END, _SIXTEEN = 0x00, 0xF0
_AC_SYMBOLS = (_END, _SIXTEEN, *(run << 4 | size for run in range(16) for size in range(1, 11)))
_AC_LENGTH = 8
_AC_CODES = {symbol: f"{code:08b}" for code, symbol in enumerate(_AC_SYMBOLS)}


def picture(blocks: Mapping[str, Block], rows: Sequence[Sequence[str]]) -> bytes:
    """A JPEG file of rows of blocks, all equally long, by the names that ``blocks`` has them
    under."""
    known = {name: _coefficients(block) for name, block in blocks.items()}
    tails = {name: _tail(found[1:]) for name, found in known.items()}
    bits, before = [], 0
    for row in rows:
        for name in row:
            level = known[name][0]
            size = (level - before).bit_length()
            bits.append(f"{size:0{_DC_LENGTH}b}{_amplitude(level - before, size)}{tails[name]}")
            before = level
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            _segment(0xDB, b"\0" + bytes([_QUANTUM] * SIDE * SIDE)),
            _segment(0xC0, _frame(len(rows[0]) * SIDE, len(rows) * SIDE)),
            _segment(0xC4, _table(0x00, _DC_LENGTH, _DC_SYMBOLS)),
            _segment(0xC4, _table(0x10, _AC_LENGTH, _AC_SYMBOLS)),
            _segment(0xDA, b"\1\1\0\0\x3f\0"),
            _stuffed("".join(bits)),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _frame(width: int, height: int) -> bytes:
    """Eight bits a sample, one component without subsampling."""
    return struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)


def _table(which: int, length: int, symbols: Sequence[int]) -> bytes:
    """Codes of one length: the n-th symbol's is the number n."""
    counts = [len(symbols) if each == length else 0 for each in range(1, 17)]
    return bytes([which, *counts, *symbols])


def _coefficients(block: Block) -> list[int]:
    """The transform of a block, quantised, in zigzag order."""
    shifted = [[value - 128 for value in row] for row in block]
    halves = [
        [sum(row[x] * _BASIS[u][x] for x in range(SIDE)) for u in range(SIDE)] for row in shifted
    ]
    return [
        round(sum(halves[y][u] * _BASIS[v][y] for y in range(SIDE)) / _QUANTUM) for v, u in _ZIGZAG
    ]


def _tail(values: Sequence[int]) -> str:
    """The bits of a block's coefficients but the first: each with the zeros before it."""
    bits, zeros = [], 0
    for value in values:
        if value == 0:
            zeros += 1
            continue
        bits.append(_AC_CODES[_SIXTEEN] * (zeros // 16))
        size = value.bit_length()
        bits.append(_AC_CODES[zeros % 16 << 4 | size] + _amplitude(value, size))
        zeros = 0
    return "".join(bits) + (_AC_CODES[_END] if zeros else "")


def _amplitude(value: int, size: int) -> str:
    """The bits that tell a value among those of its size; negative ones are the complement."""
    if size == 0:
        return ""
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}"


def _stuffed(bits: str) -> bytes:
    """The bits as bytes, filled up with ones; a zero byte follows each byte of ones."""
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
