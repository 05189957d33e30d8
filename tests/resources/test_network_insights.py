"""Network Insights paths and analyses through the API."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources import REGISTRY
from gureum.server.insights import Insights
from gureum.server.networks import Networks
from tests.conftest import Cloud
from tests.explain.test_walk import ANY, Shop
from tests.resources.building import settle

NOBODY = "i-0123456789abcdef0"


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    networks = Networks(cloud.store, REGISTRY, lambda host, version: False)
    cloud.dispatch.analyse = Insights(networks)
    return Shop(cloud)


def path(shop: Shop, source: str, **more: Any) -> str:
    made = shop.cloud.call(
        "CreateNetworkInsightsPath", Source=source, Protocol=more.pop("Protocol", "tcp"),
        ClientToken=f"t{shop.cloud.store.view.revision}", **more,
    )  # fmt: skip
    return str(made["NetworkInsightsPath"]["NetworkInsightsPathId"])


def analysis(shop: Shop, key: str, **more: Any) -> dict[str, Any]:
    """A finished analysis of a path."""
    token = f"a{shop.cloud.store.view.revision}"
    started = shop.cloud.call(
        "StartNetworkInsightsAnalysis", NetworkInsightsPathId=key, ClientToken=token, **more
    )["NetworkInsightsAnalysis"]
    assert started["Status"] == "running"
    only = [started["NetworkInsightsAnalysisId"]]
    answer = shop.cloud.call("DescribeNetworkInsightsAnalyses", NetworkInsightsAnalysisIds=only)
    (found,) = answer["NetworkInsightsAnalyses"]
    assert found["Status"] == "succeeded"
    return dict(found)


def ids(found: dict[str, Any], way: str) -> list[str]:
    components = found[f"{way}PathComponents"]
    assert [each["SequenceNumber"] for each in components] == list(range(1, len(components) + 1))
    return [each["Component"]["Id"].partition("-")[0] for each in components]


def codes(found: dict[str, Any]) -> list[str]:
    assert found["NetworkPathFound"] is False
    return [each["ExplanationCode"] for each in found["Explanations"]]


def test_a_way_in_has_the_documented_components(shop: Shop) -> None:
    key = path(shop, shop.gateway, Destination=shop.web, DestinationPort=80)
    found = analysis(shop, key)
    assert found["NetworkPathFound"] is True
    assert ids(found, "Forward") == ["igw", "acl", "sg", "eni", "i"]
    assert ids(found, "Return") == ["i", "eni", "sg", "acl", "rtb", "igw"]
    gateway, acl, group, eni, instance = found["ForwardPathComponents"]
    assert gateway["InboundHeader"]["DestinationAddresses"] == [f"{shop.public_ip(shop.web)}/32"]
    assert gateway["OutboundHeader"]["DestinationAddresses"] == [f"{shop.ip(shop.web)}/32"]
    assert gateway["OutboundHeader"]["Protocol"] == "6"
    assert acl["AclRule"] == {
        "Cidr": ANY, "Egress": False, "Protocol": "all", "RuleAction": "allow", "RuleNumber": 100,
    }  # fmt: skip
    assert group["SecurityGroupRule"] == {
        "Cidr": ANY, "Direction": "ingress", "PortRange": {"From": 80, "To": 80},
        "Protocol": "tcp",
    }  # fmt: skip
    assert eni["AttachedTo"]["Id"] == shop.web == instance["Component"]["Id"]
    assert eni["Vpc"]["Id"] == shop.vpc
    assert instance["Component"]["Arn"].endswith(f":instance/{shop.web}")
    table = found["ReturnPathComponents"][4]
    assert table["RouteTableRoute"] == {
        "DestinationCidr": ANY, "GatewayId": shop.gateway, "Origin": "CreateRoute",
        "State": "active",
    }  # fmt: skip


def test_headers_hold_every_client_port_from_which_it_works(shop: Shop) -> None:
    key = path(shop, shop.gateway, Destination=shop.web, DestinationPort=80)

    def ports() -> list[Any]:
        found = analysis(shop, key)
        there, back = found["ForwardPathComponents"], found["ReturnPathComponents"]
        assert there[0]["InboundHeader"]["DestinationPortRanges"] == [{"From": 80, "To": 80}]
        assert back[0]["OutboundHeader"]["SourcePortRanges"] == [{"From": 80, "To": 80}]
        return [
            there[0]["InboundHeader"]["SourcePortRanges"],
            there[-1]["InboundHeader"]["SourcePortRanges"],
            back[0]["OutboundHeader"]["DestinationPortRanges"],
            back[-1]["OutboundHeader"]["DestinationPortRanges"],
        ]

    assert ports() == [[{"From": 32768, "To": 60999}]] * 4
    subnet = shop.cloud.call("DescribeInstances", InstanceIds=[shop.web])
    subnet = subnet["Reservations"][0]["Instances"][0]["SubnetId"]
    acl = shop.cloud.call("CreateNetworkAcl", VpcId=shop.vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 100, "CidrBlock": ANY, "RuleAction": "allow"}
    shop.cloud.call("CreateNetworkAclEntry", **entry, Egress=False, Protocol="-1")
    for number, first, last in ((100, 1024, 40000), (110, 50000, 50009)):
        span = {"RuleNumber": number, "PortRange": {"From": first, "To": last}}
        shop.cloud.call("CreateNetworkAclEntry", **entry | span, Egress=True, Protocol="6")
    shop.cloud.join_acl(acl, subnet)
    assert ports() == [[{"From": 32768, "To": 40000}, {"From": 50000, "To": 50009}]] * 4


def test_a_way_between_subnets(shop: Shop) -> None:
    found = analysis(shop, path(shop, shop.web, Destination=shop.db, DestinationPort=3306))
    expected = ["i", "eni", "sg", "acl", "rtb", "acl", "sg", "eni", "i"]
    assert ids(found, "Forward") == ids(found, "Return") == expected
    rule = found["ForwardPathComponents"][6]["SecurityGroupRule"]
    assert rule["SecurityGroupId"] == shop.web_group


def test_every_block_is_explained(shop: Shop) -> None:
    found = analysis(shop, path(shop, shop.web, Destination=shop.db, DestinationPort=22))
    assert codes(found) == ["ENI_SG_RULES_MISMATCH"]
    (block,) = found["Explanations"]
    assert block["Direction"] == "ingress"
    assert [each["Id"] for each in block["SecurityGroups"]] == [shop.db_group]
    assert (block["Port"], block["Protocols"]) == (22, ["tcp"])
    assert block["PacketField"] == "destination-port"
    found = analysis(shop, path(shop, shop.db, Destination=shop.gateway, DestinationPort=443))
    assert codes(found) == ["NO_ROUTE_TO_DESTINATION"]
    (block,) = found["Explanations"]
    assert block["RouteTable"]["Id"].startswith("rtb-")
    assert block["Direction"] == "egress"


def test_without_a_port_any_will_do(shop: Shop) -> None:
    found = analysis(shop, path(shop, shop.gateway, Destination=shop.web))
    header = found["ForwardPathComponents"][0]["InboundHeader"]
    assert header["DestinationPortRanges"] == [{"From": 80, "To": 80}]
    ports = {"DestinationPortRange": {"FromPort": 81, "ToPort": 65535}}
    found = analysis(shop, path(shop, shop.gateway, Destination=shop.web, FilterAtSource=ports))
    assert set(codes(found)) == {"ENI_SG_RULES_MISMATCH"}


def test_an_analysis_is_a_record_of_its_moment(shop: Shop) -> None:
    key = path(shop, shop.gateway, Destination=shop.web, DestinationPort=80)
    before = analysis(shop, key)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": ANY}]}
    group = shop.web_group
    shop.cloud.call("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    again = shop.cloud.call(
        "DescribeNetworkInsightsAnalyses",
        NetworkInsightsAnalysisIds=[before["NetworkInsightsAnalysisId"]],
    )["NetworkInsightsAnalyses"]
    assert again == [before]
    assert analysis(shop, key)["NetworkPathFound"] is False


def test_components_can_be_asked_for_and_excluded(shop: Shop) -> None:
    key = path(shop, shop.gateway, Destination=shop.web, DestinationPort=80)
    prefix = f"arn:aws:ec2:{shop.cloud.region}:{shop.cloud.account}:"
    group = f"{prefix}security-group/{shop.web_group}"
    assert analysis(shop, key, FilterInArns=[group])["NetworkPathFound"] is True
    found = analysis(shop, key, FilterOutArns=[group])
    assert codes(found) == ["COMPONENT_FILTER_RESTRICTION_REMOVED_COMPONENT"]
    found = analysis(shop, key, FilterInArns=[f"{prefix}instance/{shop.db}"])
    assert codes(found) == ["COMPONENT_FILTER_RESTRICTION"]


def ports_of(first: int, last: int) -> dict[str, int]:
    return {"FromPort": first, "ToPort": last}


def test_a_filter_at_the_source_is_about_what_is_sent(shop: Shop) -> None:
    def found(**filter_: Any) -> dict[str, Any]:
        return analysis(shop, path(shop, shop.web, Destination=shop.db, FilterAtSource=filter_))

    mysql = {"DestinationPortRange": ports_of(3306, 3306)}
    web, db = (shop.ip(each) for each in (shop.web, shop.db))
    assert found(**mysql, SourceAddress=web, DestinationAddress=db)["NetworkPathFound"]
    assert codes(found(**mysql, SourceAddress="10.0.1.250")) == ["FILTER_AT_SOURCE_SOURCE_ADDRESS"]
    assert codes(found(**mysql, DestinationAddress=web)) == ["FILTER_AT_SOURCE_DESTINATION_ADDRESS"]


def test_a_filter_at_the_destination_is_about_what_arrives(shop: Shop) -> None:
    """From the internet the target becomes the private address on the way."""
    private = shop.ip(shop.web)

    def found(**filter_: Any) -> dict[str, Any]:
        key = path(shop, shop.gateway, Destination=shop.web, FilterAtDestination=filter_)
        return analysis(shop, key)

    assert found(DestinationAddress=private)["NetworkPathFound"]
    assert found(SourceAddress="203.0.113.5")["NetworkPathFound"]
    assert codes(found(DestinationAddress="198.18.0.1")) == [
        "FILTER_AT_DESTINATION_DESTINATION_ADDRESS"
    ]
    both = {"FilterAtSource": {"DestinationPortRange": ports_of(80, 80)}}
    both["FilterAtDestination"] = {"DestinationPortRange": ports_of(81, 90)}
    key = path(shop, shop.gateway, Destination=shop.web, **both)
    (told,) = analysis(shop, key)["Explanations"]
    assert told["ExplanationCode"] == "FILTER_AT_DESTINATION_DESTINATION_PORT_RANGE"
    assert told["PacketField"] == "destination-port"
    both = {"FilterAtSource": {"SourcePortRange": ports_of(40000, 40000)}}
    both["FilterAtDestination"] = {"SourcePortRange": ports_of(50000, 50001)}
    key = path(shop, shop.web, Destination=shop.db, **both)
    assert codes(analysis(shop, key)) == ["FILTER_AT_DESTINATION_SOURCE_PORT_RANGE"]


def test_a_filter_behind_a_nat_gateway_cannot_ask_for_what_it_rewrites(shop: Shop) -> None:
    call = shop.cloud.call
    address = call("AllocateAddress")["AllocationId"]
    nat = call("CreateNatGateway", SubnetId=shop.public, AllocationId=address)["NatGateway"]
    shop.route(shop.routed(shop.private), ANY, NatGatewayId=nat["NatGatewayId"])
    settle(shop.cloud)

    def found(**filter_: Any) -> dict[str, Any]:
        key = path(shop, shop.db, Destination=shop.gateway, FilterAtDestination=filter_)
        return analysis(shop, key)

    assert found(SourcePortRange=ports_of(1024, 2000))["NetworkPathFound"]
    assert codes(found(SourceAddress=shop.ip(shop.db))) == [
        *("FILTER_AT_DESTINATION_SOURCE_ADDRESS", "NGW_SOURCE_ADDRESS_REASSIGN"),
    ]
    assert codes(found(SourcePortRange=ports_of(53, 53))) == [
        *("FILTER_AT_DESTINATION_SOURCE_PORT_RANGE", "REMAP_EPHEMERAL_PORT"),
    ]
    assert codes(found(DestinationAddress="198.19.0.10")) == [
        *("FILTER_AT_DESTINATION_DESTINATION_ADDRESS", "NGW_DEST_ADDRESS_PRESERVATION"),
    ]


def test_an_instance_sends_out_of_the_interface_that_is_near(shop: Shop) -> None:
    call = shop.cloud.call
    made = call("CreateNetworkInterface", SubnetId=shop.private, Groups=[shop.web_group])
    second = made["NetworkInterface"]["NetworkInterfaceId"]
    call("AttachNetworkInterface", NetworkInterfaceId=second, InstanceId=shop.web, DeviceIndex=1)
    found = analysis(shop, path(shop, shop.web, Destination=shop.db, DestinationPort=3306))
    used = found["ForwardPathComponents"][1]["Component"]["Id"]
    assert (used, ids(found, "Forward")) == (second, ["i", "eni", "sg", "sg", "eni", "i"])


def test_an_end_that_is_gone(shop: Shop) -> None:
    eni = shop.cloud.call("CreateNetworkInterface", SubnetId=shop.private)["NetworkInterface"]
    key = path(shop, eni["NetworkInterfaceId"], Destination=shop.web, DestinationPort=80)
    assert codes(analysis(shop, key)) == ["UNASSOCIATED_COMPONENT"]
    shop.cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni["NetworkInterfaceId"])
    assert codes(analysis(shop, key)) == ["NO_SOURCE_OR_DESTINATION"]


def test_an_end_that_is_not_followed_from(shop: Shop) -> None:
    made = shop.cloud.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    for ends in ((made, shop.web), (shop.web, made)):
        found = analysis(shop, path(shop, ends[0], Destination=ends[1], DestinationPort=80))
        (told,) = found["Explanations"]
        assert told["ExplanationCode"] == "UNSUPPORTED_COMPONENT"
        assert told["Component"]["Id"] == made


def test_paths_are_described_filtered_tagged_and_deleted(shop: Shop) -> None:
    tags = [{"ResourceType": "network-insights-path", "Tags": [{"Key": "a", "Value": "b"}]}]
    arn = f"arn:aws:ec2:{shop.cloud.region}:{shop.cloud.account}:instance/{shop.web}"
    first = path(shop, arn, DestinationIp="198.19.0.20", TagSpecifications=tags, Protocol="udp")
    second = path(shop, shop.db, Destination=shop.web)
    call = shop.cloud.call
    (shown,) = call(
        "DescribeNetworkInsightsPaths", Filters=[{"Name": "protocol", "Values": ["udp"]}]
    )["NetworkInsightsPaths"]
    assert shown["NetworkInsightsPathId"] == first
    assert (shown["Source"], shown["SourceArn"]) == (shop.web, arn)
    assert shown["Tags"] == [{"Key": "a", "Value": "b"}]
    ports = {"DestinationPortRange": {"FromPort": 80, "ToPort": 90}}
    third = path(shop, shop.web, Destination=shop.db, FilterAtDestination=ports)
    name = "filter-at-destination.destination-port-range"
    only = [{"Name": name, "Values": ["80-90"]}]
    (shown,) = call("DescribeNetworkInsightsPaths", Filters=only)["NetworkInsightsPaths"]
    assert shown["NetworkInsightsPathId"] == third
    call("DeleteNetworkInsightsPath", NetworkInsightsPathId=third)
    made = analysis(shop, second)
    error = shop.cloud.error("DeleteNetworkInsightsPath", NetworkInsightsPathId=second)
    assert error.code == "AnalysisExistsForNetworkInsightsPath"
    only = [{"Name": "path-found", "Values": ["true"]}]
    assert (
        len(call("DescribeNetworkInsightsAnalyses", Filters=only)["NetworkInsightsAnalyses"]) == 1
    )
    key = made["NetworkInsightsAnalysisId"]
    call("DeleteNetworkInsightsAnalysis", NetworkInsightsAnalysisId=key)
    call("DeleteNetworkInsightsPath", NetworkInsightsPathId=second)
    (left,) = call("DescribeNetworkInsightsPaths")["NetworkInsightsPaths"]
    assert left["NetworkInsightsPathId"] == first


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Source": NOBODY, "DestinationIp": "8.8.8.8"}, "InvalidInstanceID.NotFound"),
        ({"Source": "subnet-12345678", "DestinationIp": "1.1.1.1"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"DestinationIp": "1.2.3"}, "InvalidParameterValue"),
        ({"DestinationIp": "1.2.3.4", "DestinationPort": 65536}, "InvalidParameterValue"),
        (
            {
                "SourceIp": "1.2.3.4",
                "DestinationIp": "1.2.3.4",
                "FilterAtSource": {"SourceAddress": "1.2.3.4"},
            },
            "InvalidParameterCombination",
        ),
    ],
)
def test_paths_that_cannot_be(shop: Shop, params: dict[str, Any], code: str) -> None:
    given = {"Source": shop.web, "Protocol": "tcp", "ClientToken": "t", **params}
    assert shop.cloud.error("CreateNetworkInsightsPath", **given).code == code


def test_ids_of_nothing(shop: Shop) -> None:
    path_id, analysis_id = "nip-0123456789abcdef0", "nia-0123456789abcdef0"
    for action, params, code in (
        ("DeleteNetworkInsightsPath", {"NetworkInsightsPathId": path_id}, "Path"),
        ("DeleteNetworkInsightsAnalysis", {"NetworkInsightsAnalysisId": analysis_id}, "Analysis"),
        ("DescribeNetworkInsightsPaths", {"NetworkInsightsPathIds": [path_id]}, "Path"),
        (
            "StartNetworkInsightsAnalysis",
            {"NetworkInsightsPathId": path_id, "ClientToken": "t"},
            "Path",
        ),
    ):
        error = shop.cloud.error(action, **params)
        assert error.code == f"InvalidNetworkInsights{code}Id.NotFound"
