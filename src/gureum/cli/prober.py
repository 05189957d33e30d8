"""Tries a port, once or many times at once, and prints what it met as JSON.

Run by path inside a network namespace, so it leans on the standard library only::

    prober.py ADDRESS PORT tcp|udp TIMEOUT COUNT [hold]

With ``hold`` all that is open stays so until the standard input ends.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import selectors
import socket
import sys
import time
from typing import Any

OPEN, REFUSED, FILTERED, UNREACHABLE = "open", "refused", "filtered", "unreachable"
SPARE_FILES = 64

_STATES = {0: OPEN, errno.ECONNREFUSED: REFUSED, errno.ETIMEDOUT: FILTERED}
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM, errno.EINVAL)


def state_of(number: int) -> str:
    """The state that an errno of connect(2) tells of; 0 is success."""
    if number in _STATES:
        return _STATES[number]
    return UNREACHABLE if number in _NO_WAY else os.strerror(number)


class Try:
    """One attempt: its socket, and what became of it."""

    def __init__(self, address: str, port: int, kind: socket.SocketKind) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, kind)
        self.socket.setblocking(False)
        self.state: str | None = None
        self.reason: str | None = None
        number = self.socket.connect_ex((address, port))
        if number != errno.EINPROGRESS:
            self._ended(number)

    def _ended(self, number: int) -> None:
        self.state = state_of(number)
        self.reason = os.strerror(number) if number else None

    def connected(self) -> None:
        """Note how a connection attempt ended."""
        self._ended(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def answered(self) -> None:
        """Note that a datagram was answered, or refused."""
        try:
            self.socket.recv(1)
        except OSError as error:
            self._ended(error.errno or 0)
        else:
            self._ended(0)

    def four_tuple(self) -> list[Any]:
        """Source and destination, addresses and ports."""
        return [*self.socket.getsockname()[:2], *self.socket.getpeername()[:2]]


def probe(address: str, port: int, protocol: str, timeout: float, count: int) -> dict[str, Any]:
    """Try a port ``count`` times at once; sockets stay open until all are decided."""
    met, tries = attempt(address, port, protocol, timeout, count)
    for each in tries:
        each.socket.close()
    return met


def attempt(
    address: str, port: int, protocol: str, timeout: float, count: int
) -> tuple[dict[str, Any], list[Try]]:
    """The same, with the attempts, whose sockets are still open."""
    make_room(count)
    begun = time.monotonic()
    udp = protocol == "udp"
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    tries = [Try(address, port, kind) for _ in range(count)]
    if udp:
        for each in tries:
            each.state = None if each.state == OPEN else each.state
            if each.state is None:
                each.socket.send(b"\n")
    wait(tries, timeout, udp=udp)
    connections = [each.four_tuple() for each in tries if each.state == OPEN]
    states = [each.state or FILTERED for each in tries]
    worst = next((state for state in states if state != OPEN), OPEN)
    reasons = [each.reason or "no answer" for each in tries if each.state != OPEN]
    met = {
        "state": worst,
        "reason": reasons[0] if reasons else None,
        "seconds": round(time.monotonic() - begun, 3),
        "connections": connections,
        "counts": {state: states.count(state) for state in sorted(set(states))},
    }
    return met, tries


def wait(tries: list[Try], timeout: float, *, udp: bool) -> None:
    """Wait until every attempt is decided, or the time is over."""
    end = time.monotonic() + timeout
    event = selectors.EVENT_READ if udp else selectors.EVENT_WRITE
    with selectors.DefaultSelector() as selector:
        for each in tries:
            if each.state is None:
                selector.register(each.socket, event, each)
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
                each = key.data
                if udp:
                    each.answered()
                else:
                    each.connected()


def make_room(count: int) -> None:
    """Raise the soft limit of open files as far as it is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> None:
    """Run by path."""
    address, port, protocol, timeout, count, *hold = sys.argv[1:]
    met, _tries = attempt(address, int(port), protocol, float(timeout), int(count))
    print(json.dumps(met), flush=True)
    if hold:
        sys.stdin.read()


if __name__ == "__main__":
    main()
