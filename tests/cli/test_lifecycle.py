"""A real cloud from ``up`` to ``down``: processes, namespaces, packets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.cli.clouds import process, until
from tests.kernel.lab import remains

pytestmark = pytest.mark.kernel


class Gureum:
    """The command ``gureum`` on a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def __call__(self, *args: str) -> subprocess.CompletedProcess[str]:
        return process(self.state, *args)

    def ok(self, *args: str) -> str:
        """The output of a command that must succeed."""
        done = self(*args)
        assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout

    def facts(self, *args: str) -> Any:
        """The JSON of a command that must succeed."""
        return json.loads(self.ok(*args, "--json"))

    def up(self, *args: str) -> Any:
        """Start the cloud on any free port, without a link to this machine."""
        return self.facts("up", "--port", "0", "--no-host-link", *args)

    def left(self) -> list[str]:
        """What this machine still has of the cloud."""
        tag = (self.state / "tag").read_text().strip()
        found = remains(tag)
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/gureum-{tag}-*")]
        mounts = Path("/proc/mounts").read_text().splitlines()
        found += [line for line in mounts if str(self.state) in line]
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = each.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.state) in words and each.parent.name != str(os.getpid()):
                found.append(words)
        return found


@pytest.fixture
def gureum() -> Iterator[Gureum]:
    with tempfile.TemporaryDirectory(prefix="gureum-test-") as folder:
        made = Gureum(Path(folder))
        yield made
        made("down", "--wipe", "--yes")


def test_a_cloud_comes_up_carries_packets_and_goes_without_a_trace(gureum: Gureum) -> None:
    status = gureum.up()
    assert gureum.facts("status")["pid"] == status["pid"]
    assert gureum.up()["pid"] == status["pid"], "the second up finds the first"
    assert "198.19.0.10" in gureum.ok("exec", "me", "--", "ip", "addr")
    assert gureum.facts("ping", "me", "mirror")["received"] == 4
    refused = gureum("port", "me", "mirror", "80", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["state"]) == (1, "refused")
    with serving(gureum):
        assert gureum.facts("port", "me", "mirror", "8000", "--count", "20")["counts"] == {
            "open": 20
        }
    hops = gureum.facts("trace", "me", "stranger")["hops"]
    assert [hop["name"] for hop in hops] == ["the internet's router", "stranger"]
    gureum.ok("internet", "add", "partner")
    assert gureum.facts("ping", "partner", "me", "-c1")["received"] == 1
    gureum.ok("down")
    assert gureum.left() == []
    assert gureum("status").returncode == 3
    assert gureum.ok("down") == "", "a second down finds nothing to do"


SERVER = """
import socket
server = socket.create_server(("", 8000), backlog=64)
while True:
    server.accept()[0].close()
"""


@contextmanager
def serving(gureum: Gureum) -> Iterator[None]:
    """A server on the mirror's port 8000 for as long as the block lasts."""
    call = [sys.executable, "-m", "gureum", "--state", str(gureum.state)]
    call += ["exec", "mirror", "--", sys.executable, "-c", SERVER]
    server = subprocess.Popen(call, stdin=subprocess.DEVNULL)
    until(lambda: gureum("port", "me", "mirror", "8000").returncode == 0)
    yield
    server.terminate()
    # The command became the server, so the signal reached that.
    assert server.wait(10) == -signal.SIGTERM


def test_what_a_killed_daemon_left_is_taken_up_or_taken_down(gureum: Gureum) -> None:
    first = gureum.up()
    os.kill(first["pid"], signal.SIGKILL)
    assert gureum("status").returncode == 3
    assert gureum.left() != []
    assert gureum.up()["pid"] != first["pid"]
    assert gureum.facts("ping", "me", "mirror", "-c1")["received"] == 1
    gureum.ok("down", "--keep")
    assert gureum("status").returncode == 3
    assert gureum.left() != []
    gureum.ok("down")
    assert gureum.left() == []


def test_a_daemon_that_is_told_to_end_leaves_everything_running(gureum: Gureum) -> None:
    pid = gureum.up()["pid"]
    os.kill(pid, signal.SIGTERM)
    until(lambda: gureum("status").returncode == 3)
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert not (gureum.state / "gureum.sock").exists()
    log = (gureum.state / "daemon.log").read_text()
    assert "ended by SIGTERM; the cloud keeps running" in log
    assert gureum.left() != []


def test_a_port_that_is_taken_is_told_in_one_line(gureum: Gureum) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gureum("up", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"gureum: the port {port} is taken by another program: choose one with --port"
    )


def test_a_damaged_database_is_told_in_one_line_and_taken_down(gureum: Gureum) -> None:
    gureum.up()
    gureum.ok("down", "--keep")
    for rest in gureum.state.glob("gureum.db-*"):
        rest.unlink()
    (gureum.state / "gureum.db").write_bytes(b"rubbish" * 1000)
    done = gureum("up", "--port", "0", "--no-host-link")
    assert done.returncode == 1
    path = gureum.state / "gureum.db"
    told = f"gureum: {path} cannot be used: file is not a database"
    assert done.stderr.splitlines()[-1] == told
    gureum.ok("down", "--wipe", "--yes")
    assert not path.exists()


def test_a_damaged_tag_makes_no_second_cloud(gureum: Gureum) -> None:
    gureum.up()
    gureum.ok("down")
    path = gureum.state / "tag"
    tag = path.read_text()
    path.write_text("")
    done = gureum("up", "--port", "0", "--no-host-link")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"gureum: {path} holds ''")
    path.write_text(tag)


