"""Rows in the words of Docker's answers.

Source: Docker Engine API 1.43, ``ContainerInspectResponse``, ``ContainerSummary``, ``Network``,
``Volume``.
"""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime
from typing import Any

from gureum.containers import Container, ContainerNetwork, ContainerVolume, Endpoint, Port
from gureum.containers.networks import endpoints_on
from gureum.machines.nested import Running
from gureum.model import Reader

NEVER = "0001-01-01T00:00:00Z"
VOLUMES = "/var/lib/docker/volumes"
"""Where Docker has volumes; here it is a name only."""


def inspect(row: Container, view: Reader, running: Running | None, folder: str) -> dict[str, Any]:
    """``docker inspect``."""
    what = row.process
    return {
        "Id": row.id,
        "Created": row.created,
        "Path": what.argv[0],
        "Args": list(what.argv[1:]),
        "State": state(row, running),
        "Image": row.digest,
        "ResolvConfPath": f"{folder}/files/resolv.conf",
        "HostnamePath": f"{folder}/files/hostname",
        "HostsPath": f"{folder}/files/hosts",
        "LogPath": f"{folder}/log",
        "Name": f"/{row.name}",
        "RestartCount": row.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": host_config(row, view),
        "GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": f"{folder}/upper"}},
        "Mounts": [mount(each) for each in row.mounts if each.kind != "tmpfs"],
        "Config": config(row),
        "NetworkSettings": network_settings(row, view),
    }


def state(row: Container, running: Running | None) -> dict[str, Any]:
    """``State``."""
    return {
        "Status": row.status,
        "Running": row.state == "running",
        "Paused": row.paused,
        "Restarting": False,
        "OOMKilled": row.killed_by_memory,
        "Dead": False,
        "Pid": running.pid if running and row.state == "running" else 0,
        "ExitCode": row.exit_code,
        "Error": row.error,
        "StartedAt": row.started or NEVER,
        "FinishedAt": row.finished or NEVER,
    }


def config(row: Container) -> dict[str, Any]:
    """``Config``."""
    what = row.process
    return {
        "Hostname": row.hostname,
        "Domainname": row.domain,
        "User": what.user,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {each: {} for each in _exposed(row)},
        "Tty": what.tty,
        "OpenStdin": what.stdin,
        "StdinOnce": what.once,
        "Env": list(what.env),
        "Cmd": list(what.cmd) or None,
        "Image": row.image,
        "Volumes": None,
        "WorkingDir": what.cwd,
        "Entrypoint": list(what.entrypoint) or None,
        "OnBuild": None,
        "Labels": dict(row.labels),
        "StopSignal": what.stop_signal,
        "StopTimeout": what.stop_timeout,
        **({"Healthcheck": {"Test": list(row.health.test), "Interval": row.health.interval,
                            "Timeout": row.health.timeout, "Retries": row.health.retries,
                            "StartPeriod": row.health.start_period}} if row.health else {}),
    }  # fmt: skip


def host_config(row: Container, view: Reader) -> dict[str, Any]:
    """``HostConfig``: what is kept, over what the client gave."""
    found: dict[str, Any] = json.loads(row.asked)
    return found | {
        "NetworkMode": _mode(row, view),
        "RestartPolicy": {"Name": row.restart.policy, "MaximumRetryCount": row.restart.limit},
        "AutoRemove": row.auto_remove,
        "Privileged": row.privileged,
        "ReadonlyRootfs": row.read_only,
        "Memory": row.limits.memory,
        "NanoCpus": row.limits.nano_cpus,
        "PidsLimit": row.limits.pids or None,
        "ShmSize": row.limits.shm,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "Runtime": "runc",
        "PortBindings": {
            name: [{"HostIp": p.address, "HostPort": str(p.host or "")} for p in ports]
            for name, ports in _by_name(row).items()
        },
    }


def _mode(row: Container, view: Reader) -> str:
    if row.mode != "network":
        return row.mode
    network = view.find(ContainerNetwork, row.endpoints[0].network) if row.endpoints else None
    return network.name if network else "none"


def _by_name(row: Container) -> dict[str, list[Port]]:
    found: dict[str, list[Port]] = {}
    for each in row.ports:
        found.setdefault(f"{each.container}/{each.protocol}", []).append(each)
    return found


def _exposed(row: Container) -> list[str]:
    names = [each if "/" in each else f"{each}/tcp" for each in row.exposed]
    return list(dict.fromkeys((*names, *_by_name(row))))


def mount(each: Any) -> dict[str, Any]:
    """One of ``Mounts``."""
    shown = {
        "Type": each.kind,
        "Source": each.source,
        "Destination": each.target,
        "Mode": "ro" if each.read_only else "",
        "RW": not each.read_only,
        "Propagation": "rprivate" if each.kind == "bind" else "",
    }
    if each.kind == "volume":
        shown |= {
            "Name": each.source,
            "Source": f"{VOLUMES}/{each.source}/_data",
            "Driver": "local",
        }
    return shown


# --- networks -----------------------------------------------------------------------------------
def network_settings(row: Container, view: Reader) -> dict[str, Any]:
    """``NetworkSettings``, whose upper half tells of docker0."""
    networks, default = {}, _endpoint(None, None, "")
    for end in row.endpoints:
        network = view.find(ContainerNetwork, end.network)
        if network is not None:
            networks[network.name] = _endpoint(end, network, row.id)
            if network.name == "bridge":
                default = networks[network.name]
    if row.mode in ("host", "none"):
        networks[row.mode] = _endpoint(None, None, "")
    kept = ("Gateway", "IPAddress", "IPPrefixLen", "MacAddress", "EndpointID")
    return {
        "Bridge": "",
        "SandboxID": row.id if row.state == "running" else "",
        "Ports": port_map(row),
        **{name: default[name] for name in kept},
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPv6Gateway": "",
        "Networks": networks,
    }


