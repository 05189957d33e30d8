"""Gureum beside another emulator: the network here, every other service there.

The other emulator is played by a bare HTTP server that notes what it is asked.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.installed import environment
from tests.daemon import Daemon

pytestmark = pytest.mark.kernel


class Other:
    """An emulator of S3 that has one bucket."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(f"GET {self.path}")
                self._answer(
                    200,
                    b"<ListAllMyBucketsResult><Buckets><Bucket><Name>elsewhere</Name>"
                    b"</Bucket></Buckets></ListAllMyBucketsResult>",
                )

            def do_POST(self) -> None:
                asked.append(f"POST {self.path}")
                self._answer(500, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/xml")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
                """Nothing: a test is quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def other() -> Iterator[Other]:
    made = Other()
    with made.http:
        thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            made.http.shutdown()
            thread.join()


def test_the_network_is_here_and_every_other_service_there(
    daemon: Daemon, other: Other, tmp_path: Path
) -> None:
    # `environment` sets AWS_ENDPOINT_URL_EC2, _STS, _IAM and _RAM.
    both = environment(daemon, tmp_path) | {"AWS_ENDPOINT_URL": other.endpoint, "AWS_PAGER": ""}

    def aws(*words: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("aws"))
        argv = [program, *words, "--output", "text"]
        return subprocess.run(
            argv, env=both, capture_output=True, text=True, timeout=60, check=False
        )

    made = aws("ec2", "create-vpc", "--cidr-block", "10.9.0.0/16", "--query", "Vpc.VpcId")
    assert made.returncode == 0, made.stderr
    found = daemon.ec2().describe_vpcs(VpcIds=[made.stdout.strip()])["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in found] == ["10.9.0.0/16"]
    who = aws("sts", "get-caller-identity", "--query", "Account")
    assert who.stdout.strip() == "123456789012", who.stderr
    user = aws("iam", "create-user", "--user-name", "alice", "--query", "User.Arn")
    assert user.stdout.strip() == "arn:aws:iam::123456789012:user/alice", user.stderr
    share = aws("ram", "create-resource-share", "--name", "x", "--query", "resourceShare.status")
    assert share.stdout.strip() == "ACTIVE", share.stderr
    assert other.asked == []
    buckets = aws("s3api", "list-buckets", "--query", "Buckets[].Name")
    assert buckets.stdout.strip() == "elsewhere", buckets.stderr
    assert [each.split("?")[0] for each in other.asked] == ["GET /"]
