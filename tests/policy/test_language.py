"""Policies are read strictly: what is not understood is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.policy import PolicyError, Selector, read

EXAMPLES = Path(__file__).parents[2] / "examples" / "policies"

HEAD = "- name: a\n  from: internet\n  to: any\n"


def test_everything_that_can_be_said() -> None:
    first, second, third = read(
        "- name: reachability\n"
        "  from: [internet, web, {tag: {role: web}}, {group: g}, {subnet: s}, {vpc: v}]\n"
        "  to: {cidr: 10.0.0.0/8}\n"
        "  never: [tcp/22, udp/1-1023]\n"
        "  only: any\n"
        "  always: [icmp, tcp]\n"
        "  allow_empty: true\n"
        "  over: ipv6\n"
        "- name: ways out\n"
        "  subnets: {tag: {tier: private}}\n"
        "  leave_by: nat\n"
        "- name: none over IPv6\n"
        "  subnets: {cidr: 3fff::/21}\n"
        "  leave_by: [egress-only-internet-gateway, nothing]\n"
    )
    assert [str(each) for each in first.source] == [
        *("internet", "web", "tag role=web", "group g", "subnet s", "vpc v"),
    ]
    assert first.target == (Selector("cidr", "10.0.0.0/8"),)
    assert first.never == ((6, 22, 22), (17, 1, 1023))
    assert first.only == ((None, 0, 0),)
    assert first.always == ((1, 0, 65535), (6, 0, 65535))
    assert (first.line, first.allow_empty, first.versions) == (1, True, (6,))
    assert (second.line, second.leave_by, second.versions) == (9, ("nat",), (4, 6))
    assert third.leave_by == ("egress-only-internet-gateway", "nothing")


def test_the_internet_without_some_blocks() -> None:
    text = "- name: a\n  from: {internet: {except: [203.0.113.0/24, 2001:db8::/32]}}\n"
    (only,) = read(text + "  to: {internet: {except: 192.0.2.1/32}}\n  never: any\n")
    assert only.source == (Selector("internet", "203.0.113.0/24 2001:db8::/32"),)
    assert str(only.target[0]) == "internet except 192.0.2.1/32"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_can_be_read(path: Path) -> None:
    assert read(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a policy is a list of statements"),
        ("a: b\n", "line 1: a policy is a list of statements"),
        ("- [\n", "this is no YAML"),
        ("- x\n", "line 1: a statement is a mapping, not 'x'"),
        (
            f"{HEAD}  nevr: any\n",
            "line 1: there is no 'nevr' in a statement: did you mean 'never'?",
        ),
        (f"{HEAD}", "line 1: a statement needs 'from', 'to' and one of never, only, always"),
        ("- from: any\n  to: any\n  never: any\n", "line 1: a statement needs a name"),
        (f"{HEAD}  never: tcp/0x\n", "line 1: 'tcp/0x' is none of"),
        (f"{HEAD}  never: tcp/9-8\n", "line 1: tcp/9-8 is no range of ports"),
        (f"{HEAD}  never: tcp/65536\n", "line 1: tcp/65536 is no range of ports"),
        (f"{HEAD}  never: any\n  allow_empty: maybe\n", "line 1: allow_empty is true or false"),
        (f"{HEAD}  never: any\n{HEAD}  never: any\n", "line 1: two statements are called 'a'"),
        (f"{HEAD}  never: any\n  never: icmp\n", "line 1: 'never' is given twice"),
        ("- name: a\n  from: {tags: {a: b}}\n  to: any\n  never: any\n", "did you mean 'tag'?"),
        ("- name: a\n  from: {tag: b}\n  to: any\n  never: any\n", "a tag is one key"),
        ("- name: a\n  from: {tag: {on: b}}\n  to: any\n  never: any\n", "quote True, 'b'"),
        ("- name: a\n  from: {tag: {a: 010}}\n  to: any\n  never: any\n", "quote 'a', 8"),
        ("- name: a\n  from: {cidr: 10.0.0.1/8}\n  to: any\n  never: any\n", "has host bits set"),
        ("- name: a\n  from: []\n  to: any\n  never: any\n", "an empty list means nobody"),
        ("- name: a\n  from: {internet: all}\n  to: any\n  never: any\n", "say whom of the"),
        ("- name: a\n  from: {internet: {except: x}}\n  to: any\n  never: any\n", "'x' does not"),
        ("- name: a\n  from: {internet: {except: []}}\n  to: any\n  never: any\n", "means nobody"),
        ("- name: a\n  from: {internet: {except: 7}}\n  to: any\n  never: any\n", "7 is no block"),
        ("- name: a\n  from: 7\n  to: any\n  never: any\n", "7 is nobody"),
        ("- name: a\n  subnets: any\n", "'subnets' and 'leave_by' go together"),
        ("- name: a\n  subnets: any\n  leave_by: vpn\n", "not by 'vpn'"),
        ("- name: a\n  subnets: any\n  leave_by: []\n", "not by None"),
        (f"{HEAD}  never: any\n  over: 6\n", "over is ipv4 or ipv6, not 6"),
        ("- name: a\n  subnets: internet\n  leave_by: nat\n", "internet is no subnet"),
        (f"{HEAD}  subnets: any\n  leave_by: nat\n", "'from' does not go with"),
    ],
)
def test_what_is_not_understood(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert said in str(caught.value)


def test_the_line_of_a_later_statement() -> None:
    with pytest.raises(PolicyError) as caught:
        read(f"{HEAD}  never: any\n\n- name: b\n  from: any\n  to: any\n  on: tcp\n")
    assert caught.value.line == 6
