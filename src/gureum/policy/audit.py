"""Built-in checks of defence in depth: what is open, what can never matter, what nobody uses.

Sources: VPC User Guide, "Security best practices for your VPC"; AWS Well-Architected, SEC05 and
SEC06; CIS AWS Foundations Benchmark, section "Networking".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from gureum.explain import Network
from gureum.explain.commands import aws
from gureum.explain.packet import TCP
from gureum.model import Resource, View
from gureum.model.cidr import is_ipv6, router_address
from gureum.policy.cover import covers_entry, covers_permission, decided
from gureum.program import ViaPort, ViaUplink
from gureum.reach import VERSIONS, Dual, Exposure, Reach, Version
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.elastic_ip import ElasticIp, association_of
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_acl import Entry, NetworkAcl
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.permissions import ANY_V4, ANY_V6, Permission
from gureum.resources.prefix_list import IPV4, IPV6, cidrs_of
from gureum.resources.public_ip import associations
from gureum.resources.route_table import RouteTable, table_of
from gureum.resources.route_table import show as show_table
from gureum.resources.security_group import SecurityGroup, SecurityGroupRule, rules_of
from gureum.resources.subnet import Subnet

R = TypeVar("R", bound=Resource)

Severity = Literal["high", "medium", "low"]

DATABASES = {
    1433: "SQL Server", 1521: "Oracle", 3306: "MySQL", 5432: "PostgreSQL", 6379: "Redis",
    9200: "Elasticsearch", 11211: "Memcached", 27017: "MongoDB",
}  # fmt: skip
FEW = {4: 1 << 16, 6: 1 << 80}
"""As many addresses of an IP version as a company has: who admits no more than that has chosen
whom.  They are a /16 and a /48."""
ADMINISTRATION = {22: "ssh", 3389: "remote desktop"}


@dataclass(frozen=True)
class Account:
    """What is audited: the rows of one account's region, and the network of the same revision."""

    view: View
    account: str
    region: str
    network: Network
    reach: Dual

    def all(self, cls: type[R]) -> list[R]:
        """The account's rows of a type, by id."""
        rows = self.view.all(cls)
        return sorted((row for row in rows if self.owns(row)), key=lambda row: row.id)

    def owns(self, row: Resource) -> bool:
        """Whether a row is the account's, in the region."""
        return (row.account, row.region) == (self.account, self.region)


