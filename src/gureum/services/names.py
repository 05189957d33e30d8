"""The names that a VPC's resolver knows, and what they stand for.

Sources: VPC User Guide, "DNS attributes for your VPC" (which names there are, and when the resolver
knows them); EC2 User Guide, "EC2 instance hostnames and domains"; VPC Peering Guide, "Enable DNS
resolution for a VPC peering connection"; Amazon VPC Transit Gateways, "Amazon VPC attachments" (DNS
support).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Literal, TypeAlias

from gureum.explain.causes import interface_at
from gureum.model import View
from gureum.resources.dhcp_options import internal_domain, private_dns
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.instance import ENDED, Instance, hostname
from gureum.resources.internet_host import InternetHost, key
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.public_ip import PublicIp, association_at, public_dns, public_ip_id
from gureum.resources.transit_gateway import joining
from gureum.resources.vpc import METADATA_ADDRESS, Vpc
from gureum.resources.vpc_peering import link
from gureum.services.endpoint_names import addresses

INTERNET = "internet.test"
"""The domain of the internet's hosts: ``mirror.internet.test`` (RFC 6761: ``test`` is nobody's)."""

REVERSE = "in-addr.arpa"
"""Where addresses are names (RFC 1035, section 3.5)."""

REVERSE6 = "ip6.arpa"
"""The same of IPv6 (RFC 3596, section 2.5).  The resolver knows none of these names but those of
translated addresses, where DNS64 is on."""

INSTANCE_DATA = "instance-data"
"""The name of the metadata service, in the internal domain."""

Records: TypeAlias = Mapping[Literal["A", "AAAA", "PTR"], Sequence[str]]
"""What a name stands for, by type; empty where the name is there and stands for nothing of that."""

_IP_NAME = re.compile(r"ip-(\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3})")
_PUBLIC_NAME = re.compile(r"ec2-(\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3})\.[a-z0-9.-]+\.amazonaws\.com")


def look_up(view: View, vpc_id: str, name: str) -> Records | None:
    """What a name, in lower case and without the last dot, stands for when it is asked in a VPC;
    None where there is no such name."""
    vpc = view.find(Vpc, vpc_id)
    if vpc is None:
        return None
    internal = f".{internal_domain(vpc.region)}"
    if name.endswith(internal):
        return _private(view, vpc, name.removesuffix(internal))
    if name.endswith(f".{INTERNET}"):
        host = view.find(InternetHost, key(name.removesuffix(f".{INTERNET}")))
        return {"A": (host.ip,), "AAAA": (host.ip6,)} if host else None
    if name.endswith(f".{REVERSE}"):
        return _reverse(view, vpc, name.removesuffix(f".{REVERSE}"))
    if found := addresses(view, vpc, name):
        return {"A": found}
    return _public(view, vpc, name)


def leading_to(view: View, vpc_id: str, ip: str) -> str | None:
    """A name that leads to an address when it is asked in a VPC: of IPv4 what its reverse record
    says, of IPv6, which has none here, the first name that stands for it."""
    if ":" not in ip:
        labels = ".".join(reversed(ip.split(".")))
        told = look_up(view, vpc_id, f"{labels}.{REVERSE}") or {}
        return next(iter(told.get("PTR", ())), None)
    hosts = (host for host in view.all(InternetHost) if host.ip6 == ip)
    names = [f"{host.name}.{INTERNET}" for host in hosts]
    eni = interface_at(view, vpc_id, ip)
    if eni is not None and eni.attachment and eni.attachment.instance:
        names.append(f"{eni.attachment.instance}.{internal_domain(eni.region)}")
    return next((n for n in names if ip in (look_up(view, vpc_id, n) or {}).get("AAAA", ())), None)


def zone(view: View, vpc_id: str, name: str) -> str:
    """The domain that says what names there are beside ``name``; empty for the root."""
    vpc = view.find(Vpc, vpc_id)
    internal = internal_domain(vpc.region) if vpc else INTERNET
    known = (internal, INTERNET, REVERSE, REVERSE6, "amazonaws.com")
    return next((each for each in known if f".{name}".endswith(f".{each}")), "")


def _private(view: View, vpc: Vpc, label: str) -> Records | None:
    """A name in the internal domain.  Without ``enableDnsHostnames`` the resolver knows none."""
    if not vpc.dns_hostnames:
        return None
    if label == INSTANCE_DATA:
        return {"A": (METADATA_ADDRESS,)}
    if found := _IP_NAME.fullmatch(label):
        ip = _address(found[1].split("-"))
        return {"A": (ip,)} if ip and interface_at(view, vpc.id, ip) else None
    return _resource(view, vpc, label)


def _resource(view: View, vpc: Vpc, label: str) -> Records | None:
    """An instance by its id, if it is to be found by that."""
    row = view.find(Instance, label)
    if row is None or row.vpc != vpc.id or row.state in ENDED:
        return None
    if not (row.hostname_type == "resource-name" or row.dns_a_record or row.dns_aaaa_record):
        return None
    found = interfaces_of(view, row.id)
    records: dict[Literal["A", "AAAA", "PTR"], Sequence[str]] = {}
    if row.dns_a_record and found:
        records["A"] = found[0].ips[:1]
    if row.dns_aaaa_record and found and found[0].ips6:
        records["AAAA"] = found[0].ips6[:1]
    return records


def _public(view: View, vpc: Vpc, name: str) -> Records | None:
    """A public host name: the private address for who is near, else the public one."""
    found = _PUBLIC_NAME.fullmatch(name)
    ip = _address(found[1].split("-")) if found else None
    if ip is None or public_name(view, ip) != name:
        return None
    item = association_at(view, ip)
    eni = view.find(NetworkInterface, item.interface) if item else None
    if item is None or eni is None:
        return None
    return {"A": (item.private_ip if _is_near(view, vpc, eni.vpc) else ip,)}


def _is_near(view: View, vpc: Vpc, owner: str) -> bool:
    """Whether a public name of the VPC ``owner`` means a private address to another."""
    if owner == vpc.id:
        return True
    peering = link(view, vpc.id, owner)
    if peering is not None and peering.other(vpc.id).dns:
        return True
    return joining(view, vpc.id, owner, "DnsSupport") is not None


def public_name(view: View, ip: str) -> str | None:
    """The public host name of a public address: there is one where the VPC that has the address
    says so (``enableDnsHostnames`` and ``enableDnsSupport``)."""
    item = association_at(view, ip)
    eni = view.find(NetworkInterface, item.interface) if item else None
    vpc = view.find(Vpc, eni.vpc) if eni else None
    if vpc is None or not (vpc.dns_hostnames and vpc.dns_support):
        return None
    return public_dns(vpc.region, ip)


def _reverse(view: View, vpc: Vpc, labels: str) -> Records | None:
    ip = _address(labels.split(".")[::-1])
    name = _name_of(view, vpc, ip) if ip else None
    return {"PTR": (name,)} if name else None


def _name_of(view: View, vpc: Vpc, ip: str) -> str | None:
    eni = interface_at(view, vpc.id, ip)
    if eni is not None:
        return _private_name(view, eni, ip) if vpc.dns_hostnames else None
    for host in view.all(InternetHost):
        if host.ip == ip:
            return f"{host.name}.{INTERNET}"
    return _own_record(view, ip) or public_name(view, ip)


def _own_record(view: View, ip: str) -> str | None:
    """The name that the owner of an Elastic IP gave to its reverse record."""
    taken = view.find(PublicIp, public_ip_id(ip))
    row = view.find(ElasticIp, taken.holder) if taken else None
    return row.ptr.removesuffix(".") if row and row.ptr else None


def _private_name(view: View, eni: NetworkInterface, ip: str) -> str:
    """An instance goes by its host name with its first address, any other address by its own."""
    instance = eni.attachment.instance if eni.attachment else None
    row = view.find(Instance, instance)
    if row is not None and row.dns_a_record and interfaces_of(view, row.id)[0].ip == ip:
        return hostname(view, row)
    return private_dns(eni.region, ip)


def _address(octets: Sequence[str]) -> str | None:
    """The address, if these are four octets as they are written."""
    try:
        return str(IPv4Address(".".join(octets)))
    except ValueError:
        return None
