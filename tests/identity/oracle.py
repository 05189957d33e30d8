"""AWS's evaluation read straight from its pages, over documents as they are written.  It shares no
code with ``gureum.identity``, says no reasons and takes every document for well-formed."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]
Letters = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Case:
    """Policies as documents and a request."""

    identity: Sequence[Document]
    resources: Sequence[Document]
    boundary: Sequence[Document] | None
    session: Sequence[Document] | None
    action: str
    resource: str
    context: Mapping[str, Sequence[str]]
    arn: str | None
    account: str
    role: str


def decide(case: Case) -> str:
    """``allowed``, ``explicitDeny`` or ``implicitDeny``."""
    everywhere = [*case.identity, *case.resources, *(case.boundary or ()), *(case.session or ())]
    if "Deny" in effects(case, everywhere):
        return "explicitDeny"
    if case.arn is not None and case.arn.endswith(":root"):
        return "allowed"
    ways = grants(case)
    if "person" in ways:
        return "allowed"
    if "Allow" not in effects(case, case.identity) and "role" not in ways:
        return "implicitDeny"
    for limit in (case.boundary, case.session):
        if limit is not None and "Allow" not in effects(case, limit):
            return "implicitDeny"
    return "allowed"


def statements(document: Document) -> list[Document]:
    """The statements of a document."""
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def listed(value: Any) -> list[Any]:
    """A value, or several of them, as a list."""
    return value if isinstance(value, list) else [value]


def effects(case: Case, documents: Sequence[Document]) -> set[str]:
    """The effects of all statements that take effect."""
    return {
        statement["Effect"]
        for document in documents
        for statement in statements(document)
        if about(case, document, statement) and how(case, statement)
    }


def grants(case: Case) -> set[str]:
    """How statements of the resource's policies that allow name who asks."""
    return {
        how(case, statement)
        for document in case.resources
        for statement in statements(document)
        if statement["Effect"] == "Allow" and about(case, document, statement)
    }


def how(case: Case, statement: Document) -> str:
    """``person``, ``role``, ``account``, or nothing if it names somebody else."""
    if "NotPrincipal" in statement:
        if case.boundary is not None:
            return "person"
        names = flat(statement["NotPrincipal"])
        if "*" in names:
            return ""
        mine = [{case.arn}]
        if case.account:
            mine.append({case.account, f"arn:aws:iam::{case.account}:root"})
        if case.role:
            mine.append({case.role})
        return "" if all(each & set(names) for each in mine) else "person"
    if "Principal" not in statement:
        return "person"
    names = flat(statement["Principal"])
    if "*" in names or case.arn in names:
        return "person"
    if case.role and case.role in names:
        return "role"
    if case.account and {case.account, f"arn:aws:iam::{case.account}:root"} & set(names):
        return "account"
    return ""


def flat(principal: Any) -> list[str]:
    """All names of a principal element."""
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in listed(names)]