@dataclass(frozen=True)
class Remark:
    """What a check found: at which resource, in a sentence, and commands that mend it."""

    place: str
    said: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One check: ``why`` says why it matters."""

    id: str
    severity: Severity
    why: str
    find: Callable[[Account], Iterable[Remark]]


# --- what is open -------------------------------------------------------------------------------
def _exposed(account: Account, ports: dict[int, str]) -> Iterator[Remark]:
    for port, name in ports.items():
        for version in VERSIONS:
            reach = account.reach[version]
            every = sorted(reach.exposed(TCP, port), key=lambda each: _primary_first(reach, each))
            for found in every:
                row = account.view.find(NetworkInterface, found.target.id)
                if row and account.owns(row) and found.addresses > FEW[version]:
                    yield _open_port(account, found, row, port, name)


def _primary_first(reach: Reach, found: Exposure) -> tuple[str, bool, str]:
    node = found.target
    return node.id, node != reach.node(node.id), node.ip


def _open_port(
    account: Account, found: Exposure, row: NetworkInterface, port: int, name: str
) -> Remark:
    node = found.target
    admitting = account.reach.of(node).why(found.who, node, TCP, port)
    rules = [account.view.find(SecurityGroupRule, key) for key in admitting]
    commands = tuple(
        aws(rule, "revoke-security-group-ingress", "--group-id", rule.group,
            "--security-group-rule-ids", rule.id)
        for rule in rules if rule is not None and not rule.egress
    )  # fmt: skip
    host = row.attachment.instance if row.attachment else None
    at = "" if node.ip == row.ip else f" at its address {node.ip}"
    if node.ip in row.ips6[:1]:
        at = " over IPv6"
    blocks = found.who.part.blocks if found.who.part else ()
    where = f"in {found.who.id}" if blocks else f"on the {found.who.id}"
    said = f"anybody {where} reaches tcp {port} ({name}) of {host or row.id}{at}"
    return Remark(row.id, f"{said}, by {' '.join(admitting)}", commands)


def _databases(account: Account) -> Iterator[Remark]:
    return _exposed(account, DATABASES)


def _administration(account: Account) -> Iterator[Remark]:
    return _exposed(account, ADMINISTRATION)


def _open_groups(account: Account) -> Iterator[Remark]:
    for group in account.all(SecurityGroup):
        for rule in rules_of(account.view, group.id):
            item = rule.permission
            if not rule.egress and item.protocol is None and _everywhere(account, item):
                words = ("--group-id", group.id, "--security-group-rule-ids", rule.id)
                said = f"{rule.id} lets everything in from everywhere"
                yield Remark(group.id, said, (aws(group, "revoke-security-group-ingress", *words),))


def _everywhere(account: Account, item: Permission) -> bool:
    """Whether a permission's peer is everybody, of either IP version."""
    blocks: tuple[str | None, ...] = (item.cidr, item.cidr6)
    if item.prefix_list:
        blocks = tuple(
            cidr
            for version in (IPV4, IPV6)
            for cidr in cidrs_of(account.view, item.prefix_list, version)
        )
    return ANY_V4 in blocks or ANY_V6 in blocks


def _public_by_accident(account: Account) -> Iterator[Remark]:
    for subnet in account.all(Subnet):
        table = table_of(account.view, subnet)
        public = {version: _is_public(account, subnet.id, version) for version in VERSIONS}
        # What is not up has no public address of AWS's choice just now.
        enis = account.view.referrers(subnet.id, NetworkInterface)
        up = [eni for eni in enis if eni.host is not None and not eni.requester_managed]
        bare = sorted(eni.id for eni in up if not any(associations(account.view, eni.id)))
        if public[4] and bare:
            said = f"{table.id} leads to an internet gateway, but {', '.join(bare)} has no public"
            yield Remark(subnet.id, f"{said} address: it may belong into a private subnet")
        shown = sorted(eni.id for eni in up if eni.ips6)
        if public[6] and not public[4] and shown:
            said = f"{table.id} leads to an internet gateway over IPv6 alone, so {', '.join(shown)}"
            yield Remark(
                subnet.id,
                f"{said} is on the internet: an egress-only internet gateway lets nothing in",
            )


def _is_public(account: Account, subnet: str, version: Version) -> bool:
    """Whether a subnet has a route of an IP version to an internet gateway."""
    table = account.network.tables.get(subnet)
    return table is not None and any(
        isinstance(route.target, ViaUplink)
        and route.target.gateway not in account.network.egress_only
        and is_ipv6(route.destination) == (version == 6)
        for route in account.network.routes[table.id]
    )


# --- what can never matter ----------------------------------------------------------------------
def _shadowed(account: Account) -> Iterator[Remark]:
    for acl in account.all(NetworkAcl):
        for egress in (False, True):
            entries = sorted(
                (each for each in acl.entries if each.egress == egress),
                key=lambda each: each.number,
            )
            yield from _shadowed_in(acl, entries)


def _shadowed_in(acl: NetworkAcl, entries: list[Entry]) -> Iterator[Remark]:
    for index, late in enumerate(entries):
        before = entries[:index]
        if not decided(before, late):
            continue
        early = next((each for each in before if covers_entry(each, late)), None)
        way = "--egress" if late.egress else "--ingress"
        words = ("--network-acl-id", acl.id, "--rule-number", str(late.number), way)
        verb = "allows" if early and early.allow else "denies"
        who = f"rule {early.number} {verb} it all" if early else "those before it decide it all"
        said = f"rule {late.number} ({way[2:]}) never decides: {who}"
        yield Remark(acl.id, said, (aws(acl, "delete-network-acl-entry", *words),))


