"""Fixes around transit gateways, run by the AWS CLI: everything that is missing on a way."""

from __future__ import annotations

import pytest

from tests.cli.clouds import until
from tests.explain.conftest import Site
from tests.explain.test_fixes import mended
from tests.explain.test_transit_gateway import FORTH, Pair
from tests.resources.building import make_subnet, make_vpc
from tests.resources.transit import attach

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def joined(site: Site) -> Pair:
    """Two more VPCs, on a gateway."""
    pair = Pair(site.api)
    _up(site, pair)
    return pair


def _up(site: Site, pair: Pair, *more: str) -> None:
    for key in (pair.one, pair.two, *more):
        site.ids[key] = key
        site.until(key, "running")


def _asked(site: Site, pair: Pair, source: str) -> tuple[str, str, str]:
    return source, str(site.shown(pair.two)["PrivateIpAddress"]), "80"


def test_all_that_is_missing_on_the_way_is_mended(site: Site, joined: Pair) -> None:
    call, (one, two) = site.api.call, joined.star.attachments
    assert mended(site, *_asked(site, joined, joined.one)) == [], "it works"
    only = [{"Name": "vpc-id", "Values": [joined.star.vpcs[0]]}]
    (table,) = call("DescribeRouteTables", Filters=only)["RouteTables"]
    call("DeleteRoute", RouteTableId=table["RouteTableId"], DestinationCidrBlock=FORTH)
    both = [joined.table(TransitGatewayAttachmentId=each) for each in (one, two)]
    call("DisassociateTransitGatewayRouteTable", **both[0])
    call("DisableTransitGatewayRouteTablePropagation", **both[1])
    zone = {"AvailabilityZone": "ap-northeast-2c"}
    source = joined.launch(make_subnet(site.api, joined.star.vpcs[0], "10.0.9.0/24", **zone))
    _up(site, joined, source)
    met = mended(site, *_asked(site, joined, source))
    assert met == [["NO_ROUTE_TO_DESTINATION"]], "one round mends it all"


@pytest.mark.parametrize("cidr", ["10.1.1.0/24", FORTH])
def test_a_route_of_the_gateway_that_leads_nowhere(site: Site, joined: Pair, cidr: str) -> None:
    call, star = site.api.call, joined.star
    third = make_vpc(site.api, "10.2.0.0/16")
    subnet = make_subnet(site.api, third, "10.2.1.0/24")
    gone = attach(site.api, star.gateway, third, subnet)
    route = {"DestinationCidrBlock": cidr, "TransitGatewayAttachmentId": gone}
    call("CreateTransitGatewayRoute", **joined.table(**route))
    call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=gone)
    question = _asked(site, joined, joined.one)
    until(lambda: site.explain(*question)["reach"] == "none")
    assert mended(site, *question)[0] == ["TGW_RTB_BAD_STATE_ROUTE"]
