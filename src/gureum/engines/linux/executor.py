"""Carries a difference of kernel items out, step by step, in the order in which parts need parts.

Security first: what lets packets pass is put before links come up, and a namespace's whole nft
change is one transaction.  A failed step is noted and the rest is still tried.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from gureum.engines.linux import conntrack, links
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    Copier,
    Element,
    Family,
    Fdb,
    IpAddress,
    IpRule,
    Item,
    KernelRoute,
    Key,
    LinkItem,
    Namespace,
    Neighbour,
    NftItem,
    NftSet,
    NftTable,
    PortFlags,
    Proxy,
    Settings,
    Siit,
    Sysctl,
    Veth,
    rank,
)
from gureum.engines.linux.names import MACHINE
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER
from gureum.engines.linux.nft import Batch, NftError

IPV6_HOST = 128
"""The prefix length of an IPv6 address alone: what hosts have."""
_NFT = (NftTable, NftSet, Chain, Element)
_ON_LINKS = (
    Settings,
    PortFlags,
    Copier,
    Siit,
    IpAddress,
    Neighbour,
    Proxy,
    Fdb,
    KernelRoute,
    IpRule,
)


@dataclass
class Change:
    """A difference: items to put and to drop; ``again`` are the old conditions of items in
    ``put``, ``rebuild`` the nft families (by namespace) that are made anew."""

    put: set[Item] = field(default_factory=set)
    drop: set[Item] = field(default_factory=set)
    again: set[Item] = field(default_factory=set)
    rebuild: set[tuple[str, Family]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


@dataclass
class Outcome:
    """What became of a change: keys that are not as wanted, and why."""

    failed: set[Key] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


class Executor:
    """Carries changes out.  ``trap`` is called with the name of each step before it is taken; a
    test makes it raise."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.trap: Callable[[str], None] = lambda _step: None

    def run(self, change: Change) -> Outcome:
        """Carry a change out as far as it goes."""
        outcome = Outcome()
        gone = {item.ns: item for item in change.drop if isinstance(item, Namespace)}
        puts = [item for item in _ordered(change.put) if not isinstance(item, _NFT)]
        for item in puts:
            if _early(item):
                self._step(outcome, "put", [item], partial(self._put, item))
        at_links = {item for item in change.drop if _at_link(item)}
        self._run_nft(Change(drop=at_links), gone.keys(), outcome)
        self._run_drops(change, gone.keys(), outcome)
        open_ = self._run_nft(_without_links(change), gone.keys(), outcome)
        for item in puts:
            if _early(item):
                continue
            if item.ns in open_:
                outcome.failed.add(item.key)  # no link comes up where no rule is in force
            else:
                self._step(outcome, "put", [item], partial(self._put, item))
        late = Change({it for it in change.put if _at_link(it)}, rebuild=change.rebuild)
        self._run_nft(late, gone.keys(), outcome)
        self._settle_links(puts, outcome)
        for ns, space in sorted(gone.items()):
            self._step(outcome, "drop", [space], partial(self.namespaces.remove, ns))
        return outcome

    def _step(
        self, outcome: Outcome, verb: str, items: Sequence[Item], act: Callable[[], None]
    ) -> bool:
        """Take one step; whether it was taken."""
        more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
        shown = f"{verb} {items[0]!r}{more}"
        try:
            self.trap(shown)
            act()
        except (OSError, NftError) as error:
            outcome.failed.update(item.key for item in items)
            outcome.failures.append(f"{shown}: {error}")
            return False
        return True

    def _put(self, item: Item) -> None:
        spaces = self.namespaces
        if isinstance(item, Namespace):
            spaces.create(item.ns, apart=item.kind in ("instance", "container"))
        elif isinstance(item, Sysctl):
            spaces.write_sysctl(item.ns, item.name, item.value)
        elif isinstance(item, Veth):
            self._put_veth(item)
        elif not isinstance(item, _NFT):
            self._put_link_item(item)

    def _put_link_item(self, item: LinkItem) -> None:
        netlink = self.namespaces.netlink(item.ns)
        with self.namespaces.inside(item.ns):
            links.put(netlink, item, self.namespaces.fd)

    def _put_veth(self, item: Veth) -> None:
        """One end of an older pair may linger: the kernel removes it some time after the namespace
        of its other end."""
        try:
            self._put_link_item(item)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            self._drop_links(item.ns, [item.link])
            self._drop_links(item.peer_ns, [item.peer])
            self._put_link_item(item)

    def _run_drops(self, change: Change, gone: Collection[str], outcome: Outcome) -> None:
        """Drop what is no nft part: first what stays on links, then links, which take the rest
        with them."""
        dropped = change.drop | {item for item in change.again if _needs_drop(item)}
        doomed: dict[str, dict[str, Item]] = defaultdict(dict)
        for item in dropped:
            for ns, link in self._ends(item, gone):
                doomed[ns][link] = item
        for item in reversed(_ordered(dropped)):
            goes_along = item.ns in gone or getattr(item, "link", "") in doomed[item.ns]
            if isinstance(item, _ON_LINKS) and not goes_along:
                self._step(outcome, "drop", [item], partial(self._drop, item))
        for ns, ends in sorted(doomed.items()):
            if ends:
                items = [ends[link] for link in sorted(ends)]
                self._step(outcome, "drop", items, partial(self._drop_links, ns, sorted(ends)))

    def _ends(self, item: Item, gone: Collection[str]) -> list[tuple[str, str]]:
        """Where a link that is to go can be got hold of.  The kernel removes a namespace's links
        some time after the namespace: too late for a new link of the same name at the other end."""
        if isinstance(item, Bridge):
            ends = [(item.ns, item.link)]
        elif isinstance(item, Veth):
            ends = [(item.ns, item.link), (item.peer_ns, item.peer)]
        else:
            return []
        there = (ns == MACHINE or self.namespaces.path(ns).exists() for ns, _ in ends)
        usable = zip(ends, there, strict=True)
        return [end for end, exists in usable if exists and end[0] not in gone][:1]

    def _drop(self, item: LinkItem) -> None:
        netlink = self.namespaces.netlink(item.ns)
        with self.namespaces.inside(item.ns):
            links.drop(netlink, item)

    def _drop_links(self, ns: str, names: Sequence[str]) -> None:
        netlink = self.namespaces.netlink(ns)
        with self.namespaces.inside(ns):
            links.drop_links(netlink, names)

    def _run_nft(self, change: Change, gone: Collection[str], outcome: Outcome) -> set[str]:
        """Change the rulesets; the namespaces whose rules could not be laid."""
        spaces: dict[str, tuple[set[NftItem], set[NftItem], set[NftItem]]] = defaultdict(
            lambda: (set(), set(), set())
        )
        for at, items in enumerate((change.put, change.drop, change.again)):
            for item in items:
                if isinstance(item, _NFT) and item.ns not in gone:
                    spaces[item.ns][at].add(item)
        open_: set[str] = set()
        for ns, (put, drop, again) in sorted(spaces.items()):
            families = frozenset(
                family
                for where, family in change.rebuild
                if where == ns and any(item.family == family for item in put)
            )
            batch = Batch(frozenset(put), frozenset(drop), frozenset(again), families)
            act = partial(self._transact, ns, batch)
            laid = self._step(outcome, "change", sorted(put | drop, key=repr), act)
            if not laid and any(isinstance(item, NftTable) for item in put):
                open_.add(ns)
            self._forget_flows(ns, put, drop | again, outcome)
        return open_

    def _forget_flows(
        self, ns: str, put: set[NftItem], gone: set[NftItem], outcome: Outcome
    ) -> None:
        """No flow survives its translation, nor does an address come with flows of an earlier
        owner, which may have been let in where this one's groups would not."""
        revoked, owned = _of_set("public_to_private", gone), _of_set("owners", put)
        owned += _of_set("owners6", put)
        if not revoked and not owned:
            return
        ips = {item.element.rpartition(" ")[2] for item in (*revoked, *owned)}
        act = partial(self._forget, ns, ips)
        # what is revoked is gone whether or not this works; what has a new owner is put again
        trial = Outcome(failures=outcome.failures)
        if not self._step(trial, "forget", [*revoked, *owned], act):
            outcome.failed.update(item.key for item in owned)

    def _settle_links(self, puts: Iterable[Item], outcome: Outcome) -> None:
        ports: dict[str, list[str]] = defaultdict(list)
        bridges: dict[str, set[str]] = defaultdict(set)
        addresses: dict[str, list[str]] = defaultdict(list)
        for item in puts:
            if item.key in outcome.failed:
                continue
            if isinstance(item, Settings):
                ports[item.ns].append(item.link)
                if item.master:
                    bridges[item.ns].add(item.master)
            elif isinstance(item, IpAddress) and item.length == IPV6_HOST:
                addresses[item.ns].append(item.ip)
        for ns, names in ports.items():
            with self.namespaces.inside(ns):
                # A bridge has a carrier, and so a queue to come, once a port of it has.
                links.settle([*names, *bridges[ns]])
        for ns, ips in addresses.items():
            links.settle_addresses(self.namespaces.netlink(ns), ips)

    def _transact(self, ns: str, batch: Batch) -> None:
        nft = self.namespaces.nft(ns)
        with self.namespaces.inside(ns):
            nft.run(batch.script())

    def _forget(self, ns: str, ips: Collection[str]) -> None:
        conntrack.forget(self.namespaces.netlink(ns, NETFILTER), ips)


def _ordered(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (rank(item), repr(item)))


def _at_link(item: Item) -> bool:
    """Whether an item is an nft part that a link has to be there for."""
    return isinstance(item, _NFT) and item.family == "netdev"


def _without_links(change: Change) -> Change:
    """The nft parts of a change that need no link."""
    put, drop, again = (
        {it for it in some if not _at_link(it)} for some in (change.put, change.drop, change.again)
    )
    return Change(put, drop, again, change.rebuild)


def _early(item: Item) -> bool:
    """Whether an item comes before the nft change."""
    return rank(item) < NftTable.RANK


def _needs_drop(item: Item) -> bool:
    """Whether the old condition of a changed item must go first; others are overwritten."""
    return item.key[0] in ("link", "address")


def _of_set(name: str, items: Iterable[NftItem]) -> list[Element]:
    found = [item for item in items if isinstance(item, Element) and item.name == name]
    return sorted(found, key=repr)