def port_map(row: Container) -> dict[str, Any]:
    """``Ports``: where each published or exposed port of a running container is."""
    if row.state != "running":
        return {}
    found: dict[str, Any] = dict.fromkeys(_exposed(row))
    for name, ports in _by_name(row).items():
        found[name] = [
            {"HostIp": p.address or "0.0.0.0", "HostPort": str(p.given)}  # noqa: S104 - shown only
            for p in ports
            if p.given
        ]
    return found


def _endpoint(
    end: Endpoint | None, network: ContainerNetwork | None, container: str
) -> dict[str, Any]:
    there = end is not None and bool(end.ip) and network is not None
    own = network is not None and network.name != "bridge"
    aliases = [*end.aliases, container[:12]] if end and own else None
    return {
        "IPAMConfig": {"IPv4Address": end.wish} if end and end.wish else None,
        "Links": None,
        "Aliases": aliases,
        "DNSNames": aliases,
        "NetworkID": network.id if network else "",
        "EndpointID": f"{container[:32]}{network.id[:32]}" if there and network else "",
        "Gateway": network.gateway if there and network and not network.internal else "",
        "IPAddress": end.ip if end else "",
        "IPPrefixLen": ipaddress.ip_network(network.cidr).prefixlen if there and network else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": end.mac if end else "",
        "DriverOpts": None,
    }


def network(row: ContainerNetwork, view: Reader) -> dict[str, Any]:
    """``docker network inspect``."""
    length = ipaddress.ip_network(row.cidr).prefixlen
    return _network(
        row.name, row.id, row.created, "bridge",
        subnets=[{"Subnet": row.cidr, "Gateway": row.gateway}],
        internal=row.internal,
        labels=dict(row.labels),
        options=dict(row.options) or ({"com.docker.network.bridge.name": row.link}
                                      if row.name == "bridge" else {}),
        containers={
            owner.id: {
                "Name": owner.name,
                "EndpointID": f"{owner.id[:32]}{row.id[:32]}",
                "MacAddress": end.mac,
                "IPv4Address": f"{end.ip}/{length}",
                "IPv6Address": "",
            }
            for owner, end in endpoints_on(view, row.id)
            if end.ip
        },
    )  # fmt: skip


def special_network(name: str) -> dict[str, Any]:
    """``host`` and ``none``, which every engine has."""
    driver = "null" if name == "none" else name
    return _network(name, name.encode().hex().ljust(64, "0"), NEVER, driver)


def _network(
    name: str, key: str, created: str, driver: str, *, subnets: list[dict[str, str]] | None = None,
    internal: bool = False, labels: dict[str, str] | None = None,
    options: dict[str, str] | None = None, containers: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "Name": name,
        "Id": key,
        "Created": created,
        "Scope": "local",
        "Driver": driver,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": subnets or []},
        "Internal": internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": containers or {},
        "Options": options or {},
        "Labels": labels or {},
    }


def volume(row: ContainerVolume) -> dict[str, Any]:
    """``docker volume inspect``."""
    return {
        "CreatedAt": row.created,
        "Driver": "local",
        "Labels": dict(row.labels) or None,
        "Mountpoint": f"{VOLUMES}/{row.name}/_data",
        "Name": row.name,
        "Options": dict(row.options) or None,
        "Scope": "local",
    }


# --- listing ------------------------------------------------------------------------------------
def summary(
    row: Container, view: Reader, image: str, now: str, health: str = "none"
) -> dict[str, Any]:
    """One line of ``docker ps``."""
    return {
        "Id": row.id,
        "Names": [f"/{row.name}"],
        "Image": image,
        "ImageID": row.digest,
        "Command": " ".join(row.process.argv),
        "Created": int(datetime.fromisoformat(row.created).timestamp()),
        "Ports": _listed_ports(row),
        "Labels": dict(row.labels),
        "State": row.status,
        "Status": status(row, now, health),
        "HostConfig": {"NetworkMode": _mode(row, view)},
        "NetworkSettings": {"Networks": network_settings(row, view)["Networks"]},
        "Mounts": [mount(each) for each in row.mounts if each.kind != "tmpfs"],
    }


def _listed_ports(row: Container) -> list[dict[str, Any]]:
    found = []
    for name, ports in port_map(row).items():
        number, _, protocol = name.partition("/")
        base: dict[str, Any] = {"PrivatePort": int(number), "Type": protocol}
        found += [
            {"IP": each["HostIp"], **base, "PublicPort": int(each["HostPort"])}
            for each in ports or ()
        ] or [base]
    return found


def status(row: Container, now: str, health: str = "none") -> str:
    """What the column ``STATUS`` says."""
    if row.state == "created":
        return "Created"
    if row.state == "running":
        word = {"none": "", "starting": " (health: starting)"}.get(health, f" ({health})")
        word = " (Paused)" if row.paused else word
        return f"Up {span(row.started, now)}{word}"
    return f"Exited ({row.exit_code}) {span(row.finished, now)} ago"


def span(then: str, now: str) -> str:
    """A time as Docker rounds it (docker/go-units, ``HumanDuration``)."""
    zero = datetime.fromtimestamp(0, UTC)
    start = datetime.fromisoformat(then) if then else zero
    seconds = int((datetime.fromisoformat(now) - start).total_seconds())
    minutes, hours = seconds // 60, round(seconds / 3600)
    steps = (
        (seconds < 1, "Less than a second"),
        (seconds == 1, "1 second"),
        (seconds < 60, f"{seconds} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 14, f"{hours // 24} days"),
        (hours < 24 * 60, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next((text for fits, text in steps if fits), f"{hours // 24 // 365} years")
