"""Every lab in memory: built, blocked as it says, mended by its fix, and gone when it ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gureum.errors import ApiError
from gureum.explain.codes import Code
from gureum.explain.packet import TCP
from gureum.explain.verdict import Answer
from gureum.labs import names, read
from gureum.labs.lab import account_of, names_in
from gureum.model import Txn
from gureum.resources import nat_gateway
from gureum.resources.instance import Instance
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.vpc import Vpc
from gureum.server.console_explain import Explainer, Question
from gureum.server.lab_account import LabAccount
from gureum.server.labs import blocks
from gureum.server.places import Scope
from tests.labs.conftest import LabCloud
from tests.wiring import request_for


@pytest.mark.parametrize("name", names())
def test_a_lab_is_broken_as_it_says_and_its_fix_mends_it(cloud: LabCloud, name: str) -> None:
    lab = read(name)
    before = cloud.parts.store.view.rows
    cloud.labs.start(name)
    found = cloud.labs.asked(name).answer
    assert (blocks(found), found.reach) == (list(lab.expect), "none")
    assert set(lab.also) <= why_routes_are_not_taken(found)
    assert cloud.labs.check(name)["verdict"] == "blocked"

    solved = cloud.labs.solve(name)
    mended = cloud.labs.asked(name).answer
    assert (solved["verdict"], blocks(mended), mended.reach) == ("solved", [], "all")

    cloud.labs.stop(name)
    assert cloud.parts.store.view.rows == before
    assert cloud.machines.observe() == {}


def why_routes_are_not_taken(answer: Answer) -> set[Code | None]:
    return {lost.code for step in answer.blocks() for lost in step.tried} | {
        lost.code for step in answer.forth.steps for lost in step.tried
    }


@pytest.mark.parametrize(
    ("name", "source", "target", "port"),
    [
        ("borrowed-gateway", "warden", "depot", 443),
        ("closed-door", "web", "db", 22),
        ("friend-of-a-friend", "lamp", "pilot", 443),
        ("long-way-round", "web", "api", 8080),
        ("one-way-bridge", "cellar", "stock", 8443),
        ("open-but-no-ping", "stranger", "game", 7777),
        ("shortcut", "barometer", "stranger", 443),
        ("spare-address", "stranger", "shop", 443),
        ("wrong-bridge", "oven", "scales", 9000),
    ],
)
def test_what_works_in_a_story_works_before_and_after_the_fix(
    cloud: LabCloud, name: str, source: str, target: str, port: int
) -> None:
    explain = Explainer(cloud.parts.networks, cloud.engine)
    for step in (cloud.labs.start, cloud.labs.solve):
        step(name)
        scope = Scope(cloud.parts.store.view, account_of(name), cloud.api.region)
        assert explain(scope, Question(source, target, TCP, port)).answer.reach == "all"


@pytest.mark.parametrize("name", names())
def test_its_calls_are_what_a_client_sends(name: str) -> None:
    """Strictly: names and types of all parameters are the API's, and survive the wire."""
    lab = read(name)
    known: set[str] = set()
    for call in (*lab.build, *lab.fix):
        assert request_for(call.do, call.params).params == call.params
        assert set(names_in(call.params)) <= known
        assert not known & set(call.keep) or call in lab.fix
        known |= set(call.keep)
    assert set(names_in(lab.question.target)) <= known


@pytest.mark.parametrize("name", names())
def test_the_ends_of_its_question_are_called_by_name(cloud: LabCloud, name: str) -> None:
    """What a learner types must mean one place, in the lab's account."""
    cloud.labs.start(name)
    tags = [row.tag("Name") for row in cloud.parts.store.view.all(Instance)]
    assert len(set(tags)) == len(tags) <= 3
    assert len([*cloud.parts.store.view.all(Vpc)]) <= 4, "one is the default VPC"
    asked = read(name).question
    ends = {end for end in (asked.source, asked.target) if not end.startswith(("$", "10."))}
    assert ends <= {*tags, "stranger", "mirror"}


