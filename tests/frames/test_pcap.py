"""What is written down is read by others: tcpdump, which reads as Wireshark does."""

from __future__ import annotations

import io
import subprocess

import dpkt

from gureum.frames import PcapWriter
from tests.frames.samples import everything, syn

AT = 1_700_000_000_123_456_789


def test_tcpdump_reads_every_frame() -> None:
    file = io.BytesIO()
    writer = PcapWriter(file, 65549)
    for number, data in enumerate(everything()):
        writer.write("eth0" if number % 2 else "e-1", "sent", AT + number, len(data), data)
    call = ["tcpdump", "-nr", "-", "-tt", "--nano"]
    done = subprocess.run(call, input=file.getvalue(), capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(everything())
    assert lines[0] == (
        "1700000000.123456789 ARP, Request who-has 10.0.2.20 tell 10.0.1.10, length 28"
    )
    assert "Flags [S]" in lines[4]


def test_links_directions_and_lengths_are_told() -> None:
    file = io.BytesIO()
    PcapWriter(file, 100).write("e-1", "received", AT, 1514, syn()[:60])
    reader = dpkt.pcapng.Reader(io.BytesIO(file.getvalue()))
    ((at, data),) = list(reader)
    assert (round(at, 3), data) == (1_700_000_000.123, syn()[:60])
    assert b"e-1" in file.getvalue()
    block = file.getvalue().index(syn()[:60]) - 4
    assert int.from_bytes(file.getvalue()[block : block + 4], "little") == 1514
