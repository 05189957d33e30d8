"""What a lab is: a cloud as API calls, a question about a packet in it, and what mends it.

A call is ``{do: action, with: parameters, as: {name: path}}``: the value at ``path`` of the answer
(JMESPath, in which known names in braces stand for their values) is known as ``$name`` afterwards.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import jmespath
import msgspec

from gureum.explain.codes import Code

ACCOUNTS = "7000"
"""How the account numbers of labs begin; eight digits of a hash of the name follow."""

_SERVICE = re.compile(r"icmp|(?:(tcp|udp)/)?([1-9][0-9]{0,4})")


class Unknown(ValueError):  # noqa: N818 - it says what a name is
    """A ``$name`` that no call before has made known."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown members are errors."""


class Call(_Strict, frozen=True, rename={"params": "with", "keep": "as"}):
    """One call of the EC2 API as data."""

    do: str
    params: dict[str, Any] = {}
    keep: dict[str, str] = {}


class Question(_Strict, frozen=True, rename={"source": "from", "target": "to"}):
    """The packet that the lab is about: names as ``gureum explain`` takes them.  ``target`` may be
    a ``$name``."""

    source: str
    target: str
    service: str

    def __post_init__(self) -> None:
        found = _SERVICE.fullmatch(self.service)
        if found is None or int(found[2] or 1) > 65535:
            raise ValueError(f"{self.service!r} is none of 443, udp/53, icmp")

    @property
    def protocol(self) -> str:
        """``tcp``, ``udp`` or ``icmp``."""
        if self.service == "icmp":
            return "icmp"
        return self.service.partition("/")[0] if "/" in self.service else "tcp"

    @property
    def port(self) -> int | None:
        """The port asked for; None for a ping."""
        return None if self.service == "icmp" else int(self.service.rpartition("/")[2])


class Lab(_Strict, frozen=True):
    """A broken cloud.

    ``expect`` are the codes of the blocks, in their order; ``also`` further codes by which one may
    call the cause (why a route is not taken).  ``build`` makes the cloud and ``fix`` mends it.
    """

    title: str
    level: Annotated[int, msgspec.Meta(ge=1, le=3)]
    topics: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    question: Question
    expect: Annotated[tuple[Code, ...], msgspec.Meta(min_length=1)]
    build: Annotated[tuple[Call, ...], msgspec.Meta(min_length=1)]
    fix: Annotated[tuple[Call, ...], msgspec.Meta(min_length=1)]
    also: tuple[Code, ...] = ()

    @property
    def answers(self) -> tuple[Code, ...]:
        """The codes that say what is wrong."""
        return (*self.expect, *self.also)


def account_of(name: str) -> str:
    """The account, twelve digits, in which a lab's cloud is built."""
    digits = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**8
    return f"{ACCOUNTS}{digits:08d}"


def meant(value: Any, known: Mapping[str, str]) -> Any:
    """A value with the ``$names`` in it replaced.

    Raises:
        Unknown: a name that is not known.
    """
    if isinstance(value, dict):
        return {key: meant(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [meant(each, known) for each in value]
    if isinstance(value, str) and value.startswith("$"):
        name = value[1:]
        if name not in known:
            raise Unknown(f"nothing is known as {value}")
        return known[name]
    return value


def kept(call: Call, answer: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """The names that a call makes known.

    Raises:
        Unknown: the answer has nothing at a path, or the path names what is not known.
    """
    found = {}
    for name, path in call.keep.items():
        try:
            value = jmespath.search(path.format(**known), answer)
        except KeyError as error:
            raise Unknown(f"nothing is known as ${error.args[0]}") from None
        if not isinstance(value, str) or not value:
            raise Unknown(f"the answer to {call.do} has no {name} at {path}")
        found[name] = value
    return found


def names_in(value: Any) -> Iterator[str]:
    """The names that a value speaks of by ``$name``."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, str) and value.startswith("$"):
        yield value[1:]
