"""The engine of the networks inside instances: docker0, containers' links, published ports.

It stands beside the cloud's own engine, for an instance's owner can disturb what is here as on any
machine (a link of the same name, rules of one's own).  Whatever fails, fails for that instance's
containers alone and never holds up a revision of the cloud.

Of the rules in an instance nothing is read back: a hostile listing could be of any size and shape.
They are laid anew whenever the instance is taken up.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gureum.engines import EngineError
from gureum.engines.linux import userns
from gureum.engines.linux.book import Book
from gureum.engines.linux.engine import carry_out, difference
from gureum.engines.linux.executor import Change, Executor
from gureum.engines.linux.items import Item, Key
from gureum.engines.linux.lower import Plan
from gureum.engines.linux.lower_inner import container_namespace
from gureum.engines.linux.namespaces import FOLDER, Namespaces, ipv6_is_there
from gureum.engines.linux.observe import Observer
from gureum.program import Statement

_T = TypeVar("_T")
_PREFIX = "c-"
"""Of the namespaces of containers, see :func:`container_namespace`."""


@dataclass
class _Inside:
    """What is wanted and known of one instance; ``seen`` once its kernel side was read, ``spaces``
    the namespaces that are wanted."""

    book: Book
    actual: dict[Key, Item] = field(default_factory=dict)
    seen: bool = False
    unsettled: bool = False
    spaces: set[str] = field(default_factory=set)

    def change(self, wanted: Collection[Statement]) -> set[Key]:
        """Want these statements; the keys that this may concern."""
        touched = self.book.change(wanted, set(self.book.statements()) - set(wanted))
        for key in touched:
            if key[0] == "namespace":
                self.spaces.discard(str(key[1]))
                if self.book.wanted(key) is not None:
                    self.spaces.add(str(key[1]))
        return touched


class InnerEngine:
    """The networks inside the instances of the cloud with that tag.

    Containers' namespaces are ``/run/netns/gu<tag>c-…``, so that the cloud's own engine does not
    take them for leftovers of its own.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"gu{tag}-inner")
        self._spaces = self._on_thread(lambda: Spaces(tag))
        self._instances: dict[str, _Inside] = {}

    def netns(self, container: str) -> Path:
        """The namespace file of a container."""
        return self._spaces.path(container_namespace(container))

    def arrange(self, instance: str, wanted: Collection[Statement]) -> None:
        """Make the network inside an instance equal to these statements.

        Raises:
            EngineError: the kernel refused; what could be done is done.
        """
        self._on_thread(lambda: self._arrange(instance, wanted))

    def forget(self, instance: str) -> None:
        """Remove the namespaces of an instance that runs no more; its own goes elsewhere."""
        self._on_thread(lambda: self._forget(instance))

    def keep_only(self, containers: Collection[str]) -> None:
        """Remove the namespaces of all containers but these: what a killed daemon left."""
        kept = {container_namespace(each) for each in containers}

        def sweep() -> None:
            for ns in self._spaces.containers() - kept:
                self._spaces.remove(ns)

        self._on_thread(sweep)

    def close(self) -> None:
        """Let go of everything; it stays in the kernel."""
        self._on_thread(self._spaces.close)
        self._thread.shutdown()

    # --- on the engine's thread ------------------------------------------------------------------
    def _on_thread(self, act: Callable[[], _T]) -> _T:
        return self._thread.submit(act).result()

    def _arrange(self, instance: str, wanted: Collection[Statement]) -> None:
        known = self._instances.get(instance)
        if known is None:
            known = self._instances[instance] = _Inside(Book(Plan(ipv6=ipv6_is_there())))
        book = known.book
        touched = known.change(wanted)
        self._spaces.instance = instance
        self._spaces.wanted = known.spaces
        if not known.seen or known.unsettled:
            known.actual = Observer(self._spaces, book).observe()
            touched |= known.actual.keys() | book.wanted_keys()
        change = difference(book, known.actual, touched)
        if any(item.key[0].startswith("nft-") for item in change.put if item.ns == instance):
            _lay_anew(book, change, instance)
        outcome = carry_out(Executor(self._spaces), change, known.actual)
        known.seen, known.unsettled = True, bool(outcome.failed)
        if outcome.failures:
            raise EngineError(outcome.failures)

    def _forget(self, instance: str) -> None:
        known = self._instances.pop(instance, None)
        for ns in known.spaces - {instance} if known else ():
            self._spaces.remove(ns)
        self._spaces.forget(instance)


def _lay_anew(book: Book, change: Change, instance: str) -> None:
    """Make the whole table in one transaction; the owner may have changed what was."""
    change.rebuild.add((instance, "inet"))
    for key in book.wanted_keys():
        item = book.wanted(key)
        if item is not None and key[0].startswith("nft-") and item.ns == instance:
            change.put.add(item)


class Spaces(Namespaces):
    """Namespaces of instances, which the cloud's engine makes and removes, and those of containers,
    which are made here.  ``instance`` is the one at work and ``wanted`` are those to look at."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._inner = f"gu{tag}"
        self.instance = ""
        self.wanted: set[str] = set()

    def path(self, ns: str) -> Path:
        if ns.startswith(_PREFIX):
            return FOLDER / f"{self._inner}{ns}"
        return super().path(ns)

    def names(self) -> set[str]:
        return {ns for ns in self.wanted if self.path(ns).exists()}

    def containers(self) -> set[str]:
        """The namespaces of containers that there are, of all instances."""
        size = len(self._inner)
        return {path.name[size:] for path in FOLDER.glob(f"{self._inner}{_PREFIX}*")}

    def create(self, ns: str, apart: bool = False) -> None:
        if not ns.startswith(_PREFIX):
            if not self.path(ns).exists():
                raise OSError(errno.ENOENT, f"{ns} does not run")
            return
        super().create(ns, apart=True)

    def remove(self, ns: str) -> None:
        if ns.startswith(_PREFIX):
            super().remove(ns)

    def _new_apart(self) -> int:
        owner = userns.owner(self.fd(self.instance))
        try:
            return userns.new_network_of(owner)
        finally:
            os.close(owner)


def remove_namespaces(tag: str) -> None:
    """Remove all containers' namespaces of a cloud, as when it is torn down."""
    engine = InnerEngine(tag)
    try:
        engine.keep_only(())
    finally:
        engine.close()
