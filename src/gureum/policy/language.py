"""The language of policies: YAML, read strictly.

::

    - name: nobody out there reaches a database
      from: internet
      to: {tag: {role: db}}
      never: any
    - name: the web servers reach the databases on 3306 and on nothing else
      from: {group: web}
      to: {tag: {role: db}}
      only: tcp/3306
      always: tcp/3306
    - name: private subnets leave by NAT only
      subnets: {tag: {tier: private}}
      leave_by: nat

A statement is about both IP versions unless it says ``over: ipv4`` or ``over: ipv6``.  An end is a
name, id or address, ``internet`` (anybody there), ``{internet: {except: …}}`` (anybody but some
blocks), ``any`` (every interface), one of ``{tag: {key: value}}``, ``{group: …}``, ``{subnet: …}``,
``{vpc: …}``, ``{cidr: …}`` (interfaces, and who is on the internet), or a list of these.  A service
is ``tcp/80``, ``udp/1-1023``, ``icmp``, ``any``, or a list of these.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Literal, TypeAlias, get_args

import yaml

from gureum.explain.packet import ICMP, TCP, UDP

Version = Literal[4, 6]
Exit = Literal["nat", "internet-gateway", "egress-only-internet-gateway", "interface", "nothing"]
Range: TypeAlias = tuple[int | None, int, int]
"""A protocol with its first and last port; of ICMP, which stands for ICMPv6 too, all types, of None
all protocols."""
Services: TypeAlias = tuple[Range, ...]

ANY: Services = ((None, 0, 0),)

_KEYS = (
    "name", "from", "to", "never", "only", "always", "subnets", "leave_by", "over", "allow_empty",
)  # fmt: skip
_OVER: dict[str, tuple[Version, ...]] = {"ipv4": (4,), "ipv6": (6,)}
_KINDS = ("tag", "group", "subnet", "vpc", "cidr", "internet")
_SERVICE = re.compile(r"(tcp|udp)(?:/(\d{1,5})(?:-(\d{1,5}))?)?|icmp|any")
_LINE = "__line__"


class PolicyError(Exception):
    """A policy that cannot be read: ``line`` says where, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(frozen=True)
class Selector:
    """Who is meant: ``kind`` is ``name``, ``internet``, ``any`` or one of the kinds of mappings;
    ``value`` what it names (of a tag ``key=value``, of the internet the blocks that are not meant,
    with spaces between)."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        if self.kind in ("internet", "any"):
            return self.kind + (f" except {self.value}" if self.value else "")
        return self.value if self.kind == "name" else f"{self.kind} {self.value}"


@dataclass(frozen=True)
class Statement:
    """One statement.  About reachability: ``source`` and ``target`` with at least one of ``never``,
    ``only`` and ``always``.  About ways out: ``subnets`` with ``leave_by``, which are those that
    may be.  ``versions`` are the IP versions that it is about."""

    name: str
    line: int
    source: tuple[Selector, ...] = ()
    target: tuple[Selector, ...] = ()
    never: Services | None = None
    only: Services | None = None
    always: Services | None = None
    subnets: tuple[Selector, ...] = ()
    leave_by: tuple[Exit, ...] = ()
    allow_empty: bool = False
    versions: tuple[Version, ...] = (4, 6)


Policy: TypeAlias = tuple[Statement, ...]


class _Loader(yaml.SafeLoader):
    """Keeps the line of every mapping, and refuses keys that are given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise PolicyError(node.start_mark.line + 1, f"'{key}' is given twice")
        found: dict[Any, Any] = super().construct_mapping(node, deep=True)
        return found | {_LINE: node.start_mark.line + 1}


