"""The runtime's configuration, as a value."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

from gureum.machines import oci

BUNDLE = oci.Bundle(
    rootfs=Path("/state/rootfs"),
    lib=Path("/state/lib"),
    seed=Path("/state/seed"),
    cgroup="/gureum-0a1b-i-1",
    netns=Path("/run/netns/x"),
    userns=Path("/state/userns"),
    hostname="ip-10-0-0-1",
)
LIMITS = oci.Limits(cpus=2, memory=512)


def made(bundle: oci.Bundle = BUNDLE, limits: oci.Limits = LIMITS) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(oci.config(bundle, limits, ["/init", "x"])))
    return config


def test_identity() -> None:
    config = made()
    assert config["hostname"] == "ip-10-0-0-1"
    assert config["root"] == {"path": "/state/rootfs", "readonly": False}
    assert config["process"]["args"] == ["/init", "x"]
    assert config["linux"]["cgroupsPath"] == "/gureum-0a1b-i-1"
    assert "seccomp" in config["linux"]


def test_every_namespace_is_its_own() -> None:
    spaces = {row["type"]: row.get("path") for row in made()["linux"]["namespaces"]}
    assert spaces == {
        "pid": None,
        "mount": None,
        "ipc": None,
        "uts": None,
        "cgroup": None,
        "user": "/state/userns",
        "network": "/run/netns/x",
    }
    assert made()["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 0, "size": 65536}]


def test_without_a_user_namespace_there_is_no_net_admin() -> None:
    config = made(replace(BUNDLE, userns=None, netns=None))
    assert {"type": "network"} in config["linux"]["namespaces"]
    assert "user" not in {row["type"] for row in config["linux"]["namespaces"]}
    assert "uidMappings" not in config["linux"]
    for kind in ("bounding", "effective", "permitted"):
        assert "CAP_NET_ADMIN" not in config["process"]["capabilities"][kind]
        assert "CAP_NET_ADMIN" in made()["process"]["capabilities"][kind]


def test_no_capability_that_reaches_out() -> None:
    held = set(made()["process"]["capabilities"]["bounding"])
    assert held <= set(oci.CAPABILITIES)
    assert not held & {
        "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE",
        "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_MKNOD", "CAP_DAC_READ_SEARCH", "CAP_BPF",
        "CAP_PERFMON", "CAP_SYSLOG", "CAP_MAC_ADMIN", "CAP_AUDIT_CONTROL",
    }  # fmt: skip
    assert not {"inheritable", "ambient"} & set(made()["process"]["capabilities"])


def test_limits() -> None:
    resources = made()["linux"]["resources"]
    assert resources["memory"] == {"limit": 512 << 20, "swap": 512 << 20}
    assert resources["cpu"] == {"quota": 200_000, "period": 100_000}
    assert resources["pids"] == {"limit": 1024}
    without = made(limits=replace(LIMITS, swap=False))["linux"]["resources"]
    assert without["memory"] == {"limit": 512 << 20}


def test_devices_are_closed_but_for_the_harmless() -> None:
    first, *others = made()["linux"]["resources"]["devices"]
    assert first == {"allow": False, "access": "rwm"}
    numbers = {(row["major"], row.get("minor")) for row in others}
    assert numbers == {
        (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None),
    }  # fmt: skip
    assert all(row["access"] == "rw" for row in others)


def test_open_files_never_above_our_own() -> None:
    limits = {row["type"]: row for row in made()["process"]["rlimits"]}
    ours = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert limits["RLIMIT_NOFILE"]["soft"] <= limits["RLIMIT_NOFILE"]["hard"]
    assert limits["RLIMIT_NOFILE"]["hard"] <= (ours if ours > 0 else oci.OPEN_FILES[1])
    assert limits["RLIMIT_CORE"] == {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}


def test_what_the_host_lends_is_read_only() -> None:
    mounts = {row["destination"]: row for row in made()["mounts"]}
    for place in (oci.LIB, oci.SEED):
        assert {"bind", "ro", "nosuid", "nodev"} <= set(mounts[place]["options"])
    assert "ro" in mounts["/sys"]["options"]
    assert not any(row["type"].startswith("cgroup") for row in mounts.values())


def test_all_settings_of_the_kernel_but_those_of_the_network_are_read_only() -> None:
    closed = set(made()["linux"]["readonlyPaths"])
    branches = {str(path) for path in Path("/proc/sys").iterdir()}
    assert branches - closed == {"/proc/sys/net"}
    assert {"/proc/sysrq-trigger", "/proc/irq", "/proc/bus"} <= closed