def test_only_the_daemons_user_may_read_what_it_keeps(gureum: Gureum) -> None:
    gureum.state.chmod(0o755)  # as another program may have made it
    gureum.up()
    names = ("gureum.db", "gureum.sock", "daemon.log", "instances", "locks", "runtime")
    modes = {name: (gureum.state / name).stat().st_mode & 0o077 for name in names}
    assert modes == dict.fromkeys(names, 0)


def test_a_request_that_is_never_finished_does_not_hold_the_daemon(gureum: Gureum) -> None:
    port = int(gureum.up()["endpoint"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nAction=")
        begun = time.monotonic()
        gureum.ok("down")
    assert time.monotonic() - begun < 20
    assert gureum.left() == []


@pytest.mark.parametrize("missing", ["net_admin", "sys_admin"])
@pytest.mark.parametrize("command", ["up", "serve"])
def test_without_rights_the_way_out_is_told(gureum: Gureum, command: str, missing: str) -> None:
    call = ["setpriv", f"--bounding-set=-{missing}", f"--inh-caps=-{missing}", sys.executable]
    call += ["-m", "gureum", "--state", str(gureum.state), command]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr == (
        f"gureum: gureum {command} needs root (or CAP_NET_ADMIN and CAP_SYS_ADMIN): try sudo\n"
    )


def test_a_cloud_of_another_user_is_told(gureum: Gureum) -> None:
    gureum.up()
    gureum.state.chmod(0o711)  # else not even the socket could be found
    code = (
        "import httpx, os, sys; from pathlib import Path; from gureum.cli.client import Daemon\n"
        "from gureum.cli.failure import Failure\n"
        "os.setresuid(65534, 65534, 65534)\n"  # who cannot even read our source, perhaps
        "try: Daemon(Path(sys.argv[1])).get('/status')\n"
        "except Failure as failure: print(failure.exit_code, failure.message)"
    )
    call = [sys.executable, "-c", code, str(gureum.state)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 ")
    assert "belongs to another user: try sudo" in done.stdout


def test_instances_are_entered_reached_and_brought_back(gureum: Gureum, tmp_path: Path) -> None:
    gureum.up()
    key = Shop(gureum, tmp_path).key
    assert gureum.ok("exec", "web", "hostname").startswith("ip-10-0-1-")
    assert gureum("exec", "web", "--", "sh", "-c", "exit 9").returncode == 9
    login = gureum("ssh", "web", "-i", str(key), "--", "id -un; exit 5")
    assert (login.returncode, login.stdout) == (5, "admin\n")
    through = gureum.ok("ssh", "db", "-i", str(key), "--via", "web", "--", "hostname")
    assert through.startswith("ip-10-0-2-")
    names = [hop["name"] for hop in gureum.facts("trace", "web", "db")["hops"]]
    assert names == ["router of outside", "db"]
    assert gureum("port", "me", "web", "80", "--timeout", "0.3").returncode == 1
    assert "(web)" in gureum.ok("table", "nat", "web")
    assert gureum.facts("table", "route", "outside")["rows"] != []
    web = gureum.ok("exec", "--net-only", "web", "--", "ip", "-br", "addr", "show", "eth0")
    assert "10.0.1." in web
    gureum.ok("down")
    assert gureum.left() == []
    gureum.up()
    until(lambda: gureum.facts("status")["instances"] == {"running": 2})
    until(lambda: gureum("ping", "web", "db", "-c1").returncode == 0)
    assert "is up, boot 1" in gureum.ok("console", "web")


class Shop:
    """``web`` outside with a public address, ``db`` inside, and a key to both."""

    def __init__(self, gureum: Gureum, folder: Path) -> None:
        endpoint = gureum.facts("env")["AWS_ENDPOINT_URL"]
        self.ec2 = boto3.client(
            "ec2",
            endpoint_url=endpoint,
            region_name="ap-northeast-2",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.key = folder / "key.pem"
        self.key.touch(mode=0o600)
        self.key.write_text(self.ec2.create_key_pair(KeyName="k")["KeyMaterial"])
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = {
            name: self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=cidr, TagSpecifications=_tags("subnet", name)
            )["Subnet"]["SubnetId"]
            for name, cidr in (("outside", "10.0.1.0/24"), ("inside", "10.0.2.0/24"))
        }
        self._open(vpc, subnets["outside"])
        group = self._group(vpc)
        image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["gureum-base*"]}])
        ids = []
        for name, subnet in (("web", "outside"), ("db", "inside")):
            eni = {
                "DeviceIndex": 0,
                "SubnetId": subnets[subnet],
                "Groups": [group],
                "AssociatePublicIpAddress": name == "web",
            }
            answer = self.ec2.run_instances(
                ImageId=image["Images"][0]["ImageId"],
                InstanceType="t3.micro",
                KeyName="k",
                MinCount=1,
                MaxCount=1,
                NetworkInterfaces=[eni],
                TagSpecifications=_tags("instance", name),
            )
            ids.append(answer["Instances"][0]["InstanceId"])
        until(lambda: gureum.facts("status")["instances"] == {"running": 2})
        until(lambda: gureum("port", "me", "web", "22").returncode == 0)
        until(lambda: gureum("port", "web", "db", "22").returncode == 0)

    def _open(self, vpc: str, subnet: str) -> None:
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        self.ec2.create_route(
            RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )

    def _group(self, vpc: str) -> str:
        group = self.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)
        anybody = [{"CidrIp": "0.0.0.0/0"}]
        ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": anybody}
        echo = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": anybody}
        self.ec2.authorize_security_group_ingress(
            GroupId=group["GroupId"], IpPermissions=[ssh, echo]
        )
        return str(group["GroupId"])


def _tags(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]
