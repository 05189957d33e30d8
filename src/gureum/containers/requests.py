"""What ``POST /containers/create`` asks for, read strictly into a row.

Sources: Docker Engine API 1.43, ``ContainerCreate``; Docker CLI reference, ``docker run``; moby,
``daemon/create.go`` and ``volume/mounts/linux_parser.go``.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from gureum.containers import find
from gureum.containers.errors import DockerError
from gureum.containers.networks import DEFAULT, default_network, mac_of, new_id
from gureum.containers.rows import (
    Container,
    Endpoint,
    Health,
    Limits,
    Mount,
    Port,
    Process,
    Restart,
)
from gureum.model import Txn

CAPABILITIES = frozenset(
    """CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_ADMIN
    NET_RAW SYS_CHROOT AUDIT_WRITE SETFCAP""".split()  # noqa: SIM905
)
"""Those that an instance has itself."""
KNOWN_CAPABILITIES = CAPABILITIES | frozenset(
    """AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND BPF CHECKPOINT_RESTORE DAC_READ_SEARCH IPC_LOCK
    IPC_OWNER LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_BROADCAST PERFMON SYS_ADMIN
    SYS_BOOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    SYSLOG WAKE_ALARM""".split()  # noqa: SIM905
)
LEAST_MEMORY = 6 << 20
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?")
_SYSCTL = re.compile(r"net\.[a-z0-9_.-]+")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?|")
_LIMIT = 64 * 1024
"""Bytes of one text."""


class Fields:
    """A JSON object of a request: each member asked for by the type it must have."""

    def __init__(self, body: Mapping[str, Any], where: str = "") -> None:
        self._body = body
        self._where = where

    def _get(self, name: str, kind: type | tuple[type, ...], empty: Any) -> Any:
        value = self._body.get(name)
        if value is None:
            return empty
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise DockerError(400, f"invalid JSON: {self._where}{name} has the wrong type")
        return value

    def text(self, name: str) -> str:
        found: str = self._get(name, str, "")
        if len(found) > _LIMIT or "\0" in found:
            raise DockerError(400, f"{self._where}{name} is too long or has a zero byte")
        return found

    def flag(self, name: str) -> bool:
        return bool(self._get(name, bool, False))

    def number(self, name: str) -> int:
        return int(self._get(name, int, 0))

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        found = self._get(name, list, [])
        if not all(type(each) is int for each in found):
            raise DockerError(400, f"invalid JSON: {self._where}{name} has the wrong type")
        return tuple(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one text alone stands for a list of it."""
        value = self._get(name, (list, str), [])
        found = tuple([value] if isinstance(value, str) else value)
        if not all(isinstance(each, str) and "\0" not in each for each in found):
            raise DockerError(400, f"invalid JSON: {self._where}{name} has the wrong type")
        if sum(map(len, found)) > 16 * _LIMIT:
            raise DockerError(400, f"{self._where}{name} is too long")
        return found

    def object(self, name: str) -> Fields:
        return Fields(self._get(name, dict, {}), f"{self._where}{name}.")

    def objects(self, name: str) -> list[Fields]:
        found = [each for each in self._get(name, list, []) if each]
        if not all(isinstance(each, dict) for each in found):
            raise DockerError(400, f"invalid JSON: {self._where}{name} has the wrong type")
        return [Fields(each, f"{name}.") for each in found]

    def names(self) -> list[str]:
        return list(self._body)

    def has(self, name: str) -> bool:
        return self._body.get(name) is not None

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """An object of texts."""
        found = self._get(name, dict, {})
        return tuple((str(key), str(value)) for key, value in found.items())


