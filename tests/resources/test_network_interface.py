"""What other resources do with interfaces: attaching, plugging, addresses; and what is compiled."""

from __future__ import annotations

import re

import pytest

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Txn
from gureum.program import Address, Filter, Guard, Member, Port, ViaPort
from gureum.resources import network_interface_address
from gureum.resources.dhcp_options import private_dns
from gureum.resources.network_interface import (
    NetworkInterface,
    attach,
    delete,
    detach,
    hop,
    interfaces_of,
    plug,
    port_of,
)
from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
    said,
)

INSTANCE = "i-0000000000000000a"


def call(txn: Txn) -> Call:
    return Call("", {}, txn, "2026-11-24T08:00:00.000Z")


def interface(cloud: Cloud, **more: object) -> str:
    subnet = make_subnet(cloud, make_vpc(cloud))
    return str(make_interface(cloud, subnet, **more)["NetworkInterfaceId"])


def row(cloud: Cloud, key: str) -> NetworkInterface:
    found = cloud.store.view.find(NetworkInterface, key)
    assert found is not None
    return found


def test_link_layer_addresses_are_local_and_distinct(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    macs = [make_interface(cloud, subnet)["MacAddress"] for _ in range(20)]
    assert len(set(macs)) == 20
    assert all(re.fullmatch("(02|06|0a)(:[0-9a-f]{2}){5}", mac) for mac in macs)


def test_attach_says_who_and_when(cloud: Cloud) -> None:
    key = interface(cloud)
    plug_in(cloud, key, INSTANCE, index=1)
    shown = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])
    item = shown["NetworkInterfaces"][0]
    attachment = item["Attachment"]
    assert item["Status"] == "in-use"
    assert attachment.pop("AttachTime").isoformat() == "2026-11-24T08:00:00+00:00"
    assert attachment.pop("AttachmentId").startswith("eni-attach-")
    assert attachment == {
        "DeleteOnTermination": False,
        "DeviceIndex": 1,
        "NetworkCardIndex": 0,
        "InstanceId": INSTANCE,
        "InstanceOwnerId": "123456789012",
        "Status": "attached",
    }


def test_what_cannot_be_attached(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    one, two = (make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(2))
    plug_in(cloud, one, INSTANCE)
    for key, code in ((one, "InvalidNetworkInterface.InUse"), (two, "InvalidParameterValue")):
        with pytest.raises(ApiError) as caught:
            cloud.system(
                lambda txn, key=key: attach(
                    call(txn), txn.get(NetworkInterface, key), INSTANCE, 0, True
                )
            )
        assert caught.value.code == code
    assert "already has an interface attached at device index '0'" in caught.value.message


def test_interfaces_of_an_instance_by_index(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    keys = [make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(3)]
    for key, index in zip(keys, (2, 0, 1), strict=True):
        plug_in(cloud, key, INSTANCE, index)
    found = interfaces_of(cloud.store.view, INSTANCE)
    assert [item.id for item in found] == [keys[1], keys[2], keys[0]]
    assert interfaces_of(cloud.store.view, "i-0000000000000000b") == []


def test_detached_it_is_available(cloud: Cloud) -> None:
    key = interface(cloud)
    plug_in(cloud, key)
    with pytest.raises(ApiError) as caught:
        cloud.system(lambda txn: delete(txn, txn.get(NetworkInterface, key)))
    assert caught.value.message == f"Network interface '{key}' is currently in use."
    cloud.system(lambda txn: detach(txn, txn.get(NetworkInterface, key)))
    shown = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])
    assert shown["NetworkInterfaces"][0]["Status"] == "available"
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=key)


def test_private_names() -> None:
    assert private_dns("us-east-1", "10.0.1.5") == "ip-10-0-1-5.ec2.internal"
    assert private_dns("eu-west-1", "10.0.1.5") == "ip-10-0-1-5.eu-west-1.compute.internal"


