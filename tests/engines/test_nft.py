"""The scripts that change a ruleset, as whole texts."""

from __future__ import annotations

from gureum.engines.linux.items import Chain, Element, NftItem, NftSet, NftTable
from gureum.engines.linux.nft import Batch

TABLE = NftTable("v", "inet")
SET = NftSet("v", "inet", "s", "set", "ipv4_addr")
MAP = NftSet("v", "inet", "m", "map", "ipv4_addr : verdict")
CHAIN = Chain("v", "inet", "c", "", ("ip saddr @s accept", "drop"))
BASE = Chain("v", "inet", "b", "type filter hook input priority 0; policy accept;", ("drop",))
IN_SET = Element("v", "inet", "s", "10.0.0.1")
IN_MAP = Element("v", "inet", "m", "10.0.0.1", "goto c")
ALL: frozenset[NftItem] = frozenset({TABLE, SET, MAP, CHAIN, BASE, IN_SET, IN_MAP})


def _script(
    put: frozenset[NftItem] = frozenset(),
    drop: frozenset[NftItem] = frozenset(),
    again: frozenset[NftItem] = frozenset(),
    rebuild: bool = False,
) -> str:
    return Batch(put, drop, again, frozenset({"inet"} if rebuild else ())).script()


def test_what_is_made_is_defined_before_it_is_used() -> None:
    assert _script(ALL) == "\n".join(
        (
            "add table inet gureum",
            "add map inet gureum m { type ipv4_addr : verdict; }",
            "add set inet gureum s { type ipv4_addr; }",
            "add chain inet gureum b { type filter hook input priority 0; policy accept; }",
            "add chain inet gureum c",
            "add rule inet gureum b drop",
            "add rule inet gureum c ip saddr @s accept",
            "add rule inet gureum c drop",
            "add element inet gureum m { 10.0.0.1 : goto c }",
            "add element inet gureum s { 10.0.0.1 }",
        )
    )


def test_what_goes_is_emptied_before_it_is_deleted() -> None:
    assert _script(drop=frozenset({SET, CHAIN, IN_SET, IN_MAP})) == "\n".join(
        (
            "delete element inet gureum m { 10.0.0.1 }",
            "delete element inet gureum s { 10.0.0.1 }",
            "flush chain inet gureum c",
            "delete chain inet gureum c",
            "delete set inet gureum s",
        )
    )


def test_a_chain_is_replaced_in_one_transaction() -> None:
    old = Chain("v", "inet", "c", "", ("accept",))
    assert _script(frozenset({CHAIN}), again=frozenset({old})) == "\n".join(
        (
            "add chain inet gureum c",
            "flush chain inet gureum c",
            "add rule inet gureum c ip saddr @s accept",
            "add rule inet gureum c drop",
        )
    )


def test_an_element_is_replaced_in_one_transaction() -> None:
    old = Element("v", "inet", "m", "10.0.0.1", "accept")
    assert _script(frozenset({IN_MAP}), again=frozenset({old})) == "\n".join(
        (
            "delete element inet gureum m { 10.0.0.1 }",
            "add element inet gureum m { 10.0.0.1 : goto c }",
        )
    )


def test_a_family_made_anew_forgets_its_past() -> None:
    script = _script(ALL, frozenset({IN_SET}), frozenset({MAP}), rebuild=True)
    assert script.startswith("add table inet gureum\ndelete table inet gureum\nadd table")
    assert "delete element" not in script
    assert "flush" not in script