def read(txn: Txn, instance: str, name: str, body: Mapping[str, Any], digest: str,
         image: Fields, now: str) -> Container:  # fmt: skip
    """A new row; ``image`` are the defaults of the image, under the names of the request.

    Raises:
        DockerError: 400, the request is wrong or asks for what is not here; 404, a network is not
            there.
    """
    asked = Fields(body)
    host = asked.object("HostConfig")
    _refuse(host)
    key = new_id()
    mode, ends = _networks(txn, instance, asked, host, now)
    hostname = asked.text("Hostname") or key[:12]
    if not _HOSTNAME.fullmatch(hostname):
        raise DockerError(400, f"invalid hostname format: {hostname[:80]}")
    ports = tuple(_ports(asked, host, image)) if mode == "network" else ()
    return Container(
        id=key,
        account=txn.account,
        region=txn.region,
        created=now,
        instance=instance,
        name=name.removeprefix("/") or _new_name(txn, instance),
        image=asked.text("Image"),
        digest=digest,
        process=_process(asked, host, image),
        hostname=hostname,
        domain=asked.text("Domainname"),
        labels=tuple(dict((*image.pairs("Labels"), *asked.pairs("Labels"))).items()),
        mounts=tuple(_mounts(asked, host, image)),
        ports=ports,
        exposed=tuple(dict.fromkeys((*image.object("ExposedPorts").names(),
                                     *asked.object("ExposedPorts").names()))),
        mode=mode,
        endpoints=ends,
        restart=_restart(host),
        limits=_limits(host),
        health=_wanted_health(asked.object("Healthcheck"), image.object("Healthcheck")),
        add_caps=_capabilities(host, "CapAdd"),
        drop_caps=_capabilities(host, "CapDrop"),
        privileged=host.flag("Privileged"),
        no_new_privileges=any(each.startswith("no-new-privileges") and not each.endswith("false")
                              for each in host.texts("SecurityOpt")),
        read_only=host.flag("ReadonlyRootfs"),
        auto_remove=_auto_remove(host),
        init=host.flag("Init"),
        hosts=host.texts("ExtraHosts"),
        dns=_addresses(host, "Dns"),
        dns_search=host.texts("DnsSearch"),
        sysctls=_sysctls(host),
        asked=json.dumps(body.get("HostConfig") or {}),
    )  # fmt: skip


def _refuse(host: Fields) -> None:
    """What would need more than an instance has, or is not built."""
    for name, allowed in (
        ("PidMode", ("", "private")),
        ("IpcMode", ("", "private", "shareable", "none")),
        ("UTSMode", ("", "private")),
        ("UsernsMode", ("",)),
        ("CgroupnsMode", ("", "private")),
    ):
        if host.text(name) not in allowed:
            raise DockerError(400, f"{name} {host.text(name)[:40]!r} is not available on instances")
    if host.objects("Devices") or host.objects("DeviceRequests"):
        raise DockerError(
            400, "error gathering device information while adding custom device: instances have "
            "no devices to share"
        )  # fmt: skip
    if host.texts("Links") or host.texts("VolumesFrom"):
        raise DockerError(400, "links and volumes-from are not available; use a network, a volume")


def _auto_remove(host: Fields) -> bool:
    if host.flag("AutoRemove") and host.object("RestartPolicy").text("Name") not in ("", "no"):
        raise DockerError(400, "can't create 'AutoRemove' container with restart policy")
    return host.flag("AutoRemove")


def _process(asked: Fields, host: Fields, image: Fields) -> Process:
    entrypoint, cmd = image.texts("Entrypoint"), asked.texts("Cmd")
    if asked.has("Entrypoint"):  # a new entrypoint, also an empty one, forgets the image's command
        entrypoint = tuple(each for each in asked.texts("Entrypoint") if each)
    elif not cmd:
        cmd = image.texts("Cmd")
    argv = (*entrypoint, *cmd)
    if not argv:
        raise DockerError(400, "no command specified")
    env = dict(each.partition("=")[::2] for each in image.texts("Env"))
    for each in asked.texts("Env"):
        key, equals, value = each.partition("=")
        if equals:
            env[key] = value
        else:
            env.pop(key, None)
    cwd = asked.text("WorkingDir") or image.text("WorkingDir") or "/"
    if not cwd.startswith("/"):
        raise DockerError(
            400, f"the working directory '{cwd[:80]}' is invalid, it needs to be an absolute path"
        )
    return Process(
        argv=argv,
        entrypoint=entrypoint,
        cmd=cmd,
        env=tuple(f"{key}={value}" for key, value in env.items()),
        cwd=cwd,
        user=asked.text("User") or image.text("User"),
        tty=asked.flag("Tty"),
        stdin=asked.flag("OpenStdin"),
        once=asked.flag("StdinOnce"),
        stop_signal=asked.text("StopSignal") or image.text("StopSignal") or "SIGTERM",
        stop_timeout=asked.number("StopTimeout") if asked.has("StopTimeout") else 10,
    )


# --- networks -----------------------------------------------------------------------------------
def _networks(
    txn: Txn, instance: str, asked: Fields, host: Fields, now: str
) -> tuple[str, tuple[Endpoint, ...]]:
    bridge = default_network(txn, instance, now)
    mode = host.text("NetworkMode")
    given = asked.object("NetworkingConfig").object("EndpointsConfig")
    if mode in ("host", "none"):
        return mode, ()
    if mode.startswith("container:"):
        other = find.container(txn.view, instance, mode.partition(":")[2])
        return f"container:{other.id}", ()
    names = [DEFAULT if each == "default" else each for each in given.names()]
    mode = DEFAULT if mode == "default" else mode or next(iter(names), DEFAULT)
    wanted = dict.fromkeys((mode, *names))
    ends = []
    for text in wanted:
        network = bridge if text == DEFAULT else find.network(txn.view, instance, text)
        settings = given.object(text if given.has(text) else "default")
        ends.append(endpoint(network.id, settings, network.name != DEFAULT))
    return "network", tuple({end.network: end for end in ends}.values())


