"""``python -m bench.packets``: what the routers, filters and gateways cost a packet.

The same four measurements between two namespaces, in turns: over the least that two networks need
(a router made by hand, that filters nothing and tracks no connection), and over ours, near and far,
in a small VPC and in one of a thousand instances with many rules.
"""

from __future__ import annotations

import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import ANY, Net, allow, internet

from bench.by_hand import between
from gureum.program import ViaUplink

ROUNDS = 7
PORT = 5201
PINGS, CONNECTIONS, DATAGRAMS, BULK = 10_000, 1_000, 100_000, 1 << 30
CHUNK = bytes(1 << 17)
MANY, RULES = 1_000, 60


@dataclass(frozen=True)
class Way:
    """From a namespace to an address of another."""

    name: str
    sender: Path
    receiver: Path
    ip: str


def round_trip(way: Way) -> float:
    """Microseconds from an echo request to its reply (``ping -f``: one after another)."""
    said = packets.run(way.sender, "ping", "-q", "-f", "-c", str(PINGS), way.ip, timeout=60).stdout
    found = re.search(rf"{PINGS} received.*= [\d.]+/([\d.]+)/", said, re.DOTALL)
    if not found:
        raise RuntimeError(f"{way.name}: {said}")
    return float(found[1]) * 1000


def connect(way: Way) -> float:
    """Microseconds of a TCP connection that is opened, accepted and reset."""
    with packets.listening(way.receiver, PORT) as listener, packets.inside(way.sender):
        begun = time.perf_counter()
        for _ in range(CONNECTIONS):
            with socket.socket() as client:
                # Reset, so that no port is left waiting for the rest of a minute.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.connect((way.ip, PORT))
                listener.accept()[0].close()
        return (time.perf_counter() - begun) / CONNECTIONS * 1e6


def datagram(way: Way) -> float:
    """Microseconds to send a small datagram of a flow that is known: the kernel carries it to the
    receiver's socket before the sender goes on, or soon after."""
    with (
        packets.make(way.receiver, socket.SOCK_DGRAM) as receiver,
        packets.make(way.sender, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("0.0.0.0", PORT))
        sender.connect((way.ip, PORT))
        sender.send(b"first")
        receiver.recv(16)
        begun = time.perf_counter()
        for _ in range(DATAGRAMS):
            sender.send(b"0123456789abcdef")
        return (time.perf_counter() - begun) / DATAGRAMS * 1e6


def _drain(accepted: socket.socket) -> None:
    buffer = bytearray(1 << 20)
    while accepted.recv_into(buffer):
        pass


def bulk(way: Way) -> float:
    """Nanoseconds for a kilobyte of one TCP connection."""
    with packets.connection(way.sender, way.ip, way.receiver, PORT) as (client, server, _):
        server.settimeout(None)
        reader = get_context("fork").Process(target=_drain, args=(server,))
        reader.start()
        begun = time.perf_counter()
        for _ in range(BULK // len(CHUNK)):
            client.sendall(CHUNK)
        client.shutdown(socket.SHUT_WR)
        reader.join()
        return (time.perf_counter() - begun) / (BULK >> 10) * 1e9


MEASURES: dict[str, tuple[Callable[[Way], float], str]] = {
    "round trip": (round_trip, "µs"),
    "connection": (connect, "µs"),
    "datagram": (datagram, "µs"),
    "bulk": (bulk, "ns/KB"),
}


def _vpc(*, many: bool) -> Net:
    """Two subnets, one instance with a public address and one behind a NAT gateway in each;
    ``many``: among a thousand others, and the rule that lets packets in is the last of sixty."""
    net = Net()
    one, two = net.segment("one", "10.0.0.0/18"), net.segment("two", "10.0.64.0/18")
    others = [allow("192.0.2.0/24", 6, 1000 + n, f"sgr-{n}") for n in range(RULES)] if many else []
    net.group("open", [*others, allow(why="sgr-last")])
    for name, segment, ip in (("a", one, "10.0.0.10"), ("b", one, "10.0.0.11")):
        net.instance(name, segment, ip, "open")
    net.instance("c", two, "10.0.64.10", "open")
    gateway = net.gateway("1")
    net.public(gateway, "10.0.0.10", "198.18.0.1")
    net.public(gateway, "10.0.0.99", "198.18.0.9")
    net.route("one", ANY, ViaUplink(gateway))
    net.route("two", ANY, net.nat("1", one, "10.0.0.99"))
    for number in range(MANY if many else 0):
        third, fourth = divmod(number, 200)
        segment, base = (one, 1) if number % 2 else (two, 65)
        net.instance(f"n{number}", segment, f"10.0.{base + third}.{fourth + 20}", "open")
    return net


@contextmanager
def ways() -> Iterator[list[Way]]:
    """What is measured; the first is what the others are compared with."""
    with ExitStack() as stack:
        left, right, address = stack.enter_context(between())
        found = [Way("a router by hand", left, right, address)]
        for label, many in (("", False), (f", {MANY:,} instances and {RULES} rules", True)):
            lab = Lab("netfilter")
            stack.callback(lab.close)
            lab.build(_vpc(many=many).statements, internet())
            a, b, c, me = (lab.ns(host) for host in ("i-a", "i-b", "i-c", "me"))
            found += [
                Way(f"within a subnet{label}", a, b, "10.0.0.11"),
                Way(f"between subnets{label}", a, c, "10.0.64.10"),
            ]
            if not many:
                found += [
                    Way("from the internet to a public address", me, a, "198.18.0.1"),
                    Way("out by a NAT gateway", c, me, "198.19.0.10"),
                ]
        yield found


def main() -> None:
    """Measure and print."""
    with ways() as found:
        for name, (measure, unit) in MEASURES.items():
            taken: dict[str, list[float]] = {way.name: [] for way in found}
            for turn in range(ROUNDS + 1):
                for way in found:
                    value = measure(way)
                    if turn:  # the first does not count
                        taken[way.name].append(value)
            medians = {way: statistics.median(each) for way, each in taken.items()}
            least = medians[found[0].name]
            for way_name, median in medians.items():
                print(f"{name}, {way_name}: {median:.1f} {unit}, ratio {median / least:.2f}")


if __name__ == "__main__":
    main()
