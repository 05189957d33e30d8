"""What Gureum's own commands ask of the daemon, over its unix socket: JSON in, JSON out.

Refusals are ``{"error": {"code", "message"}}``.  Whoever can open the socket is the daemon's user,
so a program to be run somewhere in the cloud is not run here: the answer is the command line that
does it, and the asker runs it, with its own terminal, signals and exit status.

::

    GET    /status                          how the cloud is
    GET    /map      ?account&region        what is in a region
    GET    /place    ?name                  one place
    GET    /target   ?source&target&ipv6    the address by which one place reaches another
    GET    /whose    ?source&address...     who answers from addresses
    POST   /exec     {place, argv, ...}     the command line that runs a program there
    GET    /table    ?kind&place            a live table of the kernel
    GET    /flow-logs ?id&after             what flow logs have recorded
    GET    /container ?place&container      what a container in an instance is
    GET    /segment  ?place                 how a subnet carries frames; POST {place, mode}
    POST   /explain  {source, target, ...}  what becomes of a packet, and why
    POST   /explain/live                    the same, with what became of the real packet
    POST   /watch    {place, ...}           frames as they come (see ``console_watch.py``)
    POST   /story    {source, target, ...}  one exchange, frame by frame
    POST   /reach    {source, target, ...}  who reaches whom
    POST   /reach/keep                      keep the reachability of now to compare with
    POST   /reach/changes  {since, until}   which pairs differ from a kept revision
    POST   /verify   {text}                 what does not hold of a policy
    POST   /audit    {only, skip}           what the built-in checks find
    POST   /import   {files, ...}           build a real account's network
    GET    /export   ?account&region        a region as answers of describe calls
    GET    /console  ?place                 what an instance has printed
    GET    /images                          images (see ``console_images.py``)
    GET    /labs                            the labs; POST /labs/... (see ``console_labs.py``)
    GET    /accounts                        the accounts; POST {name, number}, and its root keys:
    POST   /accounts/keys  {owner}          a new one; DELETE ?owner&key
    POST   /accounts/rotate                 seal all secrets with another key
    GET    /trail    ?account&user&...      calls that were recorded
    GET    /internet                        the hosts of the internet; POST {name, ip}; DELETE ?name
    POST   /down     ?keep                  end the daemon
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from json import JSONDecodeError
from typing import Any, Protocol, cast, get_args

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gureum import __version__
from gureum.engines import EngineError, TableKind
from gureum.errors import ApiError
from gureum.images import ImageError
from gureum.kind import Shape
from gureum.machines import MachineError
from gureum.model import Resource
from gureum.resources import internet_host
from gureum.resources.instance import ENDED, Instance
from gureum.resources.internet_host import InternetHost
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.region import DEFAULT_REGION
from gureum.server import places
from gureum.server.cloud import Cloud
from gureum.server.console_accounts import Accounts
from gureum.server.console_ask import Ask
from gureum.server.console_containers import ContainersSeen, container_net
from gureum.server.console_explain import Explainer, as_aws, question, shown, steps
from gureum.server.console_flows import Flows
from gureum.server.console_images import Images, Work, Working, refusal
from gureum.server.console_import import Imports
from gureum.server.console_labs import ConsoleLabs
from gureum.server.console_live import Live
from gureum.server.console_map import cloud_map
from gureum.server.console_policy import Policies
from gureum.server.console_reach import Reaches
from gureum.server.console_segment import Segments
from gureum.server.console_story import Stories, wish
from gureum.server.console_trail import ConsoleTrail
from gureum.server.console_watch import Told, Watch, Watches
from gureum.server.dispatch import utc_now
from gureum.server.identity_api import DEFAULT_ACCOUNT
from gureum.server.labs import Labs
from gureum.server.places import Scope

log = logging.getLogger(__name__)

IN_FORCE = 10.0
"""Seconds that a change waits for the data plane."""

TABLES = get_args(TableKind)
"""The tables of the kernel that can be looked at."""


class AskStop(Protocol):
    """Ends the daemon."""

    def __call__(self, *, tear_down: bool) -> None: ...


class Console:
    """The answers; each method is one, named after its path."""

    def __init__(self, cloud: Cloud, endpoint: str, started: str) -> None:
        self._cloud = cloud
        self._endpoint = endpoint
        self._started = started
        self._explain = Explainer(cloud.networks, cloud.engine, container_net(cloud))
        self._reaches = Reaches(cloud.networks)
        self._policies = Policies(cloud.networks, self._explain)
        self._live = Live(cloud, self._explain)
        self._segments = Segments(cloud)
        self._containers = ContainersSeen(cloud)
        self._watches = Watches(cloud)
        self._stories = Stories(cloud, self._explain)
        self._flows = Flows(cloud)
        self._accounts = Accounts(cloud.store, cloud.vault, cloud.state)
        self._imports = Imports(cloud)
        self.images = Images(cloud)
        self.labs = ConsoleLabs(Labs(cloud, self._explain))

    def _scope(self, ask: Ask) -> Scope:
        account, region = ask.maybe("account"), ask.maybe("region")
        view = self._cloud.store.view
        return Scope(view, account or DEFAULT_ACCOUNT, region or DEFAULT_REGION)

    def status(self, ask: Ask) -> Shape:
        """How the cloud is: where it is served, what is in force, what went wrong."""
        cloud, health = self._cloud, self._cloud.reconciler.health
        view = cloud.store.view
        states = Counter(row.state for row in view.all(Instance) if row.state not in ENDED)
        return {
            "running": True,
            "version": __version__,
            "endpoint": self._endpoint,
            "pid": os.getpid(),
            "started": self._started,
            "state": str(cloud.state),
            "tag": cloud.tag,
            "default_region": DEFAULT_REGION,
            "default_account": DEFAULT_ACCOUNT,
            "auth": cloud.auth,
            # What only real engines and machine rooms have.
            "bridge_filter": getattr(cloud.engine, "bridge_filter", None),
            "runtime": getattr(cloud.machines, "runtime", None),
            "revision": view.revision,
            "in_force": health.in_force,
            "error": health.error,
            "failed_instances": dict(health.machines),
            "instances": dict(states),
            "resources": len(view.rows),
        }

    def map(self, ask: Ask) -> Shape:
        """What is in a region."""
        return cloud_map(self._scope(ask))

    def place(self, ask: Ask) -> Shape:
        """One place."""
        return places.resolve(self._scope(ask), ask.text("name")).shown()

    def target(self, ask: Ask) -> Shape:
        """The address by which ``source`` reaches ``target``."""
        scope = self._scope(ask)
        source = places.in_use(places.resolve(scope, ask.text("source"), places.STACKS))
        version = 6 if ask.flag("ipv6") else 4
        found = places.target(scope, source, ask.text("target"), version)
        return {
            "source": source.shown(),
            "address": found.address,
            "place": found.place.shown() if found.place else None,
        }

    def whose(self, ask: Ask) -> Shape:
        """Who answers from addresses, as seen from ``source``."""
        scope = self._scope(ask)
        vpc = places.resolve(scope, ask.text("source"), places.STACKS).vpc
        asked = [text for text in ask.lists.get("address", []) if places.is_address(text)]
        return {address: places.whose(scope, vpc, address) for address in asked}

    def exec(self, ask: Ask) -> Shape:
        """The command line of a host process that runs ``argv`` in a place."""
        argv = ask.body.get("argv")
        if not isinstance(argv, list) or not all(isinstance(each, str) for each in argv):
            raise ApiError("BadRequest", "argv must be a list of words.")
        place = places.resolve(self._scope(ask), ask.text("place"), places.STACKS)
        places.in_use(place)
        env = {str(name): str(value) for name, value in (ask.body.get("env") or {}).items()}
        net_only = ask.flag("net_only")
        if place.kind == places.INSTANCE and not net_only:
            call = self._cloud.machines.exec_argv(
                place.id, argv or _INSIDE, tty=ask.flag("tty"), env=env
            )
        else:
            netns = self._cloud.engine.netns(place.host)
            call = ["nsenter", f"--net={netns}", "--", *argv]
        return {"argv": call, "place": place.shown()}

    def table(self, ask: Ask) -> Shape:
        """A live table of the kernel, with the Name tags of the ids in it."""
        scope = self._scope(ask)
        kind = ask.text("kind")
        if kind not in TABLES:
            raise ApiError("BadRequest", f"There are these tables: {', '.join(TABLES)}")
        place = places.in_use(places.resolve(scope, ask.text("place")))
        try:
            rows = self._cloud.engine.tables(cast(TableKind, kind), place.host)
        except LookupError as error:
            raise ApiError("NotRunning", f"The {place} is not there yet: {error}.", 409) from None
        return {
            "kind": kind,
            "place": place.shown(),
            "rows": rows,
            "names": _names(scope, rows),
        }

    def flow_logs(self, ask: Ask) -> Shape:
        """What flow logs have recorded, ``after`` some number."""
        scope = self._scope(ask)
        after = ask.maybe("after") or "0"
        if not after.isdecimal():
            raise ApiError("BadRequest", "after must be a number.")
        found = self._flows.show(scope, ask.maybe("id"), int(after))
        return found | {"names": _names(scope, found["rows"])}

    def container(self, ask: Ask) -> Shape:
        """What a container is."""
        return self._containers.show(self._scope(ask), ask.text("place"), ask.text("container"))

    def segment(self, ask: Ask) -> Shape:
        """How a subnet carries frames, and between whom."""
        scope = self._scope(ask)
        found = self._segments.show(scope, ask.text("place"))
        return found | {"names": _names(scope, [*found["stations"], *found["macs"]])}

    def segment_mode(self, ask: Ask) -> Shape:
        """The same, carried in another way from now on."""
        in_force = self._segments.change(self._scope(ask), ask.text("place"), ask.text("mode"))
        return self.segment(ask) | {"in_force": in_force}

    def explain(self, ask: Ask) -> Shape:
        """What becomes of a packet from ``source`` to ``target``, and of the answer to it."""
        scope = self._scope(ask)
        explained = self._explain(scope, question(ask.body))
        if ask.flag("aws"):
            return as_aws(scope, explained)
        return _named(scope, shown(scope, explained))

    def live(self, ask: Ask) -> Shape:
        """An explanation and, as ``evidence``, what became of the real packet."""
        scope = self._scope(ask)
        return _named(scope, self._live(scope, question(ask.body)))

    def watch(self, ask: Ask) -> Watch:
        """Frames as they come at a place or on a link."""
        return self._watches.open(self._scope(ask), ask.body)

    def story(self, ask: Ask) -> Shape:
        """One exchange, frame by frame."""
        scope = self._scope(ask)
        told = self._stories(scope, wish(ask.body))
        ids = [{end: each[end] for end in ("from", "to", "link")} for each in told["frames"]]
        return told | {"names": _names(scope, ids)}

    def reach(self, ask: Ask) -> Shape:
        """Who reaches whom."""
        return self._reaches(self._scope(ask), ask.body)

    def keep_reach(self, ask: Ask) -> Shape:
        """Keep what is now, to compare with."""
        return self._reaches.keep(self._scope(ask))

    def reach_changes(self, ask: Ask) -> Shape:
        """Which pairs differ from a kept revision."""
        return self._reaches.changes(self._scope(ask), ask.body)

    def verify(self, ask: Ask) -> Shape:
        """What does not hold of a policy."""
        return self._policies(self._scope(ask), ask.body)

    def audit(self, ask: Ask) -> Shape:
        """What the built-in checks find."""
        return self._policies.audit(self._scope(ask), ask.body)

    def import_(self, ask: Ask) -> Shape:
        """Build a real account's network."""
        return self._imports.build(ask.body)

    def export(self, ask: Ask) -> Shape:
        """A region as answers of describe calls."""
        return self._imports.export(self._scope(ask))

    def console(self, ask: Ask) -> Shape:
        """What an instance has printed."""
        place = places.resolve(self._scope(ask), ask.text("place"), (places.INSTANCE,))
        output = self._cloud.machines.console(place.id)
        return {"place": place.shown(), "output": output.decode(errors="replace")}

    def accounts(self, ask: Ask) -> Shape:
        """The accounts and the ids of their root keys."""
        return self._accounts.all()

    def account_add(self, ask: Ask) -> Shape:
        """A new account, and its first root key with its secret."""
        return self._accounts.create(ask.text("name"), ask.maybe("number"))

    def account_key_add(self, ask: Ask) -> Shape:
        """One more root key of an account, with its secret."""
        return self._accounts.new_key(ask.text("owner"))

    def account_key_remove(self, ask: Ask) -> Shape:
        """One root key less."""
        return self._accounts.delete_key(ask.text("owner"), ask.text("key"))

    def account_rotate(self, ask: Ask) -> Shape:
        """Another key that seals the secrets of all accounts."""
        return self._accounts.rotate()

    def internet(self, ask: Ask) -> Shape:
        """The hosts of the internet."""
        rows = sorted(self._cloud.store.view.all(InternetHost), key=lambda row: row.name)
        return {"hosts": [_shown(row) for row in rows]}

    def internet_add(self, ask: Ask) -> Shape:
        """A new host of the internet, reachable when this returns."""
        store = self._cloud.store
        with store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
            row = internet_host.add(txn, ask.text("name"), ask.maybe("ip"), utc_now())
        return {"host": _shown(row), "in_force": self._wait()}

    def internet_remove(self, ask: Ask) -> Shape:
        """One host less."""
        store = self._cloud.store
        with store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
            internet_host.remove(txn, ask.text("name"))
        return {"in_force": self._wait()}

    def _wait(self) -> bool:
        return self._cloud.reconciler.wait(self._cloud.store.view.revision, IN_FORCE)


