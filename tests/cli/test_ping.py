"""Reading ping's summary."""

from __future__ import annotations

from gureum.cli.ping import parse_ping

ANSWERED = """\
PING 198.19.0.20 (198.19.0.20) 56(84) bytes of data.
64 bytes from 198.19.0.20: icmp_seq=1 ttl=63 time=0.063 ms

--- 198.19.0.20 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 617ms
rtt min/avg/max/mdev = 0.061/0.066/0.073/0.004 ms
"""
LOST = """\
PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.
From 10.0.0.4 icmp_seq=1 Destination Host Unreachable

--- 10.0.0.9 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
"""


def test_counts_and_times_are_read() -> None:
    rtt = {"min": 0.061, "avg": 0.066, "max": 0.073}
    assert parse_ping(ANSWERED) == {"sent": 4, "received": 3, "rtt_ms": rtt}


def test_what_was_lost_has_no_times() -> None:
    assert parse_ping(LOST) == {"sent": 1, "received": 0, "rtt_ms": None}


def test_what_is_no_summary_counts_nothing() -> None:
    assert parse_ping("") == {"sent": 0, "received": 0, "rtt_ms": None}
