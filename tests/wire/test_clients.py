"""boto3 itself, over HTTP, reads what the wire writes and writes what the wire reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gureum.errors import ApiError
from gureum.wire import Request, decode, encode, encode_error
from gureum.wire.pages import paginate

VPCS = [f"vpc-{n:02}" for n in range(12)]


def answer(request: Request) -> dict[str, Any]:
    """A service of four actions, enough for a client to show what it makes of answers."""
    params = request.params
    if request.action == "GetCallerIdentity":
        return {"Account": "123456789012", "Arn": f"arn:<{request.access_key}>", "UserId": "u"}
    if request.action == "DescribeVpcs":
        ids, token = paginate(
            VPCS,
            lambda vpc: (vpc,),
            max_results=params.get("MaxResults"),
            next_token=params.get("NextToken"),
        )
        return {"Vpcs": [{"VpcId": vpc, "Tags": []} for vpc in ids], "NextToken": token}
    if request.action == "CreateVpc":
        tags = params["TagSpecifications"][0]["Tags"]
        return {"Vpc": {"VpcId": "vpc-new", "CidrBlock": params["CidrBlock"], "Tags": tags}}
    if request.action == "DeleteVpc":
        return {}
    raise ApiError("InvalidVpcID.NotFound", "The vpc ID 'x<>&' does not exist")


class Handler(BaseHTTPRequestHandler):
    seen: list[Request]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service = None
        try:
            request = decode("POST", dict(self.headers), "", body)
            service = request.service
            self.seen.append(request)
            response = encode(request, answer(request), "request-1")
        except ApiError as error:
            response = encode_error(service, error, "request-1")
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
        """Nothing: a test is quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[Request]]]:
    seen: list[Request] = []
    handler = type("SeeingHandler", (Handler,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", seen
        finally:
            http.shutdown()
            thread.join()


def client(service: str, url: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name="eu-west-3",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_boto3(server: tuple[str, list[Request]]) -> None:
    url, seen = server
    ec2 = client("ec2", url)
    tags = [{"Key": "Name", "Value": "구름 <&>\r\n'\""}, {"Key": "empty", "Value": ""}]
    made = ec2.create_vpc(
        CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}]
    )
    assert made["Vpc"] == {"VpcId": "vpc-new", "CidrBlock": "10.0.0.0/16", "Tags": tags}
    assert made["ResponseMetadata"]["RequestId"] == "request-1"
    assert (seen[0].access_key, seen[0].region) == ("AKIATEST", "eu-west-3")
    pages = list(ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Vpcs"]) for page in pages] == [5, 5, 2]
    assert [vpc["VpcId"] for page in pages for vpc in page["Vpcs"]] == VPCS
    assert "Vpcs" not in ec2.delete_vpc(VpcId="vpc-1")
    ec2.close()


def test_boto3_reads_errors(server: tuple[str, list[Request]]) -> None:
    ec2 = client("ec2", server[0])
    with pytest.raises(ClientError) as caught:
        ec2.describe_subnets()
    response = caught.value.response
    assert response["Error"]["Code"] == "InvalidVpcID.NotFound"
    assert response["Error"]["Message"] == "The vpc ID 'x<>&' does not exist"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RequestId"] == "request-1"
    with pytest.raises(ClientError, match=r"\(InvalidPaginationToken\)"):
        ec2.describe_vpcs(NextToken="rubbish")
    ec2.close()


def test_boto3_speaks_the_query_protocol(server: tuple[str, list[Request]]) -> None:
    sts = client("sts", server[0])
    assert sts.get_caller_identity()["Arn"] == "arn:<AKIATEST>"
    sts.close()
