"""The OCI runtime configuration of one instance: what it sees, may do and may use.

Source: OCI Runtime Specification 1.0, ``config.md`` and ``config-linux.md``.  The reasons for the
isolation are in ``docs/machines.md``.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gureum.machines import seccomp

# linux/capability.h.  Docker's set without MKNOD, plus NET_ADMIN where it counts in the instance's
# own user namespace only; every filter that holds the instance sits outside.
CAPABILITIES = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_FSETID": 4,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_CHROOT": 18,
    "CAP_AUDIT_WRITE": 29,
    "CAP_SETFCAP": 31,
}

# A fork bomb ends here; a Debian with a few servers has some dozens.
PIDS = 1024

# CFS bandwidth: 100 ms is the kernel's default period.
CPU_PERIOD = 100_000

# What hostile or broken instances use of memory is theirs to lose first, not the daemon's.
OOM_SCORE_ADJ = 500

# Files open at once, as systemd gives to services; never more than we have ourselves.
OPEN_FILES = (1024, 524_288)

# Where the runtime finds boot script, init and seed inside the instance: /run is a tmpfs, so no
# mount point has to be made in a tree that a hostile instance prepared.
LIB = "/run/gureum/lib"
SEED = "/run/gureum/seed"
VOLUMES = "/run/volumes"
DOCKER = "/run/gureum/docker"

# Kernel interfaces that are not namespaced and tell or change something of the host.
MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/dynamic_debug", "/proc/interrupts", "/proc/kallsyms",
    "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount",
    "/proc/kpageflags", "/proc/latency_stats", "/proc/modules", "/proc/sched_debug", "/proc/scsi",
    "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo", "/sys/firmware",
    "/sys/kernel/debug", "/sys/kernel/security", "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = (
    "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/mtrr", "/proc/pressure",
    "/proc/swaps", "/proc/sysrq-trigger", "/proc/sysvipc", "/proc/tty",
)  # fmt: skip

# Users and groups are themselves in the user namespaces that we are given; runc wants to be told.
_IDENTITY = [{"containerID": 0, "hostID": 0, "size": 65536}]
MAPPINGS = {"uidMappings": _IDENTITY, "gidMappings": _IDENTITY}

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "container": "gureum",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one instance may use: ``cpus`` cores, ``memory`` MiB, ``pids`` processes and threads.
    ``swap`` says whether this kernel can be told to give none."""

    cpus: int
    memory: int
    pids: int = PIDS
    swap: bool = True


@dataclass(frozen=True, slots=True)
class Bundle:
    """The host's side of one instance: its mounted root, the folders bound into it (``volumes`` by
    their names in :data:`VOLUMES`), its place in the cgroup tree, its network namespace (None: a
    new, empty one) and the user namespace that owns it (None: our own)."""

    rootfs: Path
    lib: Path
    seed: Path
    cgroup: str
    netns: Path | None
    userns: Path | None
    hostname: str
    volumes: tuple[tuple[str, Path], ...] = ()
    docker: Path | None = None


def config(bundle: Bundle, limits: Limits, argv: list[str]) -> dict[str, Any]:
    """``config.json`` for a container with ``argv`` as PID 1."""
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(bundle.rootfs), "readonly": False},
        "hostname": bundle.hostname,
        "process": _process(argv, confined=bundle.userns is not None),
        "mounts": _mounts(bundle),
        "linux": {
            "namespaces": _namespaces(bundle),
            **(MAPPINGS if bundle.userns is not None else {}),
            "cgroupsPath": bundle.cgroup,
            "resources": _resources(limits),
            "seccomp": seccomp.profile(),
            "maskedPaths": list(MASKED),
            "readonlyPaths": [*READ_ONLY, *host_sysctls()],
        },
    }


