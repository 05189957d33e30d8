"""Sample configurations of customers' devices."""

from __future__ import annotations

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_vpc
from tests.resources.test_vpn import SITE, make_connection, make_gateway

SAMPLE = "GetVpnConnectionDeviceSampleConfiguration"


def _type(cloud: Cloud) -> str:
    (only,) = cloud.call("GetVpnConnectionDeviceTypes")["VpnConnectionDeviceTypes"]
    assert (only["Vendor"], only["Software"]) == ("Generic", "Vendor Agnostic")
    return str(only["VpnConnectionDeviceTypeId"])


@pytest.mark.parametrize("static", [True, False])
def test_the_sample_has_what_both_ends_must_agree_on(cloud: Cloud, static: bool) -> None:
    gateway = make_gateway(cloud, make_vpc(cloud), AmazonSideAsn=64530)
    tunnel = {
        "TunnelInsideCidr": "169.254.9.0/30",
        "PreSharedKey": "abcdefgh",
        "Phase1DHGroupNumbers": [{"Value": 14}],
        "Phase2LifetimeSeconds": 1800,
    }
    made = make_connection(cloud, gateway, StaticRoutesOnly=static, TunnelOptions=[tunnel])
    key = made["VpnConnectionId"]
    if static:
        block = "192.168.0.0/16"
        cloud.call("CreateVpnConnectionRoute", VpnConnectionId=key, DestinationCidrBlock=block)
    asked = {"VpnConnectionId": key, "VpnConnectionDeviceTypeId": _type(cloud)}
    text = cloud.call(SAMPLE, **asked)["VpnConnectionDeviceSampleConfiguration"]
    outside = made["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    for said in (key, gateway, outside, SITE, "abcdefgh", "Group 14", "1800 seconds", "IKEV2"):
        assert said in text, said
    assert "169.254.9.1/30" in text
    assert "169.254.9.2/30" in text
    assert ("192.168.0.0/16 is routed" in text) is static
    assert ("Virtual Private Gateway ASN : 64530" in text) is not static
    old = cloud.call(SAMPLE, InternetKeyExchangeVersion="ikev1", **asked)
    assert "IKEV1" in old["VpnConnectionDeviceSampleConfiguration"]


def test_what_there_is_no_sample_of(cloud: Cloud) -> None:
    key = make_connection(cloud, make_gateway(cloud))["VpnConnectionId"]
    device = _type(cloud)

    def code(connection: str = key, kind: str = device, **more: str) -> str:
        asked = {"VpnConnectionId": connection, "VpnConnectionDeviceTypeId": kind, **more}
        return str(cloud.error(SAMPLE, **asked).code)

    assert code("vpn-00000000000000001") == "InvalidVpnConnectionID.NotFound"
    assert code(kind="00000000") == "InvalidParameterValue"
    assert code(InternetKeyExchangeVersion="ikev3") == "InvalidParameterValue"
    newest = {"SampleType": "recommended", "InternetKeyExchangeVersion": "ikev1"}
    assert code(**newest) == "UnsupportedOperation"
    cloud.call("DeleteVpnConnection", VpnConnectionId=key)
    assert code() == "InvalidVpnConnectionID.NotFound"
