"""What the engine finds out about this kernel before it begins."""

from __future__ import annotations

import secrets
import time

import pytest

from gureum.engines.linux import LinuxEngine, probe
from gureum.engines.linux.namespaces import Namespaces
from tests.kernel.lab import remains

pytestmark = pytest.mark.kernel


def test_the_way_of_filtering_is_found_quickly_and_without_a_trace() -> None:
    tag = secrets.token_hex(2)
    begun = time.monotonic()
    assert probe.bridge_filter(tag) == "netfilter"
    assert time.monotonic() - begun < 5
    assert remains(tag) == []


def test_where_bridged_packets_pass_the_rules_ports_are_isolated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel is made to leave its bridges to themselves whatever it is told."""
    write = Namespaces.write_sysctl
    monkeypatch.setattr(
        Namespaces, "write_sysctl", lambda spaces, ns, name, _value: write(spaces, ns, name, "0")
    )
    tag = secrets.token_hex(2)
    assert probe.bridge_filter(tag) == "isolated"
    assert remains(tag) == []


def test_a_tag_is_four_hexadecimal_digits() -> None:
    with pytest.raises(ValueError, match="four hexadecimal digits"):
        LinuxEngine("../x")
