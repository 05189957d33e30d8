"""What a container uses, read from its cgroup and its network namespace.

Sources: Docker Engine API 1.43, "ContainerStats"; cgroups(7); proc(5), ``/proc/pid/net/dev``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gureum.machines import cgroups


def counters(cgroup: str, pid: int, most_memory: int, processors: int) -> dict[str, int]:
    """The figures at this moment: nanoseconds, bytes, processes."""
    if cgroups.is_unified():
        stat = _words(cgroups.read(cgroup, "cpu", "cpu.stat"))
        cpu = stat.get("usage_usec", 0) * 1000
        memory = _number(cgroups.read(cgroup, "memory", "memory.current"), 0)
        limit = _number(cgroups.read(cgroup, "memory", "memory.max"), most_memory)
        cache = _words(cgroups.read(cgroup, "memory", "memory.stat")).get("inactive_file", 0)
    else:
        cpu = _number(cgroups.read(cgroup, "cpuacct", "cpuacct.usage"), 0)
        memory = _number(cgroups.read(cgroup, "memory", "memory.usage_in_bytes"), 0)
        limit = _number(cgroups.read(cgroup, "memory", "memory.limit_in_bytes"), most_memory)
        stat = _words(cgroups.read(cgroup, "memory", "memory.stat"))
        cache = stat.get("total_inactive_file", 0)
    received, sent = traffic(pid)
    return {
        "cpu": cpu,
        "system": _system(),
        "processors": processors,
        "memory": memory,
        "cache": cache,
        "limit": min(limit, most_memory) if most_memory else limit,
        "pids": _number(cgroups.read(cgroup, "pids", "pids.current"), 0),
        "rx": received,
        "tx": sent,
    }


def measures(
    key: str, name: str, before: dict[str, int] | None, now: dict[str, int], at: str
) -> dict[str, Any]:
    """One piece of the answer."""
    return {
        "id": key,
        "name": f"/{name}",
        "read": at,
        "preread": at if before else "0001-01-01T00:00:00Z",
        "num_procs": 0,
        "pids_stats": {"current": now["pids"]},
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before) if before else {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {
            "usage": now["memory"],
            "limit": now["limit"],
            "stats": {"total_inactive_file": now["cache"], "inactive_file": now["cache"]},
        },
        "networks": {"eth0": {"rx_bytes": now["rx"], "tx_bytes": now["tx"], "rx_packets": 0,
                              "tx_packets": 0, "rx_errors": 0, "tx_errors": 0, "rx_dropped": 0,
                              "tx_dropped": 0}},
        "blkio_stats": {"io_service_bytes_recursive": None},
        "storage_stats": {},
    }  # fmt: skip


def _cpu(seen: dict[str, int]) -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": seen["cpu"]},
        "system_cpu_usage": seen["system"],
        "online_cpus": seen["processors"],
    }


def _system() -> int:
    """Nanoseconds that all processors of the machine have spent (proc(5), ``/proc/stat``)."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:8]
    return sum(map(int, fields)) * 10_000_000


def traffic(pid: int) -> tuple[int, int]:
    """Bytes received and sent by all links but loopback of a process's network namespace."""
    received = sent = 0
    try:
        rows = Path(f"/proc/{pid}/net/dev").read_text(errors="replace").splitlines()[2:]
    except OSError:
        return 0, 0
    for row in rows:
        name, _, rest = row.partition(":")
        fields = rest.split()
        if name.strip() != "lo" and len(fields) > 8:
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


def _words(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(text: str, default: int) -> int:
    return int(text) if text.strip().isdigit() else default
