"""Flow logs: what CreateFlowLogs takes and refuses, and whose packets are recorded."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Recorded, RecordedLink
from gureum.resources.flow_log_api import MAX_PER_RESOURCE
from gureum.resources.flow_log_format import (
    DEFAULT_FORMAT,
    FIELDS,
    TRANSIT_FORMAT,
    fields_of,
    version_of,
)
from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, plug_in
from tests.resources.transit import attach, make_transit

ROLE = "arn:aws:iam::123456789012:role/flow-logs"
GROUP = {"LogGroupName": "flows", "DeliverLogsPermissionArn": ROLE}
BUCKET = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::my-flows/here"}


def create(cloud: Cloud, *keys: str, of: str = "VPC", **more: Any) -> dict[str, Any]:
    """CreateFlowLogs of all traffic, to a log group unless something else is named."""
    where = {} if {"LogGroupName", "LogDestination"} & more.keys() else GROUP
    given = {"TrafficType": "ALL", **where, **more}
    return cloud.call("CreateFlowLogs", ResourceIds=list(keys), ResourceType=of, **given)


def described(cloud: Cloud, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.call("DescribeFlowLogs", **more)["FlowLogs"]
    return found


def test_a_flow_log_is_shown_as_it_was_asked_for(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tags = [{"Key": "Name", "Value": "watch"}]
    answer = create(cloud, vpc, TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": tags}])
    (key,) = answer["FlowLogIds"]
    assert key.startswith("fl-")
    assert answer["Unsuccessful"] == []
    (shown,) = described(cloud, FlowLogIds=[key])
    assert {**shown, "CreationTime": str(shown["CreationTime"])[:10]} == {
        "FlowLogId": key,
        "CreationTime": "2026-11-24",
        "DeliverLogsStatus": "SUCCESS",
        "FlowLogStatus": "ACTIVE",
        "ResourceId": vpc,
        "TrafficType": "ALL",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": ROLE,
        "LogFormat": DEFAULT_FORMAT,
        "MaxAggregationInterval": 600,
        "Tags": tags,
    }


def test_to_a_bucket_with_a_format_of_its_own(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    (key,) = create(
        cloud,
        subnet,
        of="Subnet",
        **BUCKET,
        LogFormat="${srcaddr}  ${traffic-path}",
        MaxAggregationInterval=60,
        DestinationOptions={"HiveCompatiblePartitions": True},
    )["FlowLogIds"]
    (shown,) = described(cloud, FlowLogIds=[key])
    assert shown["LogFormat"] == "${srcaddr}  ${traffic-path}"
    assert shown["LogDestination"] == "arn:aws:s3:::my-flows/here"
    assert "LogGroupName" not in shown
    assert shown["MaxAggregationInterval"] == 60
    assert shown["DestinationOptions"] == {
        "FileFormat": "plain-text",
        "HiveCompatiblePartitions": True,
        "PerHourPartition": False,
    }


def test_an_arn_names_its_group(cloud: Cloud) -> None:
    arn = "arn:aws:logs:ap-northeast-2:123456789012:log-group:/aws/vpc/flows:*"
    create(cloud, make_vpc(cloud), LogDestination=arn, DeliverLogsPermissionArn=ROLE)
    (shown,) = described(cloud)
    assert (shown["LogGroupName"], shown["LogDestination"]) == ("/aws/vpc/flows", arn)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"TrafficType": None}, "MissingParameter", "TrafficType"),
        (
            {"LogGroupName": None},
            "InvalidParameter",
            "LogDestination can't be empty if LogGroupName is not provided.",
        ),
        (
            {"LogDestination": "arn:aws:logs:x:1:log-group:y"},
            "InvalidParameter",
            "Please only provide LogGroupName or only provide LogDestination.",
        ),
        (
            {"DeliverLogsPermissionArn": None},
            "InvalidParameter",
            "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.",
        ),
        (
            {"LogDestinationType": "s3"},
            "InvalidParameter",
            "LogDestination type must be cloud-watch-logs if LogGroupName is provided.",
        ),
        ({"MaxAggregationInterval": 61}, "InvalidParameter", "Max Aggregation Interval"),
        ({"LogFormat": "${srcaddr} ${nothing}"}, "InvalidParameter", "${nothing}"),
        ({"LogFormat": "srcaddr"}, "InvalidParameter", "srcaddr"),
        ({"LogFormat": " "}, "InvalidParameter", "at least one"),
        ({"LogGroupName": "a b"}, "InvalidParameter", "LogGroupName"),
        ({"DestinationOptions": {"FileFormat": "plain-text"}}, "InvalidParameter", "s3"),
        (
            {**BUCKET, "LogGroupName": None, "DestinationOptions": {"FileFormat": "parquet"}},
            "UnsupportedOperation",
            "parquet",
        ),
        (
            {"LogDestinationType": "kinesis-data-firehose"},
            "UnsupportedOperation",
            "kinesis-data-firehose",
        ),
        (
            {**BUCKET, "LogGroupName": None, "LogDestination": "arn:aws:s3:::bbb/AWSLogs/"},
            "InvalidParameter",
            "reserved",
        ),
        ({"ResourceType": "CoreNetwork"}, "UnsupportedOperation", "CoreNetwork"),
    ],
)
def test_what_is_refused(cloud: Cloud, given: dict[str, Any], code: str, words: str) -> None:
    params = {
        "ResourceIds": [make_vpc(cloud)],
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        **GROUP,
        **given,
    }
    present = {name: value for name, value in params.items() if value is not None}
    error = cloud.error("CreateFlowLogs", **present)
    assert error.code == code
    assert words in error.message
    assert described(cloud) == []


def test_what_is_not_there_is_told_of_and_the_rest_is_made(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    answer = create(cloud, "vpc-0123456789abcdef0", vpc)
    assert answer["Unsuccessful"] == [
        {
            "ResourceId": "vpc-0123456789abcdef0",
            "Error": {
                "Code": "InvalidVpcID.NotFound",
                "Message": "The vpc ID 'vpc-0123456789abcdef0' does not exist",
            },
        }
    ]
    assert [each["ResourceId"] for each in described(cloud)] == [vpc]


def test_one_destination_once_and_two_of_a_resource(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud)
    create(cloud, vpc)
    error = cloud.error(
        "CreateFlowLogs",
        ResourceIds=[other, vpc],
        ResourceType="VPC",
        TrafficType="REJECT",
        **GROUP,
    )
    assert error.code == "FlowLogAlreadyExists"
    assert len(described(cloud)) == 1  # nothing half done
    for number in range(1, MAX_PER_RESOURCE):
        create(cloud, vpc, LogGroupName=f"g{number}", DeliverLogsPermissionArn=ROLE)
    (refused,) = create(cloud, vpc, **BUCKET)["Unsuccessful"]
    assert refused["Error"]["Code"] == "FlowLogsLimitExceeded"


def test_deleting(cloud: Cloud) -> None:
    (key,) = create(cloud, make_vpc(cloud))["FlowLogIds"]
    answer = cloud.call("DeleteFlowLogs", FlowLogIds=[key, "fl-0123456789abcdef0"])
    (refused,) = answer["Unsuccessful"]
    assert refused["ResourceId"] == "fl-0123456789abcdef0"
    assert refused["Error"]["Code"] == "InvalidFlowLogId.NotFound"
    assert described(cloud) == []
    assert cloud.error("DescribeFlowLogs", FlowLogIds=[key]).code == "InvalidFlowLogId.NotFound"


def transit(cloud: Cloud) -> tuple[str, str]:
    """A transit gateway and an attachment of it."""
    gateway, vpc = make_transit(cloud), make_vpc(cloud)
    return gateway, attach(cloud, gateway, vpc, make_subnet(cloud, vpc))


def of_transit(cloud: Cloud, *keys: str, of: str = "TransitGateway", **more: Any) -> dict[str, Any]:
    """CreateFlowLogs of transit gateways to a log group."""
    given = {"ResourceIds": list(keys), "ResourceType": of, **GROUP, **more}
    return cloud.call("CreateFlowLogs", **given)


def test_a_flow_log_of_a_transit_gateway_has_all_fields_and_no_type_of_traffic(
    cloud: Cloud,
) -> None:
    gateway, attachment = transit(cloud)
    of_transit(cloud, gateway)
    of_transit(cloud, attachment, of="TransitGatewayAttachment", LogFormat="${tgw-id} ${end}")
    shown = {each["ResourceId"]: each for each in described(cloud)}
    first, second = shown[gateway], shown[attachment]
    assert "TrafficType" not in first
    assert first["MaxAggregationInterval"] == 60
    assert first["LogFormat"] == TRANSIT_FORMAT
    assert first["LogFormat"].startswith("${version} ${resource-type} ${account-id} ${tgw-id} ")
    assert second["LogFormat"] == "${tgw-id} ${end}"
    said = cloud.program().statements
    assert {s: ids for s, ids in said.items() if isinstance(s, RecordedLink)} == {
        RecordedLink(attachment, gateway): {attachment, first["FlowLogId"], second["FlowLogId"]}
    }
    cloud.call("DeleteFlowLogs", FlowLogIds=[first["FlowLogId"], second["FlowLogId"]])
    assert not any(isinstance(each, RecordedLink) for each in cloud.program().statements)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TrafficType": "ALL"}, "TrafficType is not supported"),
        ({"MaxAggregationInterval": 600}, "Aggregation Interval"),
        ({"LogFormat": "${action}"}, "${action} is no field"),
        ({"ResourceIds": [f"tgw-{n:017x}" for n in range(26)]}, "At most 25"),
    ],
)
def test_flow_logs_of_transit_gateways_that_are_refused(
    cloud: Cloud, given: dict[str, Any], said: str
) -> None:
    gateway, _ = transit(cloud)
    wanted = {"ResourceIds": [gateway], "ResourceType": "TransitGateway", **GROUP, **given}
    error = cloud.error("CreateFlowLogs", **wanted)
    assert error.code == "InvalidParameter"
    assert said in error.message
    assert described(cloud) == []


def test_a_transit_gateway_that_is_not_there(cloud: Cloud) -> None:
    answer = of_transit(cloud, "tgw-0123456789abcdef0")
    (refused,) = answer["Unsuccessful"]
    assert refused["Error"]["Code"] == "InvalidTransitGatewayID.NotFound"


def test_filters(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud)
    (first,) = create(cloud, vpc)["FlowLogIds"]
    (second,) = create(cloud, other, TrafficType="REJECT", **BUCKET)["FlowLogIds"]
    for name, value, found in (
        ("resource-id", vpc, [first]),
        ("traffic-type", "REJECT", [second]),
        ("log-destination-type", "s3", [second]),
        ("log-group-name", "fl*", [first]),
        ("flow-log-id", second, [second]),
        ("deliver-log-status", "SUCCESS", [first, second]),
        ("deliver-log-status", "FAILED", []),
    ):
        shown = described(cloud, Filter=[{"Name": name, "Values": [value]}])
        assert sorted(each["FlowLogId"] for each in shown) == sorted(found), name


def test_a_vpc_goes_and_its_flow_log_stays(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    create(cloud, vpc)
    cloud.call("DeleteVpc", VpcId=vpc)
    assert [each["ResourceId"] for each in described(cloud)] == [vpc]


def test_fields_and_versions() -> None:
    assert len(fields_of(DEFAULT_FORMAT)) == 14
    assert version_of(fields_of(DEFAULT_FORMAT)) == 2
    assert version_of(fields_of("${srcaddr} ${tcp-flags} ${start}")) == 3
    assert version_of(tuple(FIELDS)) == 8


def recorded(cloud: Cloud) -> dict[str, frozenset[str]]:
    """The recorded interfaces and the flow logs that ask for it."""
    said = cloud.program().statements
    return {s.port.id: ids for s, ids in said.items() if isinstance(s, Recorded)}


def test_interfaces_are_recorded_while_a_flow_log_is_about_them(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, other = make_subnet(cloud, vpc), make_subnet(cloud, vpc, "10.0.2.0/24")
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    far = make_interface(cloud, other)["NetworkInterfaceId"]
    plug_in(cloud, eni)
    plug_in(cloud, far, "i-0000000000000000b")
    make_interface(cloud, subnet)  # in no host
    assert recorded(cloud) == {}
    (of_subnet,) = create(cloud, subnet, of="Subnet")["FlowLogIds"]
    assert set(recorded(cloud)) == {eni}
    (of_vpc,) = create(cloud, vpc)["FlowLogIds"]
    assert set(recorded(cloud)) == {eni, far}
    assert {of_subnet, of_vpc} <= recorded(cloud)[eni]
    cloud.call("DeleteFlowLogs", FlowLogIds=[of_vpc])
    assert set(recorded(cloud)) == {eni}
    cloud.call("DeleteFlowLogs", FlowLogIds=[of_subnet])
    assert recorded(cloud) == {}
    create(cloud, far, of="NetworkInterface")
    assert set(recorded(cloud)) == {far}