def test_no_two_labs_share_an_account() -> None:
    accounts = [account_of(name) for name in names()]
    assert len(set(accounts)) == len(accounts)
    assert all(len(each) == 12 and each.startswith("7000") for each in accounts)


def test_the_labs_show_many_ways_of_being_blocked() -> None:
    shown = {code for name in names() for code in read(name).answers}
    assert len(names()) == 38
    assert len(shown) >= 14


# --- starting and ending ------------------------------------------------------------------------
def test_a_lab_is_built_once(cloud: LabCloud) -> None:
    first = cloud.labs.start("closed-door")
    revision = cloud.parts.store.view.revision
    again = cloud.labs.start("closed-door")
    assert (first["fresh"], again["fresh"]) == (True, False)
    assert cloud.parts.store.view.revision == revision
    assert again["started"] == first["started"] is not None


def test_labs_stand_beside_each_other_and_beside_everything_else(cloud: LabCloud) -> None:
    cloud.build()
    mine = {key: row for key, row in cloud.parts.store.view.rows.items() if row.account[0] == "1"}
    for name in ("closed-door", "asleep", "nat-in-the-cellar"):
        cloud.labs.start(name)
    cloud.labs.solve("closed-door")
    state = {
        each["name"]: (bool(each["started"]), bool(each["solved"])) for each in cloud.labs.all()
    }
    assert state["closed-door"] == (True, True)
    assert state["asleep"] == (True, False)
    assert state["shortcut"] == (False, False)
    assert [each["name"] for each in cloud.labs.stop_all()] == [
        "asleep",
        "closed-door",
        "nat-in-the-cellar",
    ]
    rows = cloud.parts.store.view.rows
    assert {key: row for key, row in rows.items() if row.account[0] == "1"} == mine
    assert not [row for row in rows.values() if row.account[0] == "7"]
    assert sorted(cloud.machines.observe()) == sorted([cloud.ids["web"], cloud.ids["db"]])


def test_what_a_learner_has_added_goes_as_well(cloud: LabCloud) -> None:
    """Also in other regions, and though it is protected."""
    cloud.labs.start("closed-door")
    account = account_of("closed-door")
    for region in ("ap-northeast-2", "eu-west-1"):
        request = request_for("CreateVpc", {"CidrBlock": "10.9.0.0/16"})
        cloud.parts.dispatch(request, account, region)
    (web,) = (row for row in cloud.parts.store.view.all(Instance) if row.tag("Name") == "web")
    protect = {"InstanceId": web.id, "DisableApiTermination": {"Value": True}}
    request = request_for("ModifyInstanceAttribute", protect)
    cloud.parts.dispatch(request, account, web.region)
    cloud.labs.stop("closed-door")
    assert not [row for row in cloud.parts.store.view.rows.values() if row.account == account]
    assert cloud.machines.observe() == {}


