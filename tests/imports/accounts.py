"""Clouds in memory that accounts are imported into and exported from."""

from __future__ import annotations

import json
from typing import Any

from gureum.imports import Options, Report, build, export, gather
from gureum.kind import Call
from gureum.resources import REGISTRY, dhcp_options
from gureum.resources.dhcp_options import DhcpOptions
from gureum.resources.vpc import Vpc
from tests.conftest import Cloud


def imported(cloud: Cloud, files: dict[str, Any], **options: Any) -> Report:
    """Import files, as the daemon does."""
    with cloud.store.transaction(cloud.account, cloud.region) as txn:
        call = Call("", {}, txn, cloud.now, REGISTRY.companions)
        cloud.dispatch.furnish(call, but=(Vpc, DhcpOptions))
        report = build(call, gather(files), Options(**options))
        dhcp_options.provided(call)
    return report


def exported(cloud: Cloud) -> dict[str, Any]:
    """The files of a cloud's region, in which nothing is left out."""
    found = export(cloud.store.view, cloud.account, cloud.region)
    assert found.left == {}
    return found.files


def texts(files: dict[str, Any]) -> dict[str, str]:
    """What stands in the files."""
    return {name: json.dumps(content, indent=4) for name, content in files.items()}
