"""A real Debian and its tools as an instance, and ssh with a key into both images."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gureum.images import ImageStore
from tests.machines.rooms import ADDRESS, OUTSIDE, Room, connect, inside, machine, run

# The first one builds the image where it is not there yet.
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]


@dataclass
class Client:
    """A namespace that is connected to the instance's, and a key for it."""

    netns: Path
    key: Path

    def ssh(self, user: str, command: str, *options: str, check: bool = True) -> str:
        return inside(
            self.netns, "ssh", "-i", self.key, "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
            "-o", "IdentitiesOnly=yes", *options, f"{user}@{ADDRESS}", command, check=check,
        )  # fmt: skip


@contextmanager
def client(room: Room, image: str) -> Iterator[Client]:
    """Start ``i-1`` from ``image``, with a client beside it."""
    key = make_key(room.folder / "key")
    outside, netns = room.namespace("outside"), room.namespace("net-i-1")
    connect(outside, netns)
    public = key.with_suffix(".pub").read_text()
    room.start(machine(image=image, memory=512, keys=(public,)), netns)
    room.wait_console("is up")
    yield Client(outside, key)


def make_key(path: Path) -> Path:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return path


@pytest.mark.parametrize("image", ["gureum-base", "debian-12"])
def test_ssh_with_the_key(room: Room, debian: str, image: str) -> None:
    with client(room, image) as me:
        assert me.ssh("admin", "id -un; pwd").split() == ["admin", "/home/admin"]
        assert me.ssh("root", "id -un").split() == ["root"]
        assert me.ssh("admin", "tty", "-tt").strip() == "/dev/pts/0"
        assert " 0% packet loss" in me.ssh("admin", f"ping -c 1 {OUTSIDE}")
        other = Client(me.netns, make_key(room.folder / "other"))
        assert "Permission denied" in other.ssh("admin", "id", check=False)
        assert "Permission denied" in other.ssh("root", "id", check=False)


def test_an_instance_keeps_its_host_key(one_room: Room, debian: str) -> None:
    with client(one_room, "gureum-base") as me:
        first = host_key(me)
        assert first != ""
        netns = one_room.folder / "net-i-1"
        one_room.machines.start(machine(boot=2), netns)
        one_room.wait_console("boot 2")
        assert host_key(me) == first
        # The keys of the first start remain, as in EC2.
        assert me.ssh("admin", "id -un") == "admin\n"


def host_key(me: Client) -> str:
    return inside(me.netns, "ssh-keyscan", "-t", "ed25519", ADDRESS).splitlines()[-1]


@pytest.mark.parametrize("image", ["gureum-base", "debian-12"])
def test_through_a_bastion(one_room: Room, debian: str, image: str) -> None:
    """``ssh -J`` needs the forwarding of connections: here from the instance to itself."""
    with client(one_room, image) as me:
        proxy = (
            f"ProxyCommand=ssh -i {me.key} -o StrictHostKeyChecking=no"
            f" -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -W %h:%p admin@{ADDRESS}"
        )
        assert me.ssh("admin", "id -un", "-o", proxy) == "admin\n"


PAGE = "mkdir -p /srv/www; echo hello >/srv/www/index.html; "
WEB = {
    "gureum-base": PAGE + "httpd -f -p 8080 -h /srv/www",
    "debian-12": PAGE + "python3 -m http.server 8080 --directory /srv/www",
}
DATABASE = {"gureum-base": "nc -ll -p 3306 -e cat", "debian-12": "nc -lk -p 3306"}


@pytest.mark.parametrize("image", ["gureum-base", "debian-12"])
def test_services(one_room: Room, debian: str, image: str) -> None:
    with client(one_room, image) as me:
        for command in (WEB[image], DATABASE[image]):
            one_room.exec(f"({command}) >/dev/null 2>&1 </dev/null &")
        one_room.wait_listen(8080)
        one_room.wait_listen(3306)
        assert inside(me.netns, "curl", "-s", f"http://{ADDRESS}:8080/") == "hello\n"
        probe = f"exec 3<>/dev/tcp/{ADDRESS}/3306 && echo open"
        assert inside(me.netns, "bash", "-c", probe) == "open\n"


def test_tools(room: Room, debian: str) -> None:
    with client(room, debian):
        said = room.exec(f"traceroute -n -q 1 -m 2 {OUTSIDE} | tail -1")
        assert said.split()[:2] == ["1", OUTSIDE]
        assert "1 response" in room.exec(f"arping -c 1 -I eth0 {OUTSIDE}")
        room.exec("nc -lk -p 3306 >/dev/null 2>&1 </dev/null &")
        room.wait_listen(3306)
        assert "succeeded" in room.exec("nc -zv 127.0.0.1 3306")
        said = room.exec("sleep 0.2 | telnet 127.0.0.1 3306", check=False)
        assert "Connected" in said
        assert "sudo works" in room.exec("su admin -c 'sudo -n echo sudo works'")
        assert "REACHABLE" in room.exec(f"ip neighbour show {OUTSIDE}")
        assert "3306" in room.exec("ss -ltn")


def test_capture(room: Room, debian: str) -> None:
    with client(room, debian) as me:
        argv = room.machines.exec_argv(
            "i-1", ["tcpdump", "-n", "-c", "1", "-i", "eth0", "icmp"], tty=False
        )
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as dump:
            assert dump.stdout
            while "listening on" not in dump.stdout.readline():
                assert dump.poll() is None
            inside(me.netns, "ping", "-c", "1", ADDRESS)
            assert f"{OUTSIDE} > {ADDRESS}: ICMP echo request" in dump.stdout.read()


def test_a_nat_instance(room: Room, debian: str) -> None:
    """It may masquerade and forward: its own namespace is its own."""
    with client(room, debian):
        room.exec("sysctl -q -w net.ipv4.ip_forward=1")
        room.exec("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
        assert "masquerade" in room.exec("nft list ruleset").lower()


def test_commands_can_be_logged_and_sessions_time_out(one_room: Room, debian: str) -> None:
    data = (
        "#!/bin/sh\n"
        "cat >/etc/profile.d/session.sh <<'END'\n"
        "readonly TMOUT=600\n"
        "PROMPT_COMMAND='history 1 >>/var/log/commands'\n"
        "END\n"
        "install -m 622 /dev/null /var/log/commands\n"
    )
    one_room.start(machine(image=debian, memory=256, user_data=b64encode(data.encode()).decode()))
    one_room.wait_console("user data: exit status 0")
    one_room.exec(
        "printf 'echo first command\\necho $TMOUT >/tmp/timeout\\nexit\\n' |"
        " su admin -c 'cd && script -qec \"bash -li\" /dev/null'"
    )
    assert one_room.exec("cat /tmp/timeout") == "600\n"
    assert "1  echo first command" in one_room.exec("cat /var/log/commands")


def test_is_built_once(debian: str) -> None:
    said: list[str] = []
    store = ImageStore()
    assert store.ensure(debian, said.append) == store.ensure(debian)
    assert said == []
    info = next(image for image in store.list() if image.name == debian)
    assert info.built
    assert info.digest.startswith("sha256:")
    assert 100 < info.size >> 20 < 400
