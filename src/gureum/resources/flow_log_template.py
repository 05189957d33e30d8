"""What makes a flow log's files a table of Amazon Athena: a CloudFormation template.

It names what the flow log delivers, in the format of its records; nobody runs it here.

Sources: VPC User Guide, "Query flow logs using Amazon Athena"; EC2 API Reference,
GetFlowLogsIntegrationTemplate; CloudFormation User Guide, AWS::Glue::Table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.resources.flow_log import FlowLog
from gureum.resources.flow_log_format import fields_of

_NUMBERS = frozenset(
    {"version", "srcport", "dstport", "protocol", "tcp-flags", "traffic-path"}
)  # fmt: skip
_LONG = frozenset({"packets", "bytes", "start", "end"})

_BUCKET = "arn:aws:s3:::"

_QUERIES = {
    "TopTalkers": "SELECT srcaddr, dstaddr, SUM(bytes) AS total FROM {} "
    "GROUP BY srcaddr, dstaddr ORDER BY total DESC LIMIT 50",
    "Rejected": "SELECT srcaddr, dstaddr, dstport, COUNT(*) AS records FROM {} "
    "WHERE action = 'REJECT' GROUP BY srcaddr, dstaddr, dstport ORDER BY records DESC LIMIT 50",
}
_QUERIED = {"TopTalkers": {"srcaddr", "dstaddr", "bytes"},
            "Rejected": {"srcaddr", "dstaddr", "dstport", "action"}}  # fmt: skip


def get_template(call: Call) -> Shape:
    """GetFlowLogsIntegrationTemplate: of a flow log that delivers to a bucket.

    Raises:
        ApiError: ``InvalidFlowLogId.NotFound``, ``InvalidParameterValue``,
            ``InvalidParameterCombination``.
    """
    row = call.txn.get(FlowLog, call.params["FlowLogId"])
    if row.destination_type != "s3" or row.destination is None:
        raise invalid_value("flowLogId", row.id, "The flow log does not deliver to Amazon S3.")
    _checked_arn("configDeliveryS3DestinationArn", call.params["ConfigDeliveryS3DestinationArn"])
    asked = call.params["IntegrateServices"].get("AthenaIntegrations") or ()
    if not asked:
        raise ApiError(
            "MissingParameter", "The request must contain the parameter athenaIntegrations"
        )
    resources: dict[str, Any] = {
        "Database": {
            "Type": "AWS::Glue::Database",
            "Properties": {
                "CatalogId": call.account,
                "DatabaseInput": {"Name": f"vpcflowlogs_{row.id.replace('-', '_')}"},
            },
        }
    }
    for number, item in enumerate(asked):
        resources |= _integration(call, row, item, "" if number == 0 else str(number + 1))
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Amazon Athena integration of the VPC flow log {row.id}",
        "Resources": resources,
    }
    return {"Result": json.dumps(template, indent=1)}


def _checked_arn(name: str, text: str) -> str:
    if not text.startswith(_BUCKET) or len(text) == len(_BUCKET):
        raise invalid_value(name, text, "It must be the ARN of an Amazon S3 bucket or folder.")
    return text.removeprefix(_BUCKET)


def _integration(
    call: Call, row: FlowLog, item: Mapping[str, Any], suffix: str
) -> dict[str, dict[str, Any]]:
    """The table, work group and queries of one integration."""
    result = _checked_arn(
        "integrationResultS3DestinationArn", item["IntegrationResultS3DestinationArn"]
    )
    begin, end = item.get("PartitionStartDate"), item.get("PartitionEndDate")
    if begin and end and str(begin) > str(end):
        raise invalid_combination("partitionStartDate must not be after partitionEndDate.")
    table = f"{row.id.replace('-', '_')}_{item['PartitionLoadFrequency']}{suffix}"
    fields = fields_of(row.log_format)
    where = str(row.destination).removeprefix(_BUCKET).rstrip("/")
    found: dict[str, dict[str, Any]] = {
        f"Table{suffix}": _table(call, table, fields, f"s3://{where}/AWSLogs/{call.account}/"),
        f"WorkGroup{suffix}": {
            "Type": "AWS::Athena::WorkGroup",
            "Properties": {
                "Name": f"{table}_workgroup",
                "WorkGroupConfiguration": {
                    "ResultConfiguration": {"OutputLocation": f"s3://{result}"}
                },
            },
        },
    }
    for name, text in _QUERIES.items():
        if _QUERIED[name] <= set(fields):
            found[f"{name}{suffix}"] = {
                "Type": "AWS::Athena::NamedQuery",
                "Properties": {
                    "Database": {"Ref": "Database"},
                    "Name": f"{table}_{name}",
                    "QueryString": text.format(table),
                    "WorkGroup": {"Ref": f"WorkGroup{suffix}"},
                },
            }
    return found


def _table(call: Call, name: str, fields: tuple[str, ...], location: str) -> dict[str, Any]:
    serde = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    return {
        "Type": "AWS::Glue::Table",
        "Properties": {
            "CatalogId": call.account,
            "DatabaseName": {"Ref": "Database"},
            "TableInput": {
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "true", "skip.header.line.count": "1"},
                "PartitionKeys": [{"Name": "date", "Type": "string"}],
                "StorageDescriptor": {
                    "Columns": [{"Name": _column(each), "Type": _type(each)} for each in fields],
                    "Location": location,
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": ("org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"),
                    "SerdeInfo": {
                        "SerializationLibrary": serde,
                        "Parameters": {"field.delim": " ", "serialization.format": " "},
                    },
                },
            },
        },
    }


def _column(field: str) -> str:
    """A column's name: a word of SQL's own and dashes are not good for one."""
    return {"start": "starttime", "end": "endtime"}.get(field, field.replace("-", "_"))


def _type(field: str) -> str:
    return "bigint" if field in _LONG else "int" if field in _NUMBERS else "string"


KIND: Kind[Any] = Kind(
    row=None,
    actions={"GetFlowLogsIntegrationTemplate": get_template},
    reads=frozenset({"GetFlowLogsIntegrationTemplate"}),
)
