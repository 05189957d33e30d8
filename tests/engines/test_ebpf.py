"""Programs as the kernel takes them: 8 octets an instruction, in the machine's byte order."""

from __future__ import annotations

import struct
from dataclasses import replace

from gureum.engines.linux import ebpf
from gureum.engines.linux.items import Copier
from gureum.engines.linux.mirror_program import LONGEST, marked, program

COPIER = Copier(
    ns="vpc-1",
    link="n-1",
    source="m-1",
    station="02:00:00:00:00:0a",
    router="02:00:00:00:00:01",
    mac="0e:00:00:00:00:07",
    ip="10.0.1.10",
    target="10.0.2.50",
    vni=0x123456,
    length=None,
)


def listed(code: bytes) -> list[tuple[int, int, int, int, int]]:
    """Operation, target and source register, offset and value of each instruction."""
    return [
        (operation, registers & 15, registers >> 4, offset, value)
        for operation, registers, offset, value in struct.iter_unpack("=BBhi", code)
    ]


def test_jumps_lead_to_their_labels() -> None:
    lines = (
        "again",
        ebpf.go_if(3, "==", 7, "end"),
        ebpf.move(1, 6),
        ebpf.go("again"),
        "end",
        ebpf.leave(),
    )
    assert listed(ebpf.assembled(lines)) == [
        (0x15, 3, 0, 2, 7),
        (0xBF, 1, 6, 0, 0),
        (0x05, 0, 0, -3, 0),
        (0x95, 0, 0, 0, 0),
    ]


def test_octets_go_onto_the_stack_in_their_order() -> None:
    code = ebpf.assembled(ebpf.on_stack(b"\1\2\3\4\5", -8))
    stack = bytearray(8)
    for operation, target, _, offset, value in listed(code):
        assert (operation, target) == (0x62, ebpf.STACK)
        stack[8 + offset : 12 + offset] = struct.pack("=i", value)
    assert stack == b"\1\2\3\4\5\0\0\0"


def test_programs_differ_where_their_copiers_do() -> None:
    copiers = [
        COPIER,
        replace(COPIER, station="02:00:00:00:00:0b"),
        replace(COPIER, router="02:00:00:00:00:02"),
        replace(COPIER, mac="0e:00:00:00:00:08"),
        replace(COPIER, ip="10.0.1.11"),
        replace(COPIER, target="10.0.2.51"),
        replace(COPIER, vni=0x123457),
        replace(COPIER, length=100),
    ]
    assert len({program(each) for each in copiers}) == len(copiers)
    assert program(replace(COPIER, length=LONGEST + 1)) == program(COPIER)
    assert marked(3) == "0e:00:00:00:00:03"
