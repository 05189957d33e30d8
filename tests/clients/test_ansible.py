"""Ansible's amazon.aws modules: a network is made, left alone, changed and taken away again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.clients.installed import environment, installed
from tests.daemon import Daemon
from tests.kernel.packets import eventually, run, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.slowest, pytest.mark.timeout(900)]

OPTIONS = ("--no-host-link",)
PLAYBOOKS = Path(__file__).parent / "ansible"
VARIED: dict[str, Any] = {
    "offices": ["198.51.100.0/24", "192.0.2.0/25"],
    "public_addresses": False,
    "servers": ["10.30.0.2", "192.0.2.53"],
    "stage": "production",
    "out_of_private": "{{ igw.gateway_id }}",
}
"""Other values of the variables of ``network.yml``."""


class Ansible:
    """ansible-playbook of the project's own installation, on this machine, against a daemon."""

    def __init__(self, daemon: Daemon, home: Path) -> None:
        self.program = installed("ansible") / "bin" / "ansible-playbook"
        self.environment = environment(daemon, home) | {
            "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg")
        }
        key = Ed25519PrivateKey.generate().public_key()
        public = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        self.variables: dict[str, Any] = {
            "key_material": public,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        }

    def play(self, playbook: str, *options: str, **variables: Any) -> dict[str, list[str]]:
        """The tasks of a playbook that ``changed`` something, and those that found all ``ok``."""
        given = json.dumps(self.variables | variables)
        argv = [str(self.program), "-i", "localhost,", "-c", "local", "-e", given, *options]
        done = subprocess.run(
            [*argv, str(PLAYBOOKS / playbook)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        found: dict[str, list[str]] = {"changed": [], "ok": []}
        for task in json.loads(done.stdout)["plays"][0]["tasks"]:
            (result,) = task["hosts"].values()
            found["changed" if result["changed"] else "ok"].append(task["task"]["name"])
        return found


@pytest.fixture
def ansible(daemon: Daemon, tmp_path: Path) -> Ansible:
    return Ansible(daemon, tmp_path)


def test_a_network_is_made_changed_left_alone_and_taken_away(
    ansible: Ansible, daemon: Daemon
) -> None:
    made = ansible.play("network.yml")
    assert made["ok"] == ["image"]
    assert len(made["changed"]) == 17
    web, store = _instance(daemon, "web"), _instance(daemon, "store")
    me, inside = daemon.netns("host-me"), daemon.netns(store["InstanceId"])
    public = web["PublicIpAddress"]
    assert eventually(lambda: tcp(me, public, 80) == "open", 20)
    assert "hello" in run(me, "curl", "-s", f"http://{public}/").stdout
    assert tcp(me, public, 22) == "timeout", "the offices' only"
    out = eventually(lambda: tcp(inside, "198.19.0.20", 9) == "refused", 10)
    assert out, "out by the NAT gateway"
    assert tcp(inside, "198.19.0.20", 2000) == "timeout", "the store's group lets no such port out"

    varied = ansible.play("network.yml", "--tags", "vary", **VARIED)
    assert varied["ok"] == ["internet gateway", "nat gateway"]
    assert varied["changed"] == [
        "vpc",
        "dhcp options",
        "public subnet",
        "private routes",
        "web group",
    ]
    assert tcp(inside, "198.19.0.20", 9) == "timeout", "an internet gateway without an address"
    ec2 = daemon.ec2()
    (group,) = ec2.describe_security_groups(GroupIds=[web["SecurityGroups"][0]["GroupId"]])[
        "SecurityGroups"
    ]
    (ssh,) = (each for each in group["IpPermissions"] if each.get("FromPort") == 22)
    assert sorted(each["CidrIp"] for each in ssh["IpRanges"]) == sorted(VARIED["offices"])

    again = ansible.play("network.yml", **VARIED)
    assert again["changed"] == []
    assert len(again["ok"]) == 18

    gone = ansible.play("gone.yml")
    assert all(name.startswith("no ") for name in gone["changed"])
    assert len(gone["changed"]) == 13
    vpcs = ec2.describe_vpcs()["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["172.31.0.0/16"], "only the default VPC is left"
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert len(ec2.describe_dhcp_options()["DhcpOptions"]) == 1, "the default VPC's"


def _instance(daemon: Daemon, name: str) -> dict[str, Any]:
    """The instance of a name, once it runs."""
    ec2 = daemon.ec2()
    named = [{"Name": "tag:Name", "Values": [name]}]

    def found() -> dict[str, Any]:
        answer: dict[str, Any] = ec2.describe_instances(Filters=named)["Reservations"][0]
        instance: dict[str, Any] = answer["Instances"][0]
        return instance

    assert eventually(lambda: found()["State"]["Name"] == "running", 20)
    return found()
