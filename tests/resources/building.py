"""Building blocks for tests of resources: small networks, and programs as readable text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gureum.kind import Call
from gureum.model import Txn
from gureum.program.program import line
from gureum.resources import REGISTRY
from gureum.resources.network_interface import NetworkInterface
from tests.conftest import Cloud

_MAC = re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")


def make_vpc(cloud: Cloud, cidr: str = "10.0.0.0/16") -> str:
    """The id of a new VPC."""
    return str(cloud.call("CreateVpc", CidrBlock=cidr)["Vpc"]["VpcId"])


def make_subnet(cloud: Cloud, vpc: str, cidr: str = "10.0.1.0/24", **more: Any) -> str:
    """The id of a new subnet."""
    answer = cloud.call("CreateSubnet", VpcId=vpc, CidrBlock=cidr, **more)
    return str(answer["Subnet"]["SubnetId"])


def make_gateway(cloud: Cloud, vpc: str) -> str:
    """The id of a new internet gateway that is attached to the VPC."""
    key = str(cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"])
    cloud.call("AttachInternetGateway", InternetGatewayId=key, VpcId=vpc)
    return key


def make_group(cloud: Cloud, vpc: str, name: str = "web") -> str:
    """The id of a new security group."""
    answer = cloud.call("CreateSecurityGroup", GroupName=name, Description=name, VpcId=vpc)
    return str(answer["GroupId"])


def make_interface(cloud: Cloud, subnet: str, **more: Any) -> dict[str, Any]:
    """A new network interface as the API shows it."""
    answer = cloud.call("CreateNetworkInterface", SubnetId=subnet, **more)
    shape: dict[str, Any] = answer["NetworkInterface"]
    return shape


def make_address(cloud: Cloud) -> dict[str, Any]:
    """A new Elastic IP as AllocateAddress answers."""
    return cloud.call("AllocateAddress", Domain="vpc")


def plug_in(cloud: Cloud, eni: str, instance: str = "i-0000000000000000a", index: int = 0) -> None:
    """Attach an interface to an instance that is up, which need not be there as a row."""
    cloud.system(_plug_in, eni, instance, index)


def _plug_in(txn: Txn, eni: str, instance: str, index: int) -> None:
    from gureum.resources import network_interface

    call = Call("", {}, txn, "2026-11-24T08:00:00.000Z")
    row = network_interface.attach(call, txn.get(NetworkInterface, eni), instance, index, False)
    network_interface.plug(txn, row, instance)


def default_group(cloud: Cloud, vpc: str) -> dict[str, Any]:
    """The VPC's default group as the API shows it."""
    filters = only({"vpc-id": vpc, "group-name": "default"})
    shape: dict[str, Any] = cloud.call("DescribeSecurityGroups", Filters=filters)["SecurityGroups"][
        0
    ]
    return shape


def only(values: Mapping[str, str | Sequence[str]]) -> list[dict[str, Any]]:
    """Filters as the API takes them."""
    return [
        {"Name": name, "Values": [value] if isinstance(value, str) else list(value)}
        for name, value in values.items()
    ]


def said(cloud: Cloud, names: Mapping[str, str], *types: type) -> str:
    """The program's statements of some types that mention one of ``names``' ids, as text.

    ``names`` gives each id a name that is the same in every run; link-layer addresses are ``MAC``.
    """
    lines = []
    for statement, whys in cloud.program().statements.items():
        text = f"{line(statement)}  # {' '.join(sorted(named(key, names) for key in whys))}"
        mentioned = any(key in text for key in names) or bool(set(names) & whys)
        if mentioned and (not types or isinstance(statement, types)):
            lines.append(_MAC.sub("MAC", named(text, names)))
    return "".join(f"{text}\n" for text in sorted(lines))


def named(text: str, names: Mapping[str, str]) -> str:
    """The text with every id of ``names`` replaced by its name."""
    for key, name in names.items():
        text = text.replace(key, name)
    return text


def rename(cloud: Cloud, eni: str, **changes: Any) -> None:
    """Change fields of an interface's row that no action of the API changes."""
    cloud.system(lambda txn: txn.put(replace(txn.get(NetworkInterface, eni), **changes)))


def settle(cloud: Cloud, *, times: int = 3) -> None:
    """What the reconciler tells rows once the data plane has them, as often as that changes any."""
    for _ in range(times):
        for row in list(cloud.store.view.rows.values()):
            kind = REGISTRY.by_row.get(type(row))
            if kind is not None and kind.settled is not None:
                with cloud.store.transaction(row.account, row.region) as txn:
                    kind.settled(txn, row, cloud.now)
