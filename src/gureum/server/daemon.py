"""The daemon: puts one cloud together, serves it, and lets go of it without stopping it.

State folder::

    gureum.db       what was asked for, and who asked it (SQLite)
    secret.key      seals the secrets of access keys in it; only the daemon's own user may read it
    tag             four hexadecimal digits that mark this cloud's namespaces, links and cgroups
    gureum.sock     the commands' way in; only the daemon's own user may open it
    daemon.json     who serves: process id, endpoint
    daemon.log      what happened, one line an event
    flow-logs/ …    see :mod:`gureum.services.flow_files`
    route-exports/  see :mod:`gureum.services.route_exports`
    instances/ …    see :mod:`gureum.machines.containers`
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import re
import resource
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from gureum.engines.linux import FlowMeter, LinuxEngine, is_free
from gureum.engines.linux.inner import remove_namespaces
from gureum.iam.instance_role import InstanceRoles
from gureum.images import ImageStore
from gureum.images import Store as ImageCatalog
from gureum.machines import MachineRoom, Machines, NoMachines
from gureum.machines.absent import refuse_leftovers
from gureum.reconcile import Reconciler
from gureum.resources import REGISTRY, image, internet_host
from gureum.server.analyses import Analyses
from gureum.server.app import Api, application
from gureum.server.authentication import Authenticator
from gureum.server.cloud import Cloud
from gureum.server.console import console
from gureum.server.dispatch import Dispatcher, utc_now
from gureum.server.docker.engine import DockerEngine
from gureum.server.insights import Insights
from gureum.server.networks import Networks
from gureum.server.quiet import QuietServer, quiet_config
from gureum.server.secret_key import open_vault
from gureum.server.settings import (
    RunningError,
    Settings,
    failure_path,
    lock_path,
    socket_path,
)
from gureum.server.stored_images import publish
from gureum.services import FlowRecorder, Rooms, Services
from gureum.services.flow_files import FlowFiles
from gureum.services.route_exports import RouteExports
from gureum.store import Bounds, SqliteStore, StoreError

log = logging.getLogger(__name__)

_TAG = re.compile(r"[0-9a-f]{4}")

FILES = 1 << 16
"""Files that the daemon may have open: five sockets a VPC, and 1024 in all is a usual limit."""

LAST_REQUESTS = 3
"""Seconds that requests which are half sent have left when the daemon is told to end."""


@dataclass
class Stop:
    """How the daemon is to end: leave everything running, or tear it down."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    tear_down: bool = False

    def ask(self, *, tear_down: bool) -> None:
        """End soon."""
        self.tear_down = tear_down
        self.event.set()


