"""What cannot be called here as it is called there: public addresses, IPv6 blocks, AWS's lists.

Public addresses here are of one pool (:data:`gureum.resources.public_ip.POOL`): the internet's
router, its filters and everything that explains packets know only that.  An address of another
block is given one with the same last two numbers, if that is free, wherever the answers have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from gureum.imports.answers import Answers
from gureum.imports.report import Report
from gureum.model import View
from gureum.resources import ipv6, prefix_list, public_ip
from gureum.resources.ipv6 import Ipv6Block


@dataclass
class Names:
    """Texts there and here: ``exact`` ones, the number of the ``account``, IPv6 blocks."""

    exact: dict[str, str] = field(default_factory=dict)
    account: tuple[str, str] | None = None
    blocks: list[tuple[IPv6Network, IPv6Network]] = field(default_factory=list)

    def here(self, value: Any) -> Any:
        """A value of the answers, with all texts in it as they are here."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.here(item) for item in value]
        if isinstance(value, Mapping):
            return {name: self.here(item) for name, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        known = self.exact.get(text)
        if known is not None:
            return known
        address, slash, length = text.partition("/")
        if length == "32" and address in self.exact:
            return self.exact[address] + slash + length
        if self.account and text.startswith("arn:"):
            there, here = self.account
            return text.replace(f":{there}:", f":{here}:")
        if self.blocks and ":" in text:
            return self._translated(text)
        return text

    def _translated(self, text: str) -> str:
        try:
            network = ip_network(text)
        except ValueError:
            return text
        for there, here in self.blocks:
            if isinstance(network, IPv6Network) and network.subnet_of(there):
                offset = int(network.network_address) - int(there.network_address)
                base = IPv6Address(int(here.network_address) + offset)
                return f"{base}/{network.prefixlen}" if "/" in text else str(base)
        return text


def names(answers: Answers, view: View, account: str, region: str, report: Report) -> Names:
    """What is to be called otherwise here; it is told in the report."""
    found = Names()
    owner = owner_of(answers)
    if owner is not None and owner != account:
        found.account = (owner, account)
        found.exact[owner] = account
        report.mapped.append(("account", owner, account))
    for there, here in _public(answers, view):
        found.exact[there] = here
        report.mapped.append(("public address", there, here))
    for block, other in _blocks(answers, view):
        found.blocks.append((block, other))
        report.mapped.append(("IPv6 block", str(block), str(other)))
    for key, here in _managed_lists(answers, account, region):
        if key != here:
            found.exact[key] = here
            report.mapped.append(("prefix list of AWS", key, here))
    return found


def owner_of(answers: Answers) -> str | None:
    """The account that was asked: the one to which most of its VPCs belong."""
    owners = [str(item["OwnerId"]) for item in answers.of("Vpcs") if item.get("OwnerId")]
    return max(sorted(set(owners)), key=owners.count) if owners else None


# --- public addresses ---------------------------------------------------------------------------
def _public(answers: Answers, view: View) -> Iterator[tuple[str, str]]:
    """The addresses that are none here, or somebody else's, with those that stand for them."""
    asked = [ip for ip in dict.fromkeys(_public_of(answers)) if ip]
    kept = {ip for ip in asked if public_ip.is_free(view, ip)}
    used = set(kept)
    for ip in asked:
        if ip not in kept:
            here = _stand_in(view, ip, used)
            used.add(here)
            yield ip, here


def _public_of(answers: Answers) -> Iterator[str]:
    for item in answers.of("Addresses"):
        yield item.get("PublicIp", "")
    for item in answers.of("NatGateways"):
        yield from (part.get("PublicIp", "") for part in item.get("NatGatewayAddresses", ()))
    for item in answers.of("VpnConnections"):
        tunnels = item.get("Options", {}).get("TunnelOptions", ())
        yield from (part.get("OutsideIpAddress", "") for part in tunnels)
    for item in interfaces(answers):
        for part in (item, *item.get("PrivateIpAddresses", ())):
            yield part.get("Association", {}).get("PublicIp", "")


def interfaces(answers: Answers) -> Iterator[dict[str, Any]]:
    """The interfaces of the answers: those listed, and those that only an instance tells of."""
    listed = answers.of("NetworkInterfaces")
    known = {item.get("NetworkInterfaceId") for item in listed}
    yield from listed
    for reservation in answers.of("Reservations"):
        for instance in reservation.get("Instances", ()):
            for item in instance.get("NetworkInterfaces", ()):
                if item.get("NetworkInterfaceId") not in known:
                    yield item


def _stand_in(view: View, ip: str, used: set[str]) -> str:
    """The free address of the pool that looks most like ``ip``: with its last two numbers, or the
    first one after that."""
    try:
        first = int(ip_address(ip)) % public_ip.POOL.num_addresses
    except ValueError:
        return ip
    for number in range(first, first + public_ip.POOL.num_addresses):
        base = int(public_ip.POOL.network_address)
        here = str(IPv4Address(base + number % public_ip.POOL.num_addresses))
        if here not in used and public_ip.is_free(view, here):
            return here
    return ip


# --- IPv6 ---------------------------------------------------------------------------------------
def _blocks(answers: Answers, view: View) -> Iterator[tuple[IPv6Network, IPv6Network]]:
    taken = {row.cidr for row in view.all(Ipv6Block)}
    for item in answers.of("Vpcs"):
        for part in item.get("Ipv6CidrBlockAssociationSet", ()):
            block = _network(part.get("Ipv6CidrBlock", ""))
            if block is None:
                continue
            here = block
            while not ipv6.is_block(here) or str(here) in taken:
                here = _drawn(str(here))
            taken.add(str(here))
            if here != block:
                yield block, here


def _network(text: str) -> IPv6Network | None:
    try:
        return IPv6Network(text)
    except ValueError:
        return None


def _drawn(seed: str) -> IPv6Network:
    """A block of the pool that follows from a text, so that a dry run tells the truth."""
    pool, digest = ipv6.POOL, hashlib.sha256(seed.encode()).digest()
    number = int.from_bytes(digest[:8], "big") % (1 << (ipv6.BLOCK - pool.prefixlen))
    return IPv6Network((int(pool.network_address) + (number << (128 - ipv6.BLOCK)), ipv6.BLOCK))


# --- lists of AWS's own -------------------------------------------------------------------------
def _managed_lists(answers: Answers, account: str, region: str) -> Iterator[tuple[str, str]]:
    for what in ("ManagedPrefixLists", "PrefixLists"):
        for item in answers.of(what):
            name = str(item.get("PrefixListName", ""))
            for service in prefix_list.GATEWAY_SERVICES:
                if name == f"com.amazonaws.{region}.{service}":
                    yield item["PrefixListId"], prefix_list.managed_id(account, name)
