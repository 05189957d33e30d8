"""The steps that programs about headers are made of: octets between a frame and the stack, numbers
there, and sums (RFC 1071, RFC 1624).

``lost`` is the label at which a packet ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from gureum.engines.linux.ebpf import (
    STACK,
    Line,
    Register,
    Size,
    add,
    call,
    change,
    go,
    go_if,
    move,
    network_order,
    number,
    read,
    store,
)

CONTEXT, VALUE, KIND, SIZE = 6, 7, 8, 9
"""Registers: the frame's context, any value, a type or protocol, a length."""

SEED = -168
"""Where the stack has the sum to begin with."""

Row: TypeAlias = tuple[int, int]
"""A place on the stack, and octets from there: a multiple of four."""

_STORE_BYTES, _LOAD_BYTES, _DIFFERENCE = 9, 26, 28
"""linux/bpf.h."""


# --- sums ---------------------------------------------------------------------------------------
def seeded(at: int) -> Iterator[Line]:
    """A checksum becomes the sum to begin with."""
    yield read(1, STACK, at, "half")
    yield change(1, "^", 0xFFFF)
    yield store("word", SEED, 1)


def sum_of(old: Row, new: Row) -> Iterator[Line]:
    """r0 is the checksum, once a row has become another one (RFC 1624)."""
    yield read(VALUE, STACK, SEED)
    yield from sum_with(VALUE, old, new)


def sum_with(seed: Register, old: Row | None, new: Row) -> Iterator[Line]:
    """r0 is the checksum once an old row, or none, has become another; it begins with a sum."""
    yield move(5, seed)
    for register, row in ((1, old), (3, new)):
        yield number(register, 0)
        if row is not None:
            yield move(register, STACK)
            yield change(register, "+", row[0])
        yield number(register + 1, row[1] if row else 0)
    yield call(_DIFFERENCE)
    for _ in range(3):  # RFC 1071: what is carried over is added
        yield move(1, 0)
        yield change(1, ">>", 16)
        yield change(0, "&", 0xFFFF)
        yield add(0, 1)
    yield change(0, "^", 0xFFFF)


# --- frames and the stack -----------------------------------------------------------------------
def loaded(at: int, size: int, place: int) -> Iterator[Line]:
    """Octets of the frame onto the stack."""
    yield from _moving(at, size, place)
    yield call(_LOAD_BYTES)
    yield go_if(0, "!=", 0, "lost")


def written(at: int, size: int, place: int) -> Iterator[Line]:
    """Octets of the stack into the frame."""
    yield from _moving(at, size, place)
    yield number(5, 0)
    yield call(_STORE_BYTES)
    yield go_if(0, "!=", 0, "lost")


def _moving(at: int, size: int, place: int) -> Iterator[Line]:
    yield move(1, CONTEXT)
    yield number(2, at)
    yield move(3, STACK)
    yield change(3, "+", place)
    yield number(4, size)


def copied(size: Size, old: int, new: int) -> Iterator[Line]:
    """Octets of the stack to another place there."""
    yield read(1, STACK, old, size)
    yield store(size, new, 1)


def put(octet: int, at: int) -> Iterator[Line]:
    """An octet onto the stack."""
    yield number(1, octet)
    yield store("byte", at, 1)


def number_at(register: Register, at: int) -> Iterator[Line]:
    """A sixteen-bit number of the stack into a register."""
    yield read(register, STACK, at, "half")
    yield network_order(register)


def number_put(register: Register, at: int) -> Iterator[Line]:
    """A sixteen-bit number onto the stack, as on the wire."""
    yield move(1, register)
    yield network_order(1)
    yield store("half", at, 1)


def number_changed(at: int, by: int) -> Iterator[Line]:
    """A sixteen-bit number of the stack becomes a larger one."""
    yield from number_at(SIZE, at)
    yield change(SIZE, "+", by)
    yield from number_put(SIZE, at)


def when(register: Register, value: int, then: Iterator[Line], to: str) -> Iterator[Line]:
    """If a register has a value, some more, and on elsewhere."""
    other = f"{to}: not {value}"
    yield go_if(register, "!=", value, other)
    yield from then
    yield go(to)
    yield other
