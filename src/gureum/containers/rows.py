"""Containers, their networks and their volumes: rows of one instance each, gone with it.

Names, states and defaults are Docker's.  Source: Docker Engine API 1.43, ``ContainerInspect``,
``HostConfig``, ``NetworkInspect``, ``VolumeInspect``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gureum.model import Resource, ref

State = Literal["created", "running", "exited", "dead"]


@dataclass(frozen=True, kw_only=True)
class Process:
    """The first program of a container: ``user`` as Docker writes it (name or number, ``:group``),
    ``tty`` whether it has a terminal, ``stdin`` whether it is fed, ``once`` until the first one who
    feeds it goes."""

    argv: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    tty: bool = False
    stdin: bool = False
    once: bool = False
    stop_signal: str = "SIGTERM"
    stop_timeout: int = 10


@dataclass(frozen=True, kw_only=True)
class Mount:
    """What is mounted at ``target``: a folder of the instance (``bind``), a volume by its name, or
    memory (``tmpfs``, with mount options in ``options``)."""

    kind: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False
    options: str = ""
    anonymous: bool = False


@dataclass(frozen=True, kw_only=True)
class Port:
    """A published port: ``host`` 0 is any free one, which ``given`` then holds while it runs."""

    container: int
    protocol: Literal["tcp", "udp"] = "tcp"
    address: str = ""
    host: int = 0
    given: int = 0


@dataclass(frozen=True, kw_only=True)
class Restart:
    """When it is started again: ``no``, ``always``, ``unless-stopped`` or ``on-failure``, the
    latter ``limit`` times (0: for ever)."""

    policy: str = "no"
    limit: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What it may use beside what its instance may: bytes of memory, billionths of a processor,
    shares of processor time, processes; 0 is no limit of its own."""

    memory: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    pids: int = 0
    shm: int = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Health:
    """How to find out whether it does its work; times in nanoseconds."""

    test: tuple[str, ...]
    interval: int = 30_000_000_000
    timeout: int = 30_000_000_000
    start_period: int = 0
    retries: int = 3


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A container on a network; ``ip`` and ``mac`` are those it has while it runs, ``wish`` is the
    address that it was asked to have."""

    network: str = ref("weak")
    aliases: tuple[str, ...] = ()
    wish: str = ""
    ip: str = ""
    mac: str = ""


@dataclass(frozen=True, kw_only=True)
class Container(
    Resource,
    kind="container",
    prefix="docker-container",
    not_found="NoSuchContainer",
    noun="container",
    missing="No such {noun}: {id}",
):
    """A container.

    ``image`` is what it was asked to be made from and ``digest`` that image.  ``mode`` is
    ``network``, ``host``, ``none``, or ``container:<id>``.  ``wanted`` says whether it is to run
    and ``run`` counts its starts; ``manual`` that somebody stopped it; ``restarts`` how often it
    was started again by its policy.  ``error`` is why the last start failed.  ``boot`` is the
    instance's, for which it runs.  One that is ``paused`` runs, and its processes stand still.
    """

    instance: str = ref("cascade")
    name: str
    image: str
    digest: str
    process: Process
    hostname: str
    domain: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    exposed: tuple[str, ...] = ()
    mode: str = "network"
    endpoints: tuple[Endpoint, ...] = ()
    restart: Restart = Restart()
    limits: Limits = Limits()
    health: Health | None = None
    add_caps: tuple[str, ...] = ()
    drop_caps: tuple[str, ...] = ()
    privileged: bool = False
    no_new_privileges: bool = False
    read_only: bool = False
    auto_remove: bool = False
    init: bool = False
    hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    asked: str = "{}"
    """``HostConfig`` as the client gave it, JSON: what is not kept above is shown as it came."""
    state: State = "created"
    paused: bool = False
    wanted: bool = False
    manual: bool = False
    run: int = 0
    boot: int = 0
    restarts: int = 0
    started: str = ""
    finished: str = ""
    exit_code: int = 0
    killed_by_memory: bool = False
    error: str = ""

    @property
    def status(self) -> str:
        """The state, as Docker tells it."""
        return "paused" if self.paused else self.state


@dataclass(frozen=True, kw_only=True)
class ContainerNetwork(
    Resource,
    kind="container-network",
    prefix="docker-network",
    not_found="NoSuchNetwork",
    noun="network",
    missing="{noun} {id} not found",
):
    """A bridge in an instance; ``link`` is its name there and ``internal`` says that nothing on it
    reaches beyond."""

    instance: str = ref("cascade")
    name: str
    link: str
    cidr: str
    gateway: str
    internal: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContainerVolume(
    Resource,
    kind="container-volume",
    prefix="docker-volume",
    not_found="NoSuchVolume",
    noun="volume",
    missing="get {id}: no such {noun}",
):
    """A named folder of an instance that outlives containers; one that is ``anonymous`` goes with
    the container it was made for, if that is asked."""

    instance: str = ref("cascade")
    name: str
    anonymous: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContainerImage(
    Resource,
    kind="container-image",
    prefix="docker-image",
    not_found="NoSuchImage",
    noun="image",
    missing="No such {noun}: {id}",
):
    """An image that an instance has for itself, beside those of the cloud that all see: one that it
    pulled, made or gave a name.  ``digest`` is the image's and ``names`` are what it is called in
    this instance only, whole.  Of one that a build made ``parent`` and ``step`` say of which image,
    and by what; it is ``passing`` if it is kept for other builds only."""

    instance: str = ref("cascade")
    digest: str
    names: tuple[str, ...] = ()
    parent: str = ""
    step: str = ""
    passing: bool = False
