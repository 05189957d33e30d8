"""The console API on a cloud in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.clouds import ENDPOINT, Workshop, until


class Asker(Workshop):
    """A workshop whose console is asked without a socket."""

    def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        return asyncio.run(self._ask(method, path, more))

    async def _ask(self, method: str, path: str, more: dict[str, Any]) -> tuple[int, Any]:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gureum") as client:
            answer = await client.request(method, path, **more)
        return answer.status_code, answer.json()

    def get(self, path: str, **params: Any) -> Any:
        """The answer to a question, which must be answered."""
        status, answer = self.ask("GET", path, params=params)
        assert status == 200, answer
        return answer

    def post(self, path: str, **body: Any) -> Any:
        """The answer to a wish, which must be granted."""
        status, answer = self.ask("POST", path, json=body)
        assert status == 200, answer
        return answer

    def refusal(self, method: str, path: str, **more: Any) -> tuple[int, str, str]:
        """Status, code and message of a refusal."""
        status, answer = self.ask(method, path, **more)
        assert set(answer) == {"error"}, answer
        return status, answer["error"]["code"], answer["error"]["message"]

    def no_place(self, name: str) -> tuple[str, str]:
        """Code and message with which a name is refused."""
        return self.refusal("GET", "/place", params={"name": name})[1:]


@pytest.fixture
def empty() -> Iterator[Asker]:
    made = Asker()
    yield made
    made.close()


@pytest.fixture
def shop(empty: Asker) -> Asker:
    empty.build()
    return empty


# --- status and end -----------------------------------------------------------------------------
def test_status_tells_what_is_in_force_and_how_many_run(shop: Asker) -> None:
    until(lambda: shop.get("/status")["in_force"] == shop.parts.store.view.revision)
    status = shop.get("/status")
    assert status["endpoint"] == ENDPOINT
    assert status["tag"] == "cafe"
    assert status["instances"] == {"running": 2}
    assert (status["error"], status["failed_instances"]) == (None, {})
    assert status["revision"] == status["in_force"]


def test_status_tells_what_went_wrong(empty: Asker) -> None:
    empty.engine.fail_next = 1_000_000
    empty.make("CreateVpc", "Vpc", "VpcId", "v", CidrBlock="10.0.0.0/16")
    until(lambda: empty.get("/status")["error"] is not None)
    assert "told to fail" in empty.get("/status")["error"]
    empty.engine.fail_next = 0


@pytest.mark.parametrize(("params", "tear_down"), [({}, True), ({"keep": "1"}, False)])
def test_down_ends_the_daemon(empty: Asker, params: dict[str, str], tear_down: bool) -> None:
    status, answer = empty.ask("POST", "/down", params=params)
    assert status == 200
    assert answer["tear_down"] is tear_down
    assert empty.stops == [tear_down]


# --- names --------------------------------------------------------------------------------------
def test_a_place_is_known_by_name_id_and_addresses(shop: Asker) -> None:
    web = shop.shown("web")
    names = ("web", web["InstanceId"], web["PrivateIpAddress"], web["PublicIpAddress"])
    assert {shop.get("/place", name=name)["id"] for name in names} == {shop.ids["web"]}
    kinds = {"me": "internet host", "shop": "VPC", "outside": "subnet", "gate": "internet gateway"}
    assert {name: shop.get("/place", name=name)["kind"] for name in kinds} == kinds
    assert shop.get("/place", name="198.19.0.10")["name"] == "me"


def test_an_unknown_name_is_answered_with_names_that_exist(shop: Asker) -> None:
    code, message = shop.no_place("wep")
    assert code == "NoSuchPlace"
    assert message == "No place is called 'wep' in ap-northeast-2. Did you mean web?"
    assert "There are: me, mirror, stranger, web, db" in shop.no_place("qqqq")[1]


def test_an_ambiguous_name_is_answered_with_the_candidates(shop: Asker) -> None:
    first = shop.ids["web"]
    second = shop.run("web", "inside")
    code, message = shop.no_place("web")
    assert code == "AmbiguousPlace"
    assert first in message
    assert second in message
    assert shop.get("/place", name=first)["id"] == first


def test_a_name_that_is_ambiguous_only_among_other_kinds_is_not(shop: Asker) -> None:
    shop.make("CreateVpc", "Vpc", "VpcId", "web", CidrBlock="10.0.0.0/16")
    assert shop.no_place("web")[0] == "AmbiguousPlace"
    assert shop.get("/console", place="web")["place"]["kind"] == "instance"


def test_a_name_of_another_region_is_not_meant_but_told(shop: Asker) -> None:
    other = {"name": "web", "region": "us-east-1"}
    _, code, message = shop.refusal("GET", "/place", params=other)
    assert code == "NoSuchPlace"
    assert "there is one in ap-northeast-2" in message
    by_id = {"name": shop.ids["web"], "region": "us-east-1"}
    assert shop.ask("GET", "/place", params=by_id)[0] == 200


def test_a_terminated_instance_is_no_place(shop: Asker) -> None:
    shop.api.call("TerminateInstances", InstanceIds=[shop.ids["db"]])
    assert shop.no_place("db")[0] == "NoSuchPlace"
    assert "is shutting-down." in shop.no_place(shop.ids["db"])[1] or (
        "is terminated." in shop.no_place(shop.ids["db"])[1]
    )


# --- from place to place ------------------------------------------------------------------------
def test_within_a_vpc_a_target_is_reached_by_its_private_address(shop: Asker) -> None:
    found = shop.get("/target", source="web", target="db")
    assert found["address"] == shop.shown("db")["PrivateIpAddress"]
    assert found["place"]["id"] == shop.ids["db"]


def test_from_outside_a_target_is_reached_by_its_public_address(shop: Asker) -> None:
    public = shop.shown("web")["PublicIpAddress"]
    assert shop.get("/target", source="me", target="web")["address"] == public
    vpc = shop.make("CreateVpc", "Vpc", "VpcId", "other", CidrBlock="192.168.55.0/24")
    where = {"VpcId": vpc, "CidrBlock": "192.168.55.0/26"}
    shop.make("CreateSubnet", "Subnet", "SubnetId", "elsewhere", **where)
    shop.run("foreigner", "elsewhere")
    assert shop.get("/target", source="foreigner", target="web")["address"] == public
    assert shop.get("/target", source="db", target="mirror")["address"] == "198.19.0.20"


def test_what_has_no_public_address_is_not_reached_from_outside(shop: Asker) -> None:
    asked = {"source": "me", "target": "db"}
    status, code, message = shop.refusal("GET", "/target", params=asked)
    assert (status, code) == (409, "NoAddress")
    assert message.startswith(f"The instance {shop.ids['db']} (db) has no public address")


@pytest.mark.parametrize("text", ["192.168.55.130", "10.9.9.9", "example.com"])
def test_addresses_and_host_names_are_taken_as_they_are(shop: Asker, text: str) -> None:
    found = shop.get("/target", source="me", target=text)
    assert (found["address"], found["place"]) == (text, None)


def test_an_ambiguous_name_with_a_dot_is_no_host_name(shop: Asker) -> None:
    for _ in range(2):
        shop.run("web.prod", "inside")
    asked = {"source": "web", "target": "web.prod"}
    assert shop.refusal("GET", "/target", params=asked)[1] == "AmbiguousPlace"


def test_a_subnet_is_no_target_and_no_source(shop: Asker) -> None:
    for asked in ({"source": "web", "target": "inside"}, {"source": "inside", "target": "web"}):
        assert shop.refusal("GET", "/target", params=asked)[1] == "WrongPlace"


def test_who_answers_depends_on_where_one_asks(shop: Asker) -> None:
    web = shop.shown("web")
    private, public = web["PrivateIpAddress"], web["PublicIpAddress"]
    asked = ["192.168.55.1", "192.168.55.129", "100.64.0.1", private, public]
    inside = shop.get("/whose", source="db", address=asked)
    assert list(inside.values())[:2] == ["router of outside", "router of inside"]
    assert inside["100.64.0.1"] == "internet gateway"
    assert inside[private] == "web"
    outside = shop.get("/whose", source="me", address=asked)
    assert (outside["192.168.55.1"], outside[private]) == (None, None)
    assert outside[public] == "web"


def test_who_answers_over_a_peering(shop: Asker) -> None:
    """By name, unless two peers have the address, as peers of one VPC may."""
    call, ip = shop.api.call, "10.7.1.9"
    keys = []
    for name in ("store", "twin"):
        vpc = shop.make("CreateVpc", "Vpc", "VpcId", f"{name}_vpc", CidrBlock="10.7.0.0/16")
        where = {"VpcId": vpc, "CidrBlock": "10.7.1.0/24"}
        shop.make("CreateSubnet", "Subnet", "SubnetId", f"{name}_net", **where)
        shop.run(name, f"{name}_net", ip=ip)
        ends = {"VpcId": shop.ids["shop"], "PeerVpcId": vpc}
        made = call("CreateVpcPeeringConnection", **ends)["VpcPeeringConnection"]
        keys.append(made["VpcPeeringConnectionId"])

    def who() -> object:
        return shop.get("/whose", source="db", address=[ip])[ip]

    assert who() is None, "nobody is joined"
    call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=keys[0])
    assert who() == "store"
    call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=keys[1])
    assert who() is None


# --- running programs ---------------------------------------------------------------------------
def test_a_program_runs_inside_an_instance(shop: Asker) -> None:
    answer = shop.post("/exec", place="web", argv=["ls", "-l"], tty=False, env={"TERM": "vt100"})
    assert answer["argv"] == ["env", "TERM=vt100", "ls", "-l"]


def test_a_program_runs_in_the_network_of_anything_else(shop: Asker) -> None:
    def enters(place: str, **more: Any) -> str:
        argv: list[str] = shop.post("/exec", place=place, argv=["id"], **more)["argv"]
        assert argv[0] == "nsenter"
        assert argv[2:] == ["--", "id"]
        return argv[1].removeprefix("--net=/run/netns/fake-")

    assert enters("me") == "me"
    assert enters("web", net_only=True) == shop.ids["web"]
    assert enters("shop") == shop.ids["shop"]
    assert enters("gate") == shop.ids["gate"]


def test_nothing_runs_in_an_instance_that_does_not(shop: Asker) -> None:
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")
    for more in ({}, {"net_only": True}):
        body = {"place": "db", "argv": ["id"], **more}
        status, code, message = shop.refusal("POST", "/exec", json=body)
        assert (status, code) == (409, "NotRunning")
        assert message.endswith("(db) is stopped, not running.")


@pytest.mark.parametrize(
    "more",
    [
        {"json": {"place": "me", "argv": "id"}},
        {"json": {"argv": ["id"]}},
        {"json": ["place"]},
        {"content": b"{"},
    ],
)
def test_bad_requests_are_refused(empty: Asker, more: dict[str, Any]) -> None:
    assert empty.refusal("POST", "/exec", **more)[:2] == (400, "BadRequest")


# --- the rest -----------------------------------------------------------------------------------
def test_a_console_is_told(shop: Asker) -> None:
    assert shop.get("/console", place="web")["output"] == "boot 1\n"


def test_hosts_of_the_internet_come_and_go(empty: Asker) -> None:
    names = [host["name"] for host in empty.get("/internet")["hosts"]]
    assert names == ["me", "mirror", "stranger"]
    added = empty.post("/internet", name="partner", ip="198.19.7.7")
    assert added == {"host": {"name": "partner", "ip": "198.19.7.7"}, "in_force": True}
    assert any(getattr(each, "name", "") == "partner" for each in empty.engine.statements)
    gone = empty.ask("DELETE", "/internet", params={"name": "partner"})
    assert gone == (200, {"in_force": True})
    assert not any(getattr(each, "name", "") == "partner" for each in empty.engine.statements)
    refusal = empty.refusal("DELETE", "/internet", params={"name": "me"})
    assert refusal[:2] == (400, "InvalidParameterValue")


def test_the_map_has_everything_in_its_place(shop: Asker) -> None:
    shop.api.call("DescribeVpcs")
    found = shop.get("/map")
    vpc = next(item for item in found["vpcs"] if item["name"] == "shop")
    assert vpc["internet_gateway"] == shop.ids["gate"]
    first, second = vpc["zones"]
    assert (first["zone"], second["zone"]) == ("ap-northeast-2a", "ap-northeast-2c")
    (outside,) = first["subnets"]
    assert outside["free_addresses"] == 58
    assert outside["route_table"] == shop.ids["out"]
    (web,) = outside["instances"]
    assert (web["name"], web["state"]) == ("web", "running")
    assert web["public_ip"] == shop.shown("web")["PublicIpAddress"]
    main = next(item for item in vpc["route_tables"] if item["main"])
    assert second["subnets"][0]["route_table"] == main["id"]
    group = next(item for item in vpc["groups"] if item["name"] == "www")
    rules = [(rule["direction"], rule["traffic"], rule["peer"]) for rule in group["rules"]]
    assert ("in", "tcp 8080", "0.0.0.0/0") in rules
    assert ("out", "all", "0.0.0.0/0") in rules
    assert found["elsewhere"] == []
    assert shop.get("/map", region="us-east-1")["elsewhere"] == [
        {"account": "123456789012", "region": "ap-northeast-2"}
    ]


def test_the_map_tells_who_holds_an_elastic_ip(shop: Asker) -> None:
    address = shop.api.call("AllocateAddress", Domain="vpc")
    free = shop.api.call("AllocateAddress", Domain="vpc")
    where = {"SubnetId": shop.ids["outside"], "AllocationId": address["AllocationId"]}
    nat = shop.make("CreateNatGateway", "NatGateway", "NatGatewayId", "nat", **where)
    holders = {item["ip"]: item["holder"] for item in shop.get("/map")["elastic_ips"]}
    assert holders == {address["PublicIp"]: nat, free["PublicIp"]: None}
    assert shop.get("/place", name=address["PublicIp"])["id"] == nat