_INSIDE = ("/bin/sh", "-c", 'exec "$(command -v bash || echo /bin/sh)" -l')
"""A login shell: what runs in an instance where nothing is asked for."""


def _named(scope: Scope, found: Shape) -> Shape:
    """An explanation with the names of all ids in it."""
    ids = [{"place": step["place"], **dict(enumerate(step["by"]))} for step in steps(found)]
    ways = (found["forth"], found["back"] or {"devices": []})
    devices = [{"id": each["id"]} for way in ways for each in way["devices"]]
    return found | {"names": _names(scope, [*ids, *devices])}


def _names(scope: Scope, rows: Iterable[Mapping[Any, Any]]) -> dict[str, str]:
    """The names of all ids that stand in a table."""
    words = {str(value) for row in rows for value in row.values()}
    found = ((word, scope.view.rows.get(word)) for word in sorted(words))
    return {word: name for word, row in found if row is not None and (name := _name(scope, row))}


def _name(scope: Scope, row: Resource) -> str | None:
    """A Name tag; an interface without one is called after the instance that has it."""
    if name := row.tag("Name"):
        return name
    attachment = row.attachment if isinstance(row, NetworkInterface) else None
    holder = scope.view.find(Instance, attachment.instance) if attachment else None
    return holder.tag("Name") if holder else None


