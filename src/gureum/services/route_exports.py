"""Writes exported routes of transit gateways to files instead of buckets.

::

    BUCKET/VPCTransitGateway/TransitGatewayRouteTables/TABLE_MILLISECONDS.json
"""

from __future__ import annotations

import logging
from pathlib import Path

from gureum.resources.transit_gateway_export import RouteExport
from gureum.store import Commit, Store

log = logging.getLogger(__name__)

MOST = 100
"""Files that are kept; the oldest go."""


class RouteExports:
    """Follows a store's commits and writes what they export below ``root``."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        store.subscribe(self._follow)
        for row in store.view.all(RouteExport):  # a daemon that was killed may owe some
            self._write(row)

    def _follow(self, commit: Commit) -> None:
        for _, row in commit.changes.rows.values():
            if isinstance(row, RouteExport):
                self._write(row)

    def _write(self, row: RouteExport) -> None:
        path = self._root / row.bucket / row.key
        if path.exists():
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(row.text, encoding="utf-8")
            part.rename(path)
            self._prune()
        except OSError:
            log.exception("%s/%s could not be written", row.bucket, row.key)

    def _prune(self) -> None:
        found = sorted(self._root.glob("**/*.json"), key=lambda each: each.stat().st_mtime)
        for path in found[:-MOST]:
            path.unlink()