def test_default_group_unless_asked(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc))
    group = default_group(cloud, vpc)
    assert eni["Groups"] == [{"GroupId": group["GroupId"], "GroupName": "default"}]


def test_nothing_is_said_while_it_is_in_no_host(cloud: Cloud) -> None:
    key = interface(cloud)
    assert said(cloud, {key: "ENI"}) == ""
    assert port_of(cloud.store.view, row(cloud, key)) is None
    assert hop(cloud.store.view, key) is None
    plug_in(cloud, key)
    assert said(cloud, {key: "ENI"}) != ""
    cloud.system(lambda txn: plug(txn, txn.get(NetworkInterface, key), None))
    assert said(cloud, {key: "ENI"}) == ""
    assert hop(cloud.store.view, key) is None
    assert row(cloud, key).attachment is not None


def test_lowering(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    group = make_group(cloud, vpc)
    key = make_interface(
        cloud,
        subnet,
        Groups=[group],
        PrivateIpAddresses=[
            {"PrivateIpAddress": "10.0.1.20", "Primary": True},
            {"PrivateIpAddress": "10.0.1.21", "Primary": False},
        ],
    )["NetworkInterfaceId"]
    plug_in(cloud, key, INSTANCE)
    names = {key: "ENI", subnet: "SUBNET", INSTANCE: "INSTANCE", group: "WEB", vpc: "VPC"}
    assert said(cloud, names, Port, Address, Member, Guard) == (
        "Address port=ENI ip=10.0.1.20 primary=True delegated=False  # ENI\n"
        "Address port=ENI ip=10.0.1.21 primary=False delegated=False  # ENI\n"
        "Guard port=ENI addresses=[10.0.1.20 10.0.1.21] forwarding=False filter_in=WEB/in "
        "filter_out=WEB/out  # ENI\n"
        "Member router=VPC group=WEB ip=10.0.1.20  # ENI WEB\n"
        "Member router=VPC group=WEB ip=10.0.1.21  # ENI WEB\n"
        "Port id=ENI segment=SUBNET host=INSTANCE index=0 mac=MAC  # ENI\n"
    )
    cloud.call(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=key,
        SourceDestCheck={"Value": False},
    )
    assert " forwarding=True " in said(cloud, names, Guard)


def test_a_set_of_groups_has_one_pair_of_filters(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    groups = [make_group(cloud, vpc, name) for name in ("one", "two")]
    for number, order in enumerate((groups, groups[::-1])):
        key = make_interface(cloud, subnet, Groups=order)["NetworkInterfaceId"]
        plug_in(cloud, key, f"i-{number:017x}")
    filters = {
        item.id
        for item in cloud.program().statements
        if isinstance(item, Filter) and item.stateful and item.router == vpc
    }
    guards = {
        (item.filter_in, item.filter_out)
        for item in cloud.program().statements
        if isinstance(item, Guard) and item.port.segment.id == subnet
    }
    assert len(guards) == 1
    assert filters == set(next(iter(guards)))


def test_a_hop_leads_to_its_port(cloud: Cloud) -> None:
    key = interface(cloud, PrivateIpAddress="10.0.1.20")
    plug_in(cloud, key)
    found = hop(cloud.store.view, key)
    assert isinstance(found, ViaPort)
    assert (found.port, found.ip, found.mac) == (key, "10.0.1.20", row(cloud, key).mac)


def test_the_module_gives_and_takes_addresses(cloud: Cloud) -> None:
    key = interface(cloud, PrivateIpAddress="10.0.1.20")

    def change(txn: Txn) -> tuple[str, ...]:
        eni = txn.get(NetworkInterface, key)
        eni = network_interface_address.give_address(call(txn), eni, "10.0.1.99")
        eni = network_interface_address.give_address(call(txn), eni, None)
        return network_interface_address.take_address(call(txn), eni, "10.0.1.99").ips

    ips = cloud.system(change)
    assert len(ips) == 2
    assert "10.0.1.99" not in ips
    assert row(cloud, key).ips == ips
