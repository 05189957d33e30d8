"""Random policies and requests over a small vocabulary, so that they meet each other often."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from gureum.identity.evaluate import Policies
from gureum.identity.policy import Kind, Policy, parse
from gureum.identity.request import Context, Principal, Request
from tests.identity.oracle import Case, Document

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/dev/ann"
OTHER = f"arn:aws:iam::{ACCOUNT}:user/bob"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/web"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/web/one"
SERVICE = "ec2.amazonaws.com"
ARN = f"arn:aws:ec2:ap-northeast-2:{ACCOUNT}"

ACTIONS = ["ec2:RunInstances", "ec2:DescribeVpcs", "s3:GetObject", "iam:PassRole"]
ACTION_PATTERNS = [*ACTIONS, "*", "ec2:*", "ec2:Run*", "EC2:runinstances", "s3:?etObject"]
ACTION_PATTERNS += ["*:PassRole", "ec2:*Instances", "ec2:*s*s", "s3:?", "ec2:RunInstances?"]
RESOURCES = [
    "*",
    f"{ARN}:instance/i-1",
    f"{ARN}:subnet/subnet-1",
    "arn:aws:s3:::shop/ann/a:b",
    "arn:aws:s3:::shop/*",
    ROLE,
]
RESOURCE_PATTERNS = [
    *RESOURCES,
    "arn:aws:ec2:*",
    f"arn:aws:ec2:*:{ACCOUNT}:subnet/*",
    "arn:aws:ec2:*:*:*1",
    "arn:aws:ec2:ap*:instance/i-1",
    "arn:aws:s3:::shop/${aws:username}/*",
    "arn:aws:s3:::shop/${aws:PrincipalTag/team, 'ann'}/?:b",
    "arn:aws:s3:::shop/${*}",
    "arn:aws:ec2:${aws:RequestedRegion}:*:*",
    "arn:aws:s3:::*",
    "arn:aws:ec2:*a*2:*",
    "arn:aws:ec2:a*t-?:*subnet-1",
]
PRINCIPALS: list[Any] = [
    "*",
    {"AWS": "*"},
    {"AWS": USER},
    {"AWS": ROLE},
    {"AWS": SESSION},
    {"AWS": ROOT},
    {"AWS": ACCOUNT},
    {"AWS": [OTHER, ROLE]},
    {"AWS": [ROOT, USER, OTHER]},
    {"AWS": [ACCOUNT, ROLE, SESSION]},
    {"Service": SERVICE},
]
TEXTS = ["ann", "Ann", "a*n", "a?n", "shop", "", "red", "Red"]
TEXT_PATTERNS = [*TEXTS, "*", "a*", "?nn", "${aws:username}", "${aws:PrincipalTag/team}"]
TEXT_PATTERNS += ["a${*}n", "a${?}n", "${aws:PrincipalTag/team, 'red'}", "${aws:TagKeys}", "$x"]
NUMBERS = ["1", "1.0", "10", "-2.5", "x", "3"]
DATES = ["2026-11-29T06:00:00Z", "2026-11-29", "1795932000", "2027-01-01T00:00:00+09:00"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "nobody"]
NETWORKS = ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0", "10.0.0.1/16", "nowhere"]
ARNS = [USER, ROLE, "arn:aws:s3:::shop", "no arn"]
ARN_PATTERNS = [*ARNS, "arn:aws:iam::*:user/*", "arn:*:*:*:*:*", "arn:aws:iam::*", "*"]
ARN_PATTERNS += ["arn:aws:s3:::${aws:PrincipalTag/team}", "arn:aws:iam::*:user/dev/${aws:username}"]
ARN_PATTERNS += ["arn:aws:iam::${aws:PrincipalAccount}:role/w?b"]
BINARY = ["QmluYXJ5", "QmluYXJ6", "!", "AA=="]
BOOLS: list[Any] = ["true", "false", "TRUE", True, False]
ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
FAMILIES: list[tuple[list[str], list[str], Sequence[Any], Sequence[Any]]] = [
    (
        [f"String{each}" for each in ("Equals", "NotEquals", "Like", "NotLike")],
        ["aws:username", "aws:PrincipalTag/team", "aws:TagKeys", "ec2:Zone"],
        TEXTS,
        TEXT_PATTERNS,
    ),
    (
        ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"],
        ["AWS:tagkeys"],
        TEXTS,
        TEXT_PATTERNS,
    ),
    ([f"Numeric{each}" for each in ORDERS], ["s3:max-keys"], NUMBERS, NUMBERS),
    ([f"Date{each}" for each in ORDERS], ["aws:CurrentTime"], DATES, DATES),
    (["Bool"], ["aws:SecureTransport"], ["true", "false", "TRUE", "yes"], BOOLS),
    (["BinaryEquals"], ["x:key"], BINARY, BINARY),
    (["IpAddress", "NotIpAddress"], ["aws:SourceIp"], ADDRESSES, NETWORKS),
    (["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"], ["aws:SourceArn"], ARNS, ARN_PATTERNS),
]

WHO: list[tuple[str | None, str, str]] = [
    (USER, ACCOUNT, ""),
    (USER, ACCOUNT, ""),
    (SESSION, ACCOUNT, ROLE),
    (SESSION, ACCOUNT, ROLE),
    (SERVICE, "", ""),
    (None, "", ""),
    (ROOT, ACCOUNT, ""),
]
"""ARN, account and role of who asks."""


class Draw:
    """What comes of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def cases(self, count: int) -> Iterator[Case]:
        """The same policies with several requests."""
        dice = self.random
        identity = [self.document() for _ in range(dice.randint(0, 3))]
        resources = [self.document(principals=True) for _ in range(dice.randint(0, 1))]
        boundary = [self.document()] if dice.random() < 0.3 else None
        session = [self.document()] if dice.random() < 0.3 else None
        for _ in range(count):
            arn, account, role = dice.choice(WHO)
            action, resource = dice.choice(ACTIONS), dice.choice(RESOURCES)
            context = self.context()
            yield Case(
                identity,
                resources,
                boundary,
                session,
                action,
                resource,
                context,
                arn,
                account,
                role,
            )

    def context(self) -> dict[str, list[str]]:
        """Context keys in lower case; some are absent, some have several values."""
        found = {}
        for _, keys, values, _ in FAMILIES:
            for key in keys:
                several = 3 if key == "aws:TagKeys" else 1
                count = self.random.choice([0, 1, 1, several])
                if count:
                    found[key.lower()] = [self.random.choice(values) for _ in range(count)]
        return found

    def document(self, *, principals: bool = False) -> dict[str, Any]:
        """A policy."""
        found = [self.statement(principals=principals) for _ in range(self.random.randint(1, 3))]
        version = self.random.choice(["2012-10-17"] * 4 + (["2008-10-17"] if principals else []))
        single = len(found) == 1 and self.random.random() < 0.5
        return {"Version": version, "Statement": found[0] if single else found}

    def statement(self, effect: str | None = None, *, principals: bool = False) -> dict[str, Any]:
        """A statement."""
        dice = self.random
        effect = effect or dice.choice(["Allow", "Allow", "Allow", "Deny"])
        contrary = "Not" if dice.random() < 0.1 else ""
        found: dict[str, Any] = {"Effect": effect}
        found[f"{contrary}Action"] = self.some(ACTION_PATTERNS)
        contrary = "Not" if dice.random() < 0.1 else ""
        found[f"{contrary}Resource"] = self.some(RESOURCE_PATTERNS)
        if principals:
            contrary = "Not" if effect == "Deny" and dice.random() < 0.5 else ""
            found[f"{contrary}Principal"] = dice.choice(PRINCIPALS)
        for _ in range(dice.choice([0, 0, 1, 1, 2])):
            self.condition(found.setdefault("Condition", {}))
        return found

    def condition(self, block: dict[str, Any]) -> None:
        """Put a condition into a block."""
        dice = self.random
        operators, keys, _, wanted = dice.choice(FAMILIES)
        key = dice.choice(keys)
        operator = dice.choice(operators)
        if dice.random() < 0.1:
            operator, wanted = "Null", BOOLS
        else:
            operator = dice.choice(["", "", "ForAllValues:", "ForAnyValue:"]) + operator
            operator += dice.choice(["", "", "IfExists"])
        block.setdefault(operator, {})[key] = self.some(wanted)

    def some(self, values: Sequence[Any]) -> Any:
        """One of them, or a list of some."""
        if self.random.random() < 0.4:
            return self.random.choice(values)
        return [self.random.choice(values) for _ in range(self.random.randint(1, 3))]


def policies(case: Case) -> Policies:
    """The policies of a case, read as they are in the product."""
    return Policies(
        identity=read("identity", case.identity),
        resource=read("resource", case.resources, Kind.RESOURCE),
        boundary=None if case.boundary is None else read("boundary", case.boundary),
        session=None if case.session is None else read("session", case.session),
    )


def read(
    name: str, documents: Sequence[Document], kind: Kind = Kind.IDENTITY
) -> tuple[Policy, ...]:
    """Documents as policies."""
    return tuple(parse(json.dumps(each), f"{name}-{n}", kind) for n, each in enumerate(documents))


def request(case: Case) -> Request:
    """The request of a case."""
    pairs = [(key, value) for key, values in case.context.items() for value in values]
    who = None if case.arn is None else Principal.of(case.arn)
    return Request(case.action, case.resource, Context.of(pairs), who)