def test_a_lab_that_cannot_be_built_leaves_nothing(
    cloud: LabCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cloud.parts.store.view.rows
    dispatch = cloud.parts.dispatch
    request = request_for("CreateVpc", {"CidrBlock": "10.9.0.0/16"})
    for _ in range(4):  # with the default VPC, all that a region may have (VPC quotas)
        dispatch(request, account_of("closed-door"), "ap-northeast-2")
    # The account is cleared first, so those are no hindrance.
    cloud.labs.start("closed-door")
    cloud.labs.stop("closed-door")
    assert cloud.parts.store.view.rows == before
    monkeypatch.setitem(cloud.parts.registry.actions, "RunInstances", _refuse)
    with pytest.raises(ApiError, match="RunInstances was refused: Odd: today"):
        cloud.labs.start("closed-door")
    assert cloud.parts.store.view.rows == before


def _refuse(call: object) -> dict[str, object]:
    raise ApiError("Odd", "today")


def test_calls_wait_for_what_takes_a_while(
    cloud: LabCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of a NAT gateway is free when that is gone, and not when it begins to go."""
    kind = cloud.parts.registry.by_row[NatGateway]
    settles, may = threading.Event(), threading.Event()
    may.set()

    def slow(txn: Txn, row: NatGateway, now: str) -> None:
        settles.set()
        assert may.wait(10)
        nat_gateway.settled(txn, row, now)

    monkeypatch.setitem(cloud.parts.registry.by_row, NatGateway, replace(kind, settled=slow))
    cloud.labs.start("knocking-at-the-nat")
    known = cloud.labs.known("knocking-at-the-nat")
    account = LabAccount(cloud.parts, account_of("knocking-at-the-nat"))
    settles.clear()
    may.clear()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(account.call, "DeleteNatGateway", {"NatGatewayId": known["nat"]})
        assert settles.wait(10)
        with pytest.raises(TimeoutError):
            call.result(0.2)
        may.set()
        call.result(10)
    assert [row.state for row in account.rows(NatGateway)] == ["deleted"]


# --- checking -----------------------------------------------------------------------------------
def test_a_code_is_right_or_not(cloud: LabCloud) -> None:
    cloud.labs.start("shortcut")

    def right(code: str) -> object:
        return cloud.labs.check("shortcut", code)["answer_is_right"]

    assert right("IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS") is True
    assert right("more_specific_route") is True
    assert right("BAD_STATE") is False
    assert cloud.labs.check("shortcut")["answer_is_right"] is None


def test_hints_are_given_one_by_one_and_remembered(cloud: LabCloud) -> None:
    cloud.labs.start("asleep")
    assert [cloud.labs.check("asleep", hint=True)["hints"] for _ in range(5)] == [1, 2, 3, 3, 3]
    assert cloud.labs.check("asleep")["hints"] == 3


def test_what_was_solved_can_be_broken_again(cloud: LabCloud) -> None:
    cloud.labs.start("asleep")
    since = cloud.labs.solve("asleep")["solved"]
    assert cloud.labs.check("asleep")["solved"] == since is not None
    (rooms,) = (row for row in cloud.parts.store.view.all(Instance) if row.tag("Name") == "rooms")
    request = request_for("StopInstances", {"InstanceIds": [rooms.id]})
    cloud.parts.dispatch(request, rooms.account, rooms.region)
    cloud.until_stopped(rooms.id)
    found = cloud.labs.check("asleep")
    assert (found["verdict"], found["solved"], found["blocks"]) == ("blocked", None, 1)


def test_the_solution_of_what_is_solved_is_told_and_changes_nothing(cloud: LabCloud) -> None:
    cloud.labs.start("dead-route")
    first = cloud.labs.solve("dead-route")
    revision = cloud.parts.store.view.revision
    again = cloud.labs.solve("dead-route")
    assert (again["verdict"], again["commands"]) == ("solved", first["commands"])
    assert cloud.parts.store.view.revision == revision


def test_an_answer_to_some_clients_is_no_solution(cloud: LabCloud) -> None:
    cloud.labs.start("one-way-street")
    (acl,) = (row for row in cloud.parts.store.view.rows.values() if row.tag("Name") == "stage_acl")
    entry = {
        "NetworkAclId": acl.id,
        "Egress": True,
        "RuleNumber": 110,
        "RuleAction": "allow",
        "Protocol": "6",
        "CidrBlock": "0.0.0.0/0",
        "PortRange": {"From": 1024, "To": 40000},
    }
    request = request_for("CreateNetworkAclEntry", entry)
    cloud.parts.dispatch(request, acl.account, acl.region)
    found = cloud.labs.check("one-way-street")
    assert (found["verdict"], found["solved"], found["reach"]) == ("partly", None, "some")


@pytest.mark.parametrize("ask", ["check", "solve"])
def test_what_is_not_started_cannot_be_asked(cloud: LabCloud, ask: str) -> None:
    with pytest.raises(ApiError) as caught:
        getattr(cloud.labs, ask)("asleep")
    assert caught.value.code == "LabNotStarted"


@pytest.mark.parametrize("ask", ["start", "check", "solve", "stop"])
def test_what_is_no_lab(cloud: LabCloud, ask: str) -> None:
    with pytest.raises(ApiError, match="did you mean asleep") as caught:
        getattr(cloud.labs, ask)("aslep")
    assert (caught.value.code, caught.value.status) == ("NoSuchLab", 404)
