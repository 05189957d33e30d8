"""Secrets that we know go through many calls, good and bad; then all that is kept is searched.

Searched are every line that any library logs at the lowest level, the answers to what was refused,
the trail, and the files of the database.
"""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from gureum.resources.image import provided
from gureum.store import Search, SqliteStore
from tests.server.secured import REGION, Keys, Lines, Secured
from tests.server.test_enforce import allow, document

USER_DATA = "#!/bin/sh echo hunter2-hunter2"
SHARED = "psk.Correct_Horse.Battery1"


class Told:
    """What a run of calls left behind."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gureum.db"
        self.refusals: list[str] = []
        self.secrets: dict[str, str] = {}
        lines = Lines()
        root, quiet = logging.getLogger(), ("botocore", "boto3", "urllib3", "httpx", "httpcore")
        levels = {name: logging.getLogger(name).level for name in ("", "gureum", *quiet)}
        for name in levels:  # what the clients log in this process is theirs
            level = logging.CRITICAL if name in quiet else logging.DEBUG
            logging.getLogger(name).setLevel(level)
        root.addHandler(lines)
        store = SqliteStore(self.path)
        cloud = Secured("enforce", audit="all", store=store)
        try:
            self._calls(cloud)
            self.trail = b"\n".join(each.body for _, each in store.trail.find(Search(), 1000))
        finally:
            cloud.close()
            root.removeHandler(lines)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
        files = sorted(folder.glob("gureum.db*"))
        self.database = b"".join(path.read_bytes() for path in files)
        store.close()
        self.log = "\n".join(lines.lines)

    def _calls(self, cloud: Secured) -> None:
        root = cloud.account("team")
        self.secrets["the root's key"] = root[1]
        iam, ec2 = cloud.client(root, "iam"), cloud.client(root)
        iam.create_user(UserName="alice")
        rule = allow("ec2:*", "sts:*")
        iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document(rule))
        made = iam.create_access_key(UserName="alice")["AccessKey"]
        alice = made["AccessKeyId"], made["SecretAccessKey"]
        self.secrets["alice's key"] = alice[1]
        self._sessions(cloud, alice, iam)
        material = ec2.create_key_pair(KeyName="k")["KeyMaterial"]
        self.secrets["a private key"] = material.splitlines()[3]
        self._instances(ec2)
        self._vpn(ec2)
        self._bad(cloud, root, alice)

    def _sessions(self, cloud: Secured, alice: Keys, iam: Any) -> None:
        number = cloud.client(alice, "sts").get_caller_identity()["Account"]
        trust = {"Effect": "Allow", "Principal": {"AWS": number}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName="web", AssumeRolePolicyDocument=document(trust))
        sts = cloud.client(alice, "sts")
        role = f"arn:aws:iam::{number}:role/web"
        for name, answer in (
            ("a session", sts.get_session_token()),
            ("a role's", sts.assume_role(RoleArn=role, RoleSessionName="s1")),
        ):
            given = answer["Credentials"]
            self.secrets[f"{name} secret"] = given["SecretAccessKey"]
            self.secrets[f"{name} token"] = given["SessionToken"]
            keys = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
            self._refused(cloud.client(keys).create_vpc, CidrBlock="nonsense")
            self._refused(cloud.client((*keys[:2], keys[2][:-9])).describe_vpcs)

    def _instances(self, ec2: Any) -> None:
        self.secrets["user data"] = USER_DATA
        self.secrets["user data in base64"] = base64.b64encode(USER_DATA.encode()).decode()
        image = provided(REGION)[0].id
        made = ec2.run_instances(
            ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, UserData=USER_DATA
        )
        key = made["Instances"][0]["InstanceId"]
        ec2.describe_instance_attribute(InstanceId=key, Attribute="userData")
        self._refused(ec2.modify_instance_attribute, InstanceId=key, UserData={"Value": USER_DATA})
        self._refused(ec2.run_instances, ImageId=image, MinCount=9, MaxCount=1, UserData=USER_DATA)
        encoded = self.secrets["user data in base64"]
        ec2.create_launch_template(
            LaunchTemplateName="told", LaunchTemplateData={"UserData": encoded, "ImageId": image}
        )
        ec2.describe_launch_template_versions(LaunchTemplateName="told")

    def _vpn(self, ec2: Any) -> None:
        self.secrets["a pre-shared key"] = SHARED
        here = ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=65000, IpAddress="198.19.1.1")
        there = ec2.create_vpn_gateway(Type="ipsec.1")
        ends = {
            "CustomerGatewayId": here["CustomerGateway"]["CustomerGatewayId"],
            "VpnGatewayId": there["VpnGateway"]["VpnGatewayId"],
            "Type": "ipsec.1",
        }
        ec2.create_vpn_connection(**ends, Options={"TunnelOptions": [{"PreSharedKey": SHARED}]})
        ec2.describe_vpn_connections()
        self._refused(
            ec2.create_vpn_connection,
            **ends,
            Options={"TunnelOptions": [{"PreSharedKey": SHARED, "Phase1LifetimeSeconds": 1}]},
        )

    def _bad(self, cloud: Secured, root: Keys, alice: Keys) -> None:
        """Requests that are refused at each step, with the secrets in them."""
        self._refused(cloud.client((root[0], alice[1])).describe_vpcs)
        self._refused(cloud.client(alice, "iam").list_users)
        client = cloud.client(root)
        url = client.generate_presigned_url("describe_vpcs")
        for words in (alice[1], quote(USER_DATA), self.secrets["a session token"]):
            self.refusals.append(cloud.post(f"Action=RunInstances&UserData={words}").text)
            self.refusals.append(cloud.post(words).text)
            self.refusals.append(cloud.get(f"{url}&UserData={quote(words)}").text)

    def _refused(self, call: Any, **params: Any) -> None:
        with pytest.raises(ClientError) as caught:
            call(**params)
        self.refusals.append(json.dumps(caught.value.response, default=str))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("secrets"))


def found(told: Told, text: str | bytes) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    return [name for name, secret in told.secrets.items() if secret.encode() in raw]


def test_there_is_something_to_search(told: Told) -> None:
    assert len(told.secrets) == 10
    assert len(told.refusals) > 15
    assert "CreateVpnConnection" in told.log
    assert told.trail.count(b'"eventName":"RunInstances"') >= 2
    assert b"<sensitiveDataRemoved>" in told.trail
    assert b"alice" in told.database


def test_no_secret_is_in_a_log(told: Told) -> None:
    assert found(told, told.log) == []


def test_no_secret_is_in_the_trail(told: Told) -> None:
    assert found(told, told.trail) == []


def test_no_secret_is_in_a_refusal(told: Told) -> None:
    assert found(told, "\n".join(told.refusals)) == []


def test_secrets_that_open_the_api_are_sealed_in_the_database(told: Told) -> None:
    """What instances and customers' gateways are given is kept as it is: AWS shows it again, too;
    only the daemon's own user may read the file."""
    assert set(found(told, told.database)) <= {
        "user data",
        "user data in base64",
        "a pre-shared key",
    }
    assert told.path.stat().st_mode & 0o777 == 0o600


def test_what_is_forbidden_would_be_found(told: Told) -> None:
    assert found(told, f"x{told.secrets['a private key']}x") == ["a private key"]
