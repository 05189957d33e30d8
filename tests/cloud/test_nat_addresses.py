"""A second Elastic IP of a NAT gateway, by the AWS CLI: connections are shared out among both."""

from __future__ import annotations

from itertools import count, islice

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import eventually, listening, make

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ME = "198.19.0.10"


def test_connections_have_either_address(daemon: Daemon, site: Site) -> None:
    first, second = (site.ec2.allocate_address(Domain="vpc") for _ in range(2))
    made = site.ec2.create_nat_gateway(SubnetId=site.public, AllocationId=first["AllocationId"])
    nat = made["NatGateway"]["NatGatewayId"]
    table = site.table(site.private)
    site.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    inner = site.launch(site.private, site.group("inner"))

    def state() -> str:
        (shape,) = site.ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
        return str(shape["State"])

    ports = count(41000)

    def seen() -> set[str]:
        """The addresses that connections from neighbouring ports come from."""
        found: set[str] = set()
        with listening(site.me, 8080) as listener:
            for port in islice(ports, 4):
                with make(inner.ns) as client:
                    client.bind(("", port))
                    client.connect((ME, 8080))
                    server, (address, _) = listener.accept()
                    server.close()
                    found.add(str(address))
        return found

    assert eventually(lambda: state() == "available", 10)
    assert seen() == {first["PublicIp"]}
    answer = aws(daemon, "associate-nat-gateway-address", "--nat-gateway-id", nat,
                 "--allocation-ids", second["AllocationId"])  # fmt: skip
    assert seen() == {first["PublicIp"], second["PublicIp"]}
    key = answer["NatGatewayAddresses"][0]["AssociationId"]
    aws(daemon, "disassociate-nat-gateway-address", "--nat-gateway-id", nat,
        "--association-ids", key)  # fmt: skip
    assert seen() == {first["PublicIp"]}
    site.ec2.release_address(AllocationId=second["AllocationId"])