def serve(settings: Settings) -> None:
    """Serve a cloud until told to stop.

    Raises:
        SettingsError: the settings do not go together.
        RunningError: the state folder is served already.
        StoreError: what it holds cannot be used.
        EngineError, MachineError: this machine cannot carry the cloud; the text says why.
        OSError: the port is taken.
    """
    settings.check()
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    _raise_file_limit()
    with only_one(settings.state), _tcp_socket(settings) as tcp:
        failure_path(settings.state).unlink(missing_ok=True)
        cloud = open_cloud(settings)
        try:
            cloud.reconciler.start()
            cloud.analyses.start()
            if cloud.docker is not None:
                cloud.docker.start()
            stop = Stop()
            try:
                asyncio.run(_serve(cloud, settings, tcp, stop))
            finally:
                cloud.analyses.stop()
                if cloud.docker is not None:
                    cloud.docker.stop()
                cloud.reconciler.stop()
                cloud.services.stop()
            if stop.tear_down:
                _tear_down(cloud)
        finally:
            cloud.services.stop()
            cloud.machines.close()
            cloud.engine.close()
            cloud.store.close()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _tear_down(cloud: Cloud) -> None:
    log.info("tearing down")
    try:
        cloud.reconciler.tear_down()
        remove_namespaces(cloud.tag)
    except Exception as error:
        failure_path(cloud.state).write_text(f"{error}\n", encoding="utf-8")
        raise


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the lock of a state folder.

    Raises:
        RunningError: a daemon holds it.
    """
    with lock_path(state).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunningError(f"another gureum serves {state}") from None
        yield


def _tcp_socket(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio switches Nagle's algorithm off for sockets that say they are TCP, and for no others;
    # with it, answers that go out in two parts wait 40 ms for the client's delayed ACK.
    tcp = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        tcp.bind((settings.host, settings.port))
    except OSError as error:
        tcp.close()
        raise OSError(
            error.errno, f"{settings.host} port {settings.port} cannot be served: {error.strerror}"
        ) from None
    tcp.listen(1024)
    return tcp


def open_cloud(settings: Settings) -> Cloud:
    """The parts of the cloud of a state folder, put together but not started."""
    tag = tag_of(settings.state)
    bounds = Bounds(settings.audit_size << 20, settings.audit_days)
    store = SqliteStore(settings.state / "gureum.db", durable=settings.durable, bounds=bounds)
    vault = open_vault(settings.state, store.view)
    images = ImageStore()
    engine = LinuxEngine(tag, settings.bridge_filter, settings.host_link)
    machines = _machine_room(settings, tag, images)
    with store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
        internet_host.provide(txn, utc_now())
        image.set_aliases(txn, settings.ami_aliases, utc_now())
    publish(ImageCatalog(images), store, utc_now())
    flows = FlowRecorder(
        lambda: FlowMeter(tag),
        FlowFiles(settings.state / "flow-logs"),
        store.view,
        settings.flow_log_interval,
    )
    RouteExports(settings.state / "route-exports", store)
    answering = Services(engine, lambda: store.view, InstanceRoles(vault, utc_now))
    services = Rooms(answering, flows)
    docker = None
    if isinstance(machines, Machines):
        docker = DockerEngine(
            tag,
            store,
            machines,
            ImageCatalog(images),
            utc_now,
            engine.netns,
            settings.registries,
        )
    networks = Networks(store, REGISTRY, engine.forwards)
    return Cloud(
        state=settings.state,
        tag=tag,
        store=store,
        registry=REGISTRY,
        engine=engine,
        machines=machines,
        images=images,
        reconciler=Reconciler(store, REGISTRY, engine, machines, utc_now, services=services),
        services=services,
        dispatch=Dispatcher(
            store,
            REGISTRY,
            probe=lambda what, key: machines.console(key),
            analyse=Insights(networks),
        ),
        networks=networks,
        analyses=Analyses(store, networks, utc_now),
        flows=flows,
        vault=vault,
        auth=settings.auth,
        audit=settings.audit,
        docker=docker,
    )


def _machine_room(settings: Settings, tag: str, images: ImageStore) -> MachineRoom:
    if settings.machines:
        return Machines(settings.state, tag, images)
    refuse_leftovers(settings.state)
    return NoMachines()


def tag_of(state: Path) -> str:
    """The tag of the cloud of a state folder, chosen at its first start.

    Raises:
        StoreError: the folder has a tag that is none.
    """
    path = state / "tag"
    with contextlib.suppress(FileNotFoundError):
        tag = path.read_text(encoding="ascii", errors="replace").strip()
        if not _TAG.fullmatch(tag):
            # Another one would make a second cloud beside what runs of this.
            raise StoreError(f"{path} holds {tag[:20]!r}, not the four hexadecimal digits it had")
        return tag
    tag = secrets.token_hex(2)
    while not is_free(tag):
        tag = secrets.token_hex(2)
    new = path.with_name(".tag")
    new.write_text(f"{tag}\n", encoding="ascii")
    new.rename(path)
    return tag


async def _serve(cloud: Cloud, settings: Settings, tcp: socket.socket, stop: Stop) -> None:
    path = socket_path(settings.state)
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX)
    # unix(7): Linux gives the file the mode of the socket.  The umask would be everybody's, and
    # threads are making folders for instances at this moment.
    os.fchmod(unix.fileno(), 0o600)
    unix.bind(str(path))
    unix.listen(64)
    host, port = tcp.getsockname()[:2]
    endpoint = f"http://{_bracketed(host)}:{port}"
    auth = Authenticator(cloud.store, cloud.vault, settings.auth)
    wait, reset = cloud.reconciler.wait, settings.allow_reset
    api = Api(
        cloud.dispatch,
        wait,
        auth=auth,
        allow_reset=reset,
        audit=settings.audit,
        rates=settings.rates(),
    )
    app = application(api, console(cloud, endpoint, stop.ask))
    server = QuietServer(quiet_config(app, LAST_REQUESTS), cloud.ending.set)
    about = json.dumps({"pid": os.getpid(), "endpoint": endpoint})
    (settings.state / "daemon.json").write_text(about, encoding="utf-8")
    log.info("serving %s, state %s, tag %s", endpoint, cloud.state, cloud.tag)

    # uvicorn ends kindly on these, then raises the signal once more for whoever was there before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _already_ending)

    async def watch() -> None:
        await stop.event.wait()
        server.end()

    watcher = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[tcp, unix])
    finally:
        watcher.cancel()
        for name in ("gureum.sock", "daemon.json"):
            (settings.state / name).unlink(missing_ok=True)


def _already_ending(number: int, frame: FrameType | None) -> None:
    log.info("ended by %s; the cloud keeps running", signal.Signals(number).name)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
