"""The names that people use for places in the cloud, and how one place reaches another.

A place is an instance, NAT gateway, subnet, VPC or internet gateway, by its Name tag, id or
address, or a host of the internet by its name.  Instances that were terminated are none.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from gureum.errors import ApiError
from gureum.explain.network import contains
from gureum.model import Resource, Txn, View
from gureum.model.cidr import router_address
from gureum.model.internet import GATEWAY_HOP, GATEWAY_HOP6, INTERNET_HOP, INTERNET_HOP6
from gureum.model.nat64 import embedded, synthesized
from gureum.resources.instance import ENDED, Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.internet_host import InternetHost
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_interface import interfaces_of
from gureum.resources.public_ip import associations
from gureum.resources.route_table import RouteTable, translates
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import shared
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_peering import link, peers_of

INSTANCE: Final = "instance"
NAT_GATEWAY: Final = "NAT gateway"
SUBNET: Final = "subnet"
VPC: Final = "VPC"
INTERNET_GATEWAY: Final = "internet gateway"
INTERNET_HOST: Final = "internet host"
STRANGER: Final = "internet address"
"""An address of the internet that no host here has; packets from it are supposed, not sent."""

ALL = (INSTANCE, INTERNET_HOST, NAT_GATEWAY, SUBNET, VPC, INTERNET_GATEWAY)
STACKS = (INSTANCE, INTERNET_HOST, NAT_GATEWAY, VPC, INTERNET_GATEWAY)
"""Places that have a network stack of their own, in which programs run."""
STATIONS = (INSTANCE, INTERNET_HOST, NAT_GATEWAY)
"""Places that packets are sent to."""

_UP = {INSTANCE: "running", NAT_GATEWAY: "available"}
_SHOWN = 8
"""How many names an error lists at most."""

GATEWAY_HOPS = {
    **dict.fromkeys((GATEWAY_HOP, GATEWAY_HOP6), "internet gateway"),
    **dict.fromkeys((INTERNET_HOP, INTERNET_HOP6), "the internet's router"),
}
"""What these two call themselves in a traceroute (see ``docs/dataplane.md``)."""


@dataclass(frozen=True)
class Scope:
    """Where names count: one account's region, at one revision."""

    view: View
    account: str
    region: str


@dataclass(frozen=True)
class Place:
    """One place; ``vpc`` is None outside all VPCs, ``private`` and ``public`` are its primary
    addresses, ``ipv6`` is its first one of IPv6, ``addresses`` all that it has."""

    kind: str
    id: str
    name: str | None
    state: str = ""
    vpc: str | None = None
    private: str | None = None
    public: str | None = None
    addresses: tuple[str, ...] = ()
    ipv6: str | None = None

    @property
    def ipv6_only(self) -> bool:
        """Whether it has IPv6 addresses and none of IPv4."""
        return self.ipv6 is not None and self.private is None and self.public is None

    @property
    def host(self) -> str:
        """What the engine calls it."""
        return (self.name or self.id) if self.kind == INTERNET_HOST else self.id

    def __str__(self) -> str:
        if self.kind in (INTERNET_HOST, STRANGER):
            return f"{self.kind} {self.name}"
        return f"{self.kind} {self.id}" + (f" ({self.name})" if self.name else "")

    def shown(self) -> dict[str, Any]:
        """The place as the console API tells it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "state": self.state or None,
            "vpc": self.vpc,
            "private_ip": self.private,
            "public_ip": self.public,
            "ipv6": self.ipv6,
        }


# --- from rows to places ------------------------------------------------------------------------
def _instance(row: Instance, view: View) -> Place:
    enis = interfaces_of(view, row.id)
    public = {item.private_ip: item.ip for eni in enis for item in associations(view, eni.id)}
    private = [ip for eni in enis for ip in eni.ips]
    ips6 = [ip for eni in enis for ip in eni.ips6]
    first = private[0] if private else None
    return Place(
        INSTANCE,
        row.id,
        row.tag("Name"),
        row.state,
        row.vpc,
        first,
        public.get(first or "") or next(iter(public.values()), None),
        (*private, *public.values(), *ips6),
        next(iter(ips6), None),
    )


def _nat_gateway(row: NatGateway, view: View) -> Place:
    name, known = row.tag("Name"), tuple(ip for ip in (row.ip, row.public_ip) if ip)
    return Place(NAT_GATEWAY, row.id, name, row.state, row.vpc, row.ip, row.public_ip, known)


def _subnet(row: Subnet, view: View) -> Place:
    return Place(SUBNET, row.id, row.tag("Name"), vpc=row.vpc)


def _vpc(row: Vpc, view: View) -> Place:
    return Place(VPC, row.id, row.tag("Name"), vpc=row.id)


def _gateway(row: InternetGateway, view: View) -> Place:
    return Place(INTERNET_GATEWAY, row.id, row.tag("Name"))


def _internet_host(row: InternetHost, view: View) -> Place:
    ips = (row.ip, row.ip6)
    return Place(INTERNET_HOST, row.id, row.name, public=row.ip, addresses=ips, ipv6=row.ip6)


_PLACES: dict[type[Resource], Callable[[Any, View], Place]] = {
    Instance: _instance,
    NatGateway: _nat_gateway,
    Subnet: _subnet,
    Vpc: _vpc,
    InternetGateway: _gateway,
}
_GONE = frozenset({*ENDED, "deleted", "failed"})


def places(scope: Scope) -> Iterator[Place]:
    """All places that names of the scope may mean: the hosts of the internet first, then the
    account's own in the region, by kind and age."""
    for host in sorted(scope.view.all(InternetHost), key=lambda row: row.name):
        yield _internet_host(host, scope.view)
    txn = Txn(scope.view, scope.account, scope.region)
    for cls, make in _PLACES.items():
        yield from (make(row, scope.view) for row in txn.all(cls) if not _gone(row))


