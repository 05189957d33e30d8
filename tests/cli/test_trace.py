"""Reading traceroute's hops."""

from __future__ import annotations

from gureum.cli.trace import parse_trace

TEXT = """\
traceroute to 192.168.55.157 (192.168.55.157), 8 hops max, 60 byte packets
 1  192.168.55.1  0.063 ms
 2  *
 3  192.168.55.157  0.030 ms !X
"""


def test_hops_are_read_with_gaps_and_notes() -> None:
    assert parse_trace(TEXT) == [
        {"hop": 1, "address": "192.168.55.1", "rtt_ms": 0.063, "note": None},
        {"hop": 2, "address": None, "rtt_ms": None, "note": None},
        {"hop": 3, "address": "192.168.55.157", "rtt_ms": 0.03, "note": "!X"},
    ]


def test_no_output_is_no_hop() -> None:
    assert parse_trace("") == []
