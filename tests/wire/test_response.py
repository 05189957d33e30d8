"""The frames of answers and errors, byte for byte, and as botocore reads them."""

from __future__ import annotations

import pytest

from gureum.errors import ApiError
from gureum.wire import Request, encode, encode_error
from tests.wiring import parse

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def test_an_ec2_answer() -> None:
    answer = encode(Request("ec2", "2016-11-15", "DescribeVpcs"), {"Vpcs": [{"VpcId": "v"}]}, "r1")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml;charset=UTF-8"
    assert answer.headers["x-amzn-requestid"] == "r1"
    assert answer.body.decode() == (
        f'{HEAD}<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        "<requestId>r1</requestId><vpcSet><item><vpcId>v</vpcId></item></vpcSet>"
        "</DescribeVpcsResponse>"
    )


def test_an_ec2_answer_without_output() -> None:
    answer = encode(Request("ec2", "2016-11-15", "DeleteVpc"), {}, "r1")
    assert answer.body.decode() == (
        f'{HEAD}<DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        "<requestId>r1</requestId><return>true</return></DeleteVpcResponse>"
    )
    with pytest.raises(ValueError, match=r"DeleteVpc\.Return: the operation has no output"):
        encode(Request("ec2", "2016-11-15", "DeleteVpc"), {"Return": True}, "r1")


def test_a_query_answer() -> None:
    answer = encode(Request("sts", "2011-06-15", "GetCallerIdentity"), {"Account": "1"}, "r1")
    assert answer.headers["content-type"] == "text/xml"
    assert answer.body.decode() == (
        f'{HEAD}<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )


def test_a_query_answer_without_output() -> None:
    answer = encode(Request("iam", "2010-05-08", "DeleteUser"), {}, "r1")
    assert answer.body.decode() == (
        f'{HEAD}<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></DeleteUserResponse>"
    )


@pytest.mark.parametrize("service", ["ec2", None, "s3"])
def test_an_ec2_error(service: str | None) -> None:
    answer = encode_error(service, ApiError("InvalidVpcID.NotFound", "no <vpc>", 400), "r&1")
    assert answer.status == 400
    assert answer.body.decode() == (
        f"{HEAD}<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>"
        "<Message>no &lt;vpc&gt;</Message></Error></Errors>"
        "<RequestID>r&amp;1</RequestID></Response>"
    )


@pytest.mark.parametrize(("status", "side"), [(403, "Sender"), (500, "Receiver")])
def test_a_query_error(status: int, side: str) -> None:
    answer = encode_error("sts", ApiError("AccessDenied", "no", status), "r1")
    assert answer.status == status
    assert answer.body.decode() == (
        f'{HEAD}<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<Error><Type>{side}</Type><Code>AccessDenied</Code><Message>no</Message></Error>"
        "<RequestId>r1</RequestId></ErrorResponse>"
    )


@pytest.mark.parametrize(
    ("service", "action"), [("ec2", "DescribeVpcs"), ("sts", "GetCallerIdentity")]
)
def test_botocore_reads_errors(service: str, action: str) -> None:
    error = ApiError("Some.Code", "구름 <&> \x00 message", 400)
    parsed = parse(service, action, encode_error(service, error, "r1"))
    assert parsed["Error"]["Code"] == "Some.Code"
    assert parsed["Error"]["Message"] == "구름 <&> � message"
