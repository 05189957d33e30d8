"""A block of addresses drawn as a bar."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

import click

CELLS = 64
FREE = "·"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def letter(number: int) -> str:
    """The letter of a part; they begin anew after 52."""
    return _LETTERS[number % len(_LETTERS)]


def bar(block: str, parts: Sequence[tuple[str, str]]) -> str:
    """A line of cells, each an equal share of the block's addresses, with the letter of the
    first part (letter and CIDR) that has one of them.  Coloured; click takes that out where no
    terminal is."""
    whole = IPv4Network(block)
    first, cells = int(whole.network_address), min(CELLS, whole.num_addresses)
    share = whole.num_addresses // cells
    shown = [FREE] * cells
    for mark, cidr in reversed(parts):
        part = IPv4Network(cidr)
        begins = (int(part.network_address) - first) // share
        ends = (int(part.broadcast_address) - first) // share
        shown[begins : ends + 1] = [mark] * (ends + 1 - begins)
    marks = list(dict.fromkeys(mark for mark, _ in parts))
    return "".join(
        cell if cell == FREE else click.style(cell, fg=_COLOURS[marks.index(cell) % len(_COLOURS)])
        for cell in shown
    )
