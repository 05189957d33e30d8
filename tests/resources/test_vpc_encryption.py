"""Encryption controls of VPCs and accounts; who pays for an endpoint."""

from __future__ import annotations

from typing import Any

from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_vpc, settle
from tests.resources.routing import refusal


def control(cloud: Cloud, **more: Any) -> list[dict[str, Any]]:
    return list(cloud.call("DescribeVpcEncryptionControls", **more)["VpcEncryptionControls"])


def change(cloud: Cloud, key: str, **more: Any) -> dict[str, Any]:
    made = cloud.call("ModifyVpcEncryptionControl", VpcEncryptionControlId=key, **more)
    return dict(made["VpcEncryptionControl"])


def test_a_control_of_a_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    made = cloud.call("CreateVpcEncryptionControl", VpcId=vpc)["VpcEncryptionControl"]
    key = made["VpcEncryptionControlId"]
    assert (made["VpcId"], made["Mode"], made["State"]) == (vpc, "monitor", "creating")
    assert set(map(str, made["ResourceExclusions"].values())) == {"{'State': 'disabled'}"}
    code, _ = refusal(cloud, "CreateVpcEncryptionControl", VpcId=vpc)
    assert code == "Resource.AlreadyAssociated"
    settle(cloud)
    (shown,) = control(cloud, VpcIds=[vpc])
    assert shown["State"] == "available"
    missing = {"VpcIds": ["vpc-0123456789abcdef0"]}
    assert refusal(cloud, "DescribeVpcEncryptionControls", **missing)[0] == "InvalidVpcID.NotFound"
    code, _ = refusal(cloud, "ModifyVpcEncryptionControl", VpcEncryptionControlId=key)
    assert code == "MissingParameter"
    assert change(cloud, key, Mode="enforce")["State"] == "enforce-in-progress"
    settle(cloud)
    assert (control(cloud)[0]["Mode"], control(cloud)[0]["State"]) == ("enforce", "available")
    gone = cloud.call("DeleteVpcEncryptionControl", VpcEncryptionControlId=key)
    assert gone["VpcEncryptionControl"]["State"] == "deleting"
    assert control(cloud) == []


def test_what_is_not_encrypted_keeps_it_from_enforcing(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    made = cloud.call("CreateVpcEncryptionControl", VpcId=vpc)["VpcEncryptionControl"]
    key, gateway = made["VpcEncryptionControlId"], make_gateway(cloud, vpc)
    failed = change(cloud, key, Mode="enforce")
    assert (failed["Mode"], failed["State"]) == ("monitor", "enforce-failed")
    assert failed["StateMessage"] == f"Not encrypted: {gateway}"
    done = change(cloud, key, Mode="enforce", InternetGatewayExclusion="enable")
    assert (done["Mode"], done["State"]) == ("enforce", "enforce-in-progress")
    assert done["ResourceExclusions"]["InternetGateway"] == {"State": "enabled"}
    assert "StateMessage" not in done
    other = cloud.call("CreateVpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    asked = cloud.call("CreateVpcPeeringConnection", VpcId=vpc, PeerVpcId=other)
    peering = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=peering)
    assert peering in change(cloud, key, Mode="enforce")["StateMessage"]
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=peering)
    cloud.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    cloud.call("DeleteVpc", VpcId=vpc)
    assert control(cloud) == []


def test_a_control_of_an_account(cloud: Cloud) -> None:
    name = "AccountVpcEncryptionControl"
    before = cloud.call("DescribeAccountVpcEncryptionControl")[name]
    assert (before["State"], before["Mode"]) == ("default-state", "unmanaged")
    assert refusal(cloud, "ModifyAccountVpcEncryptionControl")[0] == "MissingParameter"
    made = cloud.call("ModifyAccountVpcEncryptionControl", Mode="attempt-monitor", Lambda="enable")
    assert made[name]["Exclusions"]["Lambda"] == "enabled"
    assert made[name]["Exclusions"]["NatGateway"] == "disabled"
    again = cloud.call("ModifyAccountVpcEncryptionControl", Lambda="disable")[name]
    assert (again["Mode"], again["Exclusions"]["Lambda"]) == ("attempt-monitor", "disabled")
    assert cloud.call("DescribeAccountVpcEncryptionControl")[name] == again


def test_who_pays_for_an_endpoint(cloud: Cloud) -> None:
    service = "com.amazonaws.ap-northeast-2.s3"
    made = cloud.call("CreateVpcEndpoint", VpcId=make_vpc(cloud), ServiceName=service)
    key = made["VpcEndpoint"]["VpcEndpointId"]
    asked = {
        "VpcEndpointId": key,
        "PayerResponsibility": "vpc-endpoint-service-account",
        "Scope": "vpc-endpoint-charges",
    }
    told = [
        {
            "Scope": "vpc-endpoint-charges",
            "PayerResponsibilityType": "vpc-endpoint-service-account",
        }
    ]
    answer = cloud.call("ModifyVpcEndpointPayerResponsibility", **asked)
    assert answer == {"VpcEndpointId": key, "PayerResponsibilities": told}
    (shown,) = cloud.call("DescribeVpcEndpoints")["VpcEndpoints"]
    assert shown["PayerResponsibilities"] == told
    for more, code in (
        ({"Scope": "resource-gateway-charges"}, "InvalidParameterCombination"),
        ({"ServiceId": "vpce-svc-0123456789abcdef0"}, "InvalidParameterValue"),
        ({"VpcEndpointId": "vpce-0123456789abcdef0"}, "InvalidVpcEndpointId.NotFound"),
    ):
        assert refusal(cloud, "ModifyVpcEndpointPayerResponsibility", **{**asked, **more})[0] == (
            code
        )
