"""What becomes of containers, networks and volumes: each function is one change of rows.

Sources: Docker Engine API 1.43; moby, ``daemon/start.go``, ``daemon/stop.go``, ``daemon/delete.go``
and ``restartmanager``.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from gureum.containers import find
from gureum.containers.errors import DockerError
from gureum.containers.networks import (
    BUILT_IN,
    common,
    connected,
    disconnected,
    endpoints_on,
    free_block,
    networks_of,
)
from gureum.containers.rows import (
    Container,
    ContainerImage,
    ContainerNetwork,
    ContainerVolume,
    Endpoint,
)
from gureum.model import Txn
from gureum.resources.instance import Instance

MOST = 500
"""Containers, networks, volumes and images, of each, that an instance may have: they are rows."""

SIGNALLED = 128
"""A process that a signal ended has this and the signal's number as its exit code (bash(1))."""


# --- containers ---------------------------------------------------------------------------------
def create(txn: Txn, row: Container, now: str) -> Container:
    """A new container, with the volumes that it names and that are not there yet.

    Raises:
        DockerError: its name is taken or impossible, or there are too many.
    """
    find.check_name(txn.view, row.instance, row.name)
    if len(find.containers_of(txn.view, row.instance)) >= MOST:
        raise DockerError(500, f"there are {MOST} containers on this instance already")
    known = {each.name for each in find.volumes_of(txn.view, row.instance)}
    for mount in row.mounts:
        if mount.kind == "volume" and mount.source not in known:
            create_volume(txn, row.instance, mount.source, now, anonymous=mount.anonymous)
            known.add(mount.source)
    return txn.put(row)


def rename(txn: Txn, row: Container, name: str) -> None:
    """Give a container another name.

    Raises:
        DockerError: it is taken or impossible.
    """
    name = name.removeprefix("/")
    if name == row.name:
        raise DockerError(400, "Renaming a container with the same name as its current name")
    find.check_name(txn.view, row.instance, name)
    txn.put(replace(row, name=name))


def ask_to_run(txn: Txn, row: Container, *, by_policy: bool = False) -> Container:
    """Have a container run, with addresses of its own.

    Raises:
        DockerError: its instance does not run, a port is taken, what it shares is not there.
    """
    instance = txn.view.find(Instance, row.instance)
    if instance is None or instance.state not in ("pending", "running"):
        raise DockerError(500, f"the instance {row.instance} does not run")
    if row.mode.startswith("container:"):
        other = find.container(txn.view, row.instance, row.mode.partition(":")[2])
        if not other.wanted:
            raise DockerError(409, f"cannot join network of a non running container: {other.id}")
    return txn.put(
        replace(
            connected(txn, row),
            wanted=True,
            manual=False,
            run=row.run + 1,
            boot=instance.boot,
            restarts=row.restarts + 1 if by_policy else 0,
            error="",
        )
    )


def run_again(txn: Txn, row: Container, now: str, *, by_policy: bool) -> None:
    """Start a container that nobody asks for, because of its policy.

    Raises:
        DockerError: as :func:`ask_to_run`.
    """
    del now
    if not row.wanted:
        ask_to_run(txn, row, by_policy=by_policy)


def ask_to_stop(txn: Txn, row: Container) -> None:
    """Take note that somebody stops it, so that no policy starts it again."""
    txn.put(replace(row, manual=True))


def began(txn: Txn, row: Container, now: str, *, run: int) -> None:
    """Take note that it runs."""
    if row.run == run and row.wanted:
        txn.put(replace(row, state="running", started=now, finished="", exit_code=0, error=""))


def pause(txn: Txn, row: Container, *, on: bool) -> None:
    """Take note that its processes stand still, or go on.

    Raises:
        DockerError: 409, it does not run, or they do already.
    """
    if row.state != "running":
        raise DockerError(409, f"Container {row.id} is not running")
    if row.paused == on:
        raise DockerError(409, f"Container {row.id} is {'already' if on else 'not'} paused")
    txn.put(replace(row, paused=on))