def _shown(row: InternetHost) -> Shape:
    return {"name": row.name, "ip": row.ip}


# --- the application ----------------------------------------------------------------------------
Handler = Callable[[Ask], Shape | Watch | Work]


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            asked = await _ask(request)
            answer = await run_in_threadpool(handler, asked)
            if isinstance(answer, Work):
                return Working(answer)
            return Told(answer) if isinstance(answer, Watch) else JSONResponse(answer)
        except ApiError as error:
            return _refusal(error.code, error.message, error.status)
        except ImageError as error:
            return _refusal(*refusal(error))
        except MachineError as error:
            return _refusal("MachineError", str(error), 409)
        except EngineError as error:
            return _refusal("EngineError", str(error), 500)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return _refusal("InternalError", "An internal error: the daemon's log has it.", 500)

    return endpoint


async def _ask(request: Request) -> Ask:
    raw = await request.body()
    try:
        body = await request.json() if raw else {}
    except (JSONDecodeError, UnicodeDecodeError):
        raise ApiError("BadRequest", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ApiError("BadRequest", "The body is no JSON object.")
    query = request.query_params
    return Ask(dict(query), {name: query.getlist(name) for name in query}, body)


def _refusal(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def console(cloud: Cloud, endpoint: str, stop: AskStop) -> Starlette:
    """The application behind the unix socket."""
    answers = Console(cloud, endpoint, utc_now())
    trail = ConsoleTrail(cloud.store, cloud.audit)

    async def down(request: Request) -> JSONResponse:
        keep = request.query_params.get("keep") == "1"
        stop(tear_down=not keep)
        return JSONResponse({"pid": os.getpid(), "tear_down": not keep})

    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/status", answers.status),
        ("GET", "/map", answers.map),
        ("GET", "/place", answers.place),
        ("GET", "/target", answers.target),
        ("GET", "/whose", answers.whose),
        ("POST", "/exec", answers.exec),
        ("GET", "/table", answers.table),
        ("GET", "/flow-logs", answers.flow_logs),
        ("GET", "/container", answers.container),
        ("GET", "/segment", answers.segment),
        ("POST", "/segment", answers.segment_mode),
        ("POST", "/explain", answers.explain),
        ("POST", "/explain/live", answers.live),
        ("POST", "/watch", answers.watch),
        ("POST", "/story", answers.story),
        ("POST", "/reach", answers.reach),
        ("POST", "/reach/keep", answers.keep_reach),
        ("POST", "/reach/changes", answers.reach_changes),
        ("POST", "/verify", answers.verify),
        ("POST", "/audit", answers.audit),
        ("POST", "/import", answers.import_),
        ("GET", "/export", answers.export),
        ("GET", "/console", answers.console),
        ("GET", "/accounts", answers.accounts),
        ("POST", "/accounts", answers.account_add),
        ("POST", "/accounts/keys", answers.account_key_add),
        ("DELETE", "/accounts/keys", answers.account_key_remove),
        ("POST", "/accounts/rotate", answers.account_rotate),
        ("GET", "/trail", trail.events),
        ("GET", "/internet", answers.internet),
        ("POST", "/internet", answers.internet_add),
        ("DELETE", "/internet", answers.internet_remove),
        *answers.images.routes(),
        ("GET", "/labs", answers.labs.all),
        ("POST", "/labs/start", answers.labs.start),
        ("POST", "/labs/check", answers.labs.check),
        ("POST", "/labs/solve", answers.labs.solve),
        ("POST", "/labs/stop", answers.labs.stop),
    ]
    found = [
        Route(path, _endpoint(trail.watching(method, path, handler)), methods=[method])
        for method, path, handler in routes
    ]
    return Starlette(routes=[*found, Route("/down", down, methods=["POST"])])
