"""The containers on a packet's way: whom a name means, who listens there, their part of the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gureum.containers import Container, DockerError
from gureum.containers.find import container
from gureum.containers.lower import inside
from gureum.engines.linux.sockets import sockets
from gureum.errors import ApiError
from gureum.explain import Answer, Listener, arrival, heard
from gureum.explain.inner import Inner, Inside
from gureum.explain.packet import Packet
from gureum.model import View
from gureum.server import places
from gureum.server.places import Scope

Net = Callable[[Container], Path | None]
"""The folder in which the kernel tells of a container's network (proc(5), ``/proc/pid/net``), None
where it does not run."""


def no_net(row: Container) -> None:
    """Where no container runs."""


def named(scope: Scope, text: str) -> tuple[str, Container | None]:
    """The instance and the container that ``instance/container`` means; the text itself and None
    where it is no such name.

    Raises:
        ApiError: the codes of :func:`places.resolve`; ``NoSuchPlace``, ``NotRunning``.
    """
    place, slash, name = text.partition("/")
    if not slash:
        return text, None
    found = places.resolve(scope, place, (places.INSTANCE,))
    try:
        row = container(scope.view, found.id, name)
    except DockerError as error:
        raise ApiError("NoSuchPlace", f"{error}.", 404) from None
    if row.state != "running":
        raise ApiError("NotRunning", f"The container {row.name} is {row.state}.", 409)
    return found.id, row


def out_of(view: View, row: Container, packet: Packet) -> Inside | None:
    """The part of the way out of a container that is inside its instance.

    Raises:
        ApiError: ``NoAddress``, no way leads out of it.
    """
    if row.mode == "host":
        return None
    found = Inner(row.instance, inside(view, row.instance)).out(row.id, packet)
    if found is None:
        over = " over IPv6" if ":" in packet.target else ""
        raise ApiError("NoAddress", f"The container {row.name} has no way out{over}.", 409)
    return found


def into(view: View, answer: Answer, net: Net) -> tuple[Answer, Inside | None]:
    """The answer with who listens in the container to which a published port leads, and the part of
    the way that is inside the instance; None where the port is none."""
    packet, host = arrival(answer), answer.forth.arrived
    if packet is None or host is None:
        return answer, None
    found = Inner(host, inside(view, host)).behind(packet)
    row = view.find(Container, found.owner) if found else None
    if found is None or row is None:
        return answer, None
    folder = net(row)
    listeners = [
        Listener(each.protocol, each.address, each.port)
        for each in (sockets(folder) if folder else ())
        if each.state == "listening"
    ]
    seen = heard(replace(answer, forth=replace(answer.forth, packet=found.packet)), listeners)
    last = seen.forth.steps[-1]
    return (
        replace(answer, heard=seen.heard),
        replace(found, forth=(*found.forth, replace(last, place=host))),
    )
