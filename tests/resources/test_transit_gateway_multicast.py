"""Multicast domains of transit gateways: subnets, members and sources of groups."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, only, settle
from tests.resources.routing import refusal
from tests.resources.transit import attach, make_transit

GROUP = "224.0.1.5"


class Domain:
    """A domain on a gateway with one VPC, and an interface in a subnet of that."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.gateway = make_transit(cloud, MulticastSupport="enable")
        self.vpc = make_vpc(cloud)
        self.subnet = make_subnet(cloud, self.vpc)
        self.other = make_subnet(cloud, self.vpc, "10.0.2.0/24")
        self.attachment = attach(cloud, self.gateway, self.vpc, self.subnet)
        self.eni = str(make_interface(cloud, self.subnet)["NetworkInterfaceId"])
        self.id = self.make(StaticSourcesSupport="enable")

    def make(self, **options: Any) -> str:
        made = self.cloud.call(
            "CreateTransitGatewayMulticastDomain", TransitGatewayId=self.gateway, Options=options
        )["TransitGatewayMulticastDomain"]
        settle(self.cloud)
        return str(made["TransitGatewayMulticastDomainId"])

    def named(self, *subnets: str, **more: Any) -> dict[str, Any]:
        return {
            "TransitGatewayMulticastDomainId": self.id,
            "TransitGatewayAttachmentId": self.attachment,
            "SubnetIds": list(subnets or [self.subnet]),
            **more,
        }

    def station(self, **more: Any) -> dict[str, Any]:
        return {
            "TransitGatewayMulticastDomainId": self.id,
            "GroupIpAddress": GROUP,
            "NetworkInterfaceIds": [self.eni],
            **more,
        }

    def found(self, **filters: str) -> list[dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in filters.items()}
        answer = self.cloud.call(
            "SearchTransitGatewayMulticastGroups",
            TransitGatewayMulticastDomainId=self.id,
            Filters=only(named),
        )
        return list(answer["MulticastGroups"])


@pytest.fixture
def domain(cloud: Cloud) -> Domain:
    return Domain(cloud)


def test_a_domain(cloud: Cloud, domain: Domain) -> None:
    filters = only({"transit-gateway-id": domain.gateway, "state": "available"})
    (shown,) = cloud.call("DescribeTransitGatewayMulticastDomains", Filters=filters)[
        "TransitGatewayMulticastDomains"
    ]
    assert shown["TransitGatewayMulticastDomainId"] == domain.id
    assert shown["TransitGatewayMulticastDomainArn"].endswith(
        f":transit-gateway-multicast-domain/{domain.id}"
    )
    assert shown["Options"] == {
        "Igmpv2Support": "disable",
        "StaticSourcesSupport": "enable",
        "AutoAcceptSharedAssociations": "disable",
    }
    plain = {"TransitGatewayId": make_transit(cloud)}
    code, _ = refusal(cloud, "CreateTransitGatewayMulticastDomain", **plain)
    assert code == "IncorrectState"
    cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())
    gone = {"TransitGatewayMulticastDomainId": domain.id}
    assert refusal(cloud, "DeleteTransitGatewayMulticastDomain", **gone)[0] == "IncorrectState"
    cloud.call("DisassociateTransitGatewayMulticastDomain", **domain.named())
    answer = cloud.call("DeleteTransitGatewayMulticastDomain", **gone)
    assert answer["TransitGatewayMulticastDomain"]["State"] == "deleting"
    assert refusal(cloud, "DeleteTransitGatewayMulticastDomain", **gone)[0] == (
        "InvalidTransitGatewayMulticastDomainId.NotFound"
    )


def test_a_gateway_stays_while_it_has_a_domain(cloud: Cloud, domain: Domain) -> None:
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=domain.attachment)
    settle(cloud)
    asked = {"TransitGatewayId": domain.gateway}
    code, message = refusal(cloud, "DeleteTransitGateway", **asked)
    assert code == "IncorrectState"
    assert domain.id in message
    cloud.call("DeleteTransitGatewayMulticastDomain", TransitGatewayMulticastDomainId=domain.id)
    cloud.call("DeleteTransitGateway", **asked)


