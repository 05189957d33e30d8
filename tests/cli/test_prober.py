"""Trying ports, on this machine's own loopback."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from gureum.cli import prober
from gureum.cli.prober import FILTERED, OPEN, REFUSED, UNREACHABLE, probe, state_of


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as made:
        yield made


def port_of(made: socket.socket) -> int:
    return int(made.getsockname()[1])


def closed_port(kind: socket.SocketKind) -> int:
    """A port that nobody has just now."""
    with socket.socket(socket.AF_INET, kind) as made:
        made.bind(("127.0.0.1", 0))
        return port_of(made)


def test_a_port_where_somebody_listens_is_open(listener: socket.socket) -> None:
    met = probe("127.0.0.1", port_of(listener), "tcp", 5, 1)
    assert (met["state"], met["reason"], met["counts"]) == (OPEN, None, {OPEN: 1})
    (ends,) = met["connections"]
    assert ends[2:] == ["127.0.0.1", port_of(listener)]


def test_over_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as made:
        met = probe("::1", port_of(made), "tcp", 5, 2)
        closed = port_of(made)
    assert met["counts"] == {OPEN: 2}
    assert {tuple(ends[2:]) for ends in met["connections"]} == {("::1", closed)}
    assert probe("::1", closed, "tcp", 5, 1)["state"] == REFUSED


def test_many_connections_are_open_at_once_with_different_ends(listener: socket.socket) -> None:
    met = probe("127.0.0.1", port_of(listener), "tcp", 5, 100)
    assert met["counts"] == {OPEN: 100}
    assert len({tuple(ends) for ends in met["connections"]}) == 100
    seen = set()
    for _ in range(100):
        accepted, peer = listener.accept()
        accepted.close()
        seen.add(peer)
    assert seen == {(ends[0], ends[1]) for ends in met["connections"]}


def test_connections_are_held_until_the_input_ends(listener: socket.socket) -> None:
    asked = ["127.0.0.1", str(port_of(listener)), "tcp", "5", "2", "hold"]
    call = [sys.executable, "-I", str(prober.__file__), *asked]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["counts"] == {OPEN: 2}
        taken, _ = listener.accept()
        with taken:
            taken.settimeout(0.2)
            with pytest.raises(TimeoutError):  # nothing, not even the end
                taken.recv(1)
            process.stdin.close()
            taken.settimeout(5)
            assert taken.recv(1) == b""
        assert process.wait(5) == 0


def test_a_port_where_nobody_listens_is_refused() -> None:
    met = probe("127.0.0.1", closed_port(socket.SOCK_STREAM), "tcp", 5, 2)
    assert (met["state"], met["reason"]) == (REFUSED, "Connection refused")
    assert met["connections"] == []


def test_a_port_that_does_not_answer_is_filtered() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:  # takes one and drops the rest
        met = probe("127.0.0.1", port_of(full), "tcp", 0.2, 3)
    assert met["state"] == FILTERED
    assert met["counts"] == {FILTERED: 2, OPEN: 1}
    assert 0.2 <= met["seconds"] < 2


def test_a_datagram_is_answered_refused_or_lost() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        assert probe("127.0.0.1", port_of(server), "udp", 0.1, 1)["state"] == FILTERED
        server.settimeout(5)
        server.recvfrom(10)
        echo = threading.Thread(target=lambda: server.sendto(b"x", server.recvfrom(10)[1]))
        echo.start()
        assert probe("127.0.0.1", port_of(server), "udp", 5, 1)["state"] == OPEN
        echo.join()
    closed = closed_port(socket.SOCK_DGRAM)
    assert probe("127.0.0.1", closed, "udp", 5, 1)["state"] == REFUSED


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (0, OPEN),
        (errno.ECONNREFUSED, REFUSED),
        (errno.ETIMEDOUT, FILTERED),
        (errno.ENETUNREACH, UNREACHABLE),
        (errno.EHOSTUNREACH, UNREACHABLE),
        (errno.EACCES, UNREACHABLE),
        (errno.EADDRNOTAVAIL, "Cannot assign requested address"),
    ],
)
def test_errors_of_connect_are_told_apart(number: int, state: str) -> None:
    assert state_of(number) == state


def test_it_runs_by_path_without_our_package(listener: socket.socket) -> None:
    asked = ["127.0.0.1", str(port_of(listener)), "tcp", "5", "3"]
    call = [sys.executable, "-I", "-S", prober.__file__, *asked]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["counts"] == {OPEN: 3}
