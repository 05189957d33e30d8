"""What IAM accepts as a policy, and what it says of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.identity.evaluate import Policies, evaluate
from gureum.identity.policy import (
    MANAGED_SIZE,
    Kind,
    check_inline_size,
    check_size,
    parse,
    size,
)
from gureum.identity.request import Principal, Request

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::a"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "ec2.amazonaws.com"},
}


def document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def refusal(text: str, kind: Kind = Kind.IDENTITY) -> str:
    with pytest.raises(ApiError) as caught:
        parse(text, "p", kind)
    assert (caught.value.code, caught.value.status) == ("MalformedPolicyDocument", 400)
    return caught.value.message


def test_a_whole_policy() -> None:
    statement = {
        "Sid": "One",
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ["123456789012", "*"], "Service": "ec2.amazonaws.com"},
        "NotAction": ["ec2:*", "s3:Get*"],
        "NotResource": "arn:aws:s3:::b/*",
        "Condition": {
            "Bool": {"aws:SecureTransport": False},
            "ForAnyValue:NumericLessThanIfExists": {"s3:max-keys": [10, "2.5", 1.5]},
        },
    }
    found = parse(json.dumps({"Id": "x", "Statement": statement}), "mine", Kind.RESOURCE)
    assert (found.name, found.id, found.version, found.variables) == (
        "mine",
        "x",
        "2008-10-17",
        False,
    )
    (one,) = found.statements
    assert (one.sid, one.effect, one.actions) == ("One", "Deny", ("ec2:*", "s3:Get*"))
    assert (one.not_actions, one.not_resources, one.not_principals) == (True, True, True)
    assert one.principals == (
        ("AWS", "123456789012"),
        ("AWS", "*"),
        ("Service", "ec2.amazonaws.com"),
    )
    assert [(str(each.operator), each.key, each.values) for each in one.conditions] == [
        ("Bool", "aws:SecureTransport", ("false",)),
        ("ForAnyValue:NumericLessThanIfExists", "s3:max-keys", ("10", "2.5", "1.5")),
    ]


SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
NO_SID = (
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
    "expression [0-9A-Za-z]*"
)
REFUSED: list[tuple[str, str]] = [
    ("no json", SYNTAX),
    ("[" * 100_000, SYNTAX),
    ("[]", SYNTAX),
    ("{}", SYNTAX),
    (document(), SYNTAX),
    (document("x"), SYNTAX),
    (document(GOOD, Version="2020-01-01"), SYNTAX),
    (document(GOOD, Version=None), SYNTAX),
    (document(GOOD, Version=["2012-10-17"]), SYNTAX),
    (document(GOOD, Id=1), SYNTAX),
    (document(GOOD, Extra="x"), SYNTAX),
    (document({**GOOD, "Extra": "x"}), SYNTAX),
    (document({**GOOD, "Sid": 1}), SYNTAX),
    (document({**GOOD, "NotAction": "s3:*"}), SYNTAX),
    (document({**GOOD, "NotResource": "*"}), SYNTAX),
    (document({**GOOD, "Action": {"a": "b"}}), SYNTAX),
    (document({**GOOD, "Resource": ["*", 1]}), SYNTAX),
    (document(without("Effect")), SYNTAX),
    (document({**GOOD, "Effect": "Maybe"}), SYNTAX),
    (document({**GOOD, "Effect": ["Allow"]}), SYNTAX),
    (document({**GOOD, "Effect": "allow"}), LEGACY),
    (document({**GOOD, "Condition": []}), SYNTAX),
    (document({**GOOD, "Condition": {"StringIs": {"a:b": "c"}}}), SYNTAX),
    (document({**GOOD, "Condition": {"StringEquals": "c"}}), SYNTAX),
    (document({**GOOD, "Condition": {"StringEquals": {"a:b": {}}}}), SYNTAX),
    (document({**GOOD, "Condition": {"StringEquals": {"a:b": None}}}), SYNTAX),
    (document({**GOOD, "Condition": {"DateLessThan": {"a:b": "soon"}}}), LEGACY),
    (document(GOOD)[:-1] + ', "Version": "2012-10-17"}', SYNTAX),
    (
        document(GOOD, Version="2008-10-17"),
        "Policy document must be version 2012-10-17 or greater.",
    ),
    (json.dumps({"Statement": GOOD}), "Policy document must be version 2012-10-17 or greater."),
    (
        document({**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"}),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    (
        document({**GOOD, "Sid": "a-b"}),
        NO_SID,
    ),
    (document(without("Action")), "Policy statement must contain actions."),
    (document({**GOOD, "Action": []}), "Policy statement must contain actions."),
    (document(without("Resource")), "Policy statement must contain resources."),
    (document({**GOOD, "Resource": []}), "Policy statement must contain resources."),
    (document({**GOOD, "Principal": "*"}), "Policy document should not specify a principal."),
    (document({**GOOD, "NotPrincipal": "*"}), "Policy document should not specify a principal."),
    (
        document({**GOOD, "Resource": "bucket"}),
        'Resource bucket must be in ARN format or "*".',
    ),
    (
        document({**GOOD, "Resource": "arn:azure:s3:::a"}),
        'Partition "azure" is not valid for resource "arn:azure:s3:::a".',
    ),
    (
        document({**GOOD, "Resource": "arn:error:s3"}),
        'Partition "error" is not valid for resource "arn:error:s3:*:*:*".',
    ),
    (
        document({**GOOD, "Resource": "arn:aws:s*:::a"}),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        document({**GOOD, "Resource": "arn:aws"}),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        document({**GOOD, "Resource": "arn:aws:s3:eu-west-1::a"}),
        "Resource arn:aws:s3:eu-west-1::a can not contain region information.",
    ),
    (
        document({**GOOD, "Action": "ListBucket"}),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    (document({**GOOD, "Action": "a:b:c"}), "Actions/Condition can contain only one colon."),
    (document({**GOOD, "Action": "s3*:Get"}), "Vendor s3* is not valid"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_refused_of_identities(text: str, says: str) -> None:
    assert refusal(text) == says


@pytest.mark.parametrize(
    ("kind", "statement", "says"),
    [
        (Kind.RESOURCE, GOOD, "Missing required field Principal"),
        (Kind.RESOURCE, {**GOOD, "Principal": {}}, SYNTAX),
        (Kind.RESOURCE, {**GOOD, "Principal": "ann"}, SYNTAX),
        (Kind.RESOURCE, {**GOOD, "Principal": {"User": "ann"}}, SYNTAX),
        (Kind.RESOURCE, {**GOOD, "Principal": None}, SYNTAX),
        (Kind.RESOURCE, {**GOOD, "Principal": "*", "NotPrincipal": "*"}, SYNTAX),
        (Kind.RESOURCE, {**GOOD, "NotPrincipal": {"AWS": "*"}},
         "Allow with NotPrincipal is not allowed."),
        (Kind.TRUST, {**TRUST, "Resource": "*"}, "Has prohibited field Resource"),
        (Kind.TRUST, {**TRUST, "NotResource": "*"},
         "AssumeRole policy must not contain resources."),
        (Kind.TRUST, {**TRUST, "Action": "*"},
         "AssumeRole policy may only specify STS AssumeRole actions."),
        (Kind.TRUST, {**TRUST, "Action": []}, "Missing required field Action"),
        (Kind.TRUST, {"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": "*"},
         "Allow with NotPrincipal is not allowed."),
        (Kind.TRUST, {"Effect": "Deny", "Action": "sts:AssumeRole", "NotPrincipal": "*"},
         "AssumeRole policy must not contain NotPrincipal field."),
        (Kind.TRUST, {**TRUST, "Sid": "a b"}, NO_SID),
        (Kind.TRUST, without("Resource"), "Missing required field Principal"),
    ],
)  # fmt: skip
def test_what_is_refused_of_resources_and_roles(
    kind: Kind, statement: dict[str, Any], says: str
) -> None:
    assert refusal(document(statement), kind) == says


def test_resources_and_roles_have_the_old_version_too() -> None:
    old = parse(document(TRUST, Version="2008-10-17"), "p", Kind.TRUST)
    assert not old.variables
    assert old.statements[0].resources == ()
    spoken = parse(document({**GOOD, "Sid": "a b", "Principal": "*"}), "p", Kind.RESOURCE)
    assert spoken.statements[0].sid == "a b"


def test_who_may_assume_a_role() -> None:
    held = Policies(resource=(parse(document(TRUST), "trust", Kind.TRUST),))
    role = "arn:aws:iam::123456789012:role/web"
    for who, allowed in (("ec2.amazonaws.com", True), ("s3.amazonaws.com", False)):
        asks = Request("sts:AssumeRole", role, principal=Principal.of(who))
        assert evaluate(held, asks).allowed is allowed


def test_empty_sids_are_none() -> None:
    assert len(parse(document({**GOOD, "Sid": ""}, {**GOOD, "Sid": ""}), "p").statements) == 2


def test_sizes_count_all_but_white_space() -> None:
    assert size(" {\n\t}") == 2
    check_size("x" * MANAGED_SIZE + " \n" * 100)
    with pytest.raises(ApiError, match="Cannot exceed quota for PolicySize: 6144") as caught:
        check_size("x" * (MANAGED_SIZE + 1))
    assert (caught.value.code, caught.value.status) == ("LimitExceeded", 409)


def test_inline_policies_are_counted_together() -> None:
    check_inline_size(["x" * 1000, "x" * 1048], 2048, "user ann")
    with pytest.raises(ApiError) as caught:
        check_inline_size(["x" * 1000, "x" * 1049], 2048, "user ann")
    assert caught.value.message == "Maximum policy size of 2048 bytes exceeded for user ann"