def _gone(row: Resource) -> bool:
    return getattr(row, "state", "") in _GONE


# --- from names to places -----------------------------------------------------------------------
def resolve(scope: Scope, text: str, kinds: Collection[str] = ALL) -> Place:
    """The place of one of ``kinds`` that ``text`` means.

    Raises:
        ApiError: ``NoSuchPlace``, ``AmbiguousPlace`` (the message lists the candidates),
            ``WrongPlace`` (of another kind).
    """
    found = [place for place in places(scope) if text in (place.id, place.name, *place.addresses)]
    if not found:
        found = _by_id(scope.view, text)
    fit = [place for place in found if place.kind in kinds]
    if len(fit) > 1:
        listed = "; ".join(str(place) for place in fit)
        raise ApiError("AmbiguousPlace", f"'{text}' may mean: {listed}. Give its id.", 409)
    if fit:
        return fit[0]
    if found:
        wanted = _or(kinds)
        raise ApiError("WrongPlace", f"'{text}' is the {found[0]}; this needs {wanted}.", 409)
    raise _no_such_place(scope, text)


def _by_id(view: View, text: str) -> list[Place]:
    """The place with that id in any account and region: an id says it all.

    Raises:
        ApiError: ``NoSuchPlace`` where it is there no more.
    """
    row = view.rows.get(text)
    make = _PLACES.get(type(row)) if row is not None else None
    if row is None or make is None:
        return []
    if _gone(row):
        raise ApiError("NoSuchPlace", f"{make(row, view)} is {make(row, view).state}.", 404)
    return [make(row, view)]


def _or(words: Collection[str]) -> str:
    *most, last = (f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in words)
    return f"{', '.join(most)} or {last}" if most else last


def _no_such_place(scope: Scope, text: str) -> ApiError:
    said = f"No place is called '{text}' in {scope.region}"
    if where := _elsewhere(scope, text):
        return ApiError("NoSuchPlace", f"{said}; there is one in {where}.", 404)
    names = list(dict.fromkeys(place.name for place in places(scope) if place.name))
    close = difflib.get_close_matches(text, names, 3)
    if close:
        return ApiError("NoSuchPlace", f"{said}. Did you mean {' or '.join(close)}?", 404)
    more = ", …" if len(names) > _SHOWN else ""
    return ApiError("NoSuchPlace", f"{said}. There are: {', '.join(names[:_SHOWN])}{more}", 404)


def _elsewhere(scope: Scope, text: str) -> str | None:
    for cls in _PLACES:
        for row in scope.view.all(cls):
            if row.tag("Name") == text and not _gone(row):
                account = f" of account {row.account}" if row.account != scope.account else ""
                return f"{row.region}{account}"
    return None


