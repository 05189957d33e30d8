"""The CloudFormation template that makes a flow log's files a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_vpc
from tests.resources.routing import refusal

BUCKET = "arn:aws:s3:::logs/flows"


def flow_log(cloud: Cloud, **more: Any) -> str:
    asked = {
        "ResourceIds": [make_vpc(cloud)],
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        "LogDestinationType": "s3",
        "LogDestination": BUCKET,
        **more,
    }
    return str(cloud.call("CreateFlowLogs", **asked)["FlowLogIds"][0])


def asked(key: str, *integrations: dict[str, Any], **more: Any) -> dict[str, Any]:
    one = {
        "IntegrationResultS3DestinationArn": "arn:aws:s3:::results/",
        "PartitionLoadFrequency": "none",
    }
    return {
        "FlowLogId": key,
        "ConfigDeliveryS3DestinationArn": "arn:aws:s3:::templates/",
        "IntegrateServices": {"AthenaIntegrations": [one | each for each in integrations or ({},)]},
        **more,
    }


def resources(cloud: Cloud, **params: Any) -> dict[str, Any]:
    text = cloud.call("GetFlowLogsIntegrationTemplate", **params)["Result"]
    return dict(json.loads(text)["Resources"])


def test_a_table_has_a_column_for_each_field(cloud: Cloud) -> None:
    key = flow_log(cloud, LogFormat="${srcaddr} ${tcp-flags} ${bytes} ${start} ${dstaddr}")
    found = resources(cloud, **asked(key))
    storage = found["Table"]["Properties"]["TableInput"]["StorageDescriptor"]
    assert [(each["Name"], each["Type"]) for each in storage["Columns"]] == [
        ("srcaddr", "string"),
        ("tcp_flags", "int"),
        ("bytes", "bigint"),
        ("starttime", "bigint"),
        ("dstaddr", "string"),
    ]
    assert storage["Location"] == "s3://logs/flows/AWSLogs/123456789012/"
    assert "TopTalkers" in found
    assert "Rejected" not in found, "nothing tells what was done with a packet"
    two = resources(cloud, **asked(key, {}, {"PartitionLoadFrequency": "daily"}))
    names = {two[each]["Properties"]["TableInput"]["Name"] for each in ("Table", "Table2")}
    assert names == {f"{key.replace('-', '_')}_none", f"{key.replace('-', '_')}_daily2"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"FlowLogId": "fl-0123456789abcdef0"}, "InvalidFlowLogId.NotFound"),
        ({"ConfigDeliveryS3DestinationArn": "templates"}, "InvalidParameterValue"),
        ({"IntegrateServices": {}}, "MissingParameter"),
    ],
)
def test_templates_that_are_refused(cloud: Cloud, more: dict[str, Any], code: str) -> None:
    params = asked(flow_log(cloud)) | more
    assert refusal(cloud, "GetFlowLogsIntegrationTemplate", **params)[0] == code


def test_only_what_is_delivered_to_a_bucket(cloud: Cloud) -> None:
    key = flow_log(
        cloud,
        LogDestinationType="cloud-watch-logs",
        LogDestination="arn:aws:logs:ap-northeast-2:123456789012:log-group:flows",
        DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/logs",
    )
    assert refusal(cloud, "GetFlowLogsIntegrationTemplate", **asked(key))[0] == (
        "InvalidParameterValue"
    )