def _process(argv: list[str], *, confined: bool) -> dict[str, Any]:
    capabilities = [name for name in available() if confined or name != "CAP_NET_ADMIN"]
    return {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "cwd": "/",
        "args": argv,
        "env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
        "capabilities": {
            "bounding": capabilities,
            "effective": capabilities,
            "permitted": capabilities,
        },
        "rlimits": rlimits(),
        "noNewPrivileges": False,
        "oomScoreAdj": OOM_SCORE_ADJ,
    }


def rlimits() -> list[dict[str, Any]]:
    """Files open at once, and no core dumps: those would be written by the host."""
    soft, hard = OPEN_FILES
    ours = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if ours != resource.RLIM_INFINITY:  # root without CAP_SYS_RESOURCE may not raise it
        soft, hard = min(soft, ours), min(hard, ours)
    return [
        {"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]


def available() -> list[str]:
    """Our capabilities, as far as we may pass them on ourselves."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    ours = next(int(row.split()[1], 16) for row in status.splitlines() if row.startswith("CapBnd:"))
    return [name for name, bit in CAPABILITIES.items() if ours >> bit & 1]


def _mounts(bundle: Bundle) -> list[dict[str, Any]]:
    tight = ["nosuid", "noexec", "nodev"]
    lent = ["bind", "ro", *tight]
    return [
        _mount("/proc", "proc", "proc", tight),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=64k"]),
        _mount(
            "/dev/pts", "devpts", "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("/dev/shm", "tmpfs", "shm", [*tight, "mode=1777", "size=64m"]),  # noqa: S108 - inside
        _mount("/dev/mqueue", "mqueue", "mqueue", tight),
        _mount("/sys", "sysfs", "sysfs", [*tight, "ro"]),
        _mount("/run", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=755", "size=64m"]),
        _mount(LIB, "bind", str(bundle.lib), ["bind", "ro", "nosuid", "nodev"]),
        _mount(SEED, "bind", str(bundle.seed), lent),
        *([_mount(DOCKER, "bind", str(bundle.docker), lent)] if bundle.docker else []),
        *(
            _mount(f"{VOLUMES}/{name}", "bind", str(folder), ["bind", "nodev"])
            for name, folder in bundle.volumes
        ),
    ]  # fmt: skip


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _namespaces(bundle: Bundle) -> list[dict[str, str]]:
    spaces = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")]
    if bundle.userns is not None:
        spaces.append({"type": "user", "path": str(bundle.userns)})
    if bundle.netns is None:
        return [*spaces, {"type": "network"}]
    return [*spaces, {"type": "network", "path": str(bundle.netns)}]


def _resources(limits: Limits) -> dict[str, Any]:
    size = limits.memory * 1024 * 1024
    return {
        "memory": {"limit": size, "swap": size} if limits.swap else {"limit": size},
        "cpu": {"quota": limits.cpus * CPU_PERIOD, "period": CPU_PERIOD},
        "pids": {"limit": limits.pids},
        "devices": devices(),
    }


def devices() -> list[dict[str, Any]]:
    """The devices that may be used, by what is written for the device cgroup."""
    return [
        {"allow": False, "access": "rwm"},
        *(_device(1, minor) for minor in (3, 5, 7, 8, 9)),  # null zero full random urandom
        _device(5, 0),  # tty
        _device(5, 2),  # ptmx
        _device(136, None),  # pts
    ]


def _device(major: int, minor: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {"allow": True, "type": "c", "major": major, "access": "rw"}
    return row if minor is None else row | {"minor": minor}


def host_sysctls() -> list[str]:
    """Every branch of /proc/sys but ``net``.

    ``/proc/sys/net`` shows the network namespace of who opens it, and there the kernel itself
    makes the few host-wide values read-only (``sysctl_net.c``), so it may stay writable: an
    instance turns on ``net.ipv4.ip_forward`` as on any Linux.  Closing its siblings one by one
    does that with every runtime; runc refuses to mount anything over a part of /proc.
    """
    return sorted(str(path) for path in Path("/proc/sys").iterdir() if path.name != "net")