def in_use(place: Place) -> Place:
    """The place itself, if it is up.

    Raises:
        ApiError: ``NotRunning``.
    """
    wanted = _UP.get(place.kind)
    if wanted is not None and place.state != wanted:
        raise ApiError("NotRunning", f"The {place} is {place.state}, not {wanted}.", 409)
    return place


# --- from place to place ------------------------------------------------------------------------
@dataclass(frozen=True)
class Target:
    """An address to send to, and the place that has it, if it was named."""

    address: str
    place: Place | None = None


def target(scope: Scope, source: Place, text: str, version: int = 4) -> Target:
    """The address of an IP version by which ``source`` reaches ``text``: a private one within a
    VPC and over a peering, a public one from elsewhere; of IPv6 they are the same.  Where one of
    the two is IPv6-only, IPv6 is meant: the address that stands for an IPv4 address where ``text``
    has no other and ``source`` a route for it (NAT64).  Addresses and host names of the real world
    are taken as they are.

    Raises:
        ApiError: the codes of :func:`resolve`; ``NoAddress``.
    """
    if is_address(text):
        return Target(text)
    try:
        place = resolve(scope, text, STATIONS)
    except ApiError as error:
        if error.code == "NoSuchPlace" and "." in text:
            return Target(text)
        raise
    translated = place.ipv6 is None and source.ipv6_only and _has_nat64(scope.view, source)
    if not translated and (version == 6 or source.ipv6_only or place.ipv6_only):
        return Target(ipv6_of(place), place)
    near = place.vpc is not None and (
        place.vpc == source.vpc or _is_led_to(scope.view, source, place)
    )
    address = place.private if near else place.public
    if address is None:
        raise ApiError(
            "NoAddress",
            f"The {place} has no public address, and the {source} is outside its VPC.",
            409,
        )
    return Target(synthesized(address) if translated else address, place)


def _has_nat64(view: View, source: Place) -> bool:
    subnets = (view.find(Subnet, eni.subnet) for eni in interfaces_of(view, source.id))
    return any(translates(view, subnet) for subnet in subnets if subnet is not None)


def _is_led_to(view: View, source: Place, place: Place) -> bool:
    """Whether a peering or a transit gateway joins the two, and is the way to take: where there is
    another one, only if a route of the sender's VPC says so."""
    if source.vpc is None or place.vpc is None:
        return False
    peering, transit = link(view, source.vpc, place.vpc), shared(view, source.vpc, place.vpc)
    ways = {peering.id if peering else None, transit} - {None}
    if not ways or place.public is None:
        return bool(ways)
    tables = view.referrers(source.vpc, RouteTable)
    return any(route.target in ways for table in tables for route in table.routes)


def own_address(place: Place, version: int) -> str:
    """The place's own address of an IP version; empty where it has none at all.

    Raises:
        ApiError: ``NoAddress``.
    """
    if version == 6:
        return ipv6_of(place)
    if place.ipv6_only:
        raise ApiError("NoAddress", f"The {place} has no IPv4 address.", 409)
    return place.private or ""


def ipv6_of(place: Place) -> str:
    """The place's IPv6 address.

    Raises:
        ApiError: ``NoAddress``.
    """
    if place.ipv6 is None:
        raise ApiError("NoAddress", f"The {place} has no IPv6 address.", 409)
    return place.ipv6


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def whose(scope: Scope, vpc: str | None, address: str) -> str | None:
    """Who answers from an address, as seen from a VPC or (None) from the internet; nobody where two
    peers of the VPC have it.  An IPv6 address that stands for an IPv4 address is that one's."""
    address = embedded(address) or address
    if address in GATEWAY_HOPS:
        return GATEWAY_HOPS[address]
    for subnet in scope.view.all(Subnet):
        cidr = next((each for each in subnet.cidrs if contains(each, address)), None)
        if subnet.vpc == vpc and cidr is not None:
            if address == router_address(cidr):
                return f"router of {subnet.tag('Name') or subnet.id}"
            break
    for place in places(scope):
        outside = {place.public, place.ipv6}
        seen = {place.private, *place.addresses} if place.vpc == vpc else outside
        if address in seen:
            return place.name or place.id
    linked = peers_of(scope.view, vpc) if vpc else frozenset()
    rows = (place for place in places(scope) if place.vpc in linked)
    peers = [row for row in rows if address in (row.private, *row.addresses)]
    return peers[0].name or peers[0].id if len(peers) == 1 else None
