"""The same packets where bridged ones cannot be filtered: ports isolated, neighbours routed."""

from __future__ import annotations

import pytest

from tests.cloud.site import Site
from tests.kernel.packets import hops, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

OPTIONS = ("--no-host-link", "--bridge-filter", "isolated")


def test_groups_hold_between_neighbours(site: Site) -> None:
    web = site.group("web", ("icmp", 8, "10.0.0.0/16"))
    db = site.group("db", ("tcp", 3306, web), ("icmp", 8, "10.0.0.0/16"))
    first = site.launch(site.public, web)
    second = site.launch(site.public, db)
    third = site.launch(site.public, db)
    with listening(second.ns, 3306), listening(first.ns, 3306):
        assert tcp(first.ns, second.ip, 3306) == "open"
        assert tcp(third.ns, second.ip, 3306) == "timeout", "no member of the group"
        assert tcp(second.ns, first.ip, 3306) == "timeout", "no rule"
    assert hops(first.ns, second.ip) == [second.ip], "the detour does not show"
    status = site.daemon.gureum("status").stdout
    assert "isolated" in status
