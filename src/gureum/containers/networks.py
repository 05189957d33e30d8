"""Networks of an instance and the addresses on them.

Sources: Docker Engine docs, "Bridge network driver", "Packet filtering and firewalls"; moby,
``libnetwork/ipamutils`` (the default address pools).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gureum.containers.errors import DockerError
from gureum.containers.rows import Container, ContainerNetwork, Endpoint, Port
from gureum.model import Reader, Txn

DEFAULT = "bridge"
DEFAULT_LINK = "docker0"
DEFAULT_CIDR, DEFAULT_GATEWAY = "172.17.0.0/16", "172.17.0.1"
BUILT_IN = ("bridge", "host", "none")
EPHEMERAL = range(32768, 61000)
"""Where Docker looks for a free port: the kernel's ephemeral ones."""


def new_id() -> str:
    """64 hexadecimal digits, as Docker's."""
    return secrets.token_hex(32)


def common(txn: Txn, instance: str, now: str) -> dict[str, Any]:
    """What every new row of an instance's engine has."""
    return {
        "id": new_id(),
        "account": txn.account,
        "region": txn.region,
        "created": now,
        "instance": instance,
    }


def pools() -> Iterator[ipaddress.IPv4Network]:
    """The blocks of which Docker gives networks their addresses, in its order."""
    yield from (ipaddress.IPv4Network(f"172.{second}.0.0/16") for second in range(18, 32))
    yield from ipaddress.IPv4Network("192.168.0.0/16").subnets(new_prefix=20)


def networks_of(reader: Reader, instance: str) -> list[ContainerNetwork]:
    """The networks of an instance, oldest first; none before the first container."""
    rows = reader.referrers(instance, ContainerNetwork)
    return sorted(rows, key=lambda row: (row.created, row.id))


def default_network(txn: Txn, instance: str, now: str) -> ContainerNetwork:
    """docker0, made when it is first needed."""
    for row in networks_of(txn.view, instance):
        if row.name == DEFAULT:
            return row
    return txn.put(
        ContainerNetwork(
            **common(txn, instance, now),
            name=DEFAULT,
            link=DEFAULT_LINK,
            cidr=DEFAULT_CIDR,
            gateway=DEFAULT_GATEWAY,
        )
    )


def free_block(taken: Iterable[str]) -> ipaddress.IPv4Network:
    """The first of Docker's blocks that overlaps nothing.

    Raises:
        DockerError: there is none.
    """
    used = [ipaddress.IPv4Network(each) for each in taken]
    for pool in pools():
        if not any(pool.overlaps(each) for each in used):
            return pool
    raise DockerError(
        500, "could not find an available, non-overlapping IPv4 address pool among the defaults"
    )


def endpoints_on(reader: Reader, network: str) -> Iterator[tuple[Container, Endpoint]]:
    """Who is on a network."""
    for row in reader.referrers(network, Container):
        for each in row.endpoints:
            if each.network == network:
                yield row, each


def connected(txn: Txn, row: Container) -> Container:
    """The container with an address on each of its networks and a port for each it publishes.

    Raises:
        DockerError: an address or port is taken, or there is none left.
    """
    ends = tuple(_addressed(txn, row, each) for each in row.endpoints)
    ports: list[Port] = []
    taken = set(taken_ports(txn.view, row))
    for port in row.ports:
        given = port.host or _free_port(port, taken)
        if _clashes(port, given, taken):
            where = port.address or "0.0.0.0"  # noqa: S104 - said, not bound
            raise DockerError(
                500,
                "driver failed programming external connectivity on endpoint "
                f"{row.name}: Bind for {where}:{given} failed: port is already allocated",
            )
        taken.add((port.protocol, port.address, given))
        ports.append(replace(port, given=given))
    return replace(row, endpoints=ends, ports=tuple(ports))


def disconnected(row: Container) -> Container:
    """The container without addresses and ports: it does not run."""
    return replace(
        row,
        endpoints=tuple(replace(each, ip="", mac="") for each in row.endpoints),
        ports=tuple(replace(port, given=0) for port in row.ports),
    )


def _addressed(txn: Txn, row: Container, end: Endpoint) -> Endpoint:
    network = txn.view.find(ContainerNetwork, end.network)
    if network is None:
        raise DockerError(404, f"network {end.network} not found")
    if end.ip:
        return end
    taken = {each.ip for other, each in endpoints_on(txn.view, network.id) if other.id != row.id}
    taken |= {network.gateway}
    if end.wish and end.wish in taken:
        raise DockerError(403, "Address already in use")
    block = ipaddress.IPv4Network(network.cidr)
    ip = end.wish or next((str(each) for each in block.hosts() if str(each) not in taken), "")
    if not ip:
        raise DockerError(500, "no available IPv4 addresses on this network's address pools")
    return replace(end, ip=ip, mac=mac_of(ip))


def mac_of(ip: str) -> str:
    """The link-layer address that Docker derives from an address."""
    return ipaddress.IPv4Address(ip).packed.hex(":").join(("02:42:", ""))


def taken_ports(reader: Reader, row: Container) -> Iterator[tuple[str, str, int]]:
    """Protocol, address and number of each port that others of the instance publish."""
    for other in reader.referrers(row.instance, Container):
        if other.id != row.id:
            yield from ((p.protocol, p.address, p.given) for p in other.ports if p.given)


def _clashes(port: Port, number: int, taken: Iterable[tuple[str, str, int]]) -> bool:
    return any(
        (protocol == port.protocol and given == number and "" in (address, port.address))
        or (protocol, address, given) == (port.protocol, port.address, number)
        for protocol, address, given in taken
    )


def _free_port(port: Port, taken: set[tuple[str, str, int]]) -> int:
    for number in EPHEMERAL:
        if not _clashes(port, number, taken):
            return number
    raise DockerError(500, "all ports are allocated")
