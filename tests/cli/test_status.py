"""How the cloud is, in words and as a status."""

from __future__ import annotations

import json

from gureum.cli.status import facts
from tests.cli.clouds import ENDPOINT, Served, until


def test_a_cloud_that_is_well_ends_with_0(shop: Served) -> None:
    until(lambda: json.loads(shop.cli("status", "--json").output)["instances"] == {"running": 2})
    result = shop.cli("status")
    assert result.exit_code == 0
    assert f"endpoint   {ENDPOINT}\n" in result.output
    assert "instances  2 running\n" in result.output


def test_a_cloud_that_is_not_in_force_ends_with_1(served: Served) -> None:
    served.engine.fail_next = 1_000_000
    served.make("CreateVpc", "Vpc", "VpcId", "v", CidrBlock="10.0.0.0/16")
    until(lambda: served.cli("status").exit_code == 1)
    assert "problem    fake: told to fail\n" in served.cli("status").output
    served.engine.fail_next = 0


def test_what_is_behind_and_what_failed_is_told(served: Served) -> None:
    found = json.loads(served.cli("status", "--json").output)
    found |= {"revision": 9, "in_force": 7, "failed_instances": {"i-1": "no memory"}}
    words = dict(facts(found))
    assert words["in force"] == "revision 7, 2 behind"
    assert words["problem"] == "i-1: no memory"
