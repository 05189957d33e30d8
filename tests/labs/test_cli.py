"""``gureum lab`` against a cloud in memory: what it says, as JSON, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gureum.labs import names, texts
from gureum.labs.lab import account_of
from tests.cli.clouds import Served
from tests.labs.conftest import Forwarding

LAB = "closed-door"


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served(engine=Forwarding())
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def told(served: Served, *words: str, status: int = 0) -> str:
    """What a command of labs says, which must end so."""
    result = served.cli("lab", *words)
    assert result.exit_code == status, result.output
    return result.output


def facts(served: Served, *words: str, status: int = 0) -> Any:
    """The same as JSON."""
    result = served.cli("lab", *words, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def test_the_life_of_a_lab(served: Served) -> None:
    text = told(served, "start", LAB)
    story = texts(LAB, "en")
    assert story.title in text
    assert story.story in text
    assert f"  export AWS_ACCESS_KEY_ID={account_of(LAB)}\n" in text
    assert "  gureum explain web db 3306\n" in text
    assert "AWS_REGION" not in text

    blocked = told(served, "check", LAB, status=1)
    assert "still blocked; blocks on the way: 1\n" in blocked
    assert "ENI_SG" not in blocked
    assert "hint" not in blocked

    text = told(served, "solve", LAB)
    assert "  aws ec2 authorize-security-group-ingress --group-id sg-" in text
    assert story.said in text
    assert "solved: the packet gets there" in text
    assert told(served, "check", LAB).startswith("solved")

    assert f"{LAB} is gone" in told(served, "stop", LAB)
    assert f"{LAB} was not started" in told(served, "stop", LAB)
    result = served.cli("lab", "check", LAB)
    assert (result.exit_code, result.output) == (
        1,
        "gureum: The lab closed-door is not started: 'gureum lab start closed-door' does that.\n",
    )


def test_what_is_printed_leads_to_the_lab(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    told(served, "start", LAB)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account_of(LAB))
    result = served.cli("explain", "web", "db", "3306")
    assert result.exit_code == 1
    assert "[ENI_SG_RULES_MISMATCH]" in result.output


def test_another_region_in_the_shell_is_set_right(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    line = "  export AWS_REGION=ap-northeast-2 AWS_DEFAULT_REGION=ap-northeast-2\n"
    assert line in told(served, "start", LAB)


def test_the_address_of_a_question_is_told(served: Served) -> None:
    asked = facts(served, "start", "spare-address")["question"]
    assert asked["target"].startswith("198.18.")
    assert f"gureum explain stranger {asked['target']} 443" in told(
        served, "start", "spare-address"
    )


def test_the_list(served: Served) -> None:
    told(served, "start", LAB)
    told(served, "solve", LAB)
    told(served, "start", "asleep")
    lines = told(served, "list").splitlines()
    assert len(lines) == len(names()) + 2
    (solved,) = (line for line in lines if line.startswith(f"{LAB} "))
    (started,) = (line for line in lines if line.startswith("asleep "))
    assert solved.endswith("solved")
    assert started.endswith("started")
    found = {each["name"]: each for each in facts(served, "list")}
    assert found[LAB]["solved"]
    assert found["asleep"]["started"]
    assert not found["asleep"]["solved"]
    assert found["shortcut"]["started"] is None


def test_answers(served: Served) -> None:
    told(served, "start", LAB)
    assert "ENI_SG_RULES_MISMATCH is right" in told(
        served, "check", LAB, "--answer", "ENI_SG_RULES_MISMATCH"
    )
    wrong = told(served, "check", LAB, "--answer", "BAD_STATE", status=1)
    assert "BAD_STATE is not what blocks here" in wrong
    found = facts(served, "check", LAB, "--answer", "BAD_STATE", status=1)
    assert (found["answer_is_right"], found["verdict"]) == (False, "blocked")


def test_hints_come_one_by_one_in_the_language_asked_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(served, "start", LAB)
    english, korean = texts(LAB, "en").hints, texts(LAB, "ko").hints
    assert f"hint 1 of 3: {english[0]}\n" in told(served, "check", LAB, "--hint", status=1)
    second = told(served, "check", LAB, "--hint", "--lang", "ko", status=1)
    assert f"hint 1 of 3: {korean[0]}\nhint 2 of 3: {korean[1]}\n" in second
    assert korean[2] not in second
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert facts(served, "check", LAB, status=1)["hints"] == list(korean[:2])
    assert texts(LAB, "ko").story in told(served, "start", LAB)
    assert texts(LAB, "en").story in told(served, "start", LAB, "--lang", "en")


def test_all_are_stopped(served: Served) -> None:
    told(served, "start", LAB)
    told(served, "start", "asleep")
    assert {each["name"] for each in facts(served, "stop", "--all")} == {LAB, "asleep"}
    assert facts(served, "stop", "--all") == []
    assert served.cli("lab", "stop").exit_code == 2
    assert served.cli("lab", "stop", LAB, "--all").exit_code == 2


def test_what_is_no_lab(served: Served) -> None:
    result = served.cli("lab", "start", "closed-dor")
    assert result.exit_code == 1
    assert "gureum: no lab is called 'closed-dor': did you mean closed-door?" in result.output


def test_an_end_that_is_gone(served: Served) -> None:
    """A learner may terminate what the question is about."""
    told(served, "start", LAB)
    served.api.account = account_of(LAB)
    (web,) = (
        item["Instances"][0]["InstanceId"]
        for item in served.api.call("DescribeInstances")["Reservations"]
        if item["Instances"][0]["Tags"][0]["Value"] == "web"
    )
    served.api.call("TerminateInstances", InstanceIds=[web])
    result = served.cli("lab", "check", LAB)
    assert result.exit_code == 4
    assert "No place is called 'web'" in result.output
