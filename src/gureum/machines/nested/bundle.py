"""The OCI configuration of a container inside an instance.

It is never given more than its instance has: the same user namespace, seccomp list and device list,
fewer capabilities, and a cgroup below the instance's.

Source: OCI Runtime Specification 1.0; moby, ``oci/defaults.go``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gureum.machines import oci, seccomp
from gureum.machines.nested.spec import Spec

CPU_PERIOD = oci.CPU_PERIOD
INIT = "/sbin/docker-init"
_TIGHT = ("nosuid", "noexec", "nodev")
_TMPFS_OPTIONS = frozenset(
    ("ro", "rw", "noexec", "exec", "nosuid", "suid", "noatime", "nodiratime")
)
_TMPFS_VALUES = frozenset(("size", "mode", "uid", "gid", "nr_inodes"))


def config(spec: Spec, folder: Path, cgroup: str, swap: bool, lib: Path) -> dict[str, Any]:
    """``config.json`` of the bundle ``folder``; ``cgroup`` is the container's own path, ``swap``
    whether this kernel can be told to give none."""
    argv = [INIT, "--", *spec.argv] if spec.init else list(spec.argv)
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(folder / "rootfs"), "readonly": spec.read_only},
        "hostname": spec.hostname,
        "process": process(spec, argv),
        "mounts": _mounts(spec, folder, lib),
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")),
                {"type": "user", "path": str(folder / "userns")},
                {"type": "network", "path": str(spec.netns)},
            ],
            **oci.MAPPINGS,
            "cgroupsPath": cgroup,
            "resources": _resources(spec, swap),
            "seccomp": seccomp.profile(),
            "maskedPaths": list(oci.MASKED),
            "readonlyPaths": [*oci.READ_ONLY, *_sysctls(spec)],
            **({"sysctl": dict(spec.sysctls)} if spec.sysctls else {}),
        },
    }


def process(spec: Spec, argv: list[str]) -> dict[str, Any]:
    """The ``process`` object for a program of the container; another user than root is filled in
    later."""
    caps = [name for name in oci.available() if name in spec.capabilities]
    return {
        "terminal": spec.tty,
        "user": {"uid": 0, "gid": 0},
        "cwd": spec.cwd or "/",
        "args": argv,
        "env": _environment(spec),
        "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
        "rlimits": oci.rlimits(),
        "noNewPrivileges": spec.no_new_privileges,
        "oomScoreAdj": oci.OOM_SCORE_ADJ,
    }


def _environment(spec: Spec) -> list[str]:
    """With ``HOME`` where root runs; that of others stands in the container's own files."""
    own = any(each.startswith("HOME=") for each in spec.env) or spec.user not in ("", "0", "root")
    return [*spec.env, *([] if own else ["HOME=/root"])]


def _sysctls(spec: Spec) -> list[str]:
    return oci.host_sysctls() if spec.privileged else ["/proc/sys"]


def _mounts(spec: Spec, folder: Path, lib: Path) -> list[dict[str, Any]]:
    found = [
        _mount("/proc", "proc", "proc", _TIGHT),
        _mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
        _mount(
            "/dev/pts", "devpts", "devpts",
            ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        ),
        _mount("/dev/shm", "tmpfs", "shm", (*_TIGHT, "mode=1777", f"size={spec.shm}")),  # noqa: S108 - inside
        _mount("/dev/mqueue", "mqueue", "mqueue", _TIGHT),
        _mount("/sys", "sysfs", "sysfs", (*_TIGHT, "ro")),
    ]  # fmt: skip
    for name, _ in spec.files:
        source = str(folder / "files" / name)
        found.append(_mount(f"/etc/{name}", "bind", source, ("bind", "nosuid", "nodev")))
    if spec.init:
        found.append(_mount(INIT, "bind", str(lib / "tini"), ("bind", "ro", "nosuid", "nodev")))
    for target, options in spec.tmpfs:
        found.append(_mount(target, "tmpfs", "tmpfs", tmpfs_options(options)))
    # a mount on another one's folder comes after it
    for number, bind in sorted(enumerate(spec.binds), key=lambda each: each[1].target.count("/")):
        source = str(bind.path or folder / "binds" / str(number))
        mode = "ro" if bind.read_only else "rw"
        found.append(_mount(bind.target, "bind", source, ("rbind", "nodev", "rprivate", mode)))
    return found


def tmpfs_options(text: str) -> tuple[str, ...]:
    """Options of a tmpfs as a client gives them, after Docker's own; what could mean anything else
    than a tmpfs is left out."""
    options = ["nosuid", "nodev", "noexec"]
    for option in filter(None, text.split(",")):
        name, _, value = option.partition("=")
        if option in _TMPFS_OPTIONS or (name in _TMPFS_VALUES and value.rstrip("kmg").isdigit()):
            options = [each for each in options if each != f"no{option}"]
            options.append(option)
    return tuple(options)


def _mount(target: str, kind: str, source: str, options: tuple[str, ...]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _resources(spec: Spec, swap: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"devices": oci.devices()}
    if spec.memory:
        found["memory"] = {"limit": spec.memory, **({"swap": spec.memory} if swap else {})}
    cpu: dict[str, int] = {}
    if spec.nano_cpus:
        quota = max(1000, spec.nano_cpus * CPU_PERIOD // 1_000_000_000)
        cpu |= {"quota": quota, "period": CPU_PERIOD}
    if spec.cpu_shares:
        cpu["shares"] = spec.cpu_shares
    if cpu:
        found["cpu"] = cpu
    if spec.pids > 0:
        found["pids"] = {"limit": spec.pids}
    return found
