"""Accounts imported and exported at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gureum.resources.instance import Instance
from gureum.resources.vpc import Vpc
from tests.cli.clouds import Served, until
from tests.explain.recorded import ACCOUNTS

RECORDED = ACCOUNTS / "test-nat-gateway"


@pytest.fixture
def other() -> Iterator[Served]:
    """A second empty cloud."""
    made = Served()
    yield made
    made.close()


def said(served: Served, *args: str, code: int = 0) -> dict[str, Any]:
    """What a command prints as JSON; it must end with that status."""
    result = served.cli(*args, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def vpcs(served: Served) -> set[str]:
    return {row.id for row in served.parts.store.view.all(Vpc)}


def running(served: Served) -> list[str]:
    rows = served.parts.store.view.all(Instance)
    return sorted(row.id for row in rows if row.state == "running")


def test_a_recorded_account(served: Served) -> None:
    found = said(served, "import", str(RECORDED))
    assert (
        found["account"] == json.loads((RECORDED / "Vpcs.json").read_text())["Vpcs"][0]["OwnerId"]
    )
    assert (found["whole"], found["left"], found["lost"]) == (True, [], [])
    assert found["in_force"] is True
    recorded = json.loads((RECORDED / "Reservations.json").read_text())["Reservations"]
    ids = sorted(part["InstanceId"] for each in recorded for part in each["Instances"])
    until(lambda: running(served) == ids)
    mapped = {each["given"]: each["here"] for each in found["mapped"]}
    assert mapped["18.216.129.140"] == "198.18.129.140"
    assert len(vpcs(served)) == 1, "the account's own network is there, and no default VPC"


def test_what_is_told_to_people(served: Served) -> None:
    result = served.cli("import", str(RECORDED))
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "called otherwise here:" in lines
    assert "  public address 18.216.129.140: 198.18.129.140" in lines
    assert any(line.startswith("  image ami-02ccb28830b645a41: debian-12") for line in lines)
    assert "left out:" not in lines


def test_a_dry_run_changes_nothing(served: Served) -> None:
    before = served.parts.store.view
    dry = said(served, "import", str(RECORDED), "--dry-run")
    assert served.parts.store.view is before
    wet = said(served, "import", str(RECORDED))
    assert (dry["made"], dry["mapped"]) == (wet["made"], wet["mapped"])
    assert [dry["dry_run"], wet["dry_run"]] == [True, False]


def test_a_clash_changes_nothing(served: Served) -> None:
    said(served, "import", str(RECORDED))
    until(lambda: len(running(served)) == 3)
    before = served.parts.store.view
    result = served.cli("import", str(RECORDED))
    assert result.exit_code == 1
    assert "There are such things already: " in result.stderr
    assert served.parts.store.view is before


def test_what_is_not_imported_is_listed(served: Served, tmp_path: Path) -> None:
    for name in ("Vpcs", "Subnets"):
        text = (RECORDED / f"{name}.json").read_text()
        (tmp_path / f"{name.lower()}.json").write_text(text)
    (tmp_path / "more.json").write_text(
        json.dumps({"LoadBalancers": [{"LoadBalancerName": "front"}], "Regions": [{"a": 1}]})
    )
    stray = {"SubnetId": "subnet-00000000000000001", "VpcId": "vpc-00000000000000001"}
    stray |= {"CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-2a"}
    (tmp_path / "stray.json").write_text(json.dumps({"Subnets": [stray]}))
    (tmp_path / "list.json").write_text("[1]")
    found = said(served, "import", str(tmp_path), code=7)
    assert [(each["list"], each["id"]) for each in found["left"]] == [
        ("Subnets", "subnet-00000000000000001"),
        ("LoadBalancers", "front"),
        ("files", "list.json"),
    ]
    assert "'vpc-00000000000000001' does not exist" in found["left"][0]["why"]
    assert found["made"] == {"Subnets": 3, "Vpcs": 1}
    made = {each["what"].partition(" acl-")[0] for each in found["assumed"]}
    assert {"its default group", "its default ACL", "the default ACL"} <= made


def test_a_member_that_is_not_kept_is_told(served: Served, tmp_path: Path) -> None:
    vpc = json.loads((RECORDED / "Vpcs.json").read_text())
    vpc["Vpcs"][0]["Colour"] = "blue"
    (tmp_path / "vpcs.json").write_text(json.dumps(vpc))
    found = said(served, "import", str(tmp_path), code=7)
    (lost,) = found["lost"]
    assert (lost["member"], lost["given"], lost["here"]) == ("Vpcs.Colour", "blue", None)


def test_an_image_is_chosen(served: Served) -> None:
    alias = "ami-02ccb28830b645a41=gureum-base"
    found = said(served, "import", str(RECORDED), "--ami-alias", alias, "--account", "1" * 12)
    assert found["account"] == "1" * 12
    bases = {(row.base, row.account) for row in served.parts.store.view.all(Instance)}
    assert bases == {("gureum-base", "1" * 12)}


def test_no_json_is_refused(served: Served, tmp_path: Path) -> None:
    assert "no JSON files" in served.cli("import", str(tmp_path)).stderr
    (tmp_path / "a.json").write_text("{")
    result = served.cli("import", str(tmp_path))
    assert result.exit_code == 1
    assert "a.json cannot be read" in result.stderr


def test_what_is_exported_is_imported(shop: Served, other: Served, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert shop.cli("export", str(one)).exit_code == 0
    found = said(other, "import", str(one))
    assert found["whole"] is True
    assert found["assumed"] == []
    until(lambda: len(running(other)) == 2)
    assert other.cli("export", str(two)).exit_code == 0
    names = sorted(path.name for path in one.iterdir())
    assert "Vpcs.json" in names
    assert sorted(path.name for path in two.iterdir()) == names
    for name in names:
        assert (two / name).read_bytes() == (one / name).read_bytes(), name
    for cloud in (shop, other):
        assert cloud.cli("explain", "me", "web", "8080").output.count("pass") > 5


def test_user_data_is_for_its_owner_only(shop: Served, tmp_path: Path) -> None:
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")
    shop.api.call(
        "ModifyInstanceAttribute", InstanceId=shop.ids["db"], UserData={"Value": b"secret"}
    )
    shop.cli("export", str(tmp_path))
    (path,) = tmp_path.glob("*UserData.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["UserData"] == {"Value": "c2VjcmV0"}


def test_what_is_not_exported_is_listed(shop: Served, tmp_path: Path) -> None:
    from_gateways = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}
    shop.api.call(
        "CreateNetworkInsightsAccessScope", ClientToken="t", MatchPaths=[{"Source": from_gateways}]
    )
    result = shop.cli("export", str(tmp_path))
    assert result.exit_code == 7
    assert "not written: 1 network-insights-access-scope" in result.stderr
