"""Subnet arithmetic at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gureum
from tests.cli.clouds import Served, run

WORKSHOP = """\
    subnet              addresses   usable   for instances                     kept by AWS
───────────────────────────────────────────────────────────────────────────────────────────────────────────
a   192.168.55.0/26     64          59       192.168.55.4 - 192.168.55.62      .0, .1, .2, .3, .63
b   192.168.55.64/26    64          59       192.168.55.68 - 192.168.55.126    .64, .65, .66, .67, .127
c   192.168.55.128/26   64          59       192.168.55.132 - 192.168.55.190   .128, .129, .130, .131, .191
d   192.168.55.192/26   64          59       192.168.55.196 - 192.168.55.254   .192, .193, .194, .195, .255

192.168.55.0 aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd 192.168.55.255
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
        (("fit", "10.0.0.0/26", "64", "1"), "no room for a /28"),
        (("fit", "10.0.0.0/8", "/15"), "the largest subnet is a /16"),
        (("fit", "10.0.0.0", "64"), "not a valid CIDR block"),
        (("fit", "10.0.0.0/24", "64", "--taken", "x"), "not a valid CIDR block"),
        (("merge", "x"), "not a valid CIDR block"),
        (("classify", "x"), "not a valid CIDR block"),
        (("classify", "::x"), "not a valid CIDR block"),
        (("overlap", "x"), "not a valid CIDR block"),
        (("show", "10.0.0.0/30"), "AWS keeps five of each"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    result = run(tmp_path, "cidr", *args)
    assert result.exit_code == 1
    assert says in result.stderr


@pytest.mark.parametrize("size", ["x", "0", "-1", "/33", "1.5", "²", "9" * 11])
def test_what_is_no_size_is_a_wrong_command_line(tmp_path: Path, size: str) -> None:
    result = run(tmp_path, "cidr", "fit", "10.0.0.0/24", "--", size)
    assert result.exit_code == 2
    assert "neither a number of addresses nor a /LENGTH" in result.stderr.replace("\n", " ")


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


def test_subnets_of_several_sizes_are_fitted_and_what_is_left_is_said(tmp_path: Path) -> None:
    for sizes in (("64", "64", "32", "32"), ("64, 64,32", "/27"), ("/26", "/26", "20,/27")):
        args = ("cidr", "fit", "192.168.55.0/24", *sizes)
        found = json.loads(run(tmp_path, *args, "--json").output)
        assert [part["cidr"] for part in found] == [
            "192.168.55.0/26",
            "192.168.55.64/26",
            "192.168.55.128/27",
            "192.168.55.160/27",
        ]
        shown = run(tmp_path, *args).output
        bar = f"{'a' * 16}{'b' * 16}{'c' * 8}{'d' * 8}{'·' * 16}"
        assert f"192.168.55.0 {bar} 192.168.55.255" in shown
        assert "free: 192.168.55.192/26" in shown


def test_five_addresses_are_added_for_instances_and_a_28_is_the_least(tmp_path: Path) -> None:
    args = ("cidr", "fit", "10.0.0.0/24", "--json")
    sizes = {"11": 28, "12": 27, "1": 28, "59": 26, "60": 25}
    for size, length in sizes.items():
        (found,) = json.loads(run(tmp_path, *args, "--instances", size).output)
        assert found["cidr"] == f"10.0.0.0/{length}"
        assert found["usable"] >= int(size)
    (found,) = json.loads(run(tmp_path, *args, "3").output)
    assert found["cidr"] == "10.0.0.0/28"


def test_what_is_taken_is_left_out_and_drawn(tmp_path: Path) -> None:
    args = ("cidr", "fit", "10.0.0.0/24", "64", "--taken", "10.0.0.0/26", "--taken", "10.9.0.0/16")
    shown = run(tmp_path, *args).output
    assert f"10.0.0.0 {'#' * 16}{'a' * 16}{'·' * 32} 10.0.0.255" in shown
    assert "free: 10.0.0.128/25, # taken" in shown
    full = run(tmp_path, "cidr", "fit", "10.0.0.0/28", "16").output
    assert "free: nothing" in full


def test_parts_smaller_than_a_cell_are_drawn_all_the_same(tmp_path: Path) -> None:
    shown = run(tmp_path, "cidr", "fit", "10.0.0.0/16", "16", "1024").output
    assert "10.0.0.0 ba······" in shown


def test_blocks_are_merged(tmp_path: Path) -> None:
    args = ("cidr", "merge", "10.0.0.0/24", "10.0.1.0/24", "10.0.4.0/24")
    assert run(tmp_path, *args).output == "10.0.0.0/23\n10.0.4.0/24\n"
    assert json.loads(run(tmp_path, *args, "--json").output) == ["10.0.0.0/23", "10.0.4.0/24"]


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("10.1.2.3", [("private", "RFC 1918")]),
        ("172.31.0.0/16", [("private", "RFC 1918")]),
        ("172.32.0.0/16", [("public", "RFC 7020")]),
        ("100.127.255.255", [("shared", "RFC 6598")]),
        ("203.0.113.7/32", [("reserved", "RFC 5737")]),
        ("224.0.0.251", [("multicast", "RFC 5771")]),
        ("255.255.255.255", [("reserved", "RFC 919")]),
        ("240.0.0.0/4", [("reserved", "RFC 1112"), ("reserved", "RFC 919")]),
        (
            "192.0.0.0/16",
            [("public", "RFC 7020"), ("reserved", "RFC 6890"), ("reserved", "RFC 5737")],
        ),
        ("::1", [("reserved", "RFC 4291")]),
        ("fd00:ec2::254", [("private", "RFC 4193")]),
        ("3fff:7:0:100::/56", [("reserved", "RFC 9637")]),
        ("2406:da12::/36", [("public", "RFC 4291")]),
        ("2001:1::1", [("public", "RFC 7723")]),
        ("2001:1::4", [("reserved", "RFC 2928")]),
        ("64:ff9b::808:808", [("public", "RFC 6052")]),
        ("4000::/3", [("reserved", "RFC 4291"), ("reserved", "RFC 9602")]),
    ],
)
def test_blocks_are_classified_with_the_rfc(
    tmp_path: Path, what: str, kinds: list[tuple[str, str]]
) -> None:
    found = json.loads(run(tmp_path, "cidr", "classify", what, "--json").output)
    assert [(row["kind"], row["source"]) for row in found] == kinds
    shown = run(tmp_path, "cidr", "classify", what).output
    assert all(source in shown for _, source in kinds)


