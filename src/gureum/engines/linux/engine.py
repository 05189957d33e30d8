"""The Linux engine: holds the wanted items, compares them with the kernel, has the rest done."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from gureum.engines import EngineError, Row, TableKind
from gureum.engines.linux import probe
from gureum.engines.linux.book import Book
from gureum.engines.linux.executor import Change, Executor, Outcome
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    IpAddress,
    Item,
    KernelRoute,
    Key,
    Neighbour,
    NftSet,
    Settings,
    Sysctl,
    Veth,
)
from gureum.engines.linux.lower import Plan
from gureum.engines.linux.names import internet_host_namespace
from gureum.engines.linux.namespaces import Namespaces, ipv6_is_there
from gureum.engines.linux.observe import Observer
from gureum.engines.linux.rulesets import BridgeFilter
from gureum.engines.linux.tables import Tables
from gureum.engines.linux.tracing import remove_leftovers
from gureum.program import InternetHost, Service, Statement

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


_BACKLOG = 128
"""Connections that wait to be taken up by a service."""

_BY_ADDRESS = (KernelRoute, Neighbour, Sysctl)
"""What the kernel forgets of a link that loses its last address."""


class LinuxEngine:
    """Network namespaces, links, routes and nftables of one cloud, told apart by its tag.

    ``tag`` is four hexadecimal digits: everything made is named ``gu<tag>…``.  ``bridge_filter``
    says how frames inside a segment meet the groups: through br_netfilter or by routing between
    isolated ports; ``auto`` finds out with a real packet.  ``host_link`` joins the machine to the
    internet host ``me``.  Needs CAP_NET_ADMIN and CAP_SYS_ADMIN over the namespace it runs in.

    Raises:
        ValueError: the tag is not four hexadecimal digits.
        EngineError: neither way of filtering works here.
    """

    def __init__(
        self,
        tag: str,
        bridge_filter: Literal["auto", "netfilter", "isolated"] = "auto",
        host_link: bool = True,
    ) -> None:
        if not re.fullmatch(r"[0-9a-f]{4}", tag):
            raise ValueError(f"tag must be four hexadecimal digits, not {tag!r}")
        self.tag = tag
        # entering a namespace concerns one thread; on this one nothing else runs
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"gu{tag}-engine")
        self._on_thread(lambda: self._open(bridge_filter, host_link))

    def sync(self, wanted: Collection[Statement]) -> None:
        """See :meth:`gureum.engines.Engine.sync`."""
        self._on_thread(lambda: self._sync(wanted))

    def apply(self, add: Collection[Statement], remove: Collection[Statement]) -> None:
        """See :meth:`gureum.engines.Engine.apply`."""
        self._on_thread(lambda: self._apply(add, remove))

    def drift(self, wanted: Collection[Statement]) -> Change:
        """What a sync with ``wanted`` would change; changes nothing in the kernel."""
        return self._on_thread(lambda: self._drift(wanted))

    def netns(self, host: str) -> Path:
        """See :meth:`gureum.engines.Engine.netns`; of an internet host by its name, of anything
        else by its id."""
        named = host in self._internet_hosts
        return self._namespaces.path(internet_host_namespace(host) if named else host)

    def listen(self, service: Service) -> socket.socket:
        """See :meth:`gureum.engines.Engine.listen`."""
        return self._on_thread(lambda: self._listen(service))

    def forwards(self, host: str, version: int = 4) -> bool:
        """See :meth:`gureum.engines.Engine.forwards`."""
        return self._on_thread(lambda: self._namespaces.forwards(host, version))

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        """See :meth:`gureum.engines.Engine.tables`."""
        return self._on_thread(
            lambda: Tables(self._namespaces, self._book.statements()).read(kind, place_id)
        )

    def close(self) -> None:
        """See :meth:`gureum.engines.Engine.close`."""
        self._on_thread(self._namespaces.close)
        self._thread.shutdown()

    @property
    def bridge_filter(self) -> BridgeFilter:
        """The way of filtering inside a segment that is in use."""
        return self._book.plan.way

    # --- on the engine's thread -----------------------------------------------------------------
    def _on_thread(self, act: Callable[[], _T]) -> _T:
        return self._thread.submit(act).result()

    def _open(self, bridge_filter: str, host_link: bool) -> None:
        way = probe.bridge_filter(self.tag) if bridge_filter == "auto" else bridge_filter
        if way == "netfilter":
            probe.load_bridge_filter()
        self._namespaces = Namespaces(self.tag)
        link = f"gu{self.tag}" if host_link else ""
        if link and not probe.machine_route_is_free(self._namespaces, link):
            _log.warning("this machine has a route to public addresses already: no host link")
            link = ""
        chosen: BridgeFilter = "isolated" if way == "isolated" else "netfilter"
        self._book = Book(Plan(chosen, link, ipv6_is_there()))
        self.executor = Executor(self._namespaces)
        self._actual: dict[Key, Item] = {}
        self._unsettled: set[Key] = set()
        self._internet_hosts: frozenset[str] = frozenset()

    def _listen(self, service: Service) -> socket.socket:
        kind = socket.SOCK_STREAM if service.protocol == socket.IPPROTO_TCP else socket.SOCK_DGRAM
        family = socket.AF_INET6 if ":" in service.ip else socket.AF_INET
        with self._namespaces.inside(service.router):
            made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((service.ip, service.port))
            if kind == socket.SOCK_STREAM:
                made.listen(_BACKLOG)
        except OSError:
            made.close()
            raise
        return made

    def _hold(self, add: Collection[Statement], remove: Collection[Statement]) -> set[Key]:
        touched = self._book.change(add, remove)
        if any(isinstance(s, InternetHost) for s in (*add, *remove)):
            held = (s for s in self._book.statements() if isinstance(s, InternetHost))
            self._internet_hosts = frozenset(s.name for s in held)
        return touched

    def _sync(self, wanted: Collection[Statement]) -> None:
        self._hold(wanted, set(self._book.statements()) - set(wanted))
        remove_leftovers(self._namespaces)
        self._actual = Observer(self._namespaces, self._book).observe()
        self._unsettled = set()
        self._settle(self._actual.keys() | self._book.wanted_keys())

    def _drift(self, wanted: Collection[Statement]) -> Change:
        book = Book(self._book.plan)
        book.change(wanted, ())
        actual = Observer(self._namespaces, book).observe()
        return difference(book, actual, actual.keys() | book.wanted_keys())

    def _apply(self, add: Collection[Statement], remove: Collection[Statement]) -> None:
        touched = self._hold(add, remove)
        self._settle(touched | self._unsettled)

    def _settle(self, keys: Iterable[Key]) -> None:
        change = difference(self._book, self._actual, keys)
        if not change:
            self._unsettled = set()
            return
        outcome = carry_out(self.executor, change, self._actual)
        self._unsettled = outcome.failed
        if outcome.failures:
            raise EngineError(outcome.failures)


def carry_out(executor: Executor, change: Change, actual: dict[Key, Item]) -> Outcome:
    """Carry a change out and take note of what is there now."""
    outcome = executor.run(change)
    for item in change.drop:
        if item.key not in outcome.failed:
            actual.pop(item.key, None)
    for item in change.put:
        if item.key not in outcome.failed:
            actual[item.key] = item
    return outcome


def difference(book: Book, actual: dict[Key, Item], keys: Iterable[Key]) -> Change:
    """What has to change under some keys, with what goes along with that."""
    change = Change()
    for key in keys:
        is_now, to_be = actual.get(key), book.wanted(key)
        if is_now == to_be:
            continue
        if to_be is None and is_now is not None:
            change.drop.add(is_now)
        elif to_be is not None:
            change.put.add(to_be)
            if is_now is not None:
                change.again.add(is_now)
    _put_what_goes_along(book, actual, change)
    return change


def _put_what_goes_along(book: Book, actual: dict[Key, Item], change: Change) -> None:
    """Some parts take others with them: a link, and a change of its settings, what hangs on it; a
    link's last address its routes and neighbours; an nft set that changes its type the rules that
    use it."""
    made = _ends(change.put)
    ended = _ends(change.drop)
    links = _ends(book.wanted(item.key) for item in change.again)
    # the other end of a pair that has lost its first end lingers, and goes when it is made anew
    links |= {end for end in made if ("settings", *end) in actual}
    routed: set[tuple[str, str]] = set()
    for item in change.put:
        # settings of a link that is there: it was down, or another station, or in no bridge
        if isinstance(item, Settings) and (item.ns, item.link) not in made:
            links.add((item.ns, item.link))
    for item in change.again | change.drop:
        if isinstance(item, IpAddress) and (item.ns, item.link) not in ended:
            routed.add((item.ns, item.link))
        elif isinstance(item, (NftSet, Chain)) and _is_other_frame(item, book):
            change.rebuild.add((item.ns, item.family))
    if links or routed or change.rebuild:
        _add_dependents(book, actual, change, links, routed | links)


def _ends(items: Iterable[Item | None]) -> set[tuple[str, str]]:
    """The links, by namespace, that some items are about as a whole."""
    found: set[tuple[str, str]] = set()
    for item in items:
        if isinstance(item, (Bridge, Veth)):
            found.add((item.ns, item.link))
        if isinstance(item, Veth):
            found.add((item.peer_ns, item.peer))
    return found


def _is_other_frame(item: NftSet | Chain, book: Book) -> bool:
    """Whether what cannot change in place changes: a set's type, a base chain's hook."""
    to_be = book.wanted(item.key)
    return isinstance(item, NftSet) or (isinstance(to_be, Chain) and item.hook != to_be.hook)


def _add_dependents(
    book: Book,
    actual: dict[Key, Item],
    change: Change,
    links: set[tuple[str, str]],
    routed: set[tuple[str, str]],
) -> None:
    for key in book.wanted_keys():
        item = book.wanted(key)
        if item is None or item in change.put:
            continue
        along = (item.ns, getattr(item, "link", "")) in links and not isinstance(
            item, Veth | Bridge
        )
        reroute = isinstance(item, _BY_ADDRESS) and (item.ns, item.link) in routed
        along |= getattr(item, "family", "") == "netdev" and (item.ns, item.key[-1]) in links
        slave = isinstance(item, Settings) and (item.ns, item.master) in links
        rebuilt = (item.ns, getattr(item, "family", "")) in change.rebuild
        if along or reroute or slave or rebuilt:
            change.put.add(item)
