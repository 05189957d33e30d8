"""``gureum audit-log``: what it shows, by what it looks, and what commands leave in the trail."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gureum.cli import ending
from gureum.iam.caller import Caller, root
from gureum.server.recorder import Recorder
from gureum.wire import Request
from tests.cli.clouds import Served

ACCOUNT = "123456789012"


def call(served: Served, action: str, region: str = "ap-northeast-2", **params: Any) -> Any:
    """A call of the API's, recorded as the API does."""
    witness = Recorder(served.parts.store).witness("r-1", "192.0.2.1", "tests")
    request = Request("ec2", "", action, params)
    witness.sees(request, Caller(root(ACCOUNT, "AKIA1"), region), reads=False)
    return served.parts.dispatch(request, ACCOUNT, region, tell=witness.tell)


def shown(served: Served, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(served.cli("audit-log", "--json", *args).stdout)
    return found


def test_what_is_shown(served: Served) -> None:
    vpc = call(served, "CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    call(served, "CreateInternetGateway", region="us-east-1")
    lines = served.cli("audit-log").stdout.splitlines()
    assert " ".join(lines[0].split()) == "time account region who what outcome about from"
    words = lines[-2].split()
    assert words[1:6] == [ACCOUNT, "ap-northeast-2", "root", "ec2:CreateVpc", "ok"]
    assert (vpc in words, words[-1]) == (True, "192.0.2.1")
    assert "ec2:CreateInternetGateway" in lines[-1]
    assert [each["eventName"] for each in shown(served)] == ["CreateVpc", "CreateInternetGateway"]


def test_filters(served: Served) -> None:
    vpc = call(served, "CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    call(served, "DeleteVpc", VpcId=vpc)
    call(served, "CreateInternetGateway", region="us-east-1")
    served.cli("account", "create", "team", "--id", "111122223333")

    def names(*args: str) -> list[str]:
        return [each["eventName"] for each in shown(served, *args)]

    assert names("--resource", vpc) == ["CreateVpc", "DeleteVpc"]
    assert names("--action", "DeleteVpc") == ["DeleteVpc"]
    assert names("--region", "us-east-1", "--account", ACCOUNT) == ["CreateInternetGateway"]
    assert names("--account", "111122223333") == ["CreateAccount"]
    assert names("--source", "ec2", "-n", "1") == ["CreateInternetGateway"]
    assert names("--user", "nobody") == names("--key", "AKIA2") == names("--refused") == []
    assert names("--since", "1h", "--until", "2000-01-01") == []
    assert len(names("--since", "1h", "--user", "root")) == 3
    assert served.cli("audit-log", "--since", "yesterday").exit_code == 2


def test_what_commands_change_is_recorded(served: Served) -> None:
    made = json.loads(served.cli("account", "create", "team", "--json").stdout)
    more = json.loads(served.cli("account", "new-key", "team", "--json").stdout)
    served.cli("account", "delete-key", "team", more["access_key_id"])
    served.cli("account", "new-key", "nobody")
    served.cli("internet", "add", "shop")
    found = shown(served)
    assert [(each["eventName"], each.get("errorCode")) for each in found] == [
        ("CreateAccount", None),
        ("CreateRootAccessKey", None),
        ("DeleteRootAccessKey", None),
        ("CreateRootAccessKey", "NoSuchEntity"),
        ("CreateInternetHost", None),
    ]
    assert found[0]["recipientAccountId"] == made["account"]
    assert found[2]["requestParameters"] == {"owner": "team", "key": more["access_key_id"]}
    assert found[0]["userIdentity"] == {"type": "AWSService", "invokedBy": "gureum"}
    text = json.dumps(found)
    assert made["secret_access_key"] not in text
    assert more["secret_access_key"] not in text


def test_nothing_recorded(served: Served) -> None:
    assert "No such call" in served.cli("audit-log").stderr
    assert shown(served) == []


@pytest.mark.parametrize("limit", ["0", "1001"])
def test_limits(served: Served, limit: str) -> None:
    assert served.cli("audit-log", "-n", limit).exit_code == 2


def test_a_name_steers_no_terminal(served: Served) -> None:
    call(served, "CreateKeyPair", KeyName="a\x1b[2Jb")
    told = served.cli("audit-log").stdout
    assert ("\x1b" in told, "\N{REPLACEMENT CHARACTER}[2Jb" in told) == (False, True)


def test_following(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until somebody has seen enough: here after one wait, in which a call comes."""
    call(served, "CreateVpc", CidrBlock="10.0.0.0/16")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if waits:
            raise KeyboardInterrupt
        waits.append(seconds)
        call(served, "CreateInternetGateway")

    monkeypatch.setattr(ending, "time", SimpleNamespace(sleep=wait))
    result = served.cli("audit-log", "--follow", "--json")
    assert result.exit_code == 0
    events = [json.loads(line)["eventName"] for line in result.stdout.splitlines()]
    assert events == ["CreateVpc", "CreateInternetGateway"]
