"""Hand-written programs for the kernel tests: a small language over the statements."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from gureum.program import (
    Address,
    Filter,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Host,
    InternetHost,
    Local,
    Member,
    Port,
    PublicAddress,
    Range,
    Route,
    Router,
    Rule,
    Segment,
    SegmentFilter,
    SegmentMode,
    SegmentTable,
    Statement,
    Table,
    Target,
    Translator,
    Uplink,
    ViaPort,
)
from gureum.program.statements import Direction, Mode

ANY, ANY6 = "0.0.0.0/0", "::/0"


def allow(
    peer: str = ANY,
    protocol: int | None = None,
    ports: int | tuple[int, int] | None = None,
    why: str = "sgr-1",
    icmp: tuple[int, int] | None = None,
    untracked: bool = False,
    deny: bool = False,
) -> Rule:
    """A rule; a single port stands for a range of one."""
    span = (ports, ports) if isinstance(ports, int) else ports
    return Rule(why, not deny, protocol, span, icmp, peer, untracked)


class Net:
    """A router with segments and ports; every method adds statements and gives what it made."""

    def __init__(self, name: str = "vpc-1", cidr: str = "10.0.0.0/16", cidr6: str = "") -> None:
        self.router = name
        self.cidr = cidr
        self.cidr6 = cidr6
        self.tables: dict[str, Table] = {}
        self.statements: set[Statement] = {
            Router(name, ipv6=bool(cidr6)),
            Range(name, cidr),
        }
        if cidr6:
            self.add(Range(name, cidr6))

    def add(self, *statements: Statement) -> None:
        self.statements.update(statements)

    def suffix(self, name: str) -> str:
        """Ids differ between routers."""
        return name if self.router == "vpc-1" else f"{name}{self.router[-1]}"

    def segment(
        self,
        name: str,
        cidr: str,
        mode: Mode = "fabric",
        acl: str = "acl-open",
        cidr6: str = "",
    ) -> Segment:
        """A subnet with its own route table, and an open ACL where no other is named; IPv6-only
        where ``cidr`` is empty."""
        router = str(ipaddress.ip_network(cidr)[1]) if cidr else ""
        number = len(self.tables) + 1
        mac = f"02:{int(self.router[-1], 16):02x}:00:00:{number:02x}:01"
        made = Segment(self.suffix(f"subnet-{name}"), self.router, cidr, router, mac, cidr6)
        table = Table(self.suffix(f"rtb-{name}"), self.router, number)
        self.tables[name] = table
        self.add(made, SegmentMode(made, mode), table, SegmentTable(made, table))
        self.add(Route(table, self.cidr, Local()))
        if self.cidr6:
            self.add(Route(table, self.cidr6, Local()))
        self.add(SegmentFilter(made, f"{acl}/in", f"{acl}/out"))
        if acl == "acl-open":
            open_ = [allow(why="acl-open/100"), allow(ANY6, why="acl-open/101")]
            self.acl(acl, open_, open_)
        return made

    def route(self, name: str, destination: str, target: Target) -> Route:
        made = Route(self.tables[name], destination, target)
        self.add(made)
        return made

    def filter(
        self, name: str, direction: Direction, rules: Iterable[Rule], stateful: bool = True
    ) -> Filter:
        default = "default-sg" if stateful else f"{name}/*"
        made = Filter(
            f"{name}/{direction}",
            self.router,
            direction,
            stateful,
            tuple(rules),
            default,
            ipv6=bool(self.cidr6),
        )
        self.add(made)
        return made

    def acl(self, name: str, entering: Iterable[Rule], leaving: Iterable[Rule]) -> None:
        self.filter(name, "in", entering, stateful=False)
        self.filter(name, "out", leaving, stateful=False)

    def group(
        self, name: str, entering: Iterable[Rule] = (), leaving: Iterable[Rule] | None = None
    ) -> None:
        self.filter(name, "in", entering)
        open_ = [allow(why="sgr-out"), allow(ANY6, why="sgr-out6")]
        self.filter(name, "out", open_ if leaving is None else leaving)

    def instance(
        self,
        name: str,
        segment: Segment,
        ip: str,
        group: str | None,
        forwarding: bool = False,
        host: str = "",
        index: int = 0,
        ip6: str = "",
    ) -> Port:
        """An interface with its address, guard and memberships, on a host of its own unless one
        is named."""
        owner = host or self.suffix(f"i-{name}")
        if not host:
            self.add(Host(owner, "instance", self.router, f"ip-{ip}"))
        return self.port(name, segment, ip, group, forwarding, owner, index, ip6)

    def port(
        self,
        name: str,
        segment: Segment,
        ip: str,
        group: str | None,
        forwarding: bool,
        host: str,
        index: int = 0,
        ip6: str = "",
    ) -> Port:
        octets = ipaddress.ip_address(ip or ip6).packed[-4:]
        mac = f"02:{int(self.router[-1], 16):02x}:" + octets.hex(":")
        port = Port(self.suffix(f"eni-{name}"), segment, host, index, mac)
        ids = (f"{group}/in", f"{group}/out") if group else (None, None)
        ips = tuple(each for each in (ip, ip6) if each)
        self.add(port, Guard(port, ips, forwarding, ids[0], ids[1]))
        for each in ips:
            self.add(Address(port, each, primary=True))
            if group:
                self.add(Member(self.router, group, each))
        return port

    def nat(self, name: str, segment: Segment, ip: str, *others: str) -> ViaPort:
        """A NAT gateway with one or several addresses; the target for routes through it."""
        host = self.suffix(f"nat-{name}")
        self.add(Host(host, "nat-gateway", self.router, host))
        port = self.port(name, segment, ip, None, True, host)
        self.statements.discard(Guard(port, (ip,), True, None, None))
        self.add(*(Address(port, each, primary=False) for each in others))
        self.add(Guard(port, (ip, *others), True, None, None), Translator(port, ip, others))
        return ViaPort(port.id, segment, ip, port.mac)

    def gateway(self, name: str) -> str:
        made = self.suffix(f"igw-{name}")
        self.add(Gateway(made), Uplink(self.router, made))
        return made

    def global_(self, gateway: str, segment: Segment, *ips: str) -> None:
        """The internet reaches the segment's IPv6 addresses through the gateway."""
        self.add(GlobalPrefix(gateway, segment))
        self.add(*(GlobalAddress(gateway, self.router, ip) for ip in ips))

    def egress_only(self, name: str) -> str:
        made = self.suffix(f"eigw-{name}")
        self.add(Gateway(made, egress_only=True), Uplink(self.router, made))
        return made

    def public(self, gateway: str, private: str, public: str) -> PublicAddress:
        made = PublicAddress(gateway, self.router, private, public)
        self.add(made)
        return made


def via(port: Port, ip: str) -> ViaPort:
    """A route's target: through an instance."""
    return ViaPort(port.id, port.segment, ip, port.mac)


def internet() -> set[Statement]:
    """Me and another host on the internet."""
    return {
        InternetHost("me", "198.19.0.10", "3fff:800::10"),
        InternetHost("other", "198.19.0.20", "3fff:800::20"),
    }