def about(case: Case, document: Document, statement: Document) -> bool:
    """Whether action, resource and conditions of a statement fit the request."""
    modern = document.get("Version") == "2012-10-17"
    action = any(
        like(tuple((c, c in "*?") for c in each.lower()), case.action.lower())
        for each in listed(statement.get("Action", statement.get("NotAction")))
    )
    if action == ("NotAction" in statement):
        return False
    resource = any(
        names(each, case, modern)
        for each in listed(statement.get("Resource", statement.get("NotResource")))
    )
    if resource == ("NotResource" in statement):
        return False
    return all(
        condition(operator, case.context.get(key.lower(), ()), listed(values), case, modern)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def names(pattern: str, case: Case, modern: bool) -> bool:
    """Whether a resource's pattern fits: part by part, variables in the last one."""
    if pattern == "*":
        return True
    if case.resource == "*":
        return False
    wanted = pattern.split(":", 5)
    tail = (
        spelled(wanted[5], case, modern) if len(wanted) == 6 else spelled(wanted[-1], case, False)
    )
    if tail is None:
        return False
    if like(headed(tuple(wanted[:-1])) + tail, case.resource):
        return True
    missing = 6 - len(wanted)
    return missing > 0 and like(headed((*wanted, *["*"] * (missing - 1))) + STAR, case.resource)


STAR: Letters = (("*", True),)


@lru_cache(maxsize=1000)
def headed(parts: tuple[str, ...]) -> Letters:
    """The first parts of an ARN: a star at the end of one goes on over colons (``*``), other
    wildcards do not (``+`` and ``!``)."""
    letters: list[tuple[str, bool]] = []
    for part in parts:
        for at, letter in enumerate(part):
            last = at == len(part) - 1
            name = {"*": "*" if last else "+", "?": "!"}.get(letter, letter)
            letters.append((name, letter in "*?"))
        letters.append((":", False))
    return tuple(letters)


def spelled(text: str, case: Case, modern: bool) -> Letters | None:
    """Letters with whether each is a wildcard; None where a variable has no value."""
    letters: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        end = text.find("}", at)
        if not modern or not text.startswith("${", at) or end < 0:
            letters.append((text[at], text[at] in "*?"))
            at += 1
            continue
        inside, at = text[at + 2 : end], end + 1
        key, comma, default = inside.partition(",")
        values = case.context.get(key.lower(), ())
        if inside in ("*", "?", "$"):
            value = inside
        elif len(values) == 1:
            value = values[0]
        elif comma:
            value = default.strip().strip("'")
        else:
            return None
        letters += [(letter, False) for letter in value]
    return tuple(letters)


@lru_cache(maxsize=100_000)
def like(letters: Letters, text: str) -> bool:
    """Whether letters with wildcards spell a text: all places that one may be at, letter by
    letter."""
    places = {0}
    for letter, wild in letters:
        if not places:
            return False
        if wild and letter == "*":
            places = set(range(min(places), len(text) + 1))
        elif wild and letter == "+":
            places = {end for at in places for end in range(at, f"{text}:".index(":", at) + 1)}
        else:
            places = {
                at + 1
                for at in places
                if at < len(text)
                and (text[at] == letter or (wild and (letter == "?" or text[at] != ":")))
            }
    return len(text) in places


def condition(
    operator: str, seen: Sequence[str], wanted: Sequence[Any], case: Case, modern: bool
) -> bool:
    """Whether one key of one operator holds."""
    wanted = [{True: "true", False: "false"}.get(each, str(each)) for each in wanted]
    if operator == "Null":
        return str(not seen).lower() in [each.lower() for each in wanted]
    quantifier, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    if quantifier and list(seen) == [""]:
        seen = ()
    contrary = "Not" in name
    if not seen:
        if rest != name or quantifier == "ForAllValues":
            return True
        return contrary and quantifier == ""
    positive = name.replace("Not", "")
    fits = [any(compare(positive, value, each, case, modern) for each in wanted) for value in seen]
    if quantifier == "ForAllValues":
        return not any(fits) if contrary else all(fits)
    if quantifier == "ForAnyValue":
        return not all(fits) if contrary else any(fits)
    return not any(fits) if contrary else any(fits)


def compare(operator: str, seen: str, wanted: str, case: Case, modern: bool) -> bool:
    """Whether a value fits one of the policy; an operator without its ``Not``."""
    try:
        if operator.startswith("String"):
            return strings(operator, seen, spelled(wanted, case, modern))
        if operator.startswith("Arn"):
            return arns(seen, wanted, case, modern)
        if operator == "Bool":
            return seen.lower() == wanted.lower() and wanted.lower() in ("true", "false")
        if operator == "BinaryEquals":
            one, other = (base64.b64decode(each, validate=True) for each in (seen, wanted))
            return one == other
        if operator == "IpAddress":
            return ipaddress.ip_address(seen) in ipaddress.ip_network(wanted, False)
        return numbers(operator, seen, wanted)
    except ValueError:
        return False


def strings(operator: str, seen: str, wanted: Letters | None) -> bool:
    """The operators of strings."""
    if wanted is None:
        return False
    if operator == "StringLike":
        return like(wanted, seen)
    text = "".join(letter for letter, _ in wanted)
    if operator == "StringEqualsIgnoreCase":
        return text.lower() == seen.lower()
    return text == seen


def arns(seen: str, wanted: str, case: Case, modern: bool) -> bool:
    """The operators of ARNs; a colon within a variable separates nothing."""
    pieces, inside = [""], False
    for letter in wanted:
        inside = modern and (letter == "{" or (inside and letter != "}"))
        if letter == ":" and not inside and len(pieces) < 6:
            pieces.append("")
        else:
            pieces[-1] += letter
    parts = seen.split(":", 5)
    if len(pieces) != 6 or len(parts) != 6:
        return False
    spelt = [spelled(piece, case, modern) for piece in pieces]
    return all(
        each is not None and like(each, part) for each, part in zip(spelt, parts, strict=True)
    )


def numbers(operator: str, seen: str, wanted: str) -> bool:
    """The operators of numbers and dates."""
    read = moment if operator.startswith("Date") else Fraction
    one, other = read(seen), read(wanted)
    relation = operator.removeprefix("Date").removeprefix("Numeric")
    return {
        "Equals": one == other,
        "LessThan": one < other,
        "LessThanEquals": one <= other,
        "GreaterThan": one > other,
        "GreaterThanEquals": one >= other,
    }[relation]


def moment(text: str) -> Fraction:
    """Seconds since 1970 of a date or such a number."""
    if text.isdecimal():
        return Fraction(text)
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        found = datetime.fromisoformat(f"{text}T00:00:00Z")
    return Fraction(int(found.timestamp()))
