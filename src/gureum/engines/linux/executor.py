"""Carries a difference of kernel items out, step by step, in the order in which parts need parts.

Security first: what lets packets pass is put before links come up, and a namespace's whole nft
change is one transaction.  A failed step is noted and the rest is still tried.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from gureum.engines.linux import conntrack, links
from gureum.engines.linux.items import (
    Chain,
    Element,
    Family,
    Item,
    Key,
    LinkItem,
    Namespace,
    NftItem,
    NftSet,
    NftTable,
    Sysctl,
    Veth,
    rank,
)
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER
from gureum.engines.linux.nft import Batch, NftError

_NFT = (NftTable, NftSet, Chain, Element)


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
        gone = {item.ns for item in change.drop if isinstance(item, Namespace)}
        for item in _ordered(change.put):
            if _early(item):
                self._step(outcome, "put", [item], partial(self._put, item))
        dropped = {item for item in (change.drop | change.again) if not isinstance(item, _NFT)}
        for item in reversed(_ordered(dropped)):
            if not isinstance(item, Namespace) and (item in change.drop or _needs_drop(item)):
                self._step(outcome, "drop", [item], partial(self._drop, item, gone))
        self._run_nft(change, gone, outcome)
        for item in _ordered(change.put):
            if not _early(item) and not isinstance(item, _NFT):
                self._step(outcome, "put", [item], partial(self._put, item))
        for ns in sorted(gone):
            space = [item for item in change.drop if isinstance(item, Namespace) and item.ns == ns]
            self._step(outcome, "drop", space, partial(self.namespaces.remove, ns))
        return outcome

    def _step(
        self, outcome: Outcome, verb: str, items: Iterable[Item], act: Callable[[], None]
    ) -> None:
        items = list(items)
        shown = repr(items[0]) if len(items) == 1 else f"{len(items)} nft items of {items[0].ns}"
        try:
            self.trap(f"{verb} {shown}")
            act()
        except (OSError, NftError) as error:
            outcome.failed.update(item.key for item in items)
            outcome.failures.append(f"{verb} {shown}: {error}")

    def _put(self, item: Item) -> None:
        spaces = self.namespaces
        if isinstance(item, Namespace):
            spaces.create(item.ns, apart=item.kind == "instance")
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
            self._drop_link(item.ns, item.link)
            self._drop_link(item.peer_ns, item.peer)
            self._put_link_item(item)

    def _drop_link(self, ns: str, link: str) -> None:
        netlink = self.namespaces.netlink(ns)
        with self.namespaces.inside(ns):
            links.drop_link(netlink, link)

    def _drop(self, item: Item, gone: set[str]) -> None:
        spaces = self.namespaces
        if isinstance(item, Veth):
            # the kernel removes a namespace's links some time after the namespace: too late for
            # a new link of the same name at the surviving end
            for ns, link in ((item.ns, item.link), (item.peer_ns, item.peer)):
                if ns not in gone and (not ns or spaces.path(ns).exists()):
                    self._drop_link(ns, link)
                    return
        elif item.ns not in gone and not isinstance(item, (Namespace, Sysctl, *_NFT)):
            netlink = spaces.netlink(item.ns)
            with spaces.inside(item.ns):
                links.drop(netlink, item)

    def _run_nft(self, change: Change, gone: set[str], outcome: Outcome) -> None:
        spaces: dict[str, tuple[set[NftItem], set[NftItem], set[NftItem]]] = defaultdict(
            lambda: (set(), set(), set())
        )
        for at, items in enumerate((change.put, change.drop, change.again)):
            for item in items:
                if isinstance(item, _NFT) and item.ns not in gone:
                    spaces[item.ns][at].add(item)
        for ns, (put, drop, again) in sorted(spaces.items()):
            families = frozenset(family for where, family in change.rebuild if where == ns)
            batch = Batch(frozenset(put), frozenset(drop), frozenset(again), families)
            self._step(
                outcome,
                "change",
                sorted(put | drop, key=repr),
                partial(self._transact, ns, batch),
            )
            for ip in sorted(_untranslated(drop | again)):
                element = [Element(ns, "inet", "public_to_private", ip)]
                self._step(outcome, "forget", element, partial(self._forget, ns, ip))

    def _transact(self, ns: str, batch: Batch) -> None:
        nft = self.namespaces.nft(ns)
        with self.namespaces.inside(ns):
            nft.run(batch.script())

    def _forget(self, ns: str, ip: str) -> None:
        conntrack.forget(self.namespaces.netlink(ns, NETFILTER), ip)


def _ordered(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (rank(item), repr(item)))


def _early(item: Item) -> bool:
    """Whether an item comes before the nft change."""
    return rank(item) < NftTable.RANK


def _needs_drop(item: Item) -> bool:
    """Whether the old condition of a changed item must go first; others are overwritten."""
    return item.key[0] in ("link", "address")


def _untranslated(items: Iterable[NftItem]) -> set[str]:
    return {
        item.element
        for item in items
        if isinstance(item, Element) and item.name == "public_to_private"
    }