def _contained(account: Account) -> Iterator[Remark]:
    for group in account.all(SecurityGroup):
        rules = rules_of(account.view, group.id)
        for rule in rules:
            wider = next((each for each in rules if _is_wider(each, rule)), None)
            if wider is not None:
                way = "egress" if rule.egress else "ingress"
                words = ("--group-id", group.id, "--security-group-rule-ids", rule.id)
                command = aws(group, f"revoke-security-group-{way}", *words)
                said = f"{rule.id} admits nothing that {wider.id} does not"
                yield Remark(group.id, said, (command,))


def _is_wider(other: SecurityGroupRule, rule: SecurityGroupRule) -> bool:
    """Whether another rule admits all of a rule; of two that are alike, the older one does."""
    if other.id == rule.id or other.egress != rule.egress:
        return False
    if not covers_permission(other.permission, rule.permission):
        return False
    alike = covers_permission(rule.permission, other.permission)
    return not alike or (other.created, other.id) < (rule.created, rule.id)


def _stale(account: Account) -> Iterator[Remark]:
    worn = {group for eni in account.view.all(NetworkInterface) for group in eni.groups}
    for group in account.all(SecurityGroup):
        for rule in rules_of(account.view, group.id):
            named = rule.permission.named_group
            if named not in (None, group.id) and named not in worn:
                way = "egress" if rule.egress else "ingress"
                words = ("--group-id", group.id, "--security-group-rule-ids", rule.id)
                command = aws(group, f"revoke-security-group-{way}", *words)
                said = f"{rule.id} names {named}, which no interface has: it admits nobody"
                yield Remark(group.id, said, (command,))


# --- what nobody uses ---------------------------------------------------------------------------
def _unused_groups(account: Account) -> Iterator[Remark]:
    worn = {group for eni in account.view.all(NetworkInterface) for group in eni.groups}
    named = {rule.permission.named_group for rule in account.view.all(SecurityGroupRule)}
    for group in account.all(SecurityGroup):
        if not group.default and group.id not in worn and group.id not in named:
            command = aws(group, "delete-security-group", "--group-id", group.id)
            yield Remark(group.id, f"no interface has '{group.name}', no rule names it", (command,))


def _default_groups(account: Account) -> Iterator[Remark]:
    for eni in account.all(NetworkInterface):
        groups = (account.view.find(SecurityGroup, key) for key in eni.groups)
        used = [group.id for group in groups if group is not None and group.default]
        if used:
            said = f"it has the VPC's default group {used[0]}, whose members admit each other"
            yield Remark(eni.id, said)


_DESTINATIONS = (
    ("DestinationCidrBlock", "--destination-cidr-block"),
    ("DestinationIpv6CidrBlock", "--destination-ipv6-cidr-block"),
    ("DestinationPrefixListId", "--destination-prefix-list-id"),
)
"""Where a route leads: the member that says so and the option that names it."""


def _blackholes(account: Account) -> Iterator[Remark]:
    for table in account.all(RouteTable):
        for route in show_table(table, account.view)["Routes"]:
            if route["State"] == "blackhole":
                named, cidr = next(
                    (word, route[member]) for member, word in _DESTINATIONS if member in route
                )
                words = ("--route-table-id", table.id, named, cidr)
                yield Remark(
                    table.id,
                    f"the target of {cidr} is gone, stopped or detached",
                    (aws(table, "delete-route", *words),),
                )


def _idle_addresses(account: Account) -> Iterator[Remark]:
    for address in account.all(ElasticIp):
        if association_of(account.view, address.id) is None and not _of_nat(account, address):
            command = aws(address, "release-address", "--allocation-id", address.id)
            yield Remark(address.id, f"{address.ip} is mapped to nothing", (command,))


