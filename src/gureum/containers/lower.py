"""What containers ask of the network inside their instance."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.containers.networks import networks_of
from gureum.containers.rows import Container, ContainerNetwork
from gureum.model import Reader
from gureum.program import InnerHost, InnerPort, InnerSegment, Published, Statement

PROTOCOLS = {"tcp": 6, "udp": 17}


def segment(row: ContainerNetwork) -> InnerSegment:
    """The broadcast domain of a network."""
    return InnerSegment(row.id, row.instance, row.link, row.cidr, row.gateway, row.internal)


def statements(row: Container, reader: Reader) -> Iterator[Statement]:
    """What a container that runs, or is about to, needs."""
    if not row.wanted or row.mode not in ("network", "none"):
        return
    yield InnerHost(row.id, row.instance, row.name)
    outer = default_way(row, reader)
    for index, end in enumerate(row.endpoints):
        network = reader.find(ContainerNetwork, end.network)
        if network is None or not end.ip:
            continue
        lan = segment(network)
        yield InnerPort(lan, row.id, index, end.ip, end.mac, outer == index)
        if outer == index:
            for port in row.ports:
                if port.given:
                    yield Published(
                        lan, row.id, port.address, PROTOCOLS[port.protocol], port.given, end.ip,
                        port.container,
                    )  # fmt: skip


def default_way(row: Container, reader: Reader) -> int | None:
    """Which of its links leads out: that of the first network that is not internal."""
    for index, end in enumerate(row.endpoints):
        network = reader.find(ContainerNetwork, end.network)
        if network is not None and not network.internal:
            return index
    return None


def inside(reader: Reader, instance: str, but: str = "") -> Iterator[Statement]:
    """The whole network inside an instance, ``but`` what one container needs."""
    for network in networks_of(reader, instance):
        yield segment(network)
    for row in sorted(reader.referrers(instance, Container), key=lambda row: row.id):
        if row.id != but:
            yield from statements(row, reader)