def endpoint(network: str, settings: Fields, own: bool) -> Endpoint:
    """What an ``EndpointSettings`` asks for; ``own`` says that the network is user-defined.

    Raises:
        DockerError: 400.
    """
    wish = settings.object("IPAMConfig").text("IPv4Address")
    if wish:
        if not own:
            raise DockerError(
                400, "user specified IP address is supported on user defined networks only"
            )
        wish = _address(wish)
        mac_of(wish)
    aliases = settings.texts("Aliases")
    if any(not find.NAME.fullmatch(each) for each in aliases):
        raise DockerError(400, "invalid network alias")
    return Endpoint(network=network, aliases=aliases, wish=wish)


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise DockerError(400, f"invalid IPv4 address: {text[:60]}") from None


def _addresses(host: Fields, name: str) -> tuple[str, ...]:
    return tuple(_address(each) for each in host.texts(name))


def _ports(asked: Fields, host: Fields, image: Fields) -> Iterator[Port]:
    bindings = host.object("PortBindings")
    for text in bindings.names():
        number, protocol = port(text)
        for binding in bindings.objects(text) or [Fields({})]:
            address = binding.text("HostIp")
            address = "" if address in ("0.0.0.0", "::") else address and _address(address)  # noqa: S104
            yield from _range(number, protocol, address, binding.text("HostPort"))
    if host.flag("PublishAllPorts"):
        exposed = (*image.object("ExposedPorts").names(), *asked.object("ExposedPorts").names())
        for text in dict.fromkeys(exposed):
            if text not in bindings.names():
                number, protocol = port(text)
                yield Port(container=number, protocol="udp" if protocol == "udp" else "tcp")


def _range(number: int, protocol: str, address: str, text: str) -> Iterator[Port]:
    if text and (not text.isdigit() or not 0 <= int(text) <= 65535):
        raise DockerError(400, f"invalid port specification: {text[:40]!r}")
    kind = "udp" if protocol == "udp" else "tcp"
    yield Port(container=number, protocol=kind, address=address, host=int(text or 0))  # type: ignore[arg-type]


def port(text: str) -> tuple[int, str]:
    """``80/tcp``.

    Raises:
        DockerError: 400.
    """
    match = _PORT.fullmatch(text)
    if match is None or not 0 < int(match[1]) <= 65535:
        raise DockerError(400, f"invalid port specification: {text[:40]!r}")
    if match[2] == "sctp":
        raise DockerError(400, "SCTP ports are not available on instances")
    return int(match[1]), match[2] or "tcp"


# --- files --------------------------------------------------------------------------------------
def _mounts(asked: Fields, host: Fields, image: Fields) -> Iterator[Mount]:
    seen: set[str] = set()
    for mount in _asked_mounts(host):
        if mount.target in seen:
            raise DockerError(400, f"Duplicate mount point: {mount.target}")
        seen.add(mount.target)
        yield mount
    for target in (*asked.object("Volumes").names(), *image.object("Volumes").names()):
        path = _target(target)
        if path not in seen:
            seen.add(path)
            yield Mount(kind="volume", target=path, source=new_id(), anonymous=True)


def _asked_mounts(host: Fields) -> Iterator[Mount]:
    for text in host.texts("Binds"):
        yield _bind(text)
    tmpfs = host.pairs("Tmpfs")
    for target, options in tmpfs:
        yield Mount(kind="tmpfs", target=_target(target), options=options)
    for each in host.objects("Mounts"):
        yield _mount(each)


def _bind(text: str) -> Mount:
    parts = text.split(":")
    if not 2 <= len(parts) <= 3:
        raise DockerError(400, f"invalid volume specification: '{text[:120]}'")
    source, target = parts[:2]
    options = parts[2].split(",") if len(parts) == 3 else []
    return _of_source(source, _target(target), "ro" in options, text)


def _of_source(source: str, target: str, read_only: bool, text: str) -> Mount:
    if source.startswith("/"):
        return Mount(kind="bind", target=target, source=source, read_only=read_only)
    if not find.NAME.fullmatch(source):
        raise DockerError(
            400,
            f"invalid volume specification: '{text[:120]}': {source[:80]!r} includes invalid "
            "characters for a local volume name; use an absolute path for a folder",
        )
    return Mount(kind="volume", target=target, source=source, read_only=read_only)


