"""Elastic IPs that change accounts, names of their reverse records, and the old platform."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gureum.model.timestamps import timestamp
from gureum.resources.address_transfer import AddressTransfer, expired
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    only,
)
from tests.resources.routing import refusal

A, B = "123456789012", "210987654321"


def later(cloud: Cloud, **delta: int) -> None:
    cloud.now = timestamp(datetime.fromisoformat(cloud.now) + timedelta(**delta))


def offer(cloud: Cloud, key: str, target: str = B) -> dict[str, Any]:
    asked = {"AllocationId": key, "TransferAccountId": target}
    shape: dict[str, Any] = cloud.call("EnableAddressTransfer", **asked)["AddressTransfer"]
    return shape


def transfers(cloud: Cloud, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.call("DescribeAddressTransfers", **more)["AddressTransfers"]
    return found


@pytest.fixture
def made(cloud: Cloud) -> dict[str, Any]:
    """An Elastic IP of account A with a tag."""
    address = make_address(cloud)
    tags = [{"Key": "Name", "Value": "x"}]
    cloud.call("CreateTags", Resources=[address["AllocationId"]], Tags=tags)
    return address


def test_an_address_changes_accounts(cloud: Cloud, made: dict[str, Any]) -> None:
    key, ip = made["AllocationId"], made["PublicIp"]
    shape = offer(cloud, key)
    assert shape.pop("TransferOfferExpirationTimestamp").isoformat()[:10] == "2026-12-01"
    assert shape == {
        "PublicIp": ip,
        "AllocationId": key,
        "TransferAccountId": B,
        "AddressTransferStatus": "pending",
    }
    assert [each["AllocationId"] for each in transfers(cloud, AllocationIds=[key])] == [key]
    cloud.account = B
    assert transfers(cloud) == []
    later(cloud, days=6)
    done = cloud.call("AcceptAddressTransfer", Address=ip)["AddressTransfer"]
    assert done["AddressTransferStatus"] == "accepted"
    assert done["TransferOfferAcceptedTimestamp"].isoformat()[:10] == "2026-11-30"
    (own,) = cloud.call("DescribeAddresses")["Addresses"]
    assert (own["PublicIp"], own["AllocationId"], own["Tags"]) == (ip, key, [])
    assert refusal(cloud, "AcceptAddressTransfer", Address=ip)[0] == "InvalidAddress.NotFound"
    cloud.account = A
    assert cloud.call("DescribeAddresses")["Addresses"] == []
    assert refusal(cloud, "ReleaseAddress", AllocationId=key)[0] == "InvalidAllocationID.NotFound"
    assert [each["AddressTransferStatus"] for each in transfers(cloud)] == ["accepted"]
    cloud.account = B
    cloud.call("ReleaseAddress", AllocationId=key)
    assert f"public-{ip}" not in cloud.store.view.rows


def test_only_who_is_meant_can_accept(cloud: Cloud, made: dict[str, Any]) -> None:
    offer(cloud, made["AllocationId"])
    asked = {"Address": made["PublicIp"]}
    for account, region in (("111111111111", cloud.region), (B, "us-east-1")):
        cloud.account, home = account, cloud.region
        cloud.region = region
        assert refusal(cloud, "AcceptAddressTransfer", **asked)[0] == "InvalidAddress.NotFound"
        cloud.region = home
    cloud.account = B
    later(cloud, days=7)
    assert refusal(cloud, "AcceptAddressTransfer", **asked)[0] == "InvalidAddress.NotFound"


def test_an_offer_is_taken_back_or_replaced(cloud: Cloud, made: dict[str, Any]) -> None:
    key = made["AllocationId"]
    offer(cloud, key, "111111111111")
    offer(cloud, key)
    assert [each["TransferAccountId"] for each in transfers(cloud)] == [B]
    gone = cloud.call("DisableAddressTransfer", AllocationId=key)["AddressTransfer"]
    assert gone["AddressTransferStatus"] == "disabled"
    assert transfers(cloud) == []
    code, _ = refusal(cloud, "DisableAddressTransfer", AllocationId=key)
    assert code == "InvalidParameterValue"
    cloud.account = B
    code, _ = refusal(cloud, "AcceptAddressTransfer", Address=made["PublicIp"])
    assert code == "InvalidAddress.NotFound"


def test_what_keeps_an_address_is_said_when_it_is_accepted(
    cloud: Cloud, made: dict[str, Any]
) -> None:
    key, asked = made["AllocationId"], {"Address": made["PublicIp"]}
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    item = cloud.call("AssociateAddress", AllocationId=key, NetworkInterfaceId=eni)
    offer(cloud, key)
    cloud.account = B
    code, _ = refusal(cloud, "AcceptAddressTransfer", **asked)
    assert code == "InvalidTransfer.AddressAssociated"
    cloud.account = A
    cloud.call("DisassociateAddress", AssociationId=item["AssociationId"])
    cloud.call("ModifyAddressAttribute", AllocationId=key, DomainName="mail.example.com")
    cloud.account = B
    code, _ = refusal(cloud, "AcceptAddressTransfer", **asked)
    assert code == "InvalidTransfer.AddressCustomPtrSet"
    for _ in range(5):
        make_address(cloud)
    assert refusal(cloud, "AcceptAddressTransfer", **asked)[0] == "AddressLimitExceeded"


@pytest.mark.parametrize("target", [A, "me"])
def test_offers_that_make_no_sense(cloud: Cloud, made: dict[str, Any], target: str) -> None:
    asked = {"AllocationId": made["AllocationId"], "TransferAccountId": target}
    assert refusal(cloud, "EnableAddressTransfer", **asked)[0] == "InvalidParameterValue"


def test_transfers_are_forgotten(cloud: Cloud, made: dict[str, Any]) -> None:
    def forget() -> None:
        for row in list(cloud.store.view.all(AddressTransfer)):
            cloud.system(expired, row, cloud.now)

    offer(cloud, made["AllocationId"])
    later(cloud, days=6)
    forget()
    assert len(transfers(cloud)) == 1
    cloud.account = B
    cloud.call("AcceptAddressTransfer", Address=made["PublicIp"])
    cloud.account = A
    later(cloud, days=13)
    forget()
    assert len(transfers(cloud)) == 1
    later(cloud, days=1)
    forget()
    assert transfers(cloud) == []
    key = make_address(cloud)["AllocationId"]
    offer(cloud, key)
    cloud.call("ReleaseAddress", AllocationId=key)
    assert transfers(cloud) == []
    forget()
    assert list(cloud.store.view.all(AddressTransfer)) == []


def test_names_of_reverse_records(cloud: Cloud, made: dict[str, Any]) -> None:
    key, ip = made["AllocationId"], made["PublicIp"]
    both = {"AllocationId": key, "PublicIp": ip}
    asked = {"AllocationId": key, "DomainName": "mail.example.com"}
    answer = cloud.call("ModifyAddressAttribute", **asked)["Address"]
    update = {"Value": "mail.example.com.", "Status": "PENDING"}
    assert answer == {**both, "PtrRecordUpdate": update}
    only_it = {"AllocationIds": [key], "Attribute": "domain-name"}
    found = cloud.call("DescribeAddressesAttribute", **only_it)["Addresses"]
    assert found == [{**both, "PtrRecord": "mail.example.com."}]
    assert refusal(cloud, "ReleaseAddress", AllocationId=key)[0] == "InvalidAddress.PtrSet"
    reset = {"AllocationId": key, "Attribute": "domain-name"}
    gone = cloud.call("ResetAddressAttribute", **reset)["Address"]
    assert gone["PtrRecord"] == "mail.example.com."
    assert gone["PtrRecordUpdate"]["Status"] == "PENDING"
    assert cloud.call("DescribeAddressesAttribute", **only_it)["Addresses"] == []
    cloud.call("ReleaseAddress", AllocationId=key)
    for name, code in (("", "MissingParameter"), ("no dots", "InvalidParameterValue")):
        other = make_address(cloud)["AllocationId"]
        bad = {"AllocationId": other, "DomainName": name}
        assert refusal(cloud, "ModifyAddressAttribute", **bad)[0] == code


def test_the_old_platform(cloud: Cloud, made: dict[str, Any]) -> None:
    asked = {"PublicIp": made["PublicIp"]}
    assert cloud.call("MoveAddressToVpc", **asked) == {
        "AllocationId": made["AllocationId"],
        "Status": "InVpc",
    }
    assert refusal(cloud, "RestoreAddressToClassic", **asked)[0] == "OperationNotPermitted"
    nobody = {"PublicIp": "198.18.255.1"}
    for action in ("MoveAddressToVpc", "RestoreAddressToClassic"):
        assert refusal(cloud, action, **nobody)[0] == "InvalidAddress.NotFound"
    filters = only({"moving-status": "MovingToVpc"})
    found = cloud.call("DescribeMovingAddresses", Filters=filters, PublicIps=[made["PublicIp"]])
    assert found["MovingAddressStatuses"] == []