def ended(
    txn: Txn,
    row: Container,
    now: str,
    *,
    run: int,
    code: int,
    by_memory: bool = False,
    error: str = "",
) -> None:
    """Take note that it ended, or could not begin (``error``); it is removed if that was wished."""
    if row.run != run or not row.wanted:
        return
    over = replace(
        disconnected(row),
        wanted=False,
        paused=False,
        state="created" if error else "exited",
        finished="" if error else now,
        exit_code=code,
        killed_by_memory=by_memory,
        error=error,
    )
    if row.auto_remove:
        remove(txn, txn.put(over), with_volumes=True)
    else:
        txn.put(over)


def starts_again(row: Container) -> bool:
    """Whether its policy has a container that just ended by itself start again."""
    if row.manual or row.wanted:
        return False
    match row.restart.policy:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            left = not row.restart.limit or row.restarts < row.restart.limit
            return row.exit_code != 0 and left
    return False


def starts_with_instance(row: Container) -> bool:
    """Whether a container is started when its instance is."""
    if row.wanted or not row.run:
        return False
    if row.restart.policy == "always":
        return True
    return row.restart.policy == "unless-stopped" and not row.manual


def remove(txn: Txn, row: Container, *, with_volumes: bool) -> None:
    """Forget a container that does not run, and its anonymous volumes if that is asked."""
    txn.delete(row)
    if not with_volumes:
        return
    for volume in find.volumes_of(txn.view, row.instance):
        mine = any(mount.kind == "volume" and mount.source == volume.name for mount in row.mounts)
        if mine and volume.anonymous and not list(find.users_of(txn.view, volume)):
            txn.delete(volume)


# --- networks -----------------------------------------------------------------------------------
def create_network(txn: Txn, row: ContainerNetwork) -> ContainerNetwork:
    """A new network; without a block it gets one of Docker's.

    Raises:
        DockerError: its name or its addresses are taken.
    """
    known = networks_of(txn.view, row.instance)
    if not find.NAME.fullmatch(row.name):
        raise DockerError(400, f"invalid network name: {row.name}")
    if row.name in BUILT_IN:
        raise DockerError(403, f"operation is not permitted on predefined {row.name} network")
    if any(each.name == row.name for each in known):
        raise DockerError(409, f"network with name {row.name} already exists")
    if len(known) >= MOST:
        raise DockerError(500, f"there are {MOST} networks on this instance already")
    taken = [each.cidr for each in known] + ["172.17.0.0/16"]
    block = ipaddress.IPv4Network(row.cidr) if row.cidr else free_block(taken)
    if any(block.overlaps(ipaddress.IPv4Network(each)) for each in taken):
        raise DockerError(403, "Pool overlaps with other one on this address space")
    gateway = row.gateway or str(block[1])
    if ipaddress.IPv4Address(gateway) not in block:
        raise DockerError(400, f"no matching subnet for gateway {gateway}")
    return txn.put(replace(row, cidr=str(block), gateway=gateway))


def remove_network(txn: Txn, row: ContainerNetwork) -> None:
    """Forget a network.

    Raises:
        DockerError: it is docker0, or a container runs on it.
    """
    if row.name in BUILT_IN:
        raise DockerError(403, f"{row.name} is a pre-defined network and cannot be removed")
    if any(owner.wanted for owner, _ in endpoints_on(txn.view, row.id)):
        raise DockerError(
            403, f"error while removing network: network {row.name} has active endpoints"
        )
    for owner, _ in list(endpoints_on(txn.view, row.id)):
        rest = tuple(each for each in owner.endpoints if each.network != row.id)
        txn.put(replace(owner, endpoints=rest))
    txn.delete(row)


def connect(txn: Txn, row: Container, end: Endpoint) -> None:
    """Join a container to one more network, at once if it runs.

    Raises:
        DockerError: it is on it already, or its network is not its own.
    """
    if row.mode != "network":
        raise DockerError(
            403, "container sharing network namespace with another container or host cannot be "
            "connected to any other network"
        )  # fmt: skip
    if any(each.network == end.network for each in row.endpoints):
        raise DockerError(
            403, f"endpoint with name {row.name} already exists in network {end.network}"
        )
    more = replace(row, endpoints=(*row.endpoints, end))
    txn.put(connected(txn, more) if row.wanted else more)


def disconnect(txn: Txn, row: Container, network: ContainerNetwork) -> None:
    """Take a container off a network.

    Raises:
        DockerError: it is not on it.
    """
    rest = tuple(each for each in row.endpoints if each.network != network.id)
    if len(rest) == len(row.endpoints):
        raise DockerError(403, f"container {row.id} is not connected to network {network.name}")
    txn.put(replace(row, endpoints=rest))


