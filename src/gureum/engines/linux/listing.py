"""From what nft lists to items, and rules in the spelling in which nft lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gureum.engines.linux.items import Chain, Element, Family, NftItem, NftSet, NftTable

_NUMBERS = {
    "ct state related accept": "ct state 0x4 accept",
    "ct state established,related": "ct state 0x2,0x4",
    "ct state established": "ct state 0x2",
    "ct state new": "ct state 0x8",
    "ct state invalid": "ct state 0x1",
    "tcp flags ack / syn,rst,ack ": "tcp flags 0x10 / 0x2,0x4,0x10 ",
    "ct direction original": "ct direction 0",
    "ct direction reply": "ct direction 1",
    "ether type ip ": "ether type 0x0800 ",
    "ether type arp ": "ether type 0x0806 ",
    "ether type ip6 ": "ether type 0x86dd ",
    "meta nfproto ipv4": "meta nfproto 2",
    "meta nfproto ipv6": "meta nfproto 10",
    "fib saddr type local": "fib saddr type 2",
}
"""Words of our rules that a numeric listing prints as numbers."""
_WORDS = re.compile("|".join(re.escape(word) for word in sorted(_NUMBERS, key=len, reverse=True)))
_HEAD = re.compile(r"\t(set|map|chain) (\S+) \{")


def spelled(rule: str) -> str:
    """A rule as a numeric listing prints it (nft 1.0.6)."""
    text, mark, comment = rule.partition(' comment "')
    return _WORDS.sub(lambda found: _NUMBERS[found[0]], text + " ").rstrip() + mark + comment


def parse(ns: str, family: Family, text: str) -> Iterator[NftItem]:
    """The items in the listing of one table."""
    yield NftTable(ns, family)
    lines = iter(text.splitlines())
    for line in lines:
        head = _HEAD.fullmatch(line)
        if head is None:
            continue
        block = []
        for inner in lines:
            if inner == "\t}":
                break
            block.append(inner.strip())
        form, name = head[1], head[2]
        if form == "chain":
            yield _chain(ns, family, name, block)
        else:
            yield from _set(ns, family, "map" if form == "map" else "set", name, block)


def _chain(ns: str, family: Family, name: str, block: list[str]) -> Chain:
    hook = block[0] if block and block[0].startswith("type ") else ""
    return Chain(ns, family, name, hook, tuple(block[1:] if hook else block))


def _set(ns: str, family: Family, form: str, name: str, block: list[str]) -> Iterator[NftItem]:
    described, _, rest = "\n".join(block).partition("elements = {")
    kind = described.removeprefix("type ").strip().replace("\n", "; ")
    yield NftSet(ns, family, name, "map" if form == "map" else "set", kind)
    if "flags dynamic" in kind:
        return  # packets make its elements, not we
    for each in rest.rpartition("}")[0].split(","):
        if each.strip():
            key, _, value = each.strip().partition(" : ")
            yield Element(ns, family, name, key, value)
