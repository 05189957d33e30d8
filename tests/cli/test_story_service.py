"""What can be asked to be told."""

from __future__ import annotations

from typing import Any

import click
import pytest

from gureum.cli.story import Exchange


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("icmp", {"protocol": "icmp"}),
        ("443", {"protocol": "tcp", "port": 443}),
        ("udp/53", {"protocol": "udp", "port": 53}),
        ("http", {"protocol": "http", "port": 80}),
        ("http/8080", {"protocol": "http", "port": 8080}),
    ],
)
def test_a_service(text: str, meant: dict[str, Any]) -> None:
    assert Exchange().convert(text, None, None) == meant


@pytest.mark.parametrize("text", ["http/0", "http/65536", "https", "http/", "0"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Exchange().convert(text, None, None)
