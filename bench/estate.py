"""A synthetic region as statements, of the size and habits of a large company's."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from gureum.program import (
    Address,
    Blackhole,
    Filter,
    Guard,
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
    SegmentTable,
    Statement,
    Table,
    Target,
    Translator,
    Uplink,
    ViaPort,
    ViaUplink,
)
from gureum.program.statements import Direction

ANY = "0.0.0.0/0"
SERVICES = (22, 53, 80, 123, 443, 3306, 5432, 6379, 8080, 8443, 9092, 9200)
GROUPS_A_SET = (1, 1, 1, 2, 2, 3, 4, 5)
NAT_HOST = 4
FIRST_HOST = 10


@dataclass(frozen=True)
class Size:
    """How much of everything.  ``sets`` is how many distinct sets of groups the interfaces have in
    each router; None gives every interface a set of its own, which no estate does."""

    interfaces: int
    groups: int
    segments: int
    routers: int
    sets: int | None


COMPANY = Size(10_000, 1_000, 200, 10, 150)
HOSTILE = Size(10_000, 1_000, 200, 10, None)


@dataclass
class Estate:
    """Statements, and what changes are made of."""

    size: Size
    seed: int = 1
    statements: list[Statement] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._public = 0
        self.statements.append(InternetHost("me", "198.19.0.10"))
        for number in range(self.size.routers):
            self._router(number)

    # --- one router ----------------------------------------------------------------------------
    def _router(self, number: int) -> None:
        router, cidr = f"vpc-{number}", f"10.{number}.0.0/16"
        self.statements += [Router(router), Range(router, cidr), Uplink(router, f"igw-{number}")]
        self._groups = [
            f"sg-{number}-{each}" for each in range(self.size.groups // self.size.routers)
        ]
        self._rules = {
            (group, way): self._group_rules(number, group, way)
            for group in self._groups
            for way in ("in", "out")
        }
        self._filters: set[tuple[str, ...]] = set()
        some = self.size.sets
        self._sets = [self._set() for _ in range(some)] if some else []
        segments = [
            Segment(f"subnet-{number}-{each}", router, f"10.{number}.{each}.0/24", "", "")
            for each in range(self.size.segments // self.size.routers)
        ]
        self.statements += segments
        nat = Port(f"eni-nat-{number}", segments[0], f"nat-{number}", 0, "")
        self._address(nat, NAT_HOST, public=True)
        self.statements += [
            Guard(nat, (self._ip(segments[0], NAT_HOST),), True, None, None),
            Translator(nat, self._ip(segments[0], NAT_HOST)),
        ]
        for each in segments:
            self._segment(number, each, nat, cidr, private=each.id[-1] in "13579")

    def _segment(
        self, number: int, segment: Segment, nat: Port, cidr: str, *, private: bool
    ) -> None:
        draw = self._random
        table = Table(f"rtb-{segment.id}", segment.router, 1)
        away: Target = ViaUplink(f"igw-{number}")
        if private:
            away = ViaPort(nat.id, nat.segment, self._ip(nat.segment, NAT_HOST), "")
        self.statements += [
            SegmentTable(segment, table),
            Route(table, cidr, Local()),
            Route(table, ANY, away),
            Route(table, "198.19.128.0/24", Blackhole("pcx-gone")),
        ]
        self._acl(segment)
        for host in range(self.size.interfaces // self.size.segments):
            port = Port(f"eni-{segment.id}-{host}", segment, f"i-{segment.id}-{host}", 0, "")
            self.ports.append(port)
            self._address(port, FIRST_HOST + host, public=not private and draw.random() < 0.2)
            self._guard(port, FIRST_HOST + host)

    def _address(self, port: Port, host: int, *, public: bool) -> None:
        ip = self._ip(port.segment, host)
        self.statements += [port, Address(port, ip, primary=True)]
        if public:
            self._public += 1
            outside = f"198.18.{self._public // 250}.{self._public % 250 + 1}"
            gateway = f"igw-{port.segment.router[4:]}"
            self.statements.append(PublicAddress(gateway, port.segment.router, ip, outside))

    def _ip(self, segment: Segment, host: int) -> str:
        return segment.cidr.replace(".0/24", f".{host}")

    # --- filters -------------------------------------------------------------------------------
    def _set(self) -> tuple[str, ...]:
        return tuple(sorted(self._random.sample(self._groups, self._random.choice(GROUPS_A_SET))))

    def _guard(self, port: Port, host: int) -> None:
        groups = self._random.choice(self._sets) if self._sets else self._set()
        router, ip = port.segment.router, self._ip(port.segment, host)
        key = "+".join(groups)
        self.statements += [Member(router, group, ip) for group in groups]
        self.statements.append(Guard(port, (ip,), False, f"{key}/in", f"{key}/out"))
        if groups in self._filters:
            return
        self._filters.add(groups)
        ways: tuple[Direction, ...] = ("in", "out")
        for way in ways:
            rules = tuple(rule for group in groups for rule in self._rules[group, way])
            self.statements.append(Filter(f"{key}/{way}", router, way, True, rules, key))

    def _group_rules(self, number: int, group: str, way: str) -> tuple[Rule, ...]:
        draw = self._random
        if way == "out" and draw.random() < 0.8:
            return (Rule(f"sgr-{group}-out", True, None, None, None, ANY),)
        return tuple(
            self.rule(number, f"sgr-{group}-{way}-{each}") for each in range(draw.randint(3, 9))
        )

    def rule(self, number: int, why: str) -> Rule:
        """A rule of a group of router ``number``: half of the peers are groups."""
        draw = self._random
        protocol = draw.choice((6, 6, 6, 6, 17, 1, None))
        port = draw.choice(SERVICES)
        ports = (port, draw.choice((port, port, port + 10))) if protocol in (6, 17) else None
        prefixes = (ANY, f"10.{number}.0.0/16", f"10.{number}.{draw.randrange(20)}.0/24",
                    f"10.{number}.{draw.randrange(20)}.{draw.randrange(10, 60)}/32",
                    "198.18.0.0/15")  # fmt: skip
        peer = draw.choice(self._groups) if draw.random() < 0.5 else draw.choice(prefixes)
        return Rule(why, True, protocol, ports, (8, -1) if protocol == 1 else None, peer)

    def _acl(self, segment: Segment) -> None:
        """Every third segment has an ACL of its own, with a hole and a range of client ports."""
        draw = self._random
        keys = []
        ways: tuple[Direction, ...] = ("in", "out")
        for way in ways:
            rules = [Rule("acl/32766", True, None, None, None, ANY)]
            if draw.random() < 0.3:
                denied = f"10.{draw.randrange(10)}.{draw.randrange(20)}.0/24"
                last = draw.choice((65535, 65535, 50000))
                rules = [
                    Rule("acl/90", False, 6, (22, 22), None, denied),
                    Rule("acl/100", True, 6, (0, 1023), None, ANY),
                    Rule("acl/110", True, 6, (1024, last), None, ANY),
                    Rule("acl/120", True, 17, None, None, ANY),
                    Rule("acl/130", True, 1, None, (-1, -1), ANY),
                ]
            keys.append(f"acl-{segment.id}/{way}")
            self.statements.append(
                Filter(keys[-1], segment.router, way, False, tuple(rules), "acl/*")
            )
        self.statements.append(SegmentFilter(segment, keys[0], keys[1]))
