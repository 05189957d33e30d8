"""A recorded account is imported, and real packets go the ways that it has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.explain.recorded import ACCOUNTS
from tests.kernel.packets import connection, eventually, ping, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

PRIVATE, MIRROR = "i-0a128d26e59be60f3", "198.19.0.20"


@pytest.fixture(scope="module")
def account(daemon: Daemon) -> dict[str, Any]:
    folder = str(ACCOUNTS / "test-nat-gateway")
    done = daemon.gureum("import", folder, "--image", "gureum-base", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def asked(daemon: Daemon, account: dict[str, Any], *args: str) -> dict[str, Any]:
    """What a command says of the account, as JSON."""
    where = ("--account", account["account"], "--region", account["region"])
    done = daemon.gureum(*args, "--json", *(where if args[0] != "status" else ()))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_private_instance_gets_out_by_its_nat_gateway(
    daemon: Daemon, account: dict[str, Any]
) -> None:
    def all_run() -> bool:
        return bool(asked(daemon, account, "status")["instances"] == {"running": 3})

    assert eventually(all_run, 30)
    host, mirror = daemon.netns(PRIVATE), daemon.netns("host-mirror")
    public = next(e["here"] for e in account["mapped"] if e["given"] == "3.135.127.225")
    with connection(host, MIRROR, mirror, 80) as (_, _, seen):
        assert seen == public
    assert ping(daemon.netns("host-me"), public) == "timeout"
    assert tcp(daemon.netns("host-me"), public, 80) == "timeout"
    told = asked(daemon, account, "explain", PRIVATE, "mirror", "80")
    assert told["reach"] == "all"