def _mount(given: Fields) -> Mount:
    kind, target = given.text("Type"), _target(given.text("Target"))
    source, read_only = given.text("Source"), given.flag("ReadOnly")
    if kind == "tmpfs":
        options = given.object("TmpfsOptions")
        words = [f"size={options.number('SizeBytes')}"] if options.number("SizeBytes") else []
        words += [f"mode={options.number('Mode'):o}"] if options.number("Mode") else []
        return Mount(kind="tmpfs", target=target, options=",".join(words))
    if kind == "volume":
        if not source:
            return Mount(kind="volume", target=target, source=new_id(), read_only=read_only,
                         anonymous=True)  # fmt: skip
        return _of_source(source.lstrip("/"), target, read_only, source)
    if kind == "bind" and source.startswith("/"):
        return Mount(kind="bind", target=target, source=source, read_only=read_only)
    raise DockerError(400, f"invalid mount config for type {kind[:20]!r}: {source[:80]!r}")


def _target(path: str) -> str:
    parts = [each for each in path.split("/") if each not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise DockerError(400, f"invalid mount path: '{path[:120]}' mount path must be absolute")
    if not parts:
        raise DockerError(400, "invalid specification: destination can't be '/'")
    if parts[0] in ("proc", "sys", "dev") and parts != ["dev", "shm"]:
        raise DockerError(400, f"'/{'/'.join(parts)}' cannot be mounted over on instances")
    return "/" + "/".join(parts)


# --- bounds -------------------------------------------------------------------------------------
def _limits(host: Fields) -> Limits:
    memory = host.number("Memory")
    if 0 < memory < LEAST_MEMORY:
        raise DockerError(400, "Minimum memory limit allowed is 6MB")
    cpus = host.number("NanoCpus")
    quota, period = host.number("CpuQuota"), host.number("CpuPeriod") or 100_000
    if not cpus and quota > 0:
        cpus = quota * 1_000_000_000 // period
    if min(memory, cpus) < 0:
        raise DockerError(400, "a limit may not be negative")
    return Limits(
        memory=memory,
        nano_cpus=cpus,
        cpu_shares=max(0, host.number("CpuShares")),
        pids=max(0, host.number("PidsLimit")),
        shm=host.number("ShmSize") or 64 << 20,
    )


def _restart(host: Fields) -> Restart:
    given = host.object("RestartPolicy")
    policy, limit = given.text("Name") or "no", given.number("MaximumRetryCount")
    if policy not in ("no", "always", "unless-stopped", "on-failure"):
        raise DockerError(400, f"invalid restart policy '{policy[:40]}'")
    if limit and policy != "on-failure":
        raise DockerError(
            400, "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )
    return Restart(policy=policy, limit=limit)


def _wanted_health(asked: Fields, image: Fields) -> Health | None:
    """The image's check unless another one, or none, is asked for."""
    return _health(asked if asked.texts("Test") else image)


def _health(given: Fields) -> Health | None:
    test = given.texts("Test")
    if not test or test[0] == "NONE":
        return None
    whole = Health(test=test)
    return Health(
        test=test,
        interval=given.number("Interval") or whole.interval,
        timeout=given.number("Timeout") or whole.timeout,
        start_period=given.number("StartPeriod"),
        retries=given.number("Retries") or whole.retries,
    )


def _capabilities(host: Fields, name: str) -> tuple[str, ...]:
    found = []
    for text in host.texts(name):
        short = text.upper().removeprefix("CAP_")
        if short == "ALL":
            found.append("ALL")
            continue
        if short not in KNOWN_CAPABILITIES:
            raise DockerError(400, f'invalid {name}: unknown capability: "CAP_{short[:40]}"')
        if name == "CapAdd" and short not in CAPABILITIES:
            raise DockerError(400, f'invalid CapAdd: instances do not have "CAP_{short}"')
        found.append(f"CAP_{short}")
    return tuple(found)


def _sysctls(host: Fields) -> tuple[tuple[str, str], ...]:
    found = host.pairs("Sysctls")
    for name, _ in found:
        if not _SYSCTL.fullmatch(name) or host.text("NetworkMode") == "host":
            raise DockerError(400, f"sysctl '{name[:60]}' is not allowed here")
    return found


_ADJECTIVES = "brisk calm clear deft eager fair keen kind light lucid mellow noble proud swift"
_NAMES = "baran bellman cerf clark davies floyd hopper jacobson kahn karn lamport perlman"


def _new_name(txn: Txn, instance: str) -> str:
    """A name for who gave none, as ``swift_perlman``."""
    taken = {row.name for row in find.containers_of(txn.view, instance)}
    while True:
        name = f"{secrets.choice(_ADJECTIVES.split())}_{secrets.choice(_NAMES.split())}"
        if name not in taken:
            return name
        name = f"{name}{secrets.randbelow(1000)}"
        if name not in taken:
            return name
