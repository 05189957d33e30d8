"""Examples of the IAM User Guide have the answers that it gives for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.identity.evaluate import Layer, Outcome, Policies, evaluate
from gureum.identity.policy import Kind, Policy, parse
from gureum.identity.request import Context, Principal, Request

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/carlossalazar"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SampleRole"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/SampleRole/session"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    principals = any("Principal" in each or "NotPrincipal" in each for each in statements)
    kind = Kind.RESOURCE if principals or version != "2012-10-17" else Kind.IDENTITY
    document = {"Version": version, "Statement": list(statements)}
    return parse(json.dumps(document), "p", kind)


def allow(action: str | list[str] = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str] = "*", resource: str = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def ends(
    policies: Policies,
    action: str,
    resource: str = "*",
    who: str | None = USER,
    context: dict[str, list[str]] | None = None,
) -> Outcome:
    pairs = [(key, value) for key, values in (context or {}).items() for value in values]
    asks = Request(action, resource, Context.of(pairs), Principal.of(who) if who else None)
    return evaluate(policies, asks).outcome


def holds(
    block: dict[str, Any], context: dict[str, list[str]], version: str = "2012-10-17"
) -> bool:
    """Whether a Condition block lets an Allow take effect."""
    more = {"Principal": "*"} if version != "2012-10-17" else {}
    found = policy(allow(Condition=block, **more), version=version)
    where = Policies(resource=(found,)) if more else Policies(identity=(found,))
    return ends(where, "s3:GetObject", f"{BUCKET}/x", USER, context) is Outcome.ALLOWED


# "Policy evaluation for requests within a single account": CarlosSalazar and the log buckets.
CARLOS_IDENTITY = policy(
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], Sid="AllowS3ListRead"),
    allow("s3:*", f"{BUCKET}-self", Sid="AllowS3Self"),
    deny("s3:*", "arn:aws:s3:::*log*", Sid="DenyS3Logs"),
)
CARLOS_BUCKET = policy(allow("s3:*", f"{BUCKET}-production", Principal={"AWS": USER}))


@pytest.mark.parametrize(
    ("action", "resource", "outcome"),
    [
        ("s3:ListAllMyBuckets", "*", Outcome.ALLOWED),
        ("s3:PutObject", f"{BUCKET}-self", Outcome.ALLOWED),
        ("s3:GetObject", f"{BUCKET}-production", Outcome.ALLOWED),  # by the bucket alone
        ("s3:GetObject", f"{BUCKET}-log", Outcome.EXPLICIT_DENY),
        ("s3:GetObject", f"{BUCKET}-other", Outcome.IMPLICIT_DENY),
        ("iam:CreateUser", "*", Outcome.IMPLICIT_DENY),
    ],
)
def test_identity_and_resource_policies_of_one_account(
    action: str, resource: str, outcome: Outcome
) -> None:
    held = Policies(identity=(CARLOS_IDENTITY,), resource=(CARLOS_BUCKET,))
    assert ends(held, action, resource) is outcome


def test_a_boundary_allows_nothing_and_limits_everything() -> None:
    """ "Permissions boundaries for IAM entities": ShirleyRodriguez cannot create users."""
    boundary = (policy(allow(["s3:*", "cloudwatch:*", "ec2:*"])),)
    granted = (policy(allow("iam:CreateUser")),)
    held = Policies(identity=granted, boundary=boundary)
    decision = evaluate(held, Request("iam:CreateUser"))
    assert (decision.outcome, decision.missing) == (Outcome.IMPLICIT_DENY, Layer.BOUNDARY)
    none = evaluate(Policies(boundary=boundary), Request("s3:GetObject"))
    assert (none.outcome, none.missing) == (Outcome.IMPLICIT_DENY, Layer.IDENTITY)
    both = Policies(identity=(policy(allow("ec2:*")),), boundary=boundary)
    assert ends(both, "ec2:RunInstances") is Outcome.ALLOWED


LIMITS = {"boundary": (policy(allow("ec2:*")),), "session": (policy(allow("ec2:*")),)}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("who", "named", "outcome"),
    [
        (USER, {"AWS": USER}, Outcome.ALLOWED),
        (SESSION, {"AWS": SESSION}, Outcome.ALLOWED),
        (SESSION, {"AWS": ROLE}, Outcome.IMPLICIT_DENY),
        (SESSION, "*", Outcome.ALLOWED),
        (USER, {"AWS": ROOT}, Outcome.IMPLICIT_DENY),
        (USER, {"AWS": ACCOUNT}, Outcome.IMPLICIT_DENY),
        (USER, {"AWS": ROLE}, Outcome.IMPLICIT_DENY),
        ("ec2.amazonaws.com", {"Service": "ec2.amazonaws.com"}, Outcome.ALLOWED),
        ("ec2.amazonaws.com", {"AWS": ROOT}, Outcome.IMPLICIT_DENY),
    ],
)
def test_which_principals_are_limited_by_boundaries_and_session_policies(
    limit: str, who: str, named: Any, outcome: Outcome
) -> None:
    """ "How AWS enforcement code logic evaluates requests", resource-based policies."""
    bucket = policy(allow("s3:*", f"{BUCKET}/*", Principal=named))
    held = Policies(resource=(bucket,), **{limit: LIMITS[limit]})
    assert ends(held, "s3:GetObject", f"{BUCKET}/a", who) is outcome


def test_a_role_in_a_resource_policy_is_enough_without_limits() -> None:
    bucket = policy(allow("s3:*", f"{BUCKET}/*", Principal={"AWS": ROLE}))
    assert ends(Policies(resource=(bucket,)), "s3:GetObject", f"{BUCKET}/a", SESSION) is (
        Outcome.ALLOWED
    )


def test_an_account_in_a_resource_policy_leaves_it_to_the_identity_policy() -> None:
    bucket = policy(allow("s3:*", f"{BUCKET}/*", Principal={"AWS": ROOT}))
    assert ends(Policies(resource=(bucket,)), "s3:GetObject", f"{BUCKET}/a") is (
        Outcome.IMPLICIT_DENY
    )
    refuses = policy(deny("s3:*", f"{BUCKET}/*", Principal={"AWS": ROOT}))
    held = Policies(identity=(policy(allow()),), resource=(refuses,))
    assert ends(held, "s3:GetObject", f"{BUCKET}/a") is Outcome.EXPLICIT_DENY


@pytest.mark.parametrize(
    ("who", "listed", "outcome"),
    [
        (USER, [USER, ROOT], Outcome.ALLOWED),
        (USER, [USER], Outcome.EXPLICIT_DENY),  # the account is missing
        (SESSION, [ROOT, ROLE, SESSION], Outcome.ALLOWED),
        (SESSION, [ROOT, ROLE], Outcome.EXPLICIT_DENY),  # the session is missing
        (USER, [ROOT, ROLE], Outcome.EXPLICIT_DENY),
    ],
)
def test_notprincipal_with_deny(who: str, listed: list[str], outcome: Outcome) -> None:
    """ "AWS JSON policy elements: NotPrincipal"."""
    statement = deny("s3:*", f"{BUCKET}/*", NotPrincipal={"AWS": listed})
    held = Policies(identity=(policy(allow()),), resource=(policy(statement),))
    assert ends(held, "s3:GetObject", f"{BUCKET}/a", who) is outcome
    bounded = Policies(held.identity, held.resource, boundary=(policy(allow()),))
    assert ends(bounded, "s3:GetObject", f"{BUCKET}/a", who) is Outcome.EXPLICIT_DENY


def test_the_root_user_may_do_what_is_not_denied() -> None:
    assert ends(Policies(), "s3:GetObject", f"{BUCKET}/a", ROOT) is Outcome.ALLOWED
    refuses = Policies(resource=(policy(deny("s3:*", f"{BUCKET}/*", Principal="*")),))
    assert ends(refuses, "s3:GetObject", f"{BUCKET}/a", ROOT) is Outcome.EXPLICIT_DENY


def test_notaction_and_notresource() -> None:
    """ "IAM JSON policy elements: NotAction": everything but IAM; deny outside of one bucket."""
    power = Policies(identity=(policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),))
    assert ends(power, "s3:GetObject", f"{BUCKET}/a") is Outcome.ALLOWED
    assert ends(power, "iam:CreateUser") is Outcome.IMPLICIT_DENY
    hr = [f"{BUCKET}/HRBucket", f"{BUCKET}/HRBucket/*"]
    outside = {"Effect": "Deny", "Action": "s3:*", "NotResource": hr}
    held = Policies(identity=(policy(allow("s3:*"), outside),))
    assert ends(held, "s3:GetObject", f"{BUCKET}/HRBucket/a") is Outcome.ALLOWED
    assert ends(held, "s3:GetObject", f"{BUCKET}/payroll") is Outcome.EXPLICIT_DENY


BLOCK = {
    "StringEquals": {
        "aws:PrincipalTag/department": ["finance", "hr", "legal"],
        "aws:PrincipalTag/role": ["audit", "security"],
    },
    "ArnLike": {
        "aws:PrincipalArn": [
            "arn:aws:iam::222222222222:user/Ana",
            "arn:aws:iam::222222222222:user/M*",
        ]
    },
}


@pytest.mark.parametrize(
    ("department", "role", "arn", "expected"),
    [
        (["finance"], ["audit"], "arn:aws:iam::222222222222:user/Mary", True),
        (["legal"], ["security"], "arn:aws:iam::222222222222:user/Ana", True),
        (["sales"], ["audit"], "arn:aws:iam::222222222222:user/Mary", False),
        (["hr"], [], "arn:aws:iam::222222222222:user/Mary", False),
        (["hr"], ["audit"], "arn:aws:iam::222222222222:user/Nikki", False),
        (["hr"], ["audit"], "arn:aws:iam::333333333333:user/Mary", False),
    ],
)
def test_operators_and_keys_are_and_values_are_or(
    department: list[str], role: list[str], arn: str, expected: bool
) -> None:
    """ "Conditions with multiple context keys or values"."""
    context = {
        "aws:principaltag/Department": department,
        "aws:PrincipalTag/role": role,
        "aws:PrincipalArn": [arn],
    }
    assert holds(BLOCK, context) is expected


@pytest.mark.parametrize(
    ("operator", "seen", "expected"),
    [
        ("ForAllValues:StringEquals", ["environment", "cost-center"], True),
        ("ForAllValues:StringEquals", ["environment"], True),
        ("ForAllValues:StringEquals", ["environment", "owner"], False),
        ("ForAllValues:StringEquals", [], True),
        ("ForAnyValue:StringEquals", ["environment", "owner"], True),
        ("ForAnyValue:StringEquals", ["owner"], False),
        ("ForAnyValue:StringEquals", [], False),
        ("ForAllValues:StringNotEquals", ["owner"], True),
        ("ForAllValues:StringNotEquals", ["owner", "environment"], False),
        ("ForAnyValue:StringNotEquals", ["owner", "environment"], True),
        ("ForAnyValue:StringNotEquals", ["cost-center", "environment"], False),
    ],
)
def test_set_operators(operator: str, seen: list[str], expected: bool) -> None:
    """ "Set operators for multivalued context keys"."""
    block = {operator: {"aws:TagKeys": ["environment", "cost-center"]}}
    assert holds(block, {"aws:TagKeys": seen}) is expected


@pytest.mark.parametrize(
    ("resource", "context", "expected"),
    [
        (f"{BUCKET}/ann/x", {"aws:username": ["ann"]}, True),
        (f"{BUCKET}/bob/x", {"aws:username": ["ann"]}, False),
        (f"{BUCKET}/ann/x", {}, False),  # a variable without a value
        (f"{BUCKET}/bob/x", {"aws:username": ["*"]}, False),  # what is put in is no wildcard
        (f"{BUCKET}/*/x", {"aws:username": ["*"]}, True),
        (f"{BUCKET}/ann/x", {"aws:username": ["ann", "bob"]}, False),
    ],
)
def test_variables_in_resources(
    resource: str, context: dict[str, list[str]], expected: bool
) -> None:
    """ "IAM policy elements: Variables and tags"."""
    text = f"{BUCKET}/${{aws:username}}/*"
    held = Policies(identity=(policy(allow("s3:*", text)),))
    assert (ends(held, "s3:GetObject", resource, USER, context) is Outcome.ALLOWED) is expected
    old = policy(allow("s3:*", text, Principal="*"), version="2008-10-17")
    assert ends(Policies(resource=(old,)), "s3:GetObject", resource, USER, context) is (
        Outcome.IMPLICIT_DENY
    )
    assert ends(Policies(resource=(old,)), "s3:GetObject", f"{BUCKET}/${{aws:username}}/x") is (
        Outcome.ALLOWED
    )


@pytest.mark.parametrize(
    ("seen", "tag", "expected"),
    [
        ("blue", ["blue"], True),
        ("company-wide", ["blue"], False),
        ("company-wide", [], True),
        ("blue", [], False),
    ],
)
def test_default_values_of_variables(seen: str, tag: list[str], expected: bool) -> None:
    block = {"StringEquals": {"s3:prefix": "${aws:PrincipalTag/team, 'company-wide'}"}}
    assert holds(block, {"s3:prefix": [seen], "aws:PrincipalTag/team": tag}) is expected


def test_a_variable_without_a_value_is_unlike_everything() -> None:
    """ "Policy variables with no value": negated operators match."""
    seen = {"s3:prefix": ["a"]}
    assert not holds({"StringEquals": {"s3:prefix": "${aws:PrincipalTag/team}"}}, seen)
    assert holds({"StringNotEquals": {"s3:prefix": "${aws:PrincipalTag/team}"}}, seen)
