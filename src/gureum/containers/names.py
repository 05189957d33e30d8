"""What names mean to a container: those of others on the user-defined networks that it is on.

Sources: Docker Engine docs, "Networking overview", "DNS services"; moby, ``libnetwork/sandbox.go``
(``ResolveName``), ``libnetwork/network.go`` (``ResolveIP``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gureum.containers.networks import DEFAULT, endpoints_on
from gureum.containers.rows import Container, ContainerNetwork, Endpoint
from gureum.model import Reader

SHORT = 12
"""Digits of an id that are a name, too."""
_REVERSE = ".in-addr.arpa"

Meaning = dict[str, tuple[str, ...]]
"""Values by type of record."""


def named_networks(row: Container, reader: Reader) -> Iterator[ContainerNetwork]:
    """The networks of a container on which there are names."""
    for end in row.endpoints:
        network = reader.find(ContainerNetwork, end.network)
        if network is not None and network.name != DEFAULT:
            yield network


def meaning(row: Container, reader: Reader, name: str) -> Meaning | None:
    """What a name means to a container; None if nothing.  Of its networks, the first on which the
    name is there tells."""
    name = name.lower()
    if name.endswith(_REVERSE):
        return _reverse(row, reader, name.removesuffix(_REVERSE))
    for network in named_networks(row, reader):
        short = name.removesuffix(f".{network.name.lower()}")
        found = tuple(
            there.ip
            for other, there in endpoints_on(reader, network.id)
            if there.ip and short in _names(other, there)
        )
        if found:
            return {"A": found}
    return None


def _names(row: Container, end: Endpoint) -> set[str]:
    return {each.lower() for each in (row.name, row.id[:SHORT], *end.aliases)}


def _reverse(row: Container, reader: Reader, name: str) -> Meaning | None:
    try:
        ip = str(ipaddress.IPv4Address(".".join(reversed(name.split(".")))))
    except ValueError:
        return None
    for network in named_networks(row, reader):
        for other, there in endpoints_on(reader, network.id):
            if there.ip == ip:
                return {"PTR": (f"{other.name}.{network.name}",)}
    return None
