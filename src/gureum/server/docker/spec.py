"""From a container's row to what the runtime has to know."""

from __future__ import annotations

import json
from pathlib import Path

from gureum.containers import Container, ContainerNetwork, DockerError
from gureum.containers.find import container
from gureum.containers.names import named_networks
from gureum.engines.linux.inner_names import ADDRESS
from gureum.images import ImageError, Store
from gureum.machines import oci
from gureum.machines.nested import Bind, NestedRoom, Spec
from gureum.machines.nested.spec import CAPABILITIES
from gureum.model import Reader
from gureum.program import Machine

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Specs:
    """Makes specs of rows, with the images and volumes that they name."""

    def __init__(self, images: Store, room: NestedRoom) -> None:
        self._images = images
        self._room = room

    def layers(self, row: Container) -> tuple[Path, ...]:
        """The layers of the image that a container is made of.

        Raises:
            DockerError: the image is not here any more.
        """
        try:
            return self._images.find(row.digest).layers
        except ImageError as error:
            raise DockerError(404, str(error)) from None

    def of(self, row: Container, view: Reader, netns: Path, resolv: str) -> Spec:
        """What to run.  ``resolv`` is the instance's resolver configuration.

        Raises:
            DockerError: the image is not here any more.
        """
        what = row.process
        env = what.env if any(each.startswith("PATH=") for each in what.env) else (PATH, *what.env)
        env = (*env, f"HOSTNAME={row.hostname}", *(["TERM=xterm"] if what.tty else []))
        return Spec(
            id=row.id,
            run=row.run,
            layers=self.layers(row),
            netns=netns,
            hostname=row.hostname,
            argv=what.argv,
            env=env,
            cwd=what.cwd,
            user=what.user or "0",
            tty=what.tty,
            stdin=what.stdin,
            once=what.once,
            capabilities=capabilities(row),
            privileged=row.privileged,
            no_new_privileges=row.no_new_privileges,
            read_only=row.read_only,
            init=row.init,
            memory=row.limits.memory,
            nano_cpus=row.limits.nano_cpus,
            cpu_shares=row.limits.cpu_shares,
            pids=row.limits.pids,
            shm=row.limits.shm,
            binds=tuple(self._binds(row)),
            tmpfs=tuple((m.target, m.options) for m in row.mounts if m.kind == "tmpfs"),
            files=self._files(row, view, resolv),
            sysctls=row.sysctls,
        )

    def _binds(self, row: Container) -> list[Bind]:
        found = []
        for mount in row.mounts:
            if mount.kind == "bind":
                found.append(Bind(mount.target, None, mount.source, mount.read_only))
            elif mount.kind == "volume":
                path = self._room.volume(row.instance, mount.source)
                found.append(Bind(mount.target, path, "", mount.read_only, filled=True))
        return found

    def _files(self, row: Container, view: Reader, resolv: str) -> tuple[tuple[str, str], ...]:
        if row.mode.startswith("container:"):
            other = container(view, row.instance, row.mode.partition(":")[2])
            return (("hosts", hosts(other, view)), ("hostname", f"{other.hostname}\n"),
                    ("resolv.conf", resolver(other, view, resolv)))  # fmt: skip
        return (("hosts", hosts(row, view)), ("hostname", f"{row.hostname}\n"),
                ("resolv.conf", resolver(row, view, resolv)))  # fmt: skip


def capabilities(row: Container) -> tuple[str, ...]:
    """Docker's own, with those added and without those dropped; never more than instances have."""
    every = tuple(oci.CAPABILITIES)
    if row.privileged or "ALL" in row.add_caps:
        return tuple(each for each in every if each not in row.drop_caps)
    if "ALL" in row.drop_caps:
        return tuple(each for each in every if each in row.add_caps)
    wanted = {*CAPABILITIES, *row.add_caps} - {*row.drop_caps}
    return tuple(each for each in every if each in wanted)


def hosts(row: Container, view: Reader) -> str:
    """``/etc/hosts``: loopback, what was added, and the container's own names."""
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "ff00::0\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
    ]
    for extra in row.hosts:
        name, _, ip = extra.partition(":")
        lines.append(f"{_gateway(row, view) if ip == 'host-gateway' else ip}\t{name}")
    own = row.hostname if not row.domain else f"{row.hostname}.{row.domain} {row.hostname}"
    lines += [f"{end.ip}\t{own}" for end in row.endpoints if end.ip]
    return "".join(f"{line}\n" for line in lines)


def resolver(row: Container, view: Reader, instance: str) -> str:
    """``/etc/resolv.conf``: the instance's, with what was asked for in its place; on user-defined
    networks the name server is ours."""
    named = any(named_networks(row, view))
    if not named and not row.dns and not row.dns_search:
        return instance
    lines = [line for line in instance.splitlines() if line.startswith("nameserver")]
    if named:
        lines = [f"nameserver {ADDRESS}"]
    elif row.dns:
        lines = [f"nameserver {each}" for each in row.dns]
    if row.dns_search:
        lines.append(f"search {' '.join(row.dns_search)}")
    elif named:
        lines += [line for line in instance.splitlines() if line.startswith("search")]
    if named:
        lines.append("options ndots:0")
    return "".join(f"{line}\n" for line in lines)


def servers(row: Container, instance: str) -> tuple[str, ...]:
    """Who knows the names that are on no network of a container: what was asked for, else the
    instance's own name servers."""
    rows = (line.split() for line in instance.splitlines())
    return row.dns or tuple(words[1] for words in rows if words[:1] == ["nameserver"] and words[1:])


def resolv_of(machine: Machine | None) -> str:
    """What an instance's own file says (see ``machines/seed.py``)."""
    if machine is None:
        return ""
    search = f"search {' '.join(machine.search)}\n" if machine.search else ""
    return "".join(f"nameserver {each}\n" for each in machine.resolvers) + search


def _gateway(row: Container, view: Reader) -> str:
    for end in row.endpoints:
        network = view.find(ContainerNetwork, end.network)
        if network is not None:
            return network.gateway
    return "127.0.0.1"


def asked(row: Container) -> dict[str, object]:
    """``HostConfig`` as the client gave it."""
    found: dict[str, object] = json.loads(row.asked)
    return found
