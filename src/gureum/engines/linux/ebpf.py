"""Small eBPF programs, written by hand and given to the kernel (bpf(2), bpf-helpers(7),
Documentation/bpf/standardization/instruction-set.rst).

A compiler for them would be a dependency that weighs more than what there is to say.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Register = int
"""r0 is the result of a call, r1 to r5 are its arguments, r6 to r9 outlive it; r10 is the end of
the stack.  What is loaded from the frame is loaded by r6."""

_INSTRUCTION = struct.Struct("=BBhi")
_SIZES = {"word": 0x00, "half": 0x08, "byte": 0x10}
Size = Literal["word", "half", "byte"]
_OPERATIONS = {"+": 0x07, "-": 0x17, "|": 0x47, "&": 0x57, "<<": 0x67, ">>": 0x77, "^": 0xA7}
_CONDITIONS = {"==": 0x15, ">": 0x25, "!=": 0x55, "<=": 0xB5}
_BY_REGISTER = 0x08
_FRAME, _READ, _STORE, _STORE_VALUE = 0x20, 0x61, 0x63, 0x62
_MOVE, _BIG_ENDIAN, _GOTO, _CALL, _EXIT = 0xB7, 0xDC, 0x05, 0x85, 0x95
STACK: Register = 10


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; a jump leads to a label."""

    operation: int
    target: Register = 0
    source: Register = 0
    offset: int = 0
    value: int = 0
    label: str = ""


Line = Instruction | str
"""An instruction, or the label of the next one."""


def from_frame(size: Size, at: int) -> Line:
    """r0 is what the frame has there; the program ends with 0 if it ends before that."""
    return Instruction(_FRAME | _SIZES[size], value=at)


def read(to: Register, base: Register, at: int, size: Size = "word") -> Line:
    """What the memory that a register points into has there, a word by default."""
    return Instruction(_READ | _SIZES[size], to, base, at)


def store(size: Size, at: int, source: Register) -> Line:
    """A register onto the stack."""
    return Instruction(_STORE | _SIZES[size], STACK, source, at)


def move(to: Register, source: Register) -> Line:
    """A copy of a register."""
    return Instruction(_MOVE | _BY_REGISTER, to, source)


def number(to: Register, value: int) -> Line:
    """A register becomes a number."""
    return Instruction(_MOVE, to, value=value)


def change(to: Register, by: Literal["+", "-", "|", "&", "<<", ">>", "^"], value: int) -> Line:
    """A register changes by a number."""
    return Instruction(_OPERATIONS[by], to, value=value)


def add(to: Register, source: Register) -> Line:
    """A register grows by another one."""
    return Instruction(_OPERATIONS["+"] | _BY_REGISTER, to, source)


def network_order(to: Register) -> Line:
    """A register's lower 16 bits as they are on the wire."""
    return Instruction(_BIG_ENDIAN, to, value=16)


def go(label: str) -> Line:
    """Go on elsewhere."""
    return Instruction(_GOTO, label=label)


def go_if(
    register: Register, holds: Literal["==", ">", "!=", "<="], value: int, label: str
) -> Line:
    """Go on elsewhere if a register compares so with a number."""
    return Instruction(_CONDITIONS[holds], register, value=value, label=label)


def call(helper: int) -> Line:
    """A helper of the kernel (linux/bpf.h, ``enum bpf_func_id``); r1 to r5 are lost."""
    return Instruction(_CALL, value=helper)


def leave() -> Line:
    """The end, with r0."""
    return Instruction(_EXIT)


def on_stack(octets: bytes, at: int) -> list[Line]:
    """Octets onto the stack, four at a time."""
    padded = octets + bytes(-len(octets) % 4)
    words = struct.unpack(f"={len(padded) // 4}i", padded)
    return [
        Instruction(_STORE_VALUE, STACK, 0, at + 4 * place, word)
        for place, word in enumerate(words)
    ]


def assembled(lines: Iterable[Line]) -> bytes:
    """The program as the kernel takes it."""
    labels: dict[str, int] = {}
    code: list[Instruction] = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(code)
        else:
            code.append(line)
    return b"".join(_packed(line, place, labels) for place, line in enumerate(code))


def _packed(line: Instruction, place: int, labels: dict[str, int]) -> bytes:
    offset = labels[line.label] - place - 1 if line.label else line.offset
    registers = line.target | line.source << 4
    return _INSTRUCTION.pack(line.operation, registers, offset, line.value)


# --- into the kernel ----------------------------------------------------------------------------
_SYSCALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_LOAD, _CLASSIFIER = 5, 3
_LICENCE = b"Apache-2.0\0"
_LOG = 1 << 16
_ATTRIBUTES = struct.Struct("=IIQQIIQ4xI")
_libc = ctypes.CDLL(None, use_errno=True)


def load(code: bytes) -> int:
    """A file descriptor of the program, as a classifier of frames (tc-bpf(8)).

    Raises:
        OSError: the kernel refused, with the last of what it said.
    """
    words, licence = ctypes.create_string_buffer(code, len(code)), ctypes.c_char_p(_LICENCE)
    log = ctypes.create_string_buffer(_LOG)
    attributes = _ATTRIBUTES.pack(
        _CLASSIFIER,
        len(code) // _INSTRUCTION.size,
        ctypes.addressof(words),
        ctypes.cast(licence, ctypes.c_void_p).value,
        1,
        _LOG,
        ctypes.addressof(log),
        0,
    )
    syscall = _SYSCALLS[platform.machine()]
    fd: int = _libc.syscall(syscall, _LOAD, attributes, len(attributes))
    if fd < 0:
        error = ctypes.get_errno()
        said = log.value.decode(errors="replace").strip().splitlines()[-2:]
        raise OSError(error, f"bpf: {os.strerror(error)}: {' '.join(said)}")
    return fd
