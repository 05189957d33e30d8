"""Screenshots of consoles, read back by a decoder of baseline JPEG (ITU-T T.81)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from math import cos, pi, sqrt

import pytest

from gureum.resources.screenshot import COLUMNS, LINES, screen, screenshot
from tests.conftest import Cloud
from tests.resources.routing import refusal
from tests.resources.test_volume import run

ZIGZAG = (
    *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27),
    *(20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58),
    *(59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
)


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with their content; the last is the scan, with all that is coded."""
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    at = 2
    while True:
        mark, marker, length = struct.unpack(">BBH", data[at : at + 4])
        assert mark == 0xFF
        at += 2 + length
        if marker == 0xDA:
            yield marker, data[at:-2].replace(b"\xff\0", b"\xff")
            return
        yield marker, data[at - length + 2 : at]


class Picture:
    """A decoded picture of one component: its pixels as rows of grey values."""

    def __init__(self, data: bytes) -> None:
        self.codes: dict[int, dict[str, int]] = {}
        self.quanta: tuple[int, ...] = ()
        for marker, content in segments(data):
            if marker == 0xDB:
                assert content[0] == 0
                self.quanta = tuple(content[1:])
            elif marker == 0xC0:
                bits, self.height, self.width, *rest = struct.unpack(">BHHBBBB", content)
                assert (bits, rest) == (8, [1, 1, 0x11, 0])
            elif marker == 0xC4:
                self.codes[content[0]] = self.table(content[1:17], content[17:])
            elif marker == 0xDA:
                self.bits = "".join(f"{byte:08b}" for byte in content)
        self.at = 0
        self.rows = [[0] * self.width for _ in range(self.height)]
        self.basis = [
            [cos((2 * x + 1) * u * pi / 16) * (sqrt(0.5) if u == 0 else 1) / 2 for x in range(8)]
            for u in range(8)
        ]
        self.seen: dict[tuple[int, ...], list[list[int]]] = {}
        level = 0
        for top in range(0, self.height, 8):
            for left in range(0, self.width, 8):
                level = self.block(top, left, level)
        assert set(self.bits[self.at :]) <= {"1"}
        assert len(self.bits) - self.at < 8

    @staticmethod
    def table(counts: bytes, symbols: bytes) -> dict[str, int]:
        found, code, rest = {}, 0, iter(symbols)
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                found[f"{code:0{length}b}"] = next(rest)
                code += 1
            code <<= 1
        return found

    def symbol(self, table: int) -> int:
        length = 1
        while (text := self.bits[self.at : self.at + length]) not in self.codes[table]:
            length += 1
            assert length <= 16
        self.at += length
        return self.codes[table][text]

    def value(self, size: int) -> int:
        text = self.bits[self.at : self.at + size]
        self.at += size
        if not text:
            return 0
        return int(text, 2) if text[0] == "1" else int(text, 2) - (1 << size) + 1

    def block(self, top: int, left: int, level: int) -> int:
        """Read a block; what its first coefficient is before it is quantised back."""
        level += self.value(self.symbol(0x00))
        found, at = [level * self.quanta[0], *[0] * 63], 1
        while at < 64:
            symbol = self.symbol(0x10)
            if symbol == 0:
                break
            at += symbol >> 4
            found[ZIGZAG[at]] = self.value(symbol & 15) * self.quanta[at]
            at += 1
        for y, row in enumerate(self.pixels(tuple(found))):
            self.rows[top + y][left : left + 8] = row
        return level

    def pixels(self, found: tuple[int, ...]) -> list[list[int]]:
        if found not in self.seen:
            halves = [
                [sum(found[8 * v + u] * self.basis[u][x] for u in range(8)) for x in range(8)]
                for v in range(8)
            ]
            self.seen[found] = [
                [
                    round(sum(halves[v][x] * self.basis[v][y] for v in range(8))) + 128
                    for x in range(8)
                ]
                for y in range(8)
            ]
        return self.seen[found]

    def cell(self, line: int, column: int) -> list[str]:
        """The dots of a letter, of which each is two pixels high, as rows of ``#`` and spaces."""
        rows = self.rows[16 * line : 16 * line + 16 : 2]
        dots = (row[8 * column + 1 : 8 * column + 6] for row in rows)
        return ["".join("#" if dot > 104 else " " for dot in row) for row in dots][:7]


def test_letters_are_to_be_read() -> None:
    found = Picture(screenshot(b"Ai~\nlogin: E"))
    assert (found.width, found.height) == (COLUMNS * 8, LINES * 16)
    arms = "#   #"
    assert found.cell(0, 0) == [" ### ", arms, arms, arms, "#####", arms, arms]
    assert found.cell(1, 7) == ["#####", "#    ", "#    ", "#### ", "#    ", "#    ", "#####"]
    assert found.cell(1, 6) == ["     "] * 7
    assert found.cell(2, 0) == ["     "] * 7


def test_every_letter_has_dots_of_its_own() -> None:
    text = bytes(range(33, 127))
    found = Picture(screenshot(text + "ö".encode()))
    cells = [tuple(found.cell(n // COLUMNS, n % COLUMNS)) for n in range(len(text) + 1)]
    assert len(set(cells)) == len(cells)
    assert cells[-1][0] == "#####"


def test_the_end_of_the_console_is_shown() -> None:
    lines = screen("".join(f"line {n}\r\n" for n in range(40)).encode())
    assert len(lines) == LINES
    assert {len(line) for line in lines} == {COLUMNS}
    assert [line.strip() for line in lines[-3:]] == ["line 38", "line 39", ""]
    assert [line.strip() for line in screen(b"x" * (COLUMNS + 3))[:3]] == ["x" * COLUMNS, "xxx", ""]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"abc\rX", "Xbc"),
        (b"abc\b\bX", "aXc"),
        (b"\b\bok", "ok"),
        (b"a\tb", "a       b"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07done\x1b[K", "red done"),
        (b"\xff\x00\x01ok", "�ok"),
    ],
)
def test_what_moves_and_colours_is_not_shown(written: bytes, shown: str) -> None:
    assert screen(written)[0].rstrip() == shown


def test_a_screenshot_of_a_running_instance(cloud: Cloud) -> None:
    cloud.dispatch.probe = lambda what, key: f"{what} of {key}\n".encode()
    key = run(cloud)
    answer = cloud.call("GetConsoleScreenshot", InstanceId=key, WakeUp=True)
    assert answer["InstanceId"] == key
    assert base64.b64decode(answer["ImageData"]) == screenshot(f"console of {key}\n".encode())
    cloud.call("StopInstances", InstanceIds=[key])
    code, _ = refusal(cloud, "GetConsoleScreenshot", InstanceId=key)
    assert code == "IncorrectInstanceState"
    missing = "i-0123456789abcdef0"
    assert refusal(cloud, "GetConsoleScreenshot", InstanceId=missing)[0] == (
        "InvalidInstanceID.NotFound"
    )
