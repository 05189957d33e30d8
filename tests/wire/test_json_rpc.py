"""The json protocol: requests as botocore writes them, answers as it reads them, and rubbish."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from gureum.errors import ApiError
from gureum.wire import Request, addressed, decode, encode, encode_error
from tests.wiring import REQUEST_ID, parse, service_model

TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"
LOOKUP = {"X-Amz-Target": f"{TARGET}.LookupEvents"}


def through_botocore(**params: Any) -> Request:
    operation = service_model("cloudtrail").operation_model("LookupEvents")
    sent = create_serializer("json").serialize_to_request(params, operation)
    return decode("POST", sent["headers"], "", sent["body"])


def refused(headers: dict[str, str], body: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        decode("POST", headers, "", body)
    return caught.value.code


def test_parameters() -> None:
    at = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
    attribute = {"AttributeKey": "EventName", "AttributeValue": "CreateVpc"}
    request = through_botocore(LookupAttributes=[attribute], StartTime=at, MaxResults=3)
    assert (request.service, request.action) == ("cloudtrail", "LookupEvents")
    assert request.params == {
        "LookupAttributes": [attribute],
        "StartTime": at,
        "MaxResults": 3,
    }


def test_times_as_texts_and_unknown_members() -> None:
    """Some clients send texts; members that nobody knows are ignored (Smithy)."""
    body = b'{"StartTime": "2026-11-24T08:00:01Z", "More": 1, "EndTime": null}'
    request = decode("POST", LOOKUP, "", body)
    assert request.params == {"StartTime": datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"MaxResults": "3"}',
        b'{"MaxResults": true}',
        b'{"StartTime": 1e300}',
        b'{"StartTime": -1}',
        b'{"StartTime": "now"}',
        b'{"LookupAttributes": {}}',
        b'{"LookupAttributes": [1]}',
        b"[" * 5000,
    ],
)
def test_rubbish(body: bytes) -> None:
    assert refused(LOOKUP, body) == "SerializationException"


def test_constraints() -> None:
    assert refused(LOOKUP, b'{"LookupAttributes": [{"AttributeKey": "EventName"}]}') == (
        "ValidationException"
    )
    wrong = b'{"LookupAttributes": [{"AttributeKey": "x", "AttributeValue": "y"}]}'
    assert refused(LOOKUP, wrong) == "ValidationException"


@pytest.mark.parametrize("target", ["", "x", f"{TARGET}.Nonsense", "Other.LookupEvents", TARGET])
def test_unknown_targets(target: str) -> None:
    assert refused({"X-Amz-Target": target}, b"{}") == "UnknownOperationException"


def test_an_answer() -> None:
    request = through_botocore()
    event = {"EventId": "1", "EventTime": "2026-11-24T08:00:01Z", "Username": None}
    answer = encode(request, {"Events": [event], "NextToken": None}, REQUEST_ID)
    at = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
    assert parse("cloudtrail", "LookupEvents", answer) == {
        "Events": [{"EventId": "1", "EventTime": at}]
    }
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"


def test_a_refusal() -> None:
    assert addressed(LOOKUP, "", b"{}") == "cloudtrail"
    error = ApiError("InvalidNextTokenException", "no")
    answer = encode_error("cloudtrail", error, REQUEST_ID)
    raw = {"body": answer.body, "headers": answer.headers, "status_code": answer.status}
    read = create_parser("json").parse(raw, None)
    assert read["Error"] == {"Code": "InvalidNextTokenException", "Message": "no"}
    assert json.loads(answer.body) == {"__type": "InvalidNextTokenException", "message": "no"}
