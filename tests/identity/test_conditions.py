"""Every condition operator, a line a verdict."""

from __future__ import annotations

import time

import pytest

from gureum.identity.conditions import COMPARE, NEGATED, Condition, check, date, parse_operator
from gureum.identity.matching import action_matches, resource_matches
from gureum.identity.request import Context

NAMES = {
    "aws:username": "ann",
    "aws:PrincipalTag/team": "a*",
    "aws:PrincipalAccount": "123456789012",
}


def held(operator: str, seen: list[str], *wanted: str, variables: bool = True) -> bool:
    parsed = parse_operator(operator)
    assert parsed is not None
    assert str(parsed) == operator
    context = Context.of([*NAMES.items(), *(("x:Key", value) for value in seen)])
    return check(Condition(parsed, "X:key", wanted), context, variables=variables).holds


VERDICTS = [
    ("StringEquals", "ann", "ann", True),
    ("StringEquals", "Ann", "ann", False),
    ("StringEquals", "ann", "a*", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", "ann", "${AWS:UserName}", True),
    ("StringEquals", "a*?$", "a${*}${?}${$}", True),
    ("StringEqualsIgnoreCase", "ANN", "${aws:username}", True),
    ("StringEqualsIgnoreCase", "bob", "ann", False),
    ("StringLike", "ann/x/y", "ann/*", True),
    ("StringLike", "ann", "a?", False),
    ("StringLike", "Ann", "a*", False),
    ("StringLike", "a\nn", "a?n", True),
    ("StringLike", "abc", "${aws:PrincipalTag/team}", False),
    ("StringLike", "a*", "${aws:PrincipalTag/team}", True),
    ("StringLike", "axn", "a${*}n", False),
    ("StringLike", "aab", "a*ab", True),
    ("StringLike", "ab", "*a*b*", True),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", "ten", "10", False),
    ("NumericEquals", "1e1", "10", False),
    ("NumericLessThan", "9", "10", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericGreaterThan", "-2.5", "-3", True),
    ("NumericGreaterThan", "10", "9", True),
    ("NumericGreaterThan", "9", "9.0", False),
    ("NumericGreaterThanEquals", "9", "10", False),
    ("NumericGreaterThanEquals", "10.5", "10.5", True),
    ("NumericLessThanEquals", "2", "1.9", False),
    ("DateEquals", "2026-11-29T06:00:00Z", "2026-11-29T15:00:00+09:00", True),
    ("DateEquals", "2026-11-29T06:00:00Z", "2026-11-29T02:30:00-0330", True),
    ("DateLessThan", "2013-06-30T00:00:00Z", "2013-07", True),
    ("DateLessThan", "2013-06-30T23:59:59.999Z", "2013-06-30", False),
    ("DateLessThanEquals", "1372550400", "2013-06-30T00:00:00Z", True),
    ("DateGreaterThan", "2014", "2013-12-31T23:59:59Z", True),
    ("DateGreaterThan", "2013-02-30", "2013-01-01", False),
    ("DateGreaterThanEquals", "2013-06-30T00:00Z", "2013-06-30", True),
    ("DateEquals", "2026-11-29", "2026-11-30", False),
    ("DateLessThanEquals", "2026-12-01", "2026-11-30", False),
    ("DateGreaterThanEquals", "2026-11-29", "2026-11-30", False),
    ("Bool", "true", "TRUE", True),
    ("Bool", "false", "true", False),
    ("Bool", "yes", "yes", False),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ6", "QmluYXJ5", False),
    ("BinaryEquals", "!", "!", False),
    ("IpAddress", "203.0.113.9", "203.0.113.0/24", True),
    ("IpAddress", "203.0.114.9", "203.0.113.0/24", False),
    ("IpAddress", "203.0.113.9", "203.0.113.9", True),
    ("IpAddress", "2001:DB8:1234:5678::1", "2001:db8:1234:5678::/64", True),
    ("IpAddress", "2001:db8::1", "0.0.0.0/0", False),
    ("IpAddress", "me", "0.0.0.0/0", False),
    ("ArnEquals", "arn:aws:sns:eu-west-1:1:t", "arn:aws:sns:*:1:?", True),
    ("ArnEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", False),
    ("ArnLike", "arn:aws:sns:eu-west-1:1:t:u/v", "arn:aws:sns:*:*:t*", True),
    ("ArnLike", "arn:aws:sns:eu-west-1:1:t", "arn:aws:sns:*:t", False),
    ("ArnLike", "arn:aws:sns:eu-west-1:1:t", "*", False),
    ("ArnLike", "arn:aws:iam::123456789012:user/ann",
     "arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}", True),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "seen", "wanted", "expected"), VERDICTS)
def test_what_matches(operator: str, seen: str, wanted: str, expected: bool) -> None:
    assert held(operator, [seen], wanted) is expected
    assert held(f"{operator}IfExists", [seen], wanted) is expected
    assert held(f"ForAllValues:{operator}", [seen], wanted) is expected
    assert held(f"ForAnyValue:{operator}", [seen], wanted) is expected
    for name, contrary in NEGATED.items():
        if contrary == operator:
            assert held(name, [seen], wanted) is not expected
            assert held(name, [seen], "other", wanted) is not expected, "neither, nor"


def test_every_operator_is_tried_for_and_against() -> None:
    tried = {(operator, expected) for operator, _, _, expected in VERDICTS}
    assert tried == {(name, expected) for name in COMPARE for expected in (True, False)}


def test_an_empty_text_is_no_value_of_a_set() -> None:
    """As AWS has it: "a null data set, such as an empty string"."""
    assert held("StringLike", [""], "*")
    assert held("ForAllValues:StringEquals", [""], "x")
    assert not held("ForAnyValue:StringLike", [""], "*")


@pytest.mark.parametrize("name", [*COMPARE, *NEGATED])
def test_a_key_that_is_not_there(name: str) -> None:
    assert held(name, [], "1") is (name in NEGATED)
    assert held(f"{name}IfExists", [], "1")
    assert held(f"ForAllValues:{name}", [], "1")
    assert not held(f"ForAnyValue:{name}", [], "1")


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [([], "true", True), ([], "false", False), (["x"], "true", False), (["x"], "FALSE", True)],
)
def test_null(seen: list[str], wanted: str, expected: bool) -> None:
    assert held("Null", seen, wanted) is expected