def test_subnets_of_a_domain(cloud: Cloud, domain: Domain) -> None:
    made = cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())["Associations"]
    assert made == {
        "TransitGatewayMulticastDomainId": domain.id,
        "TransitGatewayAttachmentId": domain.attachment,
        "ResourceId": domain.vpc,
        "ResourceType": "vpc",
        "ResourceOwnerId": "123456789012",
        "Subnets": [{"SubnetId": domain.subnet, "State": "associating"}],
    }
    settle(cloud)

    def listed(**filters: str) -> list[dict[str, Any]]:
        answer = cloud.call(
            "GetTransitGatewayMulticastDomainAssociations",
            TransitGatewayMulticastDomainId=domain.id,
            Filters=only({name.replace("_", "-"): value for name, value in filters.items()}),
        )
        return list(answer["MulticastDomainAssociations"])

    (shown,) = listed(subnet_id=domain.subnet, state="associated")
    assert (shown["ResourceId"], shown["Subnet"]["State"]) == (domain.vpc, "associated")
    assert listed(subnet_id=domain.other) == []
    again = {**domain.named(), "TransitGatewayMulticastDomainId": domain.make()}
    for params, code in (
        (domain.named(), "Resource.AlreadyAssociated"),
        (again, "Resource.AlreadyAssociated"),
        (
            domain.named(make_subnet(cloud, make_vpc(cloud, "10.1.0.0/16"), "10.1.1.0/24")),
            "InvalidParameterValue",
        ),
    ):
        assert refusal(cloud, "AssociateTransitGatewayMulticastDomain", **params)[0] == code
    missing = "InvalidTransitGatewayMulticastDomainAssociation.NotFound"
    for action in ("Disassociate", "Accept", "Reject"):
        name = f"{action}TransitGatewayMulticastDomain"
        name = name if action == "Disassociate" else f"{name}Associations"
        assert refusal(cloud, name, **domain.named(domain.other))[0] == missing
    for action in ("Accept", "Reject"):
        name = f"{action}TransitGatewayMulticastDomainAssociations"
        assert refusal(cloud, name, **domain.named())[0] == "IncorrectState"
    gone = cloud.call("DisassociateTransitGatewayMulticastDomain", **domain.named())
    assert gone["Associations"]["Subnets"][0]["State"] == "disassociating"
    assert listed() == []


def test_members_and_sources(cloud: Cloud, domain: Domain) -> None:
    code, _ = refusal(cloud, "RegisterTransitGatewayMulticastGroupMembers", **domain.station())
    assert code == "InvalidParameterValue", "its subnet is not in the domain"
    cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())
    made = cloud.call("RegisterTransitGatewayMulticastGroupMembers", **domain.station())
    assert made["RegisteredMulticastGroupMembers"] == {
        "TransitGatewayMulticastDomainId": domain.id,
        "RegisteredNetworkInterfaceIds": [domain.eni],
        "GroupIpAddress": GROUP,
    }
    cloud.call("RegisterTransitGatewayMulticastGroupSources", **domain.station())
    cloud.call("RegisterTransitGatewayMulticastGroupSources", **domain.station())
    assert len(domain.found()) == 2
    (member,) = domain.found(group_ip_address=GROUP, is_group_member="true")
    assert member == {
        "GroupIpAddress": GROUP,
        "TransitGatewayAttachmentId": domain.attachment,
        "SubnetId": domain.subnet,
        "ResourceId": domain.vpc,
        "ResourceType": "vpc",
        "ResourceOwnerId": "123456789012",
        "NetworkInterfaceId": domain.eni,
        "GroupMember": True,
        "GroupSource": False,
        "MemberType": "static",
    }
    (source,) = domain.found(source_type="static")
    assert (source["GroupMember"], source["GroupSource"]) == (False, True)
    gone = cloud.call("DeregisterTransitGatewayMulticastGroupMembers", **domain.station())
    assert gone["DeregisteredMulticastGroupMembers"]["DeregisteredNetworkInterfaceIds"] == [
        domain.eni
    ]
    assert domain.found() == [source]
    again = refusal(cloud, "DeregisterTransitGatewayMulticastGroupMembers", **domain.station())
    assert again[0] == "InvalidParameterValue"
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=domain.eni)
    assert domain.found() == []


def test_who_leaves_a_domain_leaves_its_groups(cloud: Cloud, domain: Domain) -> None:
    cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())
    cloud.call("RegisterTransitGatewayMulticastGroupSources", **domain.station())
    cloud.call("DeregisterTransitGatewayMulticastGroupSources", **domain.station())
    cloud.call("RegisterTransitGatewayMulticastGroupMembers", **domain.station())
    cloud.call("DisassociateTransitGatewayMulticastDomain", **domain.named())
    cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())
    assert domain.found() == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"GroupIpAddress": "10.0.0.1"}, "InvalidParameterValue"),
        ({"GroupIpAddress": "224.0.0"}, "InvalidParameterValue"),
        ({"GroupIpAddress": None}, "MissingParameter"),
        (
            {"NetworkInterfaceIds": ["eni-0123456789abcdef0"]},
            "InvalidNetworkInterfaceID.NotFound",
        ),
    ],
)
def test_stations_that_are_refused(
    cloud: Cloud, domain: Domain, more: dict[str, Any], code: str
) -> None:
    cloud.call("AssociateTransitGatewayMulticastDomain", **domain.named())
    asked = {name: value for name, value in domain.station(**more).items() if value is not None}
    assert refusal(cloud, "RegisterTransitGatewayMulticastGroupMembers", **asked)[0] == code


def test_sources_need_the_option(cloud: Cloud, domain: Domain) -> None:
    asked = domain.station(TransitGatewayMulticastDomainId=domain.make(Igmpv2Support="enable"))
    code, _ = refusal(cloud, "RegisterTransitGatewayMulticastGroupSources", **asked)
    assert code == "IncorrectState"
