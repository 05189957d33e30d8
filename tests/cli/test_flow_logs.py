"""Recorded flows at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gureum.cli import ending
from gureum.engines.flows import Flow
from gureum.resources.instance import Instance
from gureum.resources.network_interface import interfaces_of
from gureum.services.flow_recorder import Told
from tests.cli.clouds import Served
from tests.services.flows import FLOW, ROLE


@pytest.fixture
def recorded(shop: Served) -> Iterator[list[str]]:
    """Two flow logs of the VPC, the second of what was refused; three flows at web."""
    keys = []
    for traffic in ("ALL", "REJECT"):
        made = shop.api.call(
            "CreateFlowLogs",
            ResourceType="VPC",
            ResourceIds=[shop.ids["shop"]],
            TrafficType=traffic,
            LogGroupName=traffic,
            DeliverLogsPermissionArn=ROLE,
        )
        keys += made["FlowLogIds"]
    web = shop.row("web")
    assert isinstance(web, Instance)
    eni = interfaces_of(shop.api.store.view, web.id)[0].id
    flows = (
        _flow(eni, 80, begin=1418530030.5),
        _flow(eni, 23, accepted=False, begin=1418530020.0, tcp_flags=2),
        _flow(eni, 0, protocol=58, source="3fff::1", target="3fff::2", tcp_flags=0),
    )
    for number, flow in enumerate(flows, 1):
        logs = keys[:1] if flow.accepted else keys
        shop.flows.all.append(Told(number, flow, tuple(logs)))
    yield keys
    shop.flows.all.clear()
    shop.api.call("DeleteFlowLogs", FlowLogIds=keys)


def _flow(eni: str, port: int, **more: object) -> Flow:
    return replace(FLOW, interface=eni, dport=port, sport=port and 4000, **more)  # type: ignore[arg-type]


def test_flows_are_told_in_the_order_in_which_they_began(shop: Served, recorded: list[str]) -> None:
    found = json.loads(shop.cli("flow-logs", "--json").output)
    assert [row["to"] for row in found["rows"]] == ["3fff::2", "10.0.1.21:23", "10.0.1.21:80"]
    assert found["rows"][1] == {
        "time": "2014-12-14T04:07:00Z",
        "interface": found["rows"][1]["interface"],
        "way": "in",
        "from": "172.31.16.139:4000",
        "to": "10.0.1.21:23",
        "protocol": "tcp",
        "flags": "SYN",
        "packets": 20,
        "bytes": 4249,
        "action": "REJECT",
    }
    assert found["last"] == 3
    assert found["names"][found["rows"][1]["interface"]] == "web"
    text = shop.cli("flow-logs").output
    assert "(web)" in text
    assert "SYN FIN" in text


def test_one_flow_log(shop: Served, recorded: list[str]) -> None:
    found = json.loads(shop.cli("flow-logs", recorded[1], "--json").output)
    assert [row["action"] for row in found["rows"]] == ["REJECT"]
    result = shop.cli("flow-logs", "fl-0123456789abcdef0")
    assert result.exit_code == 1
    assert "fl-0123456789abcdef0" in result.stderr


def test_nothing_yet_and_no_flow_log(shop: Served, recorded: list[str]) -> None:
    shop.flows.all.clear()
    result = shop.cli("flow-logs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "flow-logs" in result.stderr
    result = shop.cli("flow-logs", "--region", "us-east-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no flow log in us-east-1" in result.stderr


def test_what_follows_is_told_line_by_line(
    shop: Served, recorded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until somebody has seen enough: here after one wait, in which a flow comes."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if waits:
            raise KeyboardInterrupt
        waits.append(seconds)
        last = shop.flows.all[0]
        flow = _flow(last.flow.interface, 443, begin=1418530040.0)
        shop.flows.all.append(Told(4, flow, (recorded[0],)))

    monkeypatch.setattr(ending, "time", SimpleNamespace(sleep=wait))
    result = shop.cli("flow-logs", "--follow")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert lines[-1] == (
        "2014-12-14T04:07:20Z  ACCEPT  in   web  172.31.16.139:4000 → 10.0.1.21:443  tcp  "
        "SYN FIN  20 packets, 4249 bytes"
    )
