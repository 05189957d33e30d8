"""What a request to create a container means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.containers import Container, DockerError, Mount, Port
from tests.containers.room import asked, store


def _read(**body: Any) -> Container:
    with store().transaction("123456789012", "ap-northeast-2") as txn:
        return asked(txn, **body)


@pytest.mark.parametrize(
    ("body", "argv"),
    [
        ({}, ("sh",)),
        ({"Cmd": ["ls", "-l"]}, ("ls", "-l")),
        ({"Cmd": "ls"}, ("ls",)),
        ({"Entrypoint": ["echo"]}, ("echo",)),  # the image's command goes with its entrypoint
        ({"Entrypoint": "echo", "Cmd": ["a"]}, ("echo", "a")),
        ({"Entrypoint": [""], "Cmd": ["a"]}, ("a",)),  # docker run --entrypoint ""
    ],
)
def test_what_is_run(body: dict[str, Any], argv: tuple[str, ...]) -> None:
    assert _read(**body).process.argv == argv


def test_the_environment() -> None:
    row = _read(Env=["A=own", "B=c=d", "PATH"])
    assert row.process.env == ("A=own", "B=c=d")
    assert row.hostname == row.id[:12]


@pytest.mark.parametrize(
    ("bind", "mount"),
    [
        ("/srv:/data", Mount(kind="bind", source="/srv", target="/data")),
        ("/srv:/data:ro", Mount(kind="bind", source="/srv", target="/data", read_only=True)),
        ("vol:/data/", Mount(kind="volume", source="vol", target="/data")),
    ],
)
def test_binds(bind: str, mount: Mount) -> None:
    assert _read(HostConfig={"Binds": [bind]}).mounts == (mount,)


def test_ports() -> None:
    bindings = {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "10.0.0.1", "HostPort": "80"}],
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": ""}],
    }
    assert _read(HostConfig={"PortBindings": bindings}).ports == (
        Port(container=80, host=8080),
        Port(container=80, address="10.0.0.1", host=80),
        Port(container=53, protocol="udp"),
    )
    assert _read(HostConfig={"PublishAllPorts": True}).ports == (Port(container=80),)


def test_limits() -> None:
    host = {"Memory": 64 << 20, "CpuQuota": 50_000, "CpuPeriod": 100_000, "PidsLimit": -1}
    limits = _read(HostConfig=host).limits
    assert (limits.memory, limits.nano_cpus, limits.pids) == (64 << 20, 500_000_000, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Cmd": [1]}, "wrong type"),
        ({"Env": "\0"}, "wrong type"),
        ({"Tty": "yes"}, "wrong type"),
        ({"HostConfig": {"Memory": True}}, "wrong type"),
        ({"HostConfig": {"Memory": 1024}}, "Minimum memory limit"),
        ({"HostConfig": {"Binds": ["../etc:/x"]}}, "invalid characters"),
        ({"HostConfig": {"Binds": ["/a"]}}, "invalid volume specification"),
        ({"HostConfig": {"Binds": ["/a:/b/../../c"]}}, "must be absolute"),
        ({"HostConfig": {"Binds": ["/a:/"]}}, "can't be '/'"),
        ({"HostConfig": {"Binds": ["/a:/proc/sys"]}}, "cannot be mounted over"),
        ({"HostConfig": {"Binds": ["/a:/b", "/c:/b"]}}, "Duplicate mount point"),
        ({"HostConfig": {"PortBindings": {"0/tcp": []}}}, "invalid port"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostPort": "x"}]}}}, "invalid port"),
        ({"HostConfig": {"PortBindings": {"80/sctp": []}}}, "SCTP"),
        ({"HostConfig": {"CapAdd": ["SYS_ADMIN"]}}, "instances do not have"),
        ({"HostConfig": {"CapAdd": ["nonsense"]}}, "unknown capability"),
        ({"HostConfig": {"PidMode": "host"}}, "not available"),
        ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/null"}]}}, "no devices"),
        ({"HostConfig": {"RestartPolicy": {"Name": "often"}}}, "invalid restart policy"),
        ({"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}, "AutoRemove"),
        ({"HostConfig": {"NetworkMode": "nowhere"}}, "network nowhere not found"),
        ({"HostConfig": {"Sysctls": {"kernel.core_pattern": "x"}}}, "not allowed"),
        ({"Hostname": "a b"}, "invalid hostname"),
        ({"WorkingDir": "etc"}, "absolute path"),
        ({"HostConfig": {"Dns": ["x"]}}, "invalid IPv4"),
    ],
)
def test_refusals(body: dict[str, Any], said: str) -> None:
    with pytest.raises(DockerError, match=said) as refused:
        _read(**body)
    assert refused.value.status in (400, 404)
