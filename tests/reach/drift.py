"""Random changes of a cloud, one after the other, as programs change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    InternetHost,
    Member,
    Port,
    PublicAddress,
    Route,
    Segment,
    SegmentFilter,
    SegmentTable,
    Served,
    Statement,
    Table,
    Translator,
)
from tests.reach.clouds import Cloud
from tests.reach.numbering import FOUR, Numbering

T = TypeVar("T")
MOVED = "198.19.0.12", "3fff:800::12"
Delta = tuple[list[Statement], list[Statement]]
"""What is added and what is removed."""


class Drift:
    """A cloud that changes; :attr:`statements` is what it is now."""

    def __init__(self, seed: int, numbering: Numbering = FOUR) -> None:
        self._cloud = Cloud(seed, numbering)
        self._random = Random(seed + 7)
        self._v6 = numbering.version == 6
        self.statements = list(self._cloud.statements)
        self._gone: list[list[Statement]] = []

    def step(self) -> Delta:
        """Change something."""
        ways: tuple[Callable[[], Delta], ...] = (
            self._rules, self._rules, self._member, self._route, self._table, self._acl,
            self._public, self._guard, self._port, self._host, self._served, self._attached,
            self._foot,
        )  # fmt: skip
        if self._v6:
            ways = (*ways, self._let_through, self._entrance, self._gateway)
        added, removed = self._random.choice(ways)()
        for each in removed:
            self.statements.remove(each)
        self.statements += added
        return added, removed

    def _some(self, kind: type[T]) -> T | None:
        found = [each for each in self.statements if isinstance(each, kind)]
        return self._random.choice(found) if found else None

    def _rules(self) -> Delta:
        found = self._some(Filter)
        if found is None:
            return [], []
        rules = list(found.rules)
        if rules and self._random.random() < 0.5:
            rules.pop(self._random.randrange(len(rules)))
        else:
            site = next(site for site in self._cloud.sites if site.id == found.router)
            rule = self._cloud.rule(site, stateful=found.stateful)
            rules.insert(self._random.randint(0, len(rules)), rule)
        return [replace(found, rules=tuple(rules))], [found]

    def _member(self) -> Delta:
        found, address = self._some(Member), self._some(Address)
        if found is None or address is None:
            return [], []
        router = address.port.segment.router
        groups = [site.groups for site in self._cloud.sites if site.id == router]
        made = Member(router, self._random.choice(groups[0]), address.ip)
        return [] if made in self.statements else [made], [found] if found != made else []

    def _route(self) -> Delta:
        found = self._some(Route)
        if found is None:
            return [], []
        like = [each for each in self.statements if isinstance(each, Route)]
        like = [each for each in like if each.table.router == found.table.router]
        made = replace(found, target=self._random.choice(like).target)
        return ([made] if self._random.random() < 0.8 else []), [found]

    def _served(self) -> Delta:
        """A zone is not served any more, or is again."""
        gone = [each for each in self._cloud.statements if isinstance(each, Served)]
        gone = [each for each in gone if each not in self.statements]
        places = [each for each in self.statements if isinstance(each, Segment)]
        back = [each for each in gone if each.segment in places]
        if back and self._random.random() < 0.5:
            return [self._random.choice(back)], []
        found = self._some(Served)
        return [], [found] if found else []

    def _attached(self) -> Delta:
        """Another table is associated, or none, or IPv6 is carried or not."""
        found, link = self._some(AttachmentTable), self._some(Attachment)
        if found is None or link is None:
            return [], []
        if self._random.random() < 0.3:
            return [replace(link, ipv6=not link.ipv6)], [link]
        tables = [each for each in self.statements if isinstance(each, Table)]
        tables = [each for each in tables if each.router == found.table.router]
        made = replace(found, table=self._random.choice(tables))
        return [made] if self._random.random() < 0.7 else [], [found]

    def _foot(self) -> Delta:
        """A foot has another table, or another ACL, or stands in another segment."""
        found, table = self._some(Foot), self._some(SegmentTable)
        filters = self._some(SegmentFilter)
        if found is None or table is None or filters is None:
            return [], []
        router = found.segment.router
        made = found
        if table.segment.router == router:
            made = replace(made, table=self._random.choice((table.table, None)))
        if filters.segment.router == router and self._random.random() < 0.7:
            made = replace(made, filter_in=filters.filter_in, filter_out=filters.filter_out)
        if table.segment.router == router and self._random.random() < 0.2:
            made = replace(made, segment=table.segment)
        return ([made], [found]) if made != found else ([], [])

    def _table(self) -> Delta:
        found, other = self._some(SegmentTable), self._some(SegmentTable)
        if found is None or other is None or found.segment.router != other.segment.router:
            return [], []
        return [replace(found, table=other.table)], [found]

    def _acl(self) -> Delta:
        found, other = self._some(SegmentFilter), self._some(SegmentFilter)
        if found is None or other is None or found.segment.router != other.segment.router:
            return [], []
        return [replace(other, segment=found.segment)], [found]

    def _public(self) -> Delta:
        found = self._some(PublicAddress)
        if found is None or self._random.random() < 0.5:
            return [], [found] if found else []
        taken = {each.private for each in self.statements if isinstance(each, PublicAddress)}
        free = [
            each.ip
            for each in self.statements
            if isinstance(each, Address)
            and each.port.segment.router == found.router
            and each.ip not in taken
        ]
        return ([replace(found, private=free[0])] if free else []), [found]

    def _let_through(self) -> Delta:
        """A gateway lets an address pass that it did not, or does not any more."""
        gone = [each for each in self._cloud.statements if isinstance(each, GlobalAddress)]
        gone = [each for each in gone if each not in self.statements]
        if gone and self._random.random() < 0.5:
            return [self._random.choice(gone)], []
        found = self._some(GlobalAddress)
        return [], [found] if found else []

    def _entrance(self) -> Delta:
        """The internet reaches a segment by another gateway, or by none."""
        found, other = self._some(GlobalPrefix), self._some(GlobalPrefix)
        if found is None or other is None:
            return [], []
        made = replace(found, gateway=other.gateway)
        return [made] if self._random.random() < 0.8 else [], [found]

    def _gateway(self) -> Delta:
        """A gateway lets in what it did not."""
        found = self._some(Gateway)
        return ([replace(found, egress_only=not found.egress_only)], [found]) if found else ([], [])

    def _guard(self) -> Delta:
        found, other = self._some(Guard), self._some(Guard)
        if found is None or other is None:
            return [], []
        if found.port.segment.router != other.port.segment.router:
            return [], []
        made = replace(found, filter_in=other.filter_in, filter_out=other.filter_out)
        return [made], [found]

    def _port(self) -> Delta:
        """A port goes, with what is about it, or comes back."""
        if self._gone and self._random.random() < 0.5:
            return self._gone.pop(), []
        found = self._some(Port)
        if found is None:
            return [], []
        about: list[Statement] = [
            each
            for each in self.statements
            if each == found
            or (isinstance(each, Address | Guard | Translator) and each.port == found)
        ]
        self._gone.append(about)
        return [], about

    def _host(self) -> Delta:
        found = self._some(InternetHost)
        moved = replace(found, ip=MOVED[0], ip6=MOVED[1]) if found else None
        if found is None or moved is None or moved in self.statements:
            return [], []
        return [moved], [found]
