"""Single tunnels of VPN connections, and VPN concentrators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import settle
from tests.resources.routing import refusal
from tests.resources.test_vpn import make_connection, make_gateway, show
from tests.resources.transit import attachment, make_transit

ACTIONS = (
    "GetActiveVpnTunnelStatus",
    "GetVpnTunnelReplacementStatus",
    "ReplaceVpnTunnel",
    "ModifyVpnTunnelCertificate",
)


@pytest.fixture
def tunnel(cloud: Cloud) -> dict[str, Any]:
    """What names the first tunnel of a connection."""
    made = make_connection(cloud, make_gateway(cloud), StaticRoutesOnly=True)
    return {
        "VpnConnectionId": made["VpnConnectionId"],
        "VpnTunnelOutsideIpAddress": made["Options"]["TunnelOptions"][0]["OutsideIpAddress"],
    }


def test_nothing_is_negotiated(cloud: Cloud, tunnel: dict[str, Any]) -> None:
    assert cloud.call("GetActiveVpnTunnelStatus", **tunnel)["ActiveVpnTunnelStatus"] == {
        "ProvisioningStatus": "available",
        "ProvisioningStatusReason": "IPSEC IS DOWN",
    }


def test_a_tunnel_is_replaced(cloud: Cloud, tunnel: dict[str, Any]) -> None:
    before = cloud.call("GetVpnTunnelReplacementStatus", **tunnel)
    assert before["MaintenanceDetails"] == {"PendingMaintenance": "UNAVAILABLE"}
    assert before["VpnTunnelOutsideIpAddress"] == tunnel["VpnTunnelOutsideIpAddress"]
    options = show(cloud, tunnel["VpnConnectionId"])["Options"]
    assert cloud.call("ReplaceVpnTunnel", **tunnel) == {"Return": True}
    after = cloud.call("GetVpnTunnelReplacementStatus", **tunnel)["MaintenanceDetails"]
    assert str(after["LastMaintenanceApplied"])[:10] == cloud.now[:10]
    assert show(cloud, tunnel["VpnConnectionId"])["Options"] == options


def test_a_certificate_is_for_connections_with_certificates(
    cloud: Cloud, tunnel: dict[str, Any]
) -> None:
    assert refusal(cloud, "ModifyVpnTunnelCertificate", **tunnel)[0] == "UnsupportedOperation"
    arn = "arn:aws:acm:ap-northeast-2:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    made = cloud.call("CreateCustomerGateway", Type="ipsec.1", CertificateArn=arn)
    customer = made["CustomerGateway"]["CustomerGatewayId"]
    changed = {"VpnConnectionId": tunnel["VpnConnectionId"], "CustomerGatewayId": customer}
    cloud.call("ModifyVpnConnection", **changed)
    first = cloud.call("ModifyVpnTunnelCertificate", **tunnel)["VpnConnection"]
    told = [each.get("CertificateArn") for each in first["VgwTelemetry"]]
    assert told[0].startswith("arn:aws:acm:ap-northeast-2:123456789012:certificate/")
    assert told[1] is None
    second = cloud.call("ModifyVpnTunnelCertificate", **tunnel)["VpnConnection"]
    assert second["VgwTelemetry"][0]["CertificateArn"] != told[0]


@pytest.mark.parametrize("action", ACTIONS)
def test_tunnels_that_are_not_there(cloud: Cloud, tunnel: dict[str, Any], action: str) -> None:
    asked = {**tunnel, "VpnTunnelOutsideIpAddress": "198.51.100.7"}
    assert refusal(cloud, action, **asked)[0] == "InvalidParameterValue"
    asked = {**tunnel, "VpnConnectionId": "vpn-0123456789abcdef0"}
    assert refusal(cloud, action, **asked)[0] == "InvalidVpnConnectionID.NotFound"


# --- concentrators ------------------------------------------------------------------------------
def test_a_concentrator_has_an_attachment(cloud: Cloud) -> None:
    gateway = make_transit(cloud)
    tags = [{"ResourceType": "vpn-concentrator", "Tags": [{"Key": "a", "Value": "b"}]}]
    asked = {"Type": "ipsec.1", "TransitGatewayId": gateway, "TagSpecifications": tags}
    made = cloud.call("CreateVpnConcentrator", **asked)["VpnConcentrator"]
    key, link = made["VpnConcentratorId"], made["TransitGatewayAttachmentId"]
    assert made == {
        "VpnConcentratorId": key,
        "State": "pending",
        "TransitGatewayId": gateway,
        "TransitGatewayAttachmentId": link,
        "Type": "ipsec.1",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    settle(cloud)
    shown = cloud.call("DescribeVpnConcentrators", VpnConcentratorIds=[key])["VpnConcentrators"]
    assert shown == [made | {"State": "available"}]
    whole = attachment(cloud, link)
    assert (whole["ResourceType"], whole["ResourceId"]) == ("vpn-concentrator", key)
    assert cloud.call("DeleteVpnConcentrator", VpnConcentratorId=key) == {"Return": True}
    settle(cloud)
    assert attachment(cloud, link)["State"] == "deleted"
    assert refusal(cloud, "DeleteVpnConcentrator", VpnConcentratorId=key)[0] == (
        "InvalidVpnConcentratorID.NotFound"
    )


def test_a_concentrator_of_no_gateway(cloud: Cloud) -> None:
    for _ in range(5):
        made = cloud.call("CreateVpnConcentrator", Type="ipsec.1")["VpnConcentrator"]
    assert "TransitGatewayAttachmentId" not in made
    assert refusal(cloud, "CreateVpnConcentrator", Type="ipsec.1")[0] == (
        "VpnConnectionLimitExceeded"
    )