# --- volumes ------------------------------------------------------------------------------------
def create_volume(
    txn: Txn,
    instance: str,
    name: str,
    now: str,
    *,
    anonymous: bool = False,
    labels: tuple[tuple[str, str], ...] = (),
    options: tuple[tuple[str, str], ...] = (),
) -> ContainerVolume:
    """The volume of that name, made unless it is there.

    Raises:
        DockerError: the name is impossible, or there are too many.
    """
    known = find.volumes_of(txn.view, instance)
    for row in known:
        if row.name == name:
            return row
    if len(known) >= MOST:
        raise DockerError(500, f"there are {MOST} volumes on this instance already")
    if not find.NAME.fullmatch(name) or len(name) > find.LONGEST_NAME:
        raise DockerError(
            400,
            f'create {name[:80]}: "{name[:80]}" includes invalid characters for a local volume '
            'name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host '
            "directory, use absolute path",
        )
    return txn.put(
        ContainerVolume(
            **common(txn, instance, now),
            name=name,
            anonymous=anonymous,
            labels=labels,
            options=options,
        )
    )


def remove_volume(txn: Txn, row: ContainerVolume) -> None:
    """Forget a volume.

    Raises:
        DockerError: 409, a container has it.
    """
    users = [each.id for each in find.users_of(txn.view, row)]
    if users:
        raise DockerError(
            409, f"remove {row.name}: volume is in use - [{', '.join(sorted(users))}]"
        )
    txn.delete(row)


# --- images -------------------------------------------------------------------------------------
def name_image(txn: Txn, instance: str, digest: str, name: str, now: str) -> ContainerImage:
    """Have an instance call an image so, which another may lose by that; or have it without a name,
    if ``name`` is empty.

    Raises:
        DockerError: there are too many.
    """
    known = find.images_of(txn.view, instance)
    for row in known:
        if name in row.names and row.digest != digest:
            txn.put(replace(row, names=tuple(each for each in row.names if each != name)))
    more = (name,) if name else ()
    for row in known:
        if row.digest == digest:
            names = tuple(dict.fromkeys((*row.names, *more)))
            return txn.put(replace(row, names=names, passing=False))
    if len(known) >= MOST:
        raise DockerError(500, f"there are {MOST} images on this instance already")
    return txn.put(
        ContainerImage(
            **common(txn, instance, now),
            digest=digest,
            names=more,
        )
    )


def keep_step(
    txn: Txn, instance: str, digest: str, parent: str, step: str, now: str
) -> ContainerImage:
    """Have an instance have an image that a build made of ``parent``, for other builds.

    Raises:
        DockerError: there are too many.
    """
    for row in find.images_of(txn.view, instance):
        if row.digest == digest:
            return txn.put(replace(row, parent=parent, step=step))
    row = name_image(txn, instance, digest, "", now)
    return txn.put(replace(row, parent=parent, step=step, passing=True))


def forget_steps(txn: Txn, instance: str, most: int) -> list[str]:
    """Have an instance forget what it has for builds only, but for the last; the digests."""
    used = {row.digest for row in find.containers_of(txn.view, instance)}
    rows = [row for row in find.images_of(txn.view, instance) if row.passing]
    gone = [row for row in rows[most:] if row.digest not in used]
    for row in gone:
        txn.delete(row)
    return [row.digest for row in gone]


def unname_image(txn: Txn, row: ContainerImage, name: str) -> None:
    """Have an image lose a name."""
    txn.put(replace(row, names=tuple(each for each in row.names if each != name)))


def remove_image(txn: Txn, row: ContainerImage, *, force: bool) -> None:
    """Have an instance forget an image of its own.

    Raises:
        DockerError: 409, a container is made from it.
    """
    short = row.digest.removeprefix("sha256:")[:12]
    for owner in find.containers_of(txn.view, row.instance):
        if owner.digest == row.digest and (owner.wanted or not force):
            how = "running" if owner.wanted else "stopped"
            must = "cannot be forced" if owner.wanted else "must be forced"
            raise DockerError(
                409,
                f"conflict: unable to delete {short} ({must}) - image is being used by {how} "
                f"container {owner.id[:12]}",
            )
    txn.delete(row)
