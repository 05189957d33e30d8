"""The ASGI application: API calls come over TCP, Gureum's own commands over a unix socket.

The chain of an API call is the one list in :meth:`Api.answer`: who signed, decode, carry out, wait
until the data plane has it, encode.  The unix socket can be opened by the daemon's own user only,
so what comes over it may do what that user may.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import uuid
from collections.abc import Callable, Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gureum.errors import ApiError
from gureum.iam.caller import Caller, Keys
from gureum.iam.question import Around, global_keys
from gureum.iam.vault import new_vault
from gureum.kind import Shape
from gureum.model.cidr import is_loopback
from gureum.server import reset
from gureum.server.authentication import Authenticator
from gureum.server.authorization import Gate as PolicyGate
from gureum.server.dispatch import OPEN, Dispatcher, Gate
from gureum.server.iam_api import IamApi
from gureum.server.identity_api import caller
from gureum.server.key_uses import KeyUses
from gureum.server.ram_api import RamApi
from gureum.server.rates import Rates, Throttle
from gureum.server.recorder import Recorder, Which, Witness
from gureum.server.trail_api import TrailApi
from gureum.wire import Request, Response, addressed, encode, encode_error, opened
from gureum.wire.signature import Sent

log = logging.getLogger(__name__)

MAX_BODY = 2 << 20
"""Bytes of a request's body; EC2's own requests are far smaller."""

IN_FORCE = 10.0
"""Seconds that a call waits for the data plane; then it answers, and what is not in force shows as
pending or in ``gureum status``."""

THREADS = 40
"""Calls that are carried out at once.  Gureum's own commands have threads of their own: they tell
why, when all of these wait for the data plane."""

_SERVICE_HOSTS = ("ec2", "sts", "iam", "cloudtrail", "ram")

Wait = Callable[[int, float], bool]


class Api:
    """The AWS API on a dispatcher.  ``wait(revision, seconds)`` waits for the data plane;
    ``auth`` finds out who signed a request; without it the API is open: credentials are taken at
    their word, and keys made count for this object's life only.  ``allow_reset`` lets clients
    empty an open cloud by a POST to :data:`~gureum.server.reset.PATH`.  ``audit`` says which calls
    are recorded, ``rates`` how often an account may call (None: as often as it likes)."""

    def __init__(
        self,
        dispatch: Dispatcher,
        wait: Wait,
        *,
        auth: Authenticator | None = None,
        allow_reset: bool = False,
        audit: Which = "writes",
        rates: Rates | None = None,
    ) -> None:
        self._allow_reset = allow_reset
        self._auth = auth or Authenticator(dispatch.store, new_vault(), "open")
        self._iam = IamApi(dispatch.store, self._auth.vault, dispatch.clock)
        self._ram = RamApi(dispatch.store, dispatch.clock)
        self._recorder = Recorder(dispatch.store, audit, self._auth.clock)
        self._uses = KeyUses(dispatch.store, dispatch.clock)
        self._throttle = Throttle(rates)
        self._trail = TrailApi(dispatch.store, audit != "off")
        self._dispatch = dispatch
        self._wait = wait
        self._threads = CapacityLimiter(THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        request_id = str(uuid.uuid4())
        try:
            body = await _body(request)
        except ClientDisconnect:
            return
        except ApiError as error:
            response = encode_error(None, error, request_id)
            response.headers["connection"] = "close"  # the rest of the body is not waited for
        else:
            response = await to_thread.run_sync(
                self.answer, request, body, request_id, limiter=self._threads
            )
        response.headers["date"] = formatdate(usegmt=True)
        answer = HttpResponse(response.body, response.status, response.headers)
        await answer(scope, receive, send)

    def answer(self, http: HttpRequest, body: bytes, request_id: str) -> Response:
        """The answer to one call, whatever becomes of it."""
        headers = http.headers
        service = _host_service(headers.get("host", ""))
        address = http.client.host if http.client else ""
        witness = self._recorder.witness(request_id, address, headers.get("user-agent", ""))
        try:
            _refuse_browsers(headers)
            if http.url.path == reset.PATH:
                return self._reset(http)
            request, who = self._understood(http, body, service, witness)
            result = self._carry_out(request, who, self._gate(request, who), witness)
            witness.ended(result)
            service = request.service
            log.info("%s %s:%s", request_id, service, request.action)
            return encode(request, result, request_id)
        except ApiError as error:
            log.info("%s refused: %s", request_id, error)
            witness.refused(error)
            service = addressed(headers, http.url.query, body, service, http.url.path)
            return encode_error(service, error, request_id)
        except Exception:
            log.exception("%s failed", request_id)
            ours = ApiError("InternalError", "An internal error has occurred", 500)
            with contextlib.suppress(Exception):  # it may have been the trail that failed
                witness.refused(ours)
            return encode_error(service, ours, request_id)

    def _understood(
        self, http: HttpRequest, body: bytes, service: str | None, witness: Witness
    ) -> tuple[Request, Caller]:
        """What is asked, and by whom.

        Raises:
            ApiError: who it was is not known, or what they mean.
        """
        known = self._auth(_sent(http, body))
        call = opened(http.method, http.headers, http.url.query, body, service, http.url.path)
        who = caller(call.known, known)
        self._uses.note(who, call.known.service, call.known.action)
        reads = self._reads(call.known)
        self._throttle.take(
            who.account, who.region, call.known.service, call.known.action, reads=reads
        )
        witness.sees(call.known, who, reads)
        request = call.read()
        witness.sees(request, who, reads)
        # Without policies only the trust of roles asks for more than who it is.
        asked = self._auth.mode == "enforce" or request.service == "sts"
        return request, self._surrounded(http, who) if asked else who

    def _reads(self, request: Request) -> bool:
        """Whether a call can change nothing."""
        if request.service == "ec2":
            built = self._dispatch.registry
            unbuilt = request.action not in built.actions
            return request.action in built.reads or (
                unbuilt and request.action.startswith(("Describe", "Get", "Search"))
            )
        if request.service == "ram":
            return self._ram.reads(request)
        return request.service == "cloudtrail" or self._iam.reads(request)

    def _reset(self, http: HttpRequest) -> Response:
        """Empty the cloud, and answer when its network is gone."""
        if http.method != "POST":
            raise ApiError("InvalidAction", f"{reset.PATH} takes POST only.", 405)
        if self._auth.mode != "open" or not self._allow_reset:
            raise ApiError(
                "OperationNotPermitted", "The daemon was started without --allow-reset.", 403
            )
        revision = reset.reset(self._dispatch.store, self._dispatch.clock())
        self._wait(revision, IN_FORCE)
        address = http.client.host if http.client else ""
        self._recorder.operator("Reset", address, http.headers.get("user-agent", ""))
        log.info("the cloud was reset; revision %d", revision)
        return Response(200, {"content-type": "application/json"}, b"{}")

    def _surrounded(self, http: HttpRequest, who: Caller) -> Caller:
        """The caller with what policies may ask of the request, where any are asked."""
        if not who.identity.proven:
            return who
        view = self._dispatch.store.view

        def around() -> Keys:
            address = http.client.host if http.client else ""
            found = Around(address, http.headers.get("user-agent", ""), self._auth.clock())
            return global_keys(view, who.identity, who.region, found)

        return Caller(who.identity, who.region, around)

    def _gate(self, request: Request, who: Caller) -> Gate:
        """What the call has to get through: nothing, unless policies are enforced."""
        if self._auth.mode != "enforce":
            return OPEN
        return PolicyGate(self._auth.vault, request, who, self._reads(request))

    def _carry_out(self, request: Request, who: Caller, gate: Gate, witness: Witness) -> Shape:
        if request.service == "cloudtrail":
            return self._trail(request, who, gate)
        if request.service == "ram":
            return self._ram(request, who, gate, witness.tell)
        if request.service != "ec2":
            return self._iam(request, who, gate, witness.tell)
        result = self._dispatch(request, who.account, who.region, gate, witness.tell)
        if request.action not in self._dispatch.registry.reads:
            self._wait(self._dispatch.store.view.revision, IN_FORCE)
        return result


async def _body(request: HttpRequest) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY:
            raise ApiError("RequestEntityTooLarge", "The request is too large.", 413)
    return bytes(parts)


def _sent(http: HttpRequest, body: bytes) -> Sent:
    """The request's own bytes: what was signed."""
    scope = http.scope
    return Sent.of(
        scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body
    )


