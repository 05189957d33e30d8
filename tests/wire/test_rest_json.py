"""The restJson1 protocol: requests as botocore writes them, answers that it reads, and rubbish."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.serialize import create_serializer

from gureum.errors import ApiError
from gureum.wire import Request, addressed, decode, encode, encode_error
from tests.wiring import REQUEST_ID, parse, service_model

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20261124/us-east-1/{}/aws4_request, SignedHeaders=host, "
    "Signature=00"
)


def through_botocore(action: str, **params: Any) -> Request:
    operation = service_model("ram").operation_model(action)
    sent = create_serializer("rest-json").serialize_to_request(params, operation)
    query = "&".join(f"{name}={value}" for name, value in sent["query_string"].items())
    return decode(sent["method"], sent["headers"], query, sent["body"], path=sent["url_path"])


def refused(method: str, path: str, body: bytes = b"", service: str = "ram") -> str:
    headers = {"Authorization": SIGNED.format(service)}
    with pytest.raises(ApiError) as caught:
        decode(method, headers, "", body, path=path)
    return caught.value.code


def test_parameters_in_the_body() -> None:
    params = {
        "name": "é",
        "tags": [{"key": "a", "value": "b"}],
        "allowExternalPrincipals": False,
        "clientToken": "t",
    }
    request = through_botocore("CreateResourceShare", **params)
    assert (request.service, request.action, request.version) == (
        "ram",
        "CreateResourceShare",
        "2018-01-04",
    )
    assert request.params == params
    assert request.token == "t"


def test_parameters_in_the_query() -> None:
    arn = "arn:aws:ram:us-east-1:123456789012:resource-share/x"
    request = through_botocore("DeleteResourceShare", resourceShareArn=arn)
    assert (request.action, request.params) == ("DeleteResourceShare", {"resourceShareArn": arn})
    number = through_botocore("DeletePermissionVersion", permissionArn="x", permissionVersion=3)
    assert number.params["permissionVersion"] == 3


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": 3}', b'{"name": "x", "tags": {}}'])
def test_rubbish(body: bytes) -> None:
    assert refused("POST", "/createresourceshare", body) == "SerializationException"


def test_what_is_missing_and_wrong() -> None:
    assert refused("POST", "/createresourceshare") == "MissingRequiredParameterException"
    assert refused("DELETE", "/deleteresourceshare") == "MissingRequiredParameterException"
    wrong = b'{"resourceOwner": "ME"}'
    assert refused("POST", "/getresourceshares", wrong) == "InvalidParameterException"


def test_paths_and_methods_that_name_nothing() -> None:
    assert refused("POST", "/nothing") == "UnknownOperationException"
    assert refused("GET", "/createresourceshare") == "UnknownOperationException"
    assert refused("DELETE", "/") == "UnsupportedHttpVerb"
    assert refused("POST", "/createresourceshare", b'{"name": "x"}', "ec2") == (
        "InvalidSignatureException"
    )


def test_an_answer() -> None:
    at = datetime(2026, 11, 24, 8, 0, 1, 500_000, tzinfo=UTC)
    result = {"resourceShare": {"name": "é", "creationTime": at, "statusMessage": None}}
    request = Request("ram", "", "CreateResourceShare")
    response = encode(request, result, REQUEST_ID)
    assert response.headers["content-type"] == "application/json"
    read = parse("ram", "CreateResourceShare", response)
    assert read["resourceShare"]["name"] == "é"
    assert read["resourceShare"]["creationTime"].timestamp() == at.timestamp()
    with pytest.raises(KeyError):
        encode(request, {"unknown": 1}, REQUEST_ID)


def test_a_refusal() -> None:
    path = "/createresourceshare"
    assert addressed({}, "", b"", path=path) == "ram"
    error = ApiError("UnknownResourceException", "No <share>", 400)
    response = encode_error("ram", error, REQUEST_ID)
    assert (response.status, response.headers["x-amzn-errortype"]) == (400, error.code)
    assert response.body == b'{"message":"No <share>"}'
    assert parse("ram", "CreateResourceShare", response)["Error"] == {
        "Code": error.code,
        "Message": error.message,
    }
