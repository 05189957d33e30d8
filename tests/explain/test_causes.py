"""Blocks told with what the rows know: instances that are stopped, addresses that lead nowhere."""

from __future__ import annotations

from gureum.explain import told_anew
from gureum.explain.codes import Code
from gureum.explain.steps import Step
from gureum.resources.public_ip import Association
from tests.explain.test_walk import ME, MIRROR, Shop, shop

__all__ = ["shop"]


def block(shop: Shop, source: str, target: str) -> Step:
    """The one block of a connection to port 80."""
    answer = shop.ask(ME if source == "me" else source, target, 80)
    (found,) = told_anew(shop.cloud.store.view, answer).blocks()
    return found


def test_a_public_address_of_nobody(shop: Shop) -> None:
    found = block(shop, "me", "198.18.255.254")
    assert found.code is Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
    assert found.said == "nobody has the public address 198.18.255.254"


def test_an_address_that_is_mapped_to_nothing(shop: Shop) -> None:
    address = shop.cloud.call("AllocateAddress")
    found = block(shop, "me", address["PublicIp"])
    assert found.code is Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
    assert found.by == (address["AllocationId"],)
    assert "associated with nothing" in found.said


def test_an_address_in_a_vpc_without_a_gateway(shop: Shop) -> None:
    call = shop.cloud.call
    other = call("CreateVpc", CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = call("CreateSubnet", VpcId=other, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    eni = call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = call("AllocateAddress")
    gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=other)
    call("AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    found = block(shop, "me", address["PublicIp"])
    assert found.said.endswith("is attached to no instance")
    row = shop.cloud.store.view.rows[gateway]
    shop.cloud.system(lambda txn: txn.delete(row))
    found = block(shop, "me", address["PublicIp"])
    assert found.code is Code.BAD_STATE_ATTACHMENT
    assert found.by == (eni, other)


def test_block_public_access_closes_a_gateway(shop: Shop) -> None:
    view = shop.cloud.store.view
    (web,) = (each for each in view.all(Association) if each.interface)
    mode = "ModifyVpcBlockPublicAccessOptions"
    assert not shop.ask(ME, web.ip, 80).blocks()
    shop.cloud.call(mode, InternetGatewayBlockMode="block-bidirectional")
    code = Code.VPC_BLOCK_PUBLIC_ACCESS_ENABLED
    inwards = block(shop, "me", web.ip)
    assert (inwards.code, web.interface in inwards.by) == (code, True)
    assert block(shop, shop.web, MIRROR.ip).code is code
    shop.cloud.call(mode, InternetGatewayBlockMode="off")
    assert not shop.ask(ME, web.ip, 80).blocks()


def test_a_private_address_of_another_vpc(shop: Shop) -> None:
    call = shop.cloud.call
    other = call("CreateVpc", CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = call("CreateSubnet", VpcId=other, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    call("CreateNetworkInterface", SubnetId=subnet, PrivateIpAddress="10.7.1.9")
    assert block(shop, shop.db, "10.7.1.9").code is Code.DISCONNECTED_VPCS
    assert block(shop, shop.db, "10.7.1.8").code is Code.NO_ROUTE_TO_DESTINATION