def _refuse_browsers(headers: Mapping[str, str]) -> None:
    """A web page must not drive the cloud of who looks at it.

    Its scripts send an Origin.  Its images and links do not, and a GET suffices to launch
    something; but then browsers tell that another site asked (Fetch Metadata).  And a page whose
    name was made to mean this machine (DNS rebinding) asks its own site, by that name.

    Raises:
        ApiError: ``AuthFailure``.
    """
    origin = headers.get("origin")
    if origin is not None:
        foreign = not is_loopback(_host_name(origin))
    else:
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    by_name = _is_rebindable(_host_name(f"//{headers.get('host', '')}"))
    if foreign or (by_name and headers.get("user-agent", "").startswith("Mozilla/")):
        raise ApiError("AuthFailure", "Web pages may not call this API.", 403)


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_rebindable(host: str) -> bool:
    """Whether a host name is one that somebody else may give to any address."""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _host_service(host: str) -> str | None:
    """The service that a host name such as ``ec2.localhost:4566`` names, if any."""
    first = host.partition(":")[0].partition(".")[0]
    return first if first in _SERVICE_HOSTS else None


def application(api: ASGIApp, console: ASGIApp) -> ASGIApp:
    """API calls to ``api``, what comes over the unix socket to ``console``.

    A unix socket has no port, so ``scope["server"]`` tells (ASGI HTTP connection scope).
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        server = scope.get("server")
        over_unix = server is not None and server[1] is None
        await (console if over_unix else api)(scope, receive, send)

    return app
