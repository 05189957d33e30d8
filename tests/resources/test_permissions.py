"""What rules permit: ports and ICMP types, peers in canonical form, AWS's words and grouping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import View
from gureum.resources.permissions import (
    Permission,
    check_text,
    cidr_v4,
    cidr_v6,
    parse,
    ports,
    show_permissions,
    words,
)


def group_id(pair: Mapping[str, Any]) -> str:
    return str(pair["GroupId"])


def refused(item: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        parse([item], group_id)
    return caught.value.code, caught.value.message


RANGES = [{"CidrIp": "10.0.0.0/8"}]


@pytest.mark.parametrize(
    ("protocol", "given", "stored"),
    [
        (6, (80, 443), (80, 443)),
        (17, (0, 65535), (0, 65535)),
        (1, (8, 0), (8, 0)),
        (1, (-1, -1), (-1, -1)),
        (58, (None, None), (-1, -1)),
        (58, (128, -1), (128, -1)),
        (None, (0, 0), (None, None)),
        (None, (None, None), (None, None)),
        (50, (7, 9), (None, None)),
    ],
)
def test_ports(
    protocol: int | None,
    given: tuple[int | None, int | None],
    stored: tuple[int | None, int | None],
) -> None:
    assert ports(protocol, *given) == stored


@pytest.mark.parametrize(
    ("protocol", "given", "message"),
    [
        (
            "tcp",
            {},
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ),
        (
            "udp",
            {"FromPort": 5},
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ),
        ("tcp", {"FromPort": 5, "ToPort": 4}, "Invalid TCP/UDP port range (5:4)"),
        ("tcp", {"FromPort": -1, "ToPort": -1}, "Invalid TCP/UDP port range (-1:-1)"),
        ("tcp", {"FromPort": 0, "ToPort": 65536}, "Invalid TCP/UDP port range (0:65536)"),
        (
            "icmp",
            {},
            "Invalid value 'Must specify both type and code with ICMP.' for portRange.",
        ),
        ("icmp", {"FromPort": 256, "ToPort": 0}, "Invalid ICMP type/code (256:0)"),
        ("icmp", {"FromPort": -1, "ToPort": 3}, "ICMP code (3) must be -1 when the type is -1"),
        ("ftp", {}, "Invalid value 'ftp' for IP protocol. Unknown protocol."),
        ("256", {}, "Invalid value '256' for IP protocol. Unknown protocol."),
    ],
)
def test_ports_that_make_no_sense(protocol: str, given: dict[str, int], message: str) -> None:
    found = refused({"IpProtocol": protocol, **given, "IpRanges": RANGES})
    assert found == ("InvalidParameterValue", message)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"IpRanges": RANGES}, "MissingParameter"),
        ({"IpProtocol": "-1"}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "PrefixListIds": [{"Description": "x"}]}, "MissingParameter"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "::/0"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        (
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "é"}]},
            "InvalidParameterValue",
        ),
    ],
)
def test_what_cannot_be_parsed(item: dict[str, Any], code: str) -> None:
    assert refused(item)[0] == code


def test_nothing_is_not_a_permission() -> None:
    with pytest.raises(ApiError) as caught:
        parse([], group_id)
    assert caught.value.code == "MissingParameter"


def test_names_and_numbers_are_one_protocol() -> None:
    named, numbered = (
        parse([{"IpProtocol": text, "FromPort": 1, "ToPort": 1, "IpRanges": RANGES}], group_id)[0]
        for text in ("TCP", "6")
    )
    assert named.traffic == numbered.traffic
    assert named.protocol_text == "tcp"


def test_blocks_are_canonical() -> None:
    assert cidr_v4("100.68.0.18/18") == "100.68.0.0/18"
    assert cidr_v6("2001:DB8:0::1/32") == "2001:db8::/32"
    for read, text in ((cidr_v4, "10.0.0.0/33"), (cidr_v6, "2001:db8::"), (cidr_v4, None)):
        with pytest.raises(ApiError) as caught:
            read(text)
        assert caught.value.message == f"CIDR block {text} is malformed"


@pytest.mark.parametrize("text", ["a" * 255, "Web (HTTP/1.1), port=80; {ok}!"])
def test_texts_that_are_allowed(text: str) -> None:
    assert check_text(text, "GroupName") == text


@pytest.mark.parametrize("text", ["a" * 256, "naïve", "tab\t", "<b>", "٣"])
def test_texts_that_are_not(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_text(text, "GroupName")
    assert caught.value.code == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (Permission(protocol=None, group="sg-1"), "peer: sg-1, ALL, ALLOW"),
        (
            Permission(protocol=17, first=53, last=53, cidr="10.0.0.0/8"),
            "peer: 10.0.0.0/8, UDP, from port: 53, to port: 53, ALLOW",
        ),
        (
            Permission(protocol=1, first=-1, last=-1, cidr="10.0.0.0/8"),
            "peer: 10.0.0.0/8, ICMP, type: ALL, code: ALL, ALLOW",
        ),
        (
            Permission(protocol=47, cidr6="::/0"),
            "peer: ::/0, protocol: 47, ALLOW",
        ),
    ],
)
def test_words(permission: Permission, text: str) -> None:
    assert words(permission) == text


def test_shown_by_protocol_and_ports() -> None:
    found = show_permissions(
        [
            Permission(protocol=6, first=80, last=80, cidr="10.0.0.0/8", description="a"),
            Permission(protocol=None, cidr="0.0.0.0/0"),
            Permission(protocol=6, first=80, last=80, group="sg-1"),
            Permission(protocol=6, first=80, last=81, cidr6="::/0"),
        ],
        "123456789012",
        View(),
    )
    assert found == [
        {
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 80,
            "UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "123456789012"}],
            "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a"}],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
        },
        {
            "IpProtocol": "-1",
            "UserIdGroupPairs": [],
            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
        },
        {
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 81,
            "UserIdGroupPairs": [],
            "IpRanges": [],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            "PrefixListIds": [],
        },
    ]
