"""Further addresses of NAT gateways: given, taken, counted, and shared out to connections."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Address, PublicAddress, Translator
from tests.conftest import Cloud
from tests.resources.building import make_address, make_interface, make_subnet
from tests.resources.routing import refusal
from tests.resources.test_nat_gateway import create, place, settle, shown


def addresses(cloud: Cloud, key: str) -> list[tuple[str, str | None, bool]]:
    """The private and public addresses of a gateway, and which is the primary one."""
    found = shown(cloud, key)["NatGatewayAddresses"]
    return [(item["PrivateIp"], item.get("PublicIp"), item["IsPrimary"]) for item in found]


def private(cloud: Cloud, subnet: str, **more: Any) -> str:
    answer = cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private", **more)
    key = str(answer["NatGateway"]["NatGatewayId"])
    settle(cloud, key)
    return key


def translator(cloud: Cloud) -> Translator:
    (found,) = (s for s in cloud.program().statements if isinstance(s, Translator))
    return found


def test_a_second_elastic_ip(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    key = create(cloud, subnet, PrivateIpAddress="10.0.1.9")["NatGatewayId"]
    settle(cloud, key)
    first = addresses(cloud, key)
    second = make_address(cloud)
    asked = {"NatGatewayId": key, "AllocationIds": [second["AllocationId"]]}
    answer = cloud.call("AssociateNatGatewayAddress", **asked, PrivateIpAddresses=["10.0.1.10"])
    (item,) = answer["NatGatewayAddresses"]
    assert item == {
        "AllocationId": second["AllocationId"],
        "AssociationId": item["AssociationId"],
        "NetworkInterfaceId": shown(cloud, key)["NatGatewayAddresses"][0]["NetworkInterfaceId"],
        "PrivateIp": "10.0.1.10",
        "PublicIp": second["PublicIp"],
        "IsPrimary": False,
        "Status": "associating",
    }
    assert shown(cloud, key)["NatGatewayAddresses"][1] == item | {"Status": "succeeded"}
    assert addresses(cloud, key) == [*first, ("10.0.1.10", second["PublicIp"], False)]
    found = translator(cloud)
    assert (found.ip, found.others) == ("10.0.1.9", ("10.0.1.10",))
    mapped = {s.private for s in cloud.program().statements if isinstance(s, PublicAddress)}
    assert mapped == {"10.0.1.9", "10.0.1.10"}
    code, _ = refusal(cloud, "ReleaseAddress", AllocationId=second["AllocationId"])
    assert code == "InvalidIPAddress.InUse"
    third = {**asked, "AllocationIds": [make_address(cloud)["AllocationId"]]}
    assert refusal(cloud, "AssociateNatGatewayAddress", **third)[0] == "AddressLimitExceeded"
    gone = {"NatGatewayId": key, "AssociationIds": [item["AssociationId"]]}
    answer = cloud.call("DisassociateNatGatewayAddress", **gone)
    assert answer["NatGatewayAddresses"] == [item | {"Status": "disassociating"}]
    assert addresses(cloud, key) == first
    assert translator(cloud).others == ()
    assert refusal(cloud, "DisassociateNatGatewayAddress", **gone)[0] == (
        "InvalidAssociationID.NotFound"
    )
    make_interface(cloud, subnet, PrivateIpAddress="10.0.1.10")
    cloud.call("ReleaseAddress", AllocationId=second["AllocationId"])


def test_named_addresses_are_taken_before_the_primary_one_is_drawn(cloud: Cloud) -> None:
    vpc, _, _ = place(cloud)
    subnet = make_subnet(cloud, vpc, "10.0.9.0/28")
    make_interface(cloud, subnet, SecondaryPrivateIpAddressCount=2)
    (row,) = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"]
    assert row["AvailableIpAddressCount"] == 8
    taken = {
        item["PrivateIpAddress"]
        for eni in cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
        for item in eni["PrivateIpAddresses"]
    }
    primary, *further = (ip for ip in (f"10.0.9.{n}" for n in range(4, 15)) if ip not in taken)
    key = private(cloud, subnet, SecondaryPrivateIpAddresses=further)
    assert [ip for ip, _, _ in addresses(cloud, key)] == [primary, *further]


def test_a_gateway_made_with_several(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    second = make_address(cloud)
    more = {
        "SecondaryAllocationIds": [second["AllocationId"]],
        "SecondaryPrivateIpAddresses": ["10.0.1.10"],
    }
    key = create(cloud, subnet, PrivateIpAddress="10.0.1.9", **more)["NatGatewayId"]
    assert addresses(cloud, key)[1] == ("10.0.1.10", second["PublicIp"], False)
    settle(cloud, key)
    cloud.call("DeleteNatGateway", NatGatewayId=key)
    settle(cloud, key)
    cloud.call("ReleaseAddress", AllocationId=second["AllocationId"])
    assert not any(isinstance(s, Address) for s in cloud.program().statements)


def test_addresses_of_a_private_gateway(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    key = private(
        cloud, subnet, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddresses=["10.0.1.10"]
    )
    assert addresses(cloud, key) == [("10.0.1.9", None, True), ("10.0.1.10", None, False)]
    asked = {"NatGatewayId": key}
    # a certain address first: those that are drawn may be any
    cloud.call("AssignPrivateNatGatewayAddress", **asked, PrivateIpAddresses=["10.0.1.11"])
    answer = cloud.call("AssignPrivateNatGatewayAddress", **asked, PrivateIpAddressCount=4)
    assert {item["Status"] for item in answer["NatGatewayAddresses"]} == {"assigning"}
    assert len(addresses(cloud, key)) == 7
    two = {**asked, "PrivateIpAddressCount": 2}
    assert refusal(cloud, "AssignPrivateNatGatewayAddress", **two)[0] == "AddressLimitExceeded"
    cloud.call("AssignPrivateNatGatewayAddress", **asked, PrivateIpAddressCount=1)
    assert translator(cloud).others[0] == "10.0.1.10"
    gone = {**asked, "PrivateIpAddresses": ["10.0.1.10", "10.0.1.11"]}
    answer = cloud.call("UnassignPrivateNatGatewayAddress", **gone)
    assert [item["Status"] for item in answer["NatGatewayAddresses"]] == ["unassigning"] * 2
    assert len(addresses(cloud, key)) == 6
    for ip in ("10.0.1.9", "10.0.1.10"):
        bad = {**asked, "PrivateIpAddresses": [ip]}
        code, _ = refusal(cloud, "UnassignPrivateNatGatewayAddress", **bad)
        assert code == "InvalidParameterValue"


def test_what_is_refused(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    made = create(cloud, subnet)
    key, item = made["NatGatewayId"], made["NatGatewayAddresses"][0]
    allocation = make_address(cloud)["AllocationId"]
    asked: dict[str, Any] = {"NatGatewayId": key, "AllocationIds": [allocation]}
    assert refusal(cloud, "AssociateNatGatewayAddress", **asked)[0] == "IncorrectState"
    settle(cloud, key)
    table: tuple[tuple[str, dict[str, Any], str], ...] = (
        (
            "AssociateNatGatewayAddress",
            {**asked, "AllocationIds": [item["AllocationId"]]},
            "Resource.AlreadyAssociated",
        ),
        (
            "AssociateNatGatewayAddress",
            {**asked, "PrivateIpAddresses": ["10.0.1.20", "10.0.1.21"]},
            "InvalidParameterCombination",
        ),
        (
            "AssociateNatGatewayAddress",
            {**asked, "NatGatewayId": "nat-00000000000000001"},
            "NatGatewayNotFound",
        ),
        (
            "DisassociateNatGatewayAddress",
            {"NatGatewayId": key, "AssociationIds": [item["AssociationId"]]},
            "InvalidParameterValue",
        ),
        (
            "AssignPrivateNatGatewayAddress",
            {"NatGatewayId": key, "PrivateIpAddressCount": 1},
            "InvalidParameterValue",
        ),
    )
    for action, params, code in table:
        assert refusal(cloud, action, **params)[0] == code
    assert len(addresses(cloud, key)) == 1
    other = private(cloud, subnet)
    nothing = {"NatGatewayId": other}
    assert refusal(cloud, "AssignPrivateNatGatewayAddress", **nothing)[0] == "MissingParameter"


@pytest.mark.parametrize(
    "more",
    [
        {"SecondaryPrivateIpAddressCount": 1},
        {"SecondaryPrivateIpAddresses": ["10.0.1.20"]},
        {"ConnectivityType": "private", "SecondaryAllocationIds": ["EIP"]},
    ],
)
def test_creations_that_make_no_sense(cloud: Cloud, more: dict[str, Any]) -> None:
    _, _, subnet = place(cloud)
    given: dict[str, Any] = {"SubnetId": subnet}
    if "ConnectivityType" not in more:
        given["AllocationId"] = make_address(cloud)["AllocationId"]
    code, _ = refusal(cloud, "CreateNatGateway", **given, **more)
    assert code == "InvalidParameterCombination"
