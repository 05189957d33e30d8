"""What is proposed around transit gateways mends what it is about."""

from __future__ import annotations

import shlex

import pytest

from gureum.explain.causes import told_anew
from gureum.explain.fixes import fixes
from tests.explain.test_transit_gateway import Pair, pair
from tests.resources.building import make_subnet, settle

__all__ = ["pair"]


def mend(pair: Pair, source: str) -> str:
    """Do what the one fix says; what it says it does."""
    view = pair.cloud.store.view
    (fix,) = fixes(view, told_anew(view, pair.ask(source, pair.two)))
    (command,) = fix.commands
    _, _, action, *words = shlex.split(command)
    name = "".join(part.capitalize() for part in action.split("-"))
    given = dict(zip(words[::2], words[1::2], strict=True))
    params: dict[str, object] = {
        "".join(part.capitalize() for part in key.removeprefix("--").split("-")): value
        for key, value in given.items()
    }
    lists = {key: [value] for key, value in params.items() if key.endswith("SubnetIds")}
    pair.cloud.call(name, **(params | lists))
    settle(pair.cloud)
    return fix.said


@pytest.mark.parametrize("broken", ["association", "propagation", "attachment", "zone"])
def test_a_fix_mends(pair: Pair, broken: str) -> None:
    call, (one, two), source = pair.cloud.call, pair.star.attachments, pair.one
    said = {
        "association": f"associate {one} with {pair.star.table}",
        "propagation": f"let {two} propagate to {pair.star.table}",
        "attachment": f"attach {pair.star.vpcs[0]} to {pair.star.gateway}",
    }
    if broken == "association":
        both = pair.table(TransitGatewayAttachmentId=one)
        call("DisassociateTransitGatewayRouteTable", **both)
    elif broken == "propagation":
        both = pair.table(TransitGatewayAttachmentId=two)
        call("DisableTransitGatewayRouteTablePropagation", **both)
    elif broken == "attachment":
        call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=one)
    else:
        zone = {"AvailabilityZone": "ap-northeast-2c"}
        subnet = make_subnet(pair.cloud, pair.star.vpcs[0], "10.0.9.0/24", **zone)
        source = pair.launch(subnet)
        said["zone"] = f"serve the zone of {subnet} by {one}"
    settle(pair.cloud)
    assert not pair.ask(source, pair.two).works
    assert mend(pair, source) == said[broken]
    assert pair.ask(source, pair.two).works
