"""Random clouds as statements: small, and full of what goes wrong in large ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from random import Random

from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Blackhole,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Host,
    Local,
    Member,
    Peering,
    Port,
    PublicAddress,
    Range,
    Route,
    Router,
    Rule,
    Segment,
    SegmentFilter,
    SegmentTable,
    Served,
    Statement,
    Table,
    Target,
    Transit,
    TransitPeering,
    Translator,
    Uplink,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
    ViaUplink,
)
from gureum.program.statements import Direction
from tests.reach.numbering import FOUR, ME, MIRROR, Numbering

EDGES = (0, 1, 22, 80, 443, 1023, 1024, 32767, 32768, 40000, 50000, 60998, 60999, 61000, 65535)


@dataclass
class Site:
    """One router while it is drawn."""

    id: str
    net: int
    cidr: str
    gateway: str | None
    gateways: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    nats: list[Port] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    peers: dict[str, Site] = field(default_factory=dict)
    attachment: str | None = None
    hub: str = ""
    feet: dict[str, Segment] = field(default_factory=dict)


class Cloud:
    """A cloud drawn from a seed; :attr:`statements` is the result.

    It is about one IP version; one of IPv6 has IPv4 beside it, which must not matter.
    """

    def __init__(self, seed: int, numbering: Numbering = FOUR) -> None:
        self._random = Random(seed)
        self._of = numbering
        self._v6 = numbering.version == 6
        self.statements: list[Statement] = [ME, MIRROR]
        self.sites: list[Site] = []
        self._public = 0
        for number in range(self._random.randint(1, 3)):
            self._site(number)
        for one, other in combinations(self.sites, 2):
            if one.cidr != other.cidr and self._random.random() < 0.7:
                self._peering(one, other)
        if self._random.random() < 0.5:
            self._transit()
        for site in self.sites:
            self._members(site)
        for site in self.sites:
            self._strangers(site)
            self._filters(site)
            for segment in site.segments:
                self._table(site, segment)
                self._acl(site, segment)
        for site in self.sites:
            self._feet(site)

    @property
    def ports(self) -> list[Port]:
        """The ports that may begin: those of instances."""
        return [port for site in self.sites for port in site.ports if port not in site.nats]

    # --- places --------------------------------------------------------------------------------
    def _site(self, number: int) -> None:
        draw = self._random
        # Overlapping networks are usual; of IPv6 there are none.
        net = number if self._v6 else draw.choice((number, 0))
        gateway = f"igw-{number}" if draw.random() < 0.85 else None
        site = Site(f"vpc-{number}", net, self._of.site(net), gateway)
        self.sites.append(site)
        site.groups = [f"sg-{number}-{each}" for each in range(3)]
        self.statements += [Router(site.id, ipv6=self._v6), Range(site.id, site.cidr)]
        site.gateways = [gateway] if gateway else []
        if self._v6 and draw.random() < 0.6:
            site.gateways.append(f"eigw-{number}")
        for key in site.gateways:
            self.statements += [Gateway(key, egress_only=key[0] == "e"), Uplink(site.id, key)]
        for each in range(draw.randint(1, 4)):
            self._segment(site, each)

    def _segment(self, site: Site, place: int) -> None:
        draw = self._random
        cidr = self._of.segment(site.net, place, draw.choice(self._of.lengths))
        router, cidr6 = f"10.{site.net}.{place}.1", ""
        if self._v6:
            cidr, cidr6 = FOUR.segment(site.net, place, 24), cidr
        segment = Segment(f"s-{site.id[4:]}-{place}", site.id, cidr, router, "", cidr6)
        site.segments.append(segment)
        self.statements.append(segment)
        if site.gateways and self._v6 and draw.random() < 0.9:
            self.statements.append(GlobalPrefix(draw.choice(site.gateways), segment))
        self._ports(site, segment, place)

    def _cidr(self, segment: Segment) -> str:
        return segment.cidr6 if self._v6 else segment.cidr

    def _peering(self, one: Site, other: Site) -> None:
        key = f"pcx-{one.id[4:]}-{other.id[4:]}"
        one.peers[key], other.peers[key] = other, one
        self.statements.append(Peering(key, (one.id, other.id), ((one.cidr,), (other.cidr,))))

    def _transit(self) -> None:
        """One or two transit gateways with two tables each, which know the sites that are attached,
        or not; two are peered."""
        draw = self._random
        hubs = ["tgw-0", "tgw-1"][: draw.choice((1, 2))]
        tables = {hub: [Table(f"{hub}-rtb-{at}", hub, at) for at in (1, 2)] for hub in hubs}
        for hub in hubs:
            self.statements += [Transit(hub), *tables[hub]]
        attached = [site for site in self.sites if draw.random() < 0.85]
        for site in attached:
            site.hub = hub = draw.choice(hubs)
            site.attachment = key = f"tgw-attach-{site.id[4:]}"
            zones = {each.id: draw.choice("aab") for each in site.segments}
            for zone in sorted(set(zones.values())):
                site.feet[zone] = draw.choice([s for s in site.segments if zones[s.id] == zone])
            if len(site.feet) > 1 and draw.random() < 0.3:
                del site.feet[draw.choice(sorted(site.feet))]
            feet = tuple((zone, f"02:00:00:00:00:0{zone}") for zone in sorted(site.feet))
            ipv6 = self._v6 and draw.random() < 0.9
            self.statements.append(Attachment(key, hub, site.id, feet, ipv6, draw.random() < 0.5))
            served = (each for each in site.segments if draw.random() < 0.95)
            self.statements += [
                Served(key, each, zones[each.id]) for each in served if zones[each.id] in site.feet
            ]
            if draw.random() < 0.9:
                self.statements.append(
                    AttachmentTable(key, draw.choice((*tables[hub], tables[hub][0])))
                )
        if len(hubs) == 2:
            self.statements.append(TransitPeering("tgw-peer", ("tgw-0", "tgw-1")))
            self.statements += [
                AttachmentTable("tgw-peer", draw.choice(tables[hub]))
                for hub in hubs
                if draw.random() < 0.9
            ]
        for hub in hubs:
            for table in tables[hub]:
                for to, target in self._transit_routes(attached, hub).items():
                    self.statements.append(Route(table, to, target))

    def _transit_routes(self, attached: list[Site], hub: str) -> dict[str, Target]:
        draw = self._random
        routes: dict[str, Target] = {}
        for site in attached:
            way: Target = ViaAttachment(str(site.attachment), site.id)
            if site.hub != hub:
                way = ViaTransitPeering("tgw-peer", site.hub)
            if draw.random() < 0.85:
                routes.setdefault(site.cidr, way)
            if draw.random() < 0.3:
                part = self._cidr(draw.choice(site.segments))
                routes.setdefault(part, draw.choice((Blackhole("tgw-attach-gone"), way)))
            if draw.random() < 0.3:
                routes.setdefault(self._of.anywhere, way)
        return routes

    def _feet(self, site: Site) -> None:
        """The feet of an attachment, with the tables and the ACLs of their segments."""
        for zone, segment in site.feet.items():
            tables = {
                each.segment: each.table for each in self.statements
                if isinstance(each, SegmentTable)
            }  # fmt: skip
            filters = {
                each.segment: (each.filter_in, each.filter_out) for each in self.statements
                if isinstance(each, SegmentFilter)
            }  # fmt: skip
            both = filters.get(segment, (None, None))
            mac, table = f"02:00:00:00:00:0{zone}", tables.get(segment)
            self.statements.append(Foot(str(site.attachment), zone, segment, mac, table, *both))

    def _strangers(self, site: Site) -> None:
        """Groups of peers that rules of this site may name."""
        for peer in site.peers.values():
            site.strangers += [group for group in peer.groups if self._random.random() < 0.5]
            members = [each for each in self.statements if isinstance(each, Member)]
            self.statements += [
                Member(site.id, each.group, each.ip)
                for each in members
                if each.router == peer.id and each.group in site.strangers
            ]

    def _ports(self, site: Site, segment: Segment, place: int) -> None:
        draw = self._random
        for each in range(draw.randint(1, 4)):
            key = f"eni-{segment.id[2:]}-{each}"
            hosts = [port.host for port in site.ports if port not in site.nats]
            shared = hosts and draw.random() < 0.1
            host = draw.choice(hosts) if shared else f"i-{key[4:]}"
            port = self._port(site, segment, key, host)
            if self._v6:
                ip = FOUR.host(site.net, place, 4 + each)
                site.others.setdefault(port.id, []).append(ip)
                self.statements.append(Address(port, ip, primary=True))
                if draw.random() < 0.1:
                    continue  # none of IPv6
            self._address(site, port, self._of.host(site.net, place, 4 + each), primary=True)
            if draw.random() < 0.15:
                self._address(site, port, self._of.host(site.net, place, 10 + each), primary=False)
        if not self._v6 and draw.random() < 0.4:
            key, host = f"eni-n{segment.id[2:]}", f"nat-{segment.id}"
            port, ip = self._port(site, segment, key, host), self._of.host(site.net, place, 9)
            self._address(site, port, ip, primary=True)
            site.nats.append(port)
            self.statements.append(Translator(port, ip))

    def _port(self, site: Site, segment: Segment, key: str, host: str) -> Port:
        port = Port(key, segment, host, sum(x.host == host for x in site.ports), "")
        site.ports.append(port)
        kind = "nat-gateway" if host.startswith("nat") else "instance"
        shown = Host(host, kind, site.id, host)  # type: ignore[arg-type]
        if shown not in self.statements:
            self.statements.append(shown)
        self.statements.append(port)
        site.addresses[port.id] = []
        return port

    def _address(self, site: Site, port: Port, ip: str, *, primary: bool) -> None:
        site.addresses[port.id].append(ip)
        self.statements.append(Address(port, ip, primary))
        if self._v6:
            self.statements += [
                GlobalAddress(gateway, site.id, ip)
                for gateway in site.gateways
                if self._random.random() < 0.9
            ]
            return
        chance = 0.8 if port.host.startswith("nat") else 0.5
        if site.gateway and self._random.random() < chance:
            self._public += 1
            public = f"198.18.0.{self._public}"
            self.statements.append(PublicAddress(site.gateway, site.id, ip, public))

    # --- filters -------------------------------------------------------------------------------
    def _members(self, site: Site) -> None:
        draw = self._random
        for port in site.ports:
            for ip in (*site.addresses[port.id], *site.others.get(port.id, ())):
                groups = draw.sample(site.groups, draw.randint(0, 2))
                self.statements += [Member(site.id, group, ip) for group in groups]
        stale = self._of.host(site.net, 0, 200)
        self.statements.append(Member(site.id, draw.choice(site.groups), stale))

    def _filters(self, site: Site) -> None:
        draw = self._random
        ways: tuple[Direction, ...] = ("in", "out")
        keys: dict[str, list[str]] = {way: [] for way in ways}
        for way in ways:
            for each in range(3):
                keys[way].append(f"f-{each}/{way}")
                rules = [self.rule(site, stateful=True) for _ in range(draw.randint(0, 5))]
                if draw.random() < 0.45:
                    rules.append(Rule("sgr-all", True, None, None, None, self._of.anywhere))
                made = Filter(keys[way][-1], site.id, way, True, tuple(rules), "sg", self._v6)
                self.statements.append(made)
        for port in site.ports:
            own = (*site.addresses[port.id], *site.others.get(port.id, ()))
            nat = port in site.nats
            if not nat and draw.random() < 0.05:
                continue  # nothing guards it
            bare = nat or draw.random() < 0.05
            forwarding = nat or draw.random() < 0.15
            enter = None if bare else draw.choice(keys["in"])
            leave = None if bare else draw.choice(keys["out"])
            self.statements.append(Guard(port, own, forwarding, enter, leave))

    def _acl(self, site: Site, segment: Segment) -> None:
        if self._random.random() < 0.15:
            return
        keys = {}
        ways: tuple[Direction, ...] = ("in", "out")
        for way in ways:
            keys[way] = f"acl-{segment.id}/{way}"
            self.statements.append(self.acl(site, keys[way], way))
        self.statements.append(SegmentFilter(segment, keys["in"], keys["out"]))

    def acl(self, site: Site, key: str, way: Direction) -> Filter:
        """An ACL's rules in one direction: most let much pass, with holes."""
        draw = self._random
        rules = [self.rule(site, stateful=False) for _ in range(draw.choice((0, 0, 1, 3, 5)))]
        if draw.random() < 0.8:
            rules.append(Rule("acl/100", True, None, None, None, self._of.anywhere))
        elif draw.random() < 0.5:
            ports = (1024, draw.choice(EDGES[8:]))
            rules.append(Rule("acl/110", True, 6, ports, None, self._of.anywhere))
        return Filter(key, site.id, way, False, tuple(rules), "acl/*")

    def rule(self, site: Site, *, stateful: bool) -> Rule:
        """A rule whose numbers lie on edges and whose peers are this cloud's."""
        draw = self._random
        icmps = (self._of.icmp,) * 2
        protocol = draw.choice((None, 6, 6, 6, 17, 17, *icmps, 47))
        ports = None
        if protocol in (6, 17) and draw.random() < 0.8:
            low, high = sorted((draw.choice(EDGES), draw.choice(EDGES)))
            ports = (low, high)
        icmp = draw.choice(self._of.icmp_kinds) if protocol == self._of.icmp else None
        allow = stateful or draw.random() < 0.6
        peer = self._peer(site)
        if stateful and draw.random() < 0.4:
            peer = draw.choice([*site.groups, *site.strangers])
        return Rule(f"r-{draw.randrange(10**6)}", allow, protocol, ports, icmp, peer)

    def _peer(self, site: Site) -> str:
        draw = self._random
        of = self._of
        fixed = (of.anywhere, of.anywhere, site.cidr, of.wide, *of.outside, of.foreign,
                 *of.parts(site.net))  # fmt: skip
        segments = [self._cidr(segment) for segment in site.segments]
        beyond = [peer.cidr for peer in site.peers.values()]
        near = [site, *site.peers.values()]
        addresses = [ip for all_ in near for each in all_.addresses.values() for ip in each]
        one = [of.alone(draw.choice(addresses))] if addresses else []
        return draw.choice((*fixed, *segments, *beyond, *beyond, *one))

    # --- routes --------------------------------------------------------------------------------
    def _table(self, site: Site, segment: Segment) -> None:
        draw = self._random
        if draw.random() < 0.03:
            return
        table = Table(f"rtb-{segment.id}", site.id, len(self.statements))
        self.statements += [table, SegmentTable(segment, table)]
        if self._v6:
            self.statements.append(Route(table, FOUR.anywhere, Blackhole("nat-gone")))
        for destination, target in self._routes(site).items():
            self.statements.append(Route(table, destination, target))

    def _routes(self, site: Site) -> dict[str, Target]:
        draw = self._random
        routes: dict[str, Target] = {}
        if draw.random() < 0.97:
            routes[site.cidr] = Local()
        if draw.random() < 0.9:
            routes[self._of.anywhere] = self._away(site)
        for key, peer in site.peers.items():
            to = draw.choice((peer.cidr, peer.cidr, self._cidr(peer.segments[0]), self._of.wide))
            if to not in routes and draw.random() < 0.85:
                routes[to] = ViaPeering(key, peer.id)
        for other in self.sites if site.attachment else ():
            to = draw.choice((other.cidr, self._cidr(other.segments[0]), self._of.wide))
            if other is not site and to not in routes and draw.random() < 0.85:
                routes[to] = ViaTransit(site.hub, str(site.attachment))
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            to = draw.choice((self._peer(site), *self._of.near_me))
            if to != self._of.foreign and to not in routes:
                routes[to] = draw.choice((Local(), self._away(site), self._via(site)))
        return routes

    def _away(self, site: Site) -> Target:
        draw = self._random
        if draw.random() < 0.1:
            return Blackhole("nat-gone")
        if site.attachment and draw.random() < 0.25:
            return ViaTransit(site.hub, site.attachment)
        if site.gateways and draw.random() < 0.7:
            return ViaUplink(draw.choice(site.gateways) if self._v6 else site.gateways[0])
        return self._via(site)

    def _via(self, site: Site) -> Target:
        port = self._random.choice([*site.nats, *site.nats, *site.ports])
        ip = next(iter((*site.addresses[port.id], *site.others.get(port.id, ()))))
        return ViaPort(port.id, port.segment, ip, port.mac)
