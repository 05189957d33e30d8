"""Hosts of the internet at the command line."""

from __future__ import annotations

import json

from tests.cli.clouds import Served


def test_hosts_are_added_listed_and_removed(served: Served) -> None:
    added = served.cli("internet", "add", "partner", "--ip", "198.19.7.7")
    assert (added.exit_code, added.stdout, added.stderr) == (0, "partner  198.19.7.7\n", "")
    listed = json.loads(served.cli("internet", "list", "--json").output)
    assert {"name": "partner", "ip": "198.19.7.7"} in listed
    assert served.cli("internet", "remove", "partner").exit_code == 0
    assert "partner" not in served.cli("internet", "list").output


def test_a_host_that_is_not_in_force_is_told(served: Served) -> None:
    served.engine.fail_next = 1_000_000
    result = served.cli("internet", "add", "partner")
    served.engine.fail_next = 0
    assert result.exit_code == 0
    assert "not in force yet" in result.stderr
