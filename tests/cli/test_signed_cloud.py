"""A daemon that checks signatures, from its first key to its second start."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.daemon import REGION, Daemon
from tests.iam.conftest import TRUST

pytestmark = pytest.mark.kernel


@contextmanager
def serving(*options: str) -> Iterator[Daemon]:
    """A daemon with a state folder of its own."""
    with tempfile.TemporaryDirectory(prefix="gureum-") as folder:
        made = Daemon(Path(folder) / "state", "--no-host-link", *options)
        try:
            made.start()
            yield made
        finally:
            made.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with serving("--auth", "verify", "--no-machines") as made:
        yield made


def client(daemon: Daemon, made: dict[str, Any], service: str = "ec2") -> Any:
    return boto3.client(
        service,
        endpoint_url=daemon.endpoint,
        region_name=REGION,
        aws_access_key_id=made["access_key_id"],
        aws_secret_access_key=made["secret_access_key"],
        aws_session_token=made.get("token"),
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
    attribute = [{"AttributeKey": "ResourceName", "AttributeValue": vpc}]
    (event,) = client(daemon, made, "cloudtrail").lookup_events(LookupAttributes=attribute)[
        "Events"
    ]
    assert (event["EventName"], event["AccessKeyId"]) == ("CreateVpc", made["access_key_id"])
    recorded = daemon.gureum("audit-log", "--account", made["account"]).stdout
    assert ("CreateAccount" in recorded, vpc in recorded) == (True, True)
    assert daemon.gureum("account", "rotate-key").returncode == 0
    assert client(daemon, made).describe_vpcs(VpcIds=[vpc])["Vpcs"]
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


def test_an_instance_has_the_rights_of_its_role() -> None:
    """From IAM over the launch and the metadata service to a call that policies allow, or not."""
    with serving("--auth", "enforce") as daemon:
        made = json.loads(daemon.gureum("account", "create", "team", "--json").stdout)
        ec2, iam = client(daemon, made), client(daemon, made, "iam")
        iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
        looks = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
        iam.attach_role_policy(RoleName="web", PolicyArn=looks)
        iam.create_instance_profile(InstanceProfileName="web")
        iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
        only = [{"Name": "name", "Values": ["gureum-base*"]}]
        image = ec2.describe_images(Filters=only)["Images"][0]["ImageId"]
        launched = ec2.run_instances(
            ImageId=image,
            InstanceType="t3.nano",
            MinCount=1,
            MaxCount=1,
            IamInstanceProfile={"Name": "web"},
            MetadataOptions={"HttpTokens": "optional"},
        )
        key = launched["Instances"][0]["InstanceId"]
        waiter = ec2.get_waiter("instance_running")
        waiter.wait(InstanceIds=[key], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        url = "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"
        place = ("exec", "--account", made["account"], key, "--")
        read = daemon.gureum(*place, "wget", "-q", "-O", "-", url)
        assert read.returncode == 0, read.stderr
        given = json.loads(read.stdout)
        held = {
            "access_key_id": given["AccessKeyId"],
            "secret_access_key": given["SecretAccessKey"],
            "token": given["Token"],
        }
        who = client(daemon, held, "sts").get_caller_identity()
        assert who["Arn"] == f"arn:aws:sts::{made['account']}:assumed-role/web/{key}"
        inside = client(daemon, held)
        assert inside.describe_instances(InstanceIds=[key])["Reservations"]
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            inside.terminate_instances(InstanceIds=[key])
        assert given["SecretAccessKey"] not in daemon.log()
        assert given["Token"] not in daemon.log()
