"""Subnet arithmetic at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gureum
from tests.cli.clouds import run

WORKSHOP = """\
subnet              addresses   usable   for instances                     kept by AWS
───────────────────────────────────────────────────────────────────────────────────────────────────────
192.168.55.0/26     64          59       192.168.55.4 - 192.168.55.62      .0, .1, .2, .3, .63
192.168.55.64/26    64          59       192.168.55.68 - 192.168.55.126    .64, .65, .66, .67, .127
192.168.55.128/26   64          59       192.168.55.132 - 192.168.55.190   .128, .129, .130, .131, .191
192.168.55.192/26   64          59       192.168.55.196 - 192.168.55.254   .192, .193, .194, .195, .255
"""  # noqa: E501 - a table


def test_a_block_is_split_into_equal_subnets(tmp_path: Path) -> None:
    assert run(tmp_path, "cidr", "split", "192.168.55.0/24", "4").output == WORKSHOP


def test_three_parts_are_as_large_as_four_would_be(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "cidr", "split", "10.0.0.0/16", "3", "--json").output)
    assert [part["cidr"] for part in found] == ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"]
    assert {part["usable"] for part in found} == {16379}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("split", "10.0.0.0/27", "3"), "the smallest subnet is a /28"),
        (("split", "10.0.0.0", "3"), "not a valid CIDR block"),
        (("show", "10.0.0.0/33"), "not a valid CIDR block"),
        (("show", "10.0.0.0/30"), "AWS keeps five of each"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    result = run(tmp_path, "cidr", *args)
    assert result.exit_code == 1
    assert says in result.stderr


def test_a_block_is_shown_with_what_aws_keeps(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "cidr", "show", "192.168.55.130/27", "--json").output)
    assert found["cidr"] == "192.168.55.128/27"
    assert (found["usable"], found["netmask"]) == (27, "255.255.255.224")
    assert (found["first_usable"], found["last_usable"]) == ("192.168.55.132", "192.168.55.158")
    assert found["reserved"] == {
        "192.168.55.128": "network",
        "192.168.55.129": "router",
        "192.168.55.130": "DNS",
        "192.168.55.131": "future use",
        "192.168.55.159": "broadcast",
    }
    assert found["subnet_size"] is True


def test_a_block_that_can_be_no_subnet_is_said_to(tmp_path: Path) -> None:
    assert "cannot be one" in run(tmp_path, "cidr", "show", "10.0.0.0/8").output
    assert "cannot be one" not in run(tmp_path, "cidr", "show", "10.0.0.0/28").output


@pytest.mark.parametrize("args", ["cidr split 192.168.55.0/24 4", "cidr show 192.168.55.128/27"])
def test_the_documentation_shows_what_is_printed(tmp_path: Path, args: str) -> None:
    text = (Path(gureum.__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = text.partition(f"$ gureum {args}\n")[2].partition("```")[0]
    assert shown == run(tmp_path, *args.split()).output
