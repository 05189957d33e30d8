"""Imports and exports accounts; what their files mean is in :mod:`gureum.imports`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gureum.errors import ApiError
from gureum.imports import Answers, Options, Report, build, export, gather
from gureum.imports.names import owner_of
from gureum.kind import Call, Shape
from gureum.model import Txn
from gureum.resources import dhcp_options
from gureum.resources.dhcp_options import DhcpOptions
from gureum.resources.region import DEFAULT_REGION
from gureum.resources.vpc import Vpc
from gureum.server.cloud import Cloud
from gureum.server.identity_api import DEFAULT_ACCOUNT
from gureum.server.places import Scope

IN_FORCE = 60.0
"""Seconds that an import waits for the data plane."""


class _DryRunError(Exception):
    """Ends the transaction of a dry run, so that nothing of it stays."""


class Imports:
    """Imports into and exports from one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def build(self, body: Mapping[str, Any]) -> Shape:
        """Build the account that ``files`` (contents by names) tell of, all in one transaction.

        ``account`` and ``region`` are those of the answers unless they are given; ``image`` and
        ``aliases`` choose what instances run; with ``dry_run`` nothing is changed.

        Raises:
            ApiError: ``BadRequest``; the codes of :func:`gureum.imports.build`.
        """
        files = body.get("files")
        if not isinstance(files, dict) or not files:
            raise ApiError("BadRequest", "There are no answers of describe calls to read.")
        answers = gather(files)
        account = body.get("account") or owner_of(answers) or DEFAULT_ACCOUNT
        region = _region(answers, body.get("region"))
        options = Options(body.get("image") or Options.image, body.get("aliases") or {})
        dry = body.get("dry_run") is True
        report = self._transact(answers, str(account), region, options, dry=dry)
        in_force = dry or self._cloud.reconciler.wait(self._cloud.store.view.revision, IN_FORCE)
        where = {"account": account, "region": region, "dry_run": dry, "in_force": in_force}
        return where | report.shown()

    def _transact(
        self, answers: Answers, account: str, region: str, options: Options, *, dry: bool
    ) -> Report:
        try:
            with self._cloud.store.transaction(account, region) as txn:
                report = self._built(txn, answers, options)
                if dry:
                    raise _DryRunError
        except _DryRunError:
            return report
        return report

    def _built(self, txn: Txn, answers: Answers, options: Options) -> Report:
        dispatch = self._cloud.dispatch
        call = Call("", {}, txn, dispatch.clock(), dispatch.registry.companions)
        # The account's own network comes in the place of the one that AWS provides.
        dispatch.furnish(call, but=(Vpc, DhcpOptions))
        report = build(call, answers, options)
        dhcp_options.provided(call)
        return report

    def export(self, scope: Scope) -> Shape:
        """The files that tell of an account's region, and how many rows of which kinds they do not
        tell of."""
        found = export(scope.view, scope.account, scope.region)
        return {"files": found.files, "left": dict(sorted(found.left.items()))}


def _region(answers: Answers, asked: str | None) -> str:
    """The region of the answers, by the zones of subnets.

    Raises:
        ApiError: ``BadRequest`` where they are of several regions, or another one is asked for.
    """
    found = {
        str(item.get("AvailabilityZone", "")).rstrip("abcdef") for item in answers.of("Subnets")
    }
    found.discard("")
    if len(found) > 1:
        raise ApiError("BadRequest", f"The answers are of several regions: {sorted(found)}.")
    region = next(iter(found), asked or DEFAULT_REGION)
    if asked and asked != region:
        raise ApiError("BadRequest", f"The answers are of {region}, not of {asked}.")
    return region
