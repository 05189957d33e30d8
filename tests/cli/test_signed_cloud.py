"""A daemon that checks signatures, from its first key to its second start."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.daemon import REGION, Daemon

pytestmark = pytest.mark.kernel


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="gureum-") as folder:
        made = Daemon(Path(folder) / "state", "--auth", "verify", "--no-host-link", "--no-machines")
        try:
            made.start()
            yield made
        finally:
            made.close()


def client(daemon: Daemon, made: dict[str, Any]) -> Any:
    return boto3.client(
        "ec2",
        endpoint_url=daemon.endpoint,
        region_name=REGION,
        aws_access_key_id=made["access_key_id"],
        aws_secret_access_key=made["secret_access_key"],
        config=Config(retries={"max_attempts": 0}),
    )


def test_keys_outlive_the_daemon_and_its_owner_needs_none(daemon: Daemon) -> None:
    with pytest.raises(ClientError, match="AuthFailure"):
        daemon.ec2().describe_vpcs()
    made = json.loads(daemon.gureum("account", "create", "team", "--json").stdout)
    vpc = client(daemon, made).create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    told = daemon.gureum("env", "--json")
    assert set(json.loads(told.stdout)) == {
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EC2_METADATA_DISABLED",
    }
    assert "use keys of your own" in told.stderr
    assert vpc in daemon.gureum("map", "--account", made["account"]).stdout
    daemon.kill()
    daemon.start()
    assert client(daemon, made).describe_vpcs(VpcIds=[vpc])["Vpcs"]
    for path in daemon.state.rglob("*"):
        if path.is_file():
            assert made["secret_access_key"].encode() not in path.read_bytes(), path


def test_an_open_cloud_does_not_start_beyond_loopback(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "state")
    done = daemon.gureum("serve", "--port", str(daemon.port), "--host", "0.0.0.0")
    assert (done.returncode, "anybody who reaches the port" in done.stderr) == (2, True)
    assert not (tmp_path / "state").exists()
