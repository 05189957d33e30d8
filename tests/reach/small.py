"""One VPC to look at by hand: two subnets, a gateway, a NAT gateway, and whatever a test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from gureum.program import (
    Address,
    Filter,
    Guard,
    InternetHost,
    Local,
    Member,
    Port,
    PublicAddress,
    Route,
    Rule,
    Segment,
    SegmentFilter,
    SegmentTable,
    Statement,
    Table,
    Target,
    Translator,
    ViaPort,
    ViaUplink,
)
from gureum.program.statements import Direction
from gureum.reach import Reach

ANY = "0.0.0.0/0"
ME = InternetHost("me", "198.19.0.10")
OPEN = Rule("sgr-open", True, None, None, None, ANY)


def tcp(why: str, port: int, peer: str = ANY, *, last: int | None = None) -> Rule:
    """A rule that admits TCP ports."""
    return Rule(why, True, 6, (port, last or port), None, peer)


@dataclass
class Small:
    """Statements to which a test adds.  ``a`` is 10.0.1.0/24 and ``b`` 10.0.2.0/24."""

    router: str = "vpc-1"
    cidr: str = "10.0.0.0/16"
    statements: list[Statement] = field(default_factory=lambda: [ME])

    def __post_init__(self) -> None:
        network = self.cidr.removesuffix(".0.0/16")
        self.gateway = f"igw-{self.router[4:]}"
        self.a = Segment(f"a-{self.router}", self.router, f"{network}.1.0/24", "", "")
        self.b = Segment(f"b-{self.router}", self.router, f"{network}.2.0/24", "", "")
        self.statements += [self.a, self.b]
        for segment in (self.a, self.b):
            self.route(segment, self.cidr, Local())

    def reach(self) -> Reach:
        return Reach(self.statements)

    def table(self, segment: Segment) -> Table:
        return Table(f"rtb-{segment.id}", self.router, 1)

    def route(self, segment: Segment, to: str, target: Target) -> None:
        table = self.table(segment)
        if (own := SegmentTable(segment, table)) not in self.statements:
            self.statements.append(own)
        self.statements.append(Route(table, to, target))

    def port(
        self,
        segment: Segment,
        name: str,
        host: int,
        enter: tuple[Rule, ...] = (OPEN,),
        leave: tuple[Rule, ...] = (OPEN,),
        *,
        forwarding: bool = False,
        public: str | None = None,
        groups: tuple[str, ...] = (),
    ) -> Port:
        """A port of an instance with filters of its own."""
        port = Port(f"eni-{name}", segment, f"i-{name}", 0, "")
        ip = segment.cidr.replace(".0/24", f".{host}")
        ways: tuple[tuple[Direction, tuple[Rule, ...]], ...] = (("in", enter), ("out", leave))
        self.statements += [
            Filter(f"{name}/{way}", self.router, way, True, rules, f"sg:{name}")
            for way, rules in ways
        ]
        self.statements += [
            port,
            Address(port, ip, primary=True),
            Guard(port, (ip,), forwarding, f"{name}/in", f"{name}/out"),
            *(Member(self.router, group, ip) for group in groups),
        ]
        if public:
            self.statements.append(PublicAddress(self.gateway, self.router, ip, public))
        return port

    def nat(self, segment: Segment, name: str, host: int, public: str) -> ViaPort:
        """A NAT gateway; the result is the way to it."""
        port = Port(f"eni-{name}", segment, f"nat-{name}", 0, "")
        ip = segment.cidr.replace(".0/24", f".{host}")
        self.statements += [
            port,
            Address(port, ip, primary=True),
            Guard(port, (ip,), True, None, None),
            Translator(port, ip),
            PublicAddress(self.gateway, self.router, ip, public),
        ]
        return ViaPort(port.id, segment, ip, "")

    def uplink(self, segment: Segment, to: str = ANY) -> None:
        self.route(segment, to, ViaUplink(self.gateway))

    def acl(self, segment: Segment, enter: tuple[Rule, ...], leave: tuple[Rule, ...]) -> None:
        ways: tuple[tuple[Direction, tuple[Rule, ...]], ...] = (("in", enter), ("out", leave))
        self.statements += [
            Filter(f"acl-{segment.id}/{way}", self.router, way, False, rules, "acl/*")
            for way, rules in ways
        ]
        keys = (f"acl-{segment.id}/in", f"acl-{segment.id}/out")
        self.statements.append(SegmentFilter(segment, *keys))