def read(text: str) -> Policy:
    """A policy from its text.

    Raises:
        PolicyError: it is no YAML, or not a policy.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader's child
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(line, f"this is no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise PolicyError(1, f"this is no YAML: {error}") from None
    if not isinstance(found, list) or not found:
        raise PolicyError(1, "a policy is a list of statements")
    policy = tuple(_statement(each) for each in found)
    names = [each.name for each in policy]
    for statement in policy:
        if names.count(statement.name) > 1:
            raise PolicyError(statement.line, f"two statements are called '{statement.name}'")
    return policy


def _statement(given: Any) -> Statement:
    if not isinstance(given, dict):
        raise PolicyError(1, f"a statement is a mapping, not {given!r}")
    line = given.pop(_LINE)
    for key in given:
        if key not in _KEYS:
            raise PolicyError(line, f"there is no '{key}' in a statement{_close(key, _KEYS)}")
    name, empty = given.get("name"), given.get("allow_empty", False)
    if not isinstance(name, str) or not name:
        raise PolicyError(line, "a statement needs a name")
    if not isinstance(empty, bool):
        raise PolicyError(line, "allow_empty is true or false")
    versions = _over(line, given)
    if "subnets" in given or "leave_by" in given:
        subnets, by = _ways_out(line, given)
        return Statement(
            name, line, subnets=subnets, leave_by=by, allow_empty=empty, versions=versions
        )
    never, only, always = (_claim(line, given, key) for key in ("never", "only", "always"))
    if "from" not in given or "to" not in given or (never, only, always) == (None, None, None):
        raise PolicyError(line, "a statement needs 'from', 'to' and one of never, only, always")
    source, target = _ends(line, given["from"]), _ends(line, given["to"])
    return Statement(
        name, line, source, target, never, only, always, allow_empty=empty, versions=versions
    )


def _over(line: int, given: Mapping[str, Any]) -> tuple[Version, ...]:
    if "over" not in given:
        return 4, 6
    found = _OVER.get(given["over"]) if isinstance(given["over"], str) else None
    if found is None:
        raise PolicyError(line, f"over is ipv4 or ipv6, not {given['over']!r}")
    return found


def _claim(line: int, given: Mapping[str, Any], key: str) -> Services | None:
    return _services(line, given[key]) if key in given else None


def _ways_out(line: int, given: Mapping[str, Any]) -> tuple[tuple[Selector, ...], tuple[Exit, ...]]:
    """The subnets, and by what they may leave."""
    for key in ("from", "to", "never", "only", "always"):
        if key in given:
            raise PolicyError(line, f"'{key}' does not go with 'subnets' and 'leave_by'")
    if "subnets" not in given or "leave_by" not in given:
        raise PolicyError(line, "'subnets' and 'leave_by' go together")
    by = given["leave_by"] if isinstance(given["leave_by"], list) else [given["leave_by"]]
    for each in by or [None]:
        if each not in get_args(Exit):
            said = f"subnets leave by {', '.join(get_args(Exit))}, not by {each!r}"
            raise PolicyError(line, said)
    subnets = _ends(line, given["subnets"])
    for each in subnets:
        if each.kind in ("internet", "group"):
            raise PolicyError(line, f"{each} is no subnet")
    return subnets, tuple(by)


def _close(word: object, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(word), words, 1)
    return f": did you mean '{near[0]}'?" if near else f"; there are {', '.join(words)}"


# --- ends and services --------------------------------------------------------------------------
def _ends(line: int, given: Any) -> tuple[Selector, ...]:
    items = given if isinstance(given, list) else [given]
    if not items:
        raise PolicyError(line, "an empty list means nobody")
    return tuple(_end(line, each) for each in items)


def _end(line: int, given: Any) -> Selector:
    if isinstance(given, str) and given:
        return Selector(given) if given in ("internet", "any") else Selector("name", given)
    if not isinstance(given, dict):
        raise PolicyError(line, f"{given!r} is nobody")
    items = {key: value for key, value in given.items() if key != _LINE}
    if len(items) != 1:
        raise PolicyError(line, "an end has exactly one of " + ", ".join(_KINDS))
    ((kind, value),) = items.items()
    if kind not in _KINDS:
        raise PolicyError(line, f"nobody is selected by '{kind}'{_close(kind, _KINDS)}")
    if kind == "tag":
        return Selector(kind, _tag(line, value))
    if kind == "internet":
        return Selector(kind, " ".join(_except(line, value)))
    if not isinstance(value, str):
        raise PolicyError(line, f"{kind} needs a text, not {value!r}")
    return Selector(kind, _block(line, value) if kind == "cidr" else value)


def _except(line: int, value: Any) -> list[str]:
    items = {key: v for key, v in value.items() if key != _LINE} if isinstance(value, dict) else {}
    if list(items) != ["except"]:
        raise PolicyError(line, "say whom of the internet: {internet: {except: 203.0.113.0/24}}")
    blocks = items["except"] if isinstance(items["except"], list) else [items["except"]]
    if not blocks:
        raise PolicyError(line, "an empty list means nobody")
    return [_block(line, each) for each in blocks]


def _block(line: int, value: Any) -> str:
    if not isinstance(value, str):
        raise PolicyError(line, f"{value!r} is no block of addresses")
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise PolicyError(line, f"{error}") from None


def _tag(line: int, value: Any) -> str:
    items = {key: v for key, v in value.items() if key != _LINE} if isinstance(value, dict) else {}
    if len(items) != 1:
        raise PolicyError(line, "a tag is one key with its value: {tag: {role: db}}")
    ((key, text),) = items.items()
    if not isinstance(key, str) or not isinstance(text, str):
        # YAML 1.1 reads on, yes, 5 and 010 as other things than these letters.
        raise PolicyError(line, f"a tag's key and value are texts: quote {key!r}, {text!r}")
    return f"{key}={text}"


def _services(line: int, given: Any) -> Services:
    items = given if isinstance(given, list) else [given]
    return tuple(part for each in items for part in _service(line, each))


def _service(line: int, given: Any) -> Services:
    found = _SERVICE.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise PolicyError(line, f"{given!r} is none of tcp/80, udp/1-1023, icmp, any")
    protocol, first, last = found.groups()
    if protocol is None:
        return ANY if given == "any" else ((ICMP, 0, 65535),)
    low = int(first) if first else 0
    high = int(last) if last else low if first else 65535
    if not 0 <= low <= high <= 65535:
        raise PolicyError(line, f"{given} is no range of ports")
    return ((TCP if protocol == "tcp" else UDP, low, high),)
