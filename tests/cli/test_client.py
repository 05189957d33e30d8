"""Talking to the daemon, and knowing when we may not."""

from __future__ import annotations

import pytest

from gureum.cli.client import Daemon, has_rights
from gureum.cli.failure import Failure
from gureum.cli.options import Where
from tests.cli.clouds import Served

STATUS = "Name:\tgureum\nCapInh:\t0000000000000000\nCapEff:\t{:016x}\nCapBnd:\t000001ffffffffff\n"


@pytest.mark.parametrize(
    ("effective", "rights"),
    [
        (0x1FFFFFFFFFF, True),
        (1 << 12 | 1 << 21, True),
        (1 << 12, False),
        (1 << 21, False),
        (0, False),
    ],
)
def test_rights_are_read_from_the_effective_capabilities(effective: int, rights: bool) -> None:
    assert has_rights(STATUS.format(effective)) is rights


def test_a_refusal_keeps_its_code(shop: Served) -> None:
    with pytest.raises(Failure) as caught:
        Daemon(shop.state).get("/target", source="me", target="db")
    assert (caught.value.code, caught.value.exit_code) == ("NoAddress", 4)


def test_account_and_region_are_sent_with_every_question(shop: Served) -> None:
    with pytest.raises(Failure) as caught:
        Daemon(shop.state, Where("111122223333", "us-east-1")).post("/exec", {"place": "web"})
    assert caught.value.exit_code == 1  # argv is missing, which is looked at first
    with pytest.raises(Failure) as caught:
        Daemon(shop.state, Where("111122223333", "us-east-1")).get("/place", name="web")
    assert "in us-east-1; there is one in ap-northeast-2 of account" in caught.value.message
