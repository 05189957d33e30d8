"""From a decoded request to its answer: one transaction a call, and all that is generic.

Generic are listings (ids, filters, pagination), DryRun, idempotency tokens and the rows that AWS
provides unasked; what a call does is the action in the resource's file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from gureum.errors import ApiError
from gureum.kind import Analyse, Call, Kind, Listable, Listing, Selector, Shape, no_analysis
from gureum.model import Resource, Txn, View
from gureum.model.timestamps import timestamp
from gureum.model.txn import not_found
from gureum.resources import Registry
from gureum.resources.own_tags import tags_for
from gureum.store import Entry, Remembered, Store
from gureum.wire import Request
from gureum.wire.listing import Candidate, page, values_at


@dataclass(frozen=True, kw_only=True)
class Home(
    Resource, kind="home", prefix="home", not_found="InvalidParameterValue", noun="home region"
):
    """Marks that an account's region has been furnished with what AWS provides unasked."""


def home_id(account: str, region: str) -> str:
    """The id of the row that marks an account's region."""
    return f"home-{account}/{region}"


def utc_now() -> str:
    """The time, as rows and answers hold it."""
    return timestamp(datetime.now(UTC))


Probe = Callable[[str, str], bytes]


class Gate(Protocol):
    """Lets a call through or raises the refusal: before it is carried out, and once more when it is
    clear what it would change."""

    def before(self, view: View) -> None: ...

    def after(self, txn: Txn) -> None: ...


class _Open:
    """Lets everything through."""

    def before(self, view: View) -> None:
        pass

    def after(self, txn: Txn) -> None:
        pass


OPEN = _Open()

Tell = Callable[[Shape | None], Iterable[Entry]]
"""What the trail says of a call that ends in a result; None where there is no new one."""


def unheard(result: Shape | None) -> Iterable[Entry]:
    """The trail says nothing."""
    return ()


@dataclass
class Dispatcher:
    """Carries out calls of the EC2 API on a store."""

    store: Store
    registry: Registry
    clock: Callable[[], str] = utc_now
    probe: Probe = field(default=lambda what, key: b"")
    analyse: Analyse = no_analysis

    def __call__(
        self,
        request: Request,
        account: str,
        region: str,
        gate: Gate = OPEN,
        tell: Tell = unheard,
    ) -> Shape:
        """The answer to a request that ``gate`` lets through, in the names of its output shape.

        What a change is told of by ``tell`` is committed with it.

        Raises:
            ApiError: the refusal; nothing has changed then.
        """
        action = request.action
        if action not in self.registry.actions and action not in self.registry.listings:
            raise ApiError(
                "UnsupportedOperation",
                f"The action {action} is part of the EC2 API but is not built in Gureum yet.",
                501,
            )
        self._furnish(account, region)
        if action in self.registry.reads:
            call = self._call(request, Txn(self.store.view, account, region))
            gate.before(call.txn.view)
            return self._read(call, request)
        return self._write(request, account, region, gate, tell)

    def _call(self, request: Request, txn: Txn) -> Call:
        return Call(
            request.action,
            request.params,
            txn,
            self.clock(),
            self.registry.companions,
            self.probe,
            self.analyse,
        )

    def _furnish(self, account: str, region: str) -> None:
        if home_id(account, region) in self.store.view.rows:
            return
        with self.store.transaction(account, region) as txn:
            self.furnish(Call("", {}, txn, self.clock(), self.registry.companions, self.probe))

    def furnish(self, call: Call, but: Collection[type[Resource]] = ()) -> None:
        """Make what AWS provides in an account's region, ``but`` rows of some types; nothing where
        that was done."""
        key = home_id(call.account, call.region)
        if key not in call.txn.view.rows:
            call.txn.put(Home(id=key, account=call.account, region=call.region, created=call.now))
            self.registry.provide(call, but)

    def _read(self, call: Call, request: Request) -> Shape:
        if request.dry_run:
            raise _dry_run()
        if call.action in self.registry.listings:
            return self._list(call, *self.registry.listings[call.action])
        return self.registry.actions[call.action](call)

    def _write(self, request: Request, account: str, region: str, gate: Gate, tell: Tell) -> Shape:
        # A dry run neither repeats an answer nor leaves one.
        token = request.token if not request.dry_run else None
        key = f"{account}/{region}/{request.action}/{token}" if token else None
        mark = digest(request.params)
        answer: Shape | None = None

        def remember() -> Remembered | None:
            if key is None or answer is None:
                return None
            return Remembered(key, mark, msgspec.json.encode(answer), self.clock())

        with self.store.transaction(account, region, remember, lambda: tell(answer)) as txn:
            gate.before(txn.view)
            if key is not None and (known := self.store.remembered(key)):
                return recalled(known, mark, _mismatch(token))
            call = self._call(request, txn)
            answer = self.registry.actions[request.action](call)
            call.check_tag_specifications()
            gate.after(txn)
            if request.dry_run:
                raise _dry_run()
        return answer

    def _list(self, call: Call, kind: Kind[Any], listing: Listing[Any]) -> Shape:
        rows = _rows(call, kind, listing)
        if listing.keep is not None:
            rows = [row for row in rows if listing.keep(call, row)]
        view = call.txn.view
        candidates = [Candidate(row, lambda row: listing.show(row, view)) for row in rows]
        for member, selector in listing.selectors.items():
            candidates = _selected(candidates, call.get(member, ()), selector)
        items, token = page(call.action, listing, candidates, call.params, view)
        answer: Shape = {listing.result: listing.gather(items) if listing.gather else items}
        if listing.beside is not None:
            answer |= listing.beside(call)
        if listing.summary is not None:
            answer |= listing.summary(answer[listing.result])
        if token:
            answer["NextToken"] = token
        return answer


