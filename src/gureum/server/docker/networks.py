"""``/networks`` and ``/volumes``.

Source: Docker Engine API 1.43, "Network", "Volume".
"""

from __future__ import annotations

import ipaddress
from typing import Any

from gureum.containers import ContainerNetwork, DockerError
from gureum.containers import changes as change
from gureum.containers import find as found
from gureum.containers.networks import BUILT_IN, default_network, endpoints_on, networks_of, new_id
from gureum.containers.requests import Fields, endpoint
from gureum.model import Txn
from gureum.server.docker import shapes
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.router import Route


class Networks:
    """Networks and volumes of instances."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.routes: tuple[Route, ...] = (
            ("GET", "/networks", self.list),
            ("POST", "/networks/create", self.create),
            ("POST", "/networks/prune", self.prune),
            ("GET", "/networks/{name}", self.inspect),
            ("DELETE", "/networks/{name}", self.remove),
            ("POST", "/networks/{name}/connect", self.connect),
            ("POST", "/networks/{name}/disconnect", self.disconnect),
            ("GET", "/volumes", self.volumes),
            ("POST", "/volumes/create", self.create_volume),
            ("POST", "/volumes/prune", self.prune_volumes),
            ("GET", "/volumes/{name}", self.volume),
            ("DELETE", "/volumes/{name}", self.remove_volume),
        )

    # --- networks --------------------------------------------------------------------------------
    async def list(self, request: Request) -> Reply:
        """``docker network ls``."""
        view, filters = self._core.view, request.filters()
        await self._with_bridge(request.instance)
        view = self._core.view
        rows = [shapes.network(row, view) for row in networks_of(view, request.instance)]
        rows += [shapes.special_network(name) for name in ("host", "none")]
        return Reply(content=[each for each in rows if _matches(each, filters)])

    async def _with_bridge(self, instance: str) -> None:
        """docker0 is there before it is looked for."""
        if not networks_of(self._core.view, instance):
            await self._core.change(instance, lambda txn, now: default_network(txn, instance, now))

    async def inspect(self, request: Request, name: str) -> Reply:
        """``docker network inspect``."""
        for special in ("host", "none"):
            shown = shapes.special_network(special)
            if name in (special, shown["Id"]):
                return Reply(content=shown)
        await self._with_bridge(request.instance)
        row = found.network(self._core.view, request.instance, name)
        return Reply(content=shapes.network(row, self._core.view))

    async def create(self, request: Request) -> Reply:
        """A bridge of its own."""
        body = Fields(await request.json())
        driver = body.text("Driver") or "bridge"
        if driver != "bridge":
            raise DockerError(404, f"could not find plugin {driver[:40]} in v1 plugin registry")
        if body.flag("EnableIPv6"):
            raise DockerError(400, "networks inside instances have no IPv6")
        pools = body.object("IPAM").objects("Config")
        block, gateway = _block(pools)
        instance, key = request.instance, new_id()

        def act(txn: Txn, now: str) -> ContainerNetwork:
            default_network(txn, instance, now)
            return change.create_network(
                txn,
                ContainerNetwork(
                    id=key,
                    account=txn.account,
                    region=txn.region,
                    created=now,
                    instance=instance,
                    name=body.text("Name"),
                    link=f"br-{key[:12]}",
                    cidr=block,
                    gateway=gateway,
                    internal=body.flag("Internal"),
                    labels=body.pairs("Labels"),
                    options=body.pairs("Options"),
                ),
            )

        row = await self._core.change(instance, act)
        return Reply(201, {"Id": row.id, "Warning": ""})

    async def remove(self, request: Request, name: str) -> Reply:
        """One that nobody runs on."""
        if name in BUILT_IN:
            raise DockerError(403, f"{name} is a pre-defined network and cannot be removed")
        row = found.network(self._core.view, request.instance, name)
        await self._core.change(row.instance, lambda txn, _: change.remove_network(txn, row))
        return Reply(204)

    async def connect(self, request: Request, name: str) -> Reply:
        """Join a container to a network."""
        row = found.network(self._core.view, request.instance, name)
        body = Fields(await request.json())
        end = endpoint(row.id, body.object("EndpointConfig"), row.name != "bridge")
        text = body.text("Container")

        def act(txn: Txn, _now: str) -> None:
            change.connect(txn, found.container(txn.view, row.instance, text), end)

        await self._core.change(row.instance, act)
        return Reply(200)

    async def disconnect(self, request: Request, name: str) -> Reply:
        """Take a container off a network."""
        row = found.network(self._core.view, request.instance, name)
        text = Fields(await request.json()).text("Container")

        def act(txn: Txn, _now: str) -> None:
            change.disconnect(txn, found.container(txn.view, row.instance, text), row)

        await self._core.change(row.instance, act)
        return Reply(200)

    async def prune(self, request: Request) -> Reply:
        """All that no container is on."""
        instance = request.instance

        def act(txn: Txn, _now: str) -> list[str]:
            gone = []
            for row in networks_of(txn.view, instance):
                if row.name not in BUILT_IN and next(endpoints_on(txn.view, row.id), None) is None:
                    change.remove_network(txn, row)
                    gone.append(row.name)
            return gone

        return Reply(content={"NetworksDeleted": await self._core.change(instance, act)})

    # --- volumes ---------------------------------------------------------------------------------
    async def volumes(self, request: Request) -> Reply:
        """``docker volume ls``."""
        filters = request.filters()
        rows = found.volumes_of(self._core.view, request.instance)
        shown = [shapes.volume(row) for row in rows]
        if "dangling" in filters:
            want = filters["dangling"][:1] not in (["false"], ["0"])
            view = self._core.view
            unused = {row.name for row in rows if not list(found.users_of(view, row))}
            shown = [each for each in shown if (each["Name"] in unused) == want]
        filters.pop("dangling", None)
        shown = [each for each in shown if _matches(each, filters)]
        return Reply(content={"Volumes": shown, "Warnings": None})

    async def create_volume(self, request: Request) -> Reply:
        """The volume of a name, new or not."""
        body, instance = Fields(await request.json()), request.instance
        if (body.text("Driver") or "local") != "local":
            raise DockerError(404, f"plugin {body.text('Driver')[:40]!r} not found")
        if body.pairs("DriverOpts"):
            raise DockerError(400, "options of the local driver are not available on instances")
        name = body.text("Name")
        row = await self._core.change(
            instance,
            lambda txn, now: change.create_volume(
                txn, instance, name or new_id(), now, anonymous=not name,
                labels=body.pairs("Labels"),
            ),
        )  # fmt: skip
        return Reply(201, shapes.volume(row))

    async def volume(self, request: Request, name: str) -> Reply:
        """``docker volume inspect``."""
        row = found.volume(self._core.view, request.instance, name)
        return Reply(content=shapes.volume(row))

    async def remove_volume(self, request: Request, name: str) -> Reply:
        """One that no container has; what it holds goes with it."""
        row = found.volume(self._core.view, request.instance, name)
        await self._core.change(row.instance, lambda txn, _: change.remove_volume(txn, row))
        return Reply(204)

    async def prune_volumes(self, request: Request) -> Reply:
        """The anonymous ones that no container has; with the filter ``all`` the others, too."""
        everything = request.filters().get("all", ["false"])[:1] in (["true"], ["1"])
        instance = request.instance

        def act(txn: Txn, _now: str) -> list[str]:
            gone = []
            for row in found.volumes_of(txn.view, instance):
                unused = not list(found.users_of(txn.view, row))
                if unused and (row.anonymous or everything):
                    change.remove_volume(txn, row)
                    gone.append(row.name)
            return gone

        names = await self._core.change(instance, act)
        return Reply(content={"VolumesDeleted": names, "SpaceReclaimed": 0})


def _block(pools: list[Fields]) -> tuple[str, str]:
    """The block and gateway that were asked for, or empty texts."""
    if not pools or not pools[0].text("Subnet"):
        return "", ""
    try:
        block = ipaddress.IPv4Network(pools[0].text("Subnet"))
        gateway = pools[0].text("Gateway")
        return str(block), str(ipaddress.IPv4Address(gateway)) if gateway else ""
    except ValueError as error:
        raise DockerError(400, f"invalid network config: {error}") from None


def _matches(shown: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    labels = shown.get("Labels") or {}
    for name, values in filters.items():
        if name == "label":
            pairs = [each.partition("=") for each in values]
            if not all(k in labels and (not e or labels[k] == v) for k, e, v in pairs):
                return False
        elif name in ("name", "id"):
            has = str(shown.get("Name" if name == "name" else "Id", ""))
            if not any(each.strip("^$") in has for each in values):
                return False
        elif name == "driver" and shown["Driver"] not in values:
            return False
    return True