def _of_nat(account: Account, address: ElasticIp) -> bool:
    return address.ip in account.network.public


def _idle_gateways(account: Account) -> Iterator[Remark]:
    gateways: tuple[InternetGateway | EgressOnlyGateway, ...] = (
        *account.all(InternetGateway),
        *account.all(EgressOnlyGateway),
    )
    for gateway in gateways:
        subnets = account.view.referrers(gateway.vpc, Subnet) if gateway.vpc else ()
        tables = [table_of(account.view, subnet) for subnet in subnets]
        if not any(route.target == gateway.id for table in tables for route in table.routes):
            said = f"no subnet of {gateway.vpc} has a route to it"
            yield Remark(gateway.id, said if gateway.vpc else "it is attached to nothing")


def _asymmetric(account: Account) -> Iterator[Remark]:
    """Ways through an instance or a NAT gateway that the answers do not take back."""
    yield from _one_sided(account)
    for eni in account.all(NetworkInterface):
        box = _box(account, eni.subnet, account.reach[4].outside().ip)
        public = [row.ip for row in associations(account.view, eni.id)]
        if public and box is not None and eni.id in account.network.ports:
            said = f"packets to {public[0]} come by the internet gateway, answers leave by {box}"
            yield Remark(eni.id, f"{said}: nobody takes them for answers")


def _one_sided(account: Account) -> Iterator[Remark]:
    """Between two subnets of a VPC, one way leads through a box and the other through another, or
    through none; told once."""
    for subnet in account.all(Subnet):
        for segment in account.network.segments[subnet.vpc]:
            other = account.view.find(Subnet, segment.id)
            if other is None or other.id == subnet.id:
                continue
            # Each has its IPv4 block first, and then the IPv6 one, if it has one.
            for own, far in zip(subnet.cidrs, other.cidrs, strict=False):
                there = _box(account, subnet.id, router_address(far))
                back = _box(account, other.id, router_address(own))
                if there is None or there == back or (back is not None and other.id < subnet.id):
                    continue
                over = " over IPv6" if is_ipv6(far) else ""
                way = f"through {back}" if back else "straight"
                said = f"packets to {other.id}{over} go through {there}, answers come back {way}"
                yield Remark(subnet.id, said)


def _box(account: Account, subnet: str, target: str) -> str | None:
    """The interface through which the route for an address leads, if it leads through one."""
    table = account.network.tables.get(subnet)
    routes = account.network.matching(table, target) if table else []
    found = routes[0].target if routes else None
    return found.port if isinstance(found, ViaPort) else None


CHECKS = (
    Check("database-exposed", "high",
          "a database that strangers can talk to is one weak password away from them", _databases),
    Check("administration-exposed", "high",
          "logins open to the world are tried day and night: use a bastion or a narrow range",
          _administration),
    Check("group-open-to-all", "high", "the group filters nothing", _open_groups),
    Check("acl-rule-shadowed", "medium",
          "somebody thinks that the rule does something", _shadowed),
    Check("subnet-public-by-accident", "medium",
          "what gets a public address here is on the internet at once", _public_by_accident),
    Check("route-blackhole", "medium", "packets for it vanish", _blackholes),
    Check("route-asymmetric", "medium",
          "an appliance that sees half of a connection breaks it, or is of no use", _asymmetric),
    Check("reference-stale", "medium", "the rule admits nobody, though it looks as if", _stale),
    Check("default-group-used", "low",
          "its members admit each other, and everybody forgets to name a group", _default_groups),
    Check("rule-contained", "low", "taking the rule away would change nothing", _contained),
    Check("group-unused", "low", "dead rules are read as live ones", _unused_groups),
    Check("address-idle", "low", "AWS bills it, and somebody may map it by mistake",
          _idle_addresses),
    Check("gateway-idle", "low", "a way out that nobody takes is one that nobody watches",
          _idle_gateways),
)  # fmt: skip
"""All checks, the gravest first."""