def _rows(call: Call, kind: Kind[Any], listing: Listing[Any]) -> Iterable[Listable]:
    """The rows asked for by id, in the order asked and once each, or all."""
    ids = list(dict.fromkeys(call.get(listing.ids, ()) if listing.ids else ()))
    row_type = listing.row or kind.row
    if listing.rows is None:
        assert row_type is not None
        found = [call.txn.see(row_type, key) for key in ids] if ids else call.txn.seen(row_type)
        return [_as_seen(call, row) for row in found]
    rows: dict[str, Listable] = {row.id: row for row in listing.rows(call)}
    rows |= {key: _as_seen(call, row) for key, row in rows.items() if isinstance(row, Resource)}
    for key in ids:
        if key not in rows:
            assert row_type is not None
            raise not_found(row_type, key)
    return [rows[key] for key in ids] if ids else rows.values()


def _as_seen(call: Call, row: Resource) -> Resource:
    """A row as the caller sees it: an owner's tags are shown to nobody else, who may have own ones
    of it."""
    if row.account == call.account:
        return row
    return replace(row, tags=tags_for(call.txn.view, row, call.account))


def _selected(
    candidates: list[Candidate[Listable]], names: Iterable[str], selector: Selector
) -> list[Candidate[Listable]]:
    wanted = set(names)
    if not wanted:
        return candidates
    with_values = [
        (candidate, values_at(candidate.shown, selector.path)) for candidate in candidates
    ]
    found = [(candidate, values) for candidate, values in with_values if wanted & set(values)]
    present = {value for _, values in found for value in values}
    for name in names:
        if name not in present:
            raise ApiError(selector.code, selector.message.format(name))
    return [candidate for candidate, _ in found]


def _dry_run() -> ApiError:
    return ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def digest(params: Mapping[str, Any]) -> str:
    """A hash of all parameters but the token."""
    rest = {name: value for name, value in params.items() if name not in _TOKENS}
    return hashlib.sha256(msgspec.json.encode(rest, order="deterministic")).hexdigest()


_TOKENS = frozenset({"ClientToken", "clientToken"})


def recalled(known: Remembered, mark: str, mismatch: ApiError) -> Shape:
    """The answer that a token was given before.

    Raises:
        ApiError: ``mismatch``, if that was to other parameters.
    """
    if known.digest != mark:
        raise mismatch
    answer: Shape = msgspec.json.decode(known.answer)
    return answer


def _mismatch(token: str | None) -> ApiError:
    return ApiError(
        "IdempotentParameterMismatch",
        f"Arguments on this idempotent request are inconsistent with arguments used in "
        f"previous request(s). (Client token {token})",
    )
