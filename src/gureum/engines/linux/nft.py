"""nftables through libnftables.so.1, in process, and the scripts that change a ruleset.

A context acts on the network namespace in which it was made.  Every run is one transaction: all of
it or nothing (libnftables(3)).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from gureum.engines.linux.items import Chain, Element, Family, NftItem, NftSet, NftTable
from gureum.engines.linux.library import Library
from gureum.engines.linux.names import TABLE

_NUMERIC = (1 << 7) | (1 << 8) | (1 << 9)
"""Protocols, priorities and symbols as numbers: tables of names differ between systems."""


_T = TypeVar("_T")


class NftError(Exception):
    """nft refused a script; nothing of it is in force."""


def _declare(handle: ctypes.CDLL) -> None:
    handle.nft_ctx_new.restype = ctypes.c_void_p
    handle.nft_ctx_new.argtypes = [ctypes.c_uint32]
    handle.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    handle.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    for name in (
        "nft_ctx_free",
        "nft_ctx_buffer_output",
        "nft_ctx_buffer_error",
        "nft_ctx_get_output_buffer",
        "nft_ctx_get_error_buffer",
    ):
        getattr(handle, name).argtypes = [ctypes.c_void_p]
    handle.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    handle.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


_library = Library("libnftables.so.1", _declare)


class Nft:
    """One context; make and run it in the same namespace."""

    def __init__(self) -> None:
        with _library.lock:
            self._lib = _library.load()
            self._context = self._lib.nft_ctx_new(0)
            self._lib.nft_ctx_buffer_output(self._context)
            self._lib.nft_ctx_buffer_error(self._context)
            self._lib.nft_ctx_output_set_flags(self._context, _NUMERIC)

    def run(self, script: str) -> str:
        """Run a script as one transaction and give its output.

        Raises:
            NftError: with nft's words.
        """
        with _library.lock:
            code = self._lib.nft_run_cmd_from_buffer(self._context, script.encode())
            output: bytes = self._lib.nft_ctx_get_output_buffer(self._context) or b""
            errors: bytes = self._lib.nft_ctx_get_error_buffer(self._context) or b""
        if code != 0:
            raise NftError(" ".join(errors.decode(errors="replace").split()))
        return output.decode()

    def close(self) -> None:
        """Free the context and its socket."""
        if self._context is not None:
            self._lib.nft_ctx_free(self._context)
            self._context = None


# --- from items to a script ---------------------------------------------------------------------
@dataclass(frozen=True)
class Batch:
    """A change of one namespace's ruleset.

    ``put`` is to be in force, ``drop`` to be gone.  ``again`` are the old conditions of parts in
    ``put``: they go in the same transaction, so no packet ever sees the part missing.  Families in
    ``rebuild`` are made anew: ``put`` then holds all of theirs.
    """

    put: frozenset[NftItem]
    drop: frozenset[NftItem]
    again: frozenset[NftItem] = frozenset()
    rebuild: frozenset[Family] = frozenset()

    def script(self) -> str:
        """The commands, in the order of need."""
        return "\n".join((*self._definitions(), *self._contents(), *self._removals()))

    def _definitions(self) -> Iterator[str]:
        for family in sorted(self.rebuild):
            yield f"add table {family} {TABLE}"
            yield f"delete table {family} {TABLE}"
        for table in _of(NftTable, self.put):
            yield f"add table {table.family} {TABLE}"
        for each in _of(NftSet, self.put):
            kind = each.type if each.type.startswith("typeof ") else f"type {each.type}"
            yield f"add {each.form} {_name(each)} {{ {kind}; }}"
        for chain in _of(Chain, self.put):
            yield f"add chain {_name(chain)}" + (f" {{ {chain.hook} }}" if chain.hook else "")

    def _contents(self) -> Iterator[str]:
        for element in _of(Element, self._kept(self.again | self.drop)):
            yield f"delete element {_name(element)} {{ {element.element} }}"
        again = _of(Chain, self._kept(self.again))
        # a chain of a link that is made anew may have outlived it, or not (Linux 6.16)
        again += [chain for chain in _of(Chain, self.put) if chain.family == "netdev"]
        for chain in dict.fromkeys(again):
            yield f"flush chain {_name(chain)}"
        for chain in _of(Chain, self.put):
            for rule in chain.rules:
                yield f"add rule {_name(chain)} {rule}"
        for element in _of(Element, self.put):
            value = f" : {element.value}" if element.value else ""
            yield f"add element {_name(element)} {{ {element.element}{value} }}"

    def _removals(self) -> Iterator[str]:
        dropped = self._kept(self.drop)
        tables = {table.family for table in _of(NftTable, dropped)}
        for chain in _of(Chain, dropped):
            yield f"flush chain {_name(chain)}"
        for chain in _of(Chain, dropped):
            yield f"delete chain {_name(chain)}"
        for each in _of(NftSet, dropped):
            yield f"delete {each.form} {_name(each)}"
        for family in sorted(tables):
            yield f"delete table {family} {TABLE}"

    def _kept(self, items: frozenset[NftItem]) -> list[NftItem]:
        return [item for item in items if item.family not in self.rebuild]


def _name(item: NftSet | Chain | Element) -> str:
    return f"{item.family} {TABLE} {item.name}"


def _of(kind: type[_T], items: Iterable[object]) -> list[_T]:
    return sorted((each for each in items if isinstance(each, kind)), key=repr)
