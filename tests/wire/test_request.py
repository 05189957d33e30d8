"""Which service, which action, whose call: decided as clients expect."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from gureum.errors import ApiError
from gureum.wire import Request, decode


def signed(service: str) -> dict[str, str]:
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu-west-3/{service}/"
        "aws4_request, SignedHeaders=host, Signature=00"
    }


def post(
    headers: dict[str, str] | None = None, host: str | None = None, **parameters: str
) -> Request:
    body = urlencode(parameters).encode()
    return decode("POST", headers or {}, "", body, host_service=host)


def test_a_signed_post() -> None:
    request = post(signed("ec2"), Action="CreateVpc", Version="2016-11-15", CidrBlock="10.0.0.0/16")
    assert request == Request(
        service="ec2",
        version="2016-11-15",
        action="CreateVpc",
        params={"CidrBlock": "10.0.0.0/16"},
        access_key="AKIA",
        region="eu-west-3",
    )


def test_a_presigned_get() -> None:
    query = urlencode(
        {
            "Action": "GetCallerIdentity",
            "Version": "2011-06-15",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": "AKIA/20261124/us-east-1/sts/aws4_request",
            "X-Amz-Signature": "00",
        }
    )
    request = decode("GET", {}, query, b"ignored=body")
    assert (request.service, request.region, request.params) == ("sts", "us-east-1", {})


def test_an_old_signature_is_no_parameter() -> None:
    request = post(
        Action="DescribeVpcs",
        Version="2014-10-01",
        AWSAccessKeyId="AKIAOLD",
        Signature="x",
        SignatureMethod="HmacSHA256",
        SignatureVersion="2",
        Timestamp="2014-10-01T00:00:00Z",
    )
    assert (request.access_key, request.version, request.params) == ("AKIAOLD", "2014-10-01", {})


@pytest.mark.parametrize(
    ("headers", "host", "parameters", "service"),
    [
        # The signature says it, whatever the rest.
        (signed("ec2"), "sts", {"Action": "DescribeVpcs"}, "ec2"),
        (signed("iam"), None, {"Action": "ListUsers"}, "iam"),
        ({}, "sts", {"Action": "GetCallerIdentity"}, "sts"),
        ({}, None, {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "sts"),
        ({}, None, {"Action": "ListUsers", "Version": "2010-05-08"}, "iam"),
        ({}, None, {"Action": "GetCallerIdentity"}, "sts"),
        ({}, None, {"Action": "DescribeVpcs"}, "ec2"),
    ],
)
def test_the_service_is_found(
    headers: dict[str, str], host: str | None, parameters: dict[str, str], service: str
) -> None:
    assert post(headers, host, **parameters).service == service


@pytest.mark.parametrize(
    ("headers", "parameters", "code", "message"),
    [
        ({}, {}, "MissingAction", "The request is missing an action or a required parameter."),
        ({}, {"Action": ""}, "MissingAction", ""),
        (
            {},
            {"Action": "DescribeNonsense"},
            "InvalidAction",
            "The action DescribeNonsense is not valid for this web service.",
        ),
        (
            signed("sts"),
            {"Action": "DescribeVpcs"},
            "InvalidAction",
            "The action DescribeVpcs is not valid for this web service.",
        ),
        ({}, {"Action": "describeVpcs"}, "InvalidAction", ""),
        ({}, {"Action": "<script>" * 1000}, "InvalidAction", ""),
        (
            signed("ec2"),
            {"Action": "DescribeVpcs", "Version": "2016-11-16"},
            "NoSuchVersion",
            "The requested version (2016-11-16) of service ec2 does not exist",
        ),
        (
            signed("ec2"),
            {"Action": "GetCallerIdentity", "Version": "2011-06-15"},
            "NoSuchVersion",
            "",
        ),
        (signed("s3"), {"Action": "ListBuckets"}, "UnsupportedOperation", ""),
    ],
)
def test_refused(
    headers: dict[str, str], parameters: dict[str, str], code: str, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        post(headers, **parameters)
    assert caught.value.code == code
    assert not message or caught.value.message == message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("method", ["PUT", "DELETE", "get"])
def test_other_verbs(method: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(method, {}, "Action=DescribeVpcs", b"")
    assert caught.value.code == "UnsupportedHttpVerb"


@pytest.mark.parametrize(("text", "dry"), [("true", True), ("false", False), ("", False)])
def test_dry_run(text: str, dry: bool) -> None:
    assert post(Action="DescribeVpcs", DryRun=text).dry_run is dry


@pytest.mark.parametrize(
    ("parameters", "token"),
    [
        ({"Action": "CreateRouteTable", "VpcId": "v", "ClientToken": "t1"}, "t1"),
        ({"Action": "CreateRouteTable", "VpcId": "v", "ClientToken": ""}, None),
        ({"Action": "CreateRouteTable", "VpcId": "v"}, None),
        # A token that the model does not mark as one.
        ({"Action": "CreateEgressOnlyInternetGateway", "VpcId": "v", "ClientToken": "t2"}, "t2"),
        ({"Action": "DescribeVpcs"}, None),
    ],
)
def test_idempotency_token(parameters: dict[str, str], token: str | None) -> None:
    assert post(None, "ec2", **parameters).token == token