def test_overlaps_are_found_in_the_cloud_and_among_what_was_given(shop: Served) -> None:
    args = ("cidr", "overlap", "192.168.55.0/25", "10.0.0.0/16", "10.0.1.0/24", "198.18.7.0/24")
    result = shop.cli(*args, "--json")
    assert result.exit_code == 1
    rows = {(row["block"], row["how"], row["what"]) for row in json.loads(result.output)}
    assert rows == {
        ("192.168.55.0/25", "is within", f"VPC shop ({shop.ids['shop']})"),
        ("192.168.55.0/25", "contains", f"subnet outside ({shop.ids['outside']})"),
        ("10.0.1.0/24", "is within", "also given"),
        ("198.18.7.0/24", "is within", "the internet that the cloud plays"),
    }


def test_nothing_overlaps_ends_with_nought(shop: Served) -> None:
    result = shop.cli("cidr", "overlap", "10.0.0.0/16", "172.16.0.0/16")
    assert (result.exit_code, result.output) == (0, "Nothing overlaps.\n")


def test_an_overlap_is_only_known_of_a_running_cloud(tmp_path: Path) -> None:
    assert run(tmp_path, "cidr", "overlap", "10.0.0.0/16").exit_code == 3


@pytest.mark.parametrize(
    "args",
    [
        "cidr split 192.168.55.0/24 4",
        "cidr show 192.168.55.128/27",
        "cidr fit 192.168.55.0/24 64 64 32 32",
        "cidr merge 10.0.0.0/24 10.0.1.0/24 10.0.2.0/23",
        "cidr classify 10.1.2.3 100.64.0.0/10 192.0.0.0/16",
        "cidr classify fd00::1 3fff::/20",
    ],
)
def test_the_documentation_shows_what_is_printed(tmp_path: Path, args: str) -> None:
    text = (Path(gureum.__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = text.partition(f"$ gureum {args}\n")[2].partition("```")[0]
    assert shown == run(tmp_path, *args.split()).output