@pytest.mark.parametrize(
    "name",
    ["StringContains", "stringequals", "ForSomeValues:StringEquals", ":StringEquals",
     "NullIfExists", "ForAllValues:Null", "StringEqualsIfExistsIfExists", "",
     "IfExists", "NumericLike"],
)  # fmt: skip
def test_what_is_no_operator(name: str) -> None:
    assert parse_operator(name) is None


def test_variables_are_of_the_current_version_only() -> None:
    assert not held("StringEquals", ["ann"], "${aws:username}", variables=False)
    assert held("StringEquals", ["${aws:username}"], "${aws:username}", variables=False)


@pytest.mark.parametrize("text", ["${aws:username", "${}", "${a b}", "$ann", "${a, b}"])
def test_what_is_no_variable_stands_for_itself(text: str) -> None:
    assert held("StringEquals", [text], text)


@pytest.mark.parametrize("text", ["2013-13-01", "2013-06-30T25:00Z", "tomorrow", "", "9" * 12])
def test_what_is_no_date(text: str) -> None:
    assert date(text) is None


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    begun = time.process_time()
    assert not held("StringLike", ["a" * 2000], "*a" * 60 + "b")
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", True),
        ("EC2:runinstances", True),
        ("ec2:Run*", True),
        ("ec2:RunInstance?", True),
        ("ec2:RunInstances?", False),
        ("*:RunInstances", True),
        ("ec2:Run", False),
        ("ec2x:*", False),
    ],
)
def test_actions(pattern: str, expected: bool) -> None:
    assert action_matches(pattern, "ec2:RunInstances") is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", True),
        ("arn:aws:ec2:eu-west-1:123456789012:instance/i-1", True),
        ("arn:aws:ec2:*:*:instance/*", True),
        ("arn:aws:ec2:eu-*-1:123456789012:instance/i-?", True),
        ("arn:aws:ec2:*", True),
        ("arn:aws:ec2:*:instance/i-1", True),
        ("arn:aws:ec2:eu*:instance/*", True),
        ("arn:aws:ec2:eu*:volume/*", False),
        ("arn:aws:ec2:e*2:instance/i-1", False),
        ("arn:aws:ec2:eu-west-1?123456789012:instance/i-1", False),
        ("arn:aws:ec2:*:*:*:instance/i-1", False),
        ("arn:aws:ec2:eu-west-1", True),
        ("arn:aws:ec2:eu-west-2", False),
        ("arn:aws:ec2:*:*:volume/*", False),
        ("arn:aws:EC2:*:*:instance/*", False),
    ],
)
def test_a_wildcard_stays_in_its_part_of_an_arn_but_at_the_end_of_it(
    pattern: str, expected: bool
) -> None:
    arn = "arn:aws:ec2:eu-west-1:123456789012:instance/i-1"
    assert resource_matches(pattern, arn, Context()) is expected
    assert resource_matches(pattern, "*", Context()) is (pattern == "*")


def test_the_last_part_of_an_arn_has_colons_and_slashes() -> None:
    arn = "arn:aws:logs:eu-west-1:1:log-group:a:log-stream:b/c"
    assert resource_matches("arn:aws:logs:*:*:log-group:*/c", arn, None)


def test_variables_of_resources_are_in_the_last_part_only() -> None:
    context = Context.of([("aws:RequestedRegion", "eu-west-1"), ("aws:username", "ann")])
    arn = "arn:aws:sqs:eu-west-1:123456789012:ann"
    assert resource_matches("arn:aws:sqs:*:*:${aws:username}", arn, context)
    assert not resource_matches("arn:aws:sqs:${aws:RequestedRegion}:*:ann", arn, context)
