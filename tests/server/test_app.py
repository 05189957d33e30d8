"""The API over HTTP, driven by AWS's own client and by bare requests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gureum.resources import REGISTRY
from gureum.server.app import MAX_BODY, THREADS, Api, application
from gureum.server.dispatch import Dispatcher
from gureum.store import MemoryStore


class Served:
    """An API on a free port and a console on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.waited: list[int] = []
        self.store = MemoryStore()
        self.dispatch = Dispatcher(self.store, REGISTRY)
        self.api = Api(self.dispatch, self._wait)
        console = Starlette(routes=[Route("/who", _who)])
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.path = folder / "socket"
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.path))
        self.unix.listen()
        config = uvicorn.Config(
            application(self.api, console), lifespan="off", log_config=None, ws="none"
        )
        self.server = uvicorn.Server(config)
        self.endpoint = f"http://127.0.0.1:{self.tcp.getsockname()[1]}"
        self.thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self.thread.start()

    async def _serve(self) -> None:
        await self.server.serve(sockets=[self.tcp, self.unix])

    def _wait(self, revision: int, seconds: float) -> bool:
        self.waited.append(revision)
        return True

    def client(self, service: str = "ec2", key: str = "test", **more: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=more.pop("region", "ap-northeast-2"),
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}, **more),
        )

    def post(self, body: str, **headers: str) -> httpx.Response:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return httpx.post(self.endpoint, content=body, headers=kind | headers, timeout=30)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()


def _who(request: Request) -> PlainTextResponse:
    return PlainTextResponse("console")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("api"))
    yield made
    made.close()


def test_boto3_builds_and_reads(served: Served) -> None:
    ec2 = served.client()
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc["VpcId"]])
    (shown,) = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"]
    assert shown["CidrBlock"] == "10.1.0.0/16"
    assert len(list(ec2.get_paginator("describe_subnets").paginate())) == 1


def test_a_change_waits_for_its_revision_and_a_question_does_not(served: Served) -> None:
    ec2 = served.client()
    ec2.describe_vpcs()
    before = len(served.waited)
    ec2.describe_vpcs()
    assert len(served.waited) == before
    ec2.create_vpc(CidrBlock="10.2.0.0/16")
    assert served.waited[before:] == [served.store.view.revision]


def test_refusals_reach_the_client_as_awss(served: Served) -> None:
    with pytest.raises(ClientError) as caught:
        served.client().describe_vpcs(VpcIds=["vpc-00000000000000000"])
    error = caught.value.response
    assert error["Error"] == {
        "Code": "InvalidVpcID.NotFound",
        "Message": "The vpc ID 'vpc-00000000000000000' does not exist",
    }
    assert error["ResponseMetadata"]["RequestId"]


def test_unbuilt_actions_are_named(served: Served) -> None:
    with pytest.raises(ClientError, match="CreateIpam is part of the EC2 API"):
        served.client().create_ipam()
    with pytest.raises(ClientError, match="ListSAMLProviders"):
        served.client("iam").list_saml_providers()


def test_sts_tells_the_account_of_the_key(served: Served) -> None:
    assert served.client("sts").get_caller_identity()["Account"] == "123456789012"
    other = served.client("sts", key="210987654321").get_caller_identity()
    assert other["Arn"] == "arn:aws:iam::210987654321:root"


def test_in_an_open_cloud_a_key_stands_for_who_has_it(served: Served) -> None:
    """Nothing is proven, so that its secret does not matter; and a key that is off is nobody's."""
    iam = served.client("iam", key="333333333333")
    user = iam.create_user(UserName="alice")["User"]
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    assert served.client("sts", key=key).get_caller_identity()["Arn"] == user["Arn"]
    iam.update_access_key(UserName="alice", AccessKeyId=key, Status="Inactive")
    other = served.client("sts", key=key).get_caller_identity()
    assert other["Arn"] == "arn:aws:iam::123456789012:root"


def test_accounts_and_regions_are_worlds_apart(served: Served) -> None:
    vpc = served.client().create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    for other in (served.client(key="210987654321"), served.client(region="us-east-1")):
        with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
            other.describe_vpcs(VpcIds=[vpc])


def test_an_unknown_region_is_refused(served: Served) -> None:
    with pytest.raises(ClientError, match="scoped to a valid region"):
        served.client(region="xx-nowhere-1").describe_vpcs()


def test_an_unsigned_request_is_the_default_accounts(served: Served) -> None:
    answer = served.post("Action=DescribeRegions&Version=2016-11-15")
    assert answer.status_code == 200
    assert "<regionName>ap-northeast-2</regionName>" in answer.text


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://example.com", 403), ("null", 403), ("http://localhost:3000", 200)],
)
def test_foreign_web_pages_are_refused(served: Served, origin: str, status: int) -> None:
    answer = served.post("Action=DescribeRegions&Version=2016-11-15", origin=origin)
    assert answer.status_code == status


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:3000"}, 200),
        ({"sec-fetch-site": "none", "user-agent": BROWSER}, 200),
        ({"sec-fetch-site": "same-origin", "user-agent": BROWSER}, 200),
        ({"host": "evil.example:4566", "user-agent": BROWSER}, 403),
        ({"host": "evil.example:4566"}, 200),
        ({"host": "ec2.localhost:4566", "user-agent": BROWSER}, 200),
        ({"host": "[::1]:4566", "user-agent": BROWSER}, 200),
        ({"host": "[:4566", "user-agent": BROWSER}, 403),
        ({"origin": "//["}, 403),
    ],
)
def test_pages_cannot_call_without_an_origin_either(
    served: Served, headers: dict[str, str], status: int
) -> None:
    """``<img src="http://127.0.0.1:4566/?Action=…">`` sends none."""
    url = f"{served.endpoint}/?Action=DescribeRegions&Version=2016-11-15"
    assert httpx.get(url, headers=headers).status_code == status


def test_calls_that_wait_do_not_keep_the_commands_waiting(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads of the API wait for the data plane; the console says why."""
    go, waiting = threading.Event(), threading.Semaphore(0)

    def stuck(revision: int, seconds: float) -> bool:
        waiting.release()
        return go.wait(20)

    monkeypatch.setattr(served.api, "_wait", stuck)
    body = "Action=CreateKeyPair&KeyType=ed25519&Version=2016-11-15&KeyName="
    callers = [threading.Thread(target=served.post, args=(f"{body}{n}",)) for n in range(THREADS)]
    for each in callers:
        each.start()
    assert all(waiting.acquire(timeout=10) for _ in callers)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(served.path))) as client:
        assert client.get("http://console/who", timeout=5).text == "console"
    go.set()
    for each in callers:
        each.join()


def test_too_large_a_request_is_refused(served: Served) -> None:
    answer = served.post("Action=DescribeVpcs&x=" + "x" * MAX_BODY)
    assert answer.status_code == 413


def test_what_breaks_is_an_internal_error_and_no_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise KeyError("secret detail")

    monkeypatch.setattr(Dispatcher, "__call__", lambda self, *args: broken(*args))
    answer = served.post("Action=DescribeVpcs&Version=2016-11-15")
    assert (answer.status_code, "<Code>InternalError</Code>" in answer.text) == (500, True)
    assert "secret" not in answer.text


def test_the_console_is_behind_the_unix_socket_only(served: Served) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(served.path))) as client:
        assert client.get("http://console/who").text == "console"
    assert "console" not in httpx.get(f"{served.endpoint}/who").text
