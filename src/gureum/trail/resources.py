"""What a call was about, as the event history lists it: types and names of resources.

Rows of EC2 are found by their ids in the parameters and the answer, those of IAM by the members
that name them.  Source: AWS CloudTrail User Guide, "Resource types supported by Event history".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from gureum.model import Resource

MOST = 50
"""Resources of an event; a launch of hundreds names the first."""

_TYPES = {
    "elastic-ip": "AWS::EC2::EIP",
    "image": "AWS::EC2::Ami",
    "natgateway": "AWS::EC2::NatGateway",
    "vpc": "AWS::EC2::VPC",
    "vpc-endpoint": "AWS::EC2::VPCEndpoint",
    "vpc-endpoint-service": "AWS::EC2::VPCEndpointService",
    "vpc-flow-log": "AWS::EC2::FlowLog",
    "vpc-peering-connection": "AWS::EC2::VPCPeeringConnection",
    "vpn-connection": "AWS::EC2::VPNConnection",
    "vpn-gateway": "AWS::EC2::VPNGateway",
    "dhcp-options": "AWS::EC2::DHCPOptions",
}
"""Types that are spelled otherwise than as words in capitals."""

_NAMES = {
    "KeyName": "AWS::EC2::KeyPair",
    "PublicIp": "AWS::EC2::EIP",
    "LaunchTemplateName": "AWS::EC2::LaunchTemplate",
}
_IAM_NAMES = {
    "UserName": "AWS::IAM::User",
    "NewUserName": "AWS::IAM::User",
    "GroupName": "AWS::IAM::Group",
    "NewGroupName": "AWS::IAM::Group",
    "RoleName": "AWS::IAM::Role",
    "RoleArn": "AWS::IAM::Role",
    "InstanceProfileName": "AWS::IAM::InstanceProfile",
    "PolicyName": "AWS::IAM::Policy",
    "PolicyArn": "AWS::IAM::Policy",
    "AccessKeyId": "AWS::IAM::AccessKey",
}
_RAM_NAMES = {"resourceShareArn": "AWS::RAM::ResourceShare"}
_BY_SERVICE = {"ec2": _NAMES, "ram": _RAM_NAMES}
_ID = re.compile(r"([a-z][a-z0-9-]*)-[0-9a-f]{8}(?:[0-9a-f]{9})?")

Pair = tuple[str, str]


def about(service: str, params: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Types and names of what a call was about, once each."""
    names = _BY_SERVICE.get(service, _IAM_NAMES)
    found: dict[Pair, None] = {}
    for value in (params, result):
        for pair in _walk(value, names, ids=service == "ec2"):
            found[pair] = None
            if len(found) >= MOST:
                return tuple(found)
    return tuple(found)


def _walk(value: Any, names: Mapping[str, str], *, ids: bool) -> Iterator[Pair]:
    if isinstance(value, dict | Mapping):  # dict first: abstract classes are slow to ask
        for name, each in value.items():
            if isinstance(each, str) and name in names:
                yield names[name], each
            elif isinstance(each, str):
                yield from _id(each) if ids else ()
            elif each is not None:
                yield from _walk(each, names, ids=ids)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _walk(each, names, ids=ids)
    elif isinstance(value, str) and ids:
        yield from _id(value)


def _id(text: str) -> Iterator[Pair]:
    found = _ID.fullmatch(text) if len(text) < 80 else None
    kind = _kinds().get(found[1]) if found else None
    if kind is not None:
        yield kind, text


@cache
def _kinds() -> Mapping[str, str]:
    """Names of types by the prefix of their ids."""
    return {
        cls.prefix: type_name(kind)
        for kind, cls in Resource.by_kind.items()
        if not kind.endswith(("-association", "-cidr-block"))  # no resources of their own
    }


def type_name(kind: str) -> str:
    """The name of a type: ``route-table`` is ``AWS::EC2::RouteTable``."""
    words = "".join(word.capitalize() for word in kind.split("-"))
    return _TYPES.get(kind, f"AWS::EC2::{words}")
