"""Builds a recorded account anew through the API, and keeps what each recorded id became."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import Cloud
from tests.resources.test_instance import image

ACCOUNTS = Path(__file__).parent / "accounts"
_LAST_RULE = 32767
_SIDES = ("Requester", "Accepter")


class Account:
    """A recorded account in this cloud.  ``now`` maps recorded ids and public addresses to what
    they are here."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.call = cloud.call
        self.cloud = cloud
        self.now: dict[str, str] = {}
        self._folder = ACCOUNTS / name
        for build in (
            *(self._vpcs, self._subnets, self._gateways, self._groups, self._rules, self._acls),
            *(self._interfaces, self._nat_gateways, self._peerings, self._vpn_gateways),
            self._tables,
        ):
            build()

    def _recorded(self, what: str) -> list[dict[str, Any]]:
        path = self._folder / f"{what}.json"
        found: list[dict[str, Any]] = json.loads(path.read_text())[what] if path.exists() else []
        return found

    def _vpcs(self) -> None:
        for each in self._recorded("Vpcs"):
            made = self.call("CreateVpc", CidrBlock=each["CidrBlock"])["Vpc"]["VpcId"]
            self.now[each["VpcId"]] = made

    def _subnets(self) -> None:
        for each in self._recorded("Subnets"):
            vpc = self.now[each["VpcId"]]
            made = self.call("CreateSubnet", VpcId=vpc, CidrBlock=each["CidrBlock"])
            self.now[each["SubnetId"]] = made["Subnet"]["SubnetId"]

    def _gateways(self) -> None:
        for each in self._recorded("InternetGateways"):
            made = self.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
            self.now[each["InternetGatewayId"]] = made
            for item in each["Attachments"]:
                vpc = self.now[item["VpcId"]]
                self.call("AttachInternetGateway", InternetGatewayId=made, VpcId=vpc)

    # --- filters --------------------------------------------------------------------------------
    def _groups(self) -> None:
        for each in self._recorded("SecurityGroups"):
            name, vpc = each["GroupName"], self.now[each["VpcId"]]
            if name == "default":
                only = [
                    {"Name": "vpc-id", "Values": [vpc]},
                    {"Name": "group-name", "Values": ["default"]},
                ]
                (made,) = self.call("DescribeSecurityGroups", Filters=only)["SecurityGroups"]
            else:
                made = self.call("CreateSecurityGroup", GroupName=name, Description="-", VpcId=vpc)
            self.now[each["GroupId"]] = made["GroupId"]

    def _rules(self) -> None:
        for each in self._recorded("SecurityGroups"):
            group = self.now[each["GroupId"]]
            (old,) = self.call("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"]
            for way, member in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
                if old[member]:
                    action = f"RevokeSecurityGroup{way}"
                    self.call(action, GroupId=group, IpPermissions=old[member])
                new = [self._permission(item) for item in each[member]]
                if new:
                    action = f"AuthorizeSecurityGroup{way}"
                    self.call(action, GroupId=group, IpPermissions=new)

    def _permission(self, item: dict[str, Any]) -> dict[str, Any]:
        kept = ("IpProtocol", "FromPort", "ToPort", "IpRanges", "Ipv6Ranges")
        pairs = [{"GroupId": self.now[p["GroupId"]]} for p in item["UserIdGroupPairs"]]
        found = {name: item[name] for name in kept if item.get(name) not in (None, [])}
        return found | ({"UserIdGroupPairs": pairs} if pairs else {})

    def _acls(self) -> None:
        for each in self._recorded("NetworkAcls"):
            vpc = self.now[each["VpcId"]]
            made = self.call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
            self.now[each["NetworkAclId"]] = made
            for entry in each["Entries"]:
                if entry["RuleNumber"] != _LAST_RULE:
                    self.call("CreateNetworkAclEntry", NetworkAclId=made, **entry)
            for item in each["Associations"]:
                self.cloud.join_acl(made, self.now[item["SubnetId"]])

    # --- hosts and ways -------------------------------------------------------------------------
    def _interfaces(self) -> None:
        for each in self._recorded("NetworkInterfaces"):
            instance = each.get("Attachment", {}).get("InstanceId")
            if instance is None:
                continue
            made = self.call(
                "RunInstances",
                ImageId=image(self.cloud),
                InstanceType="t3.micro",
                MinCount=1,
                MaxCount=1,
                NetworkInterfaces=[
                    {
                        "DeviceIndex": 0,
                        "SubnetId": self.now[each["SubnetId"]],
                        "PrivateIpAddress": each["PrivateIpAddress"],
                        "Groups": [self.now[group["GroupId"]] for group in each["Groups"]],
                        "AssociatePublicIpAddress": "Association" in each,
                    }
                ],
            )["Instances"][0]
            self.now[instance] = made["InstanceId"]
            if "Association" in each:
                (eni,) = made["NetworkInterfaces"]
                found = self.call(
                    "DescribeNetworkInterfaces", NetworkInterfaceIds=[eni["NetworkInterfaceId"]]
                )["NetworkInterfaces"][0]
                self.now[each["Association"]["PublicIp"]] = found["Association"]["PublicIp"]

    def _nat_gateways(self) -> None:
        for each in self._recorded("NatGateways"):
            (address,) = each["NatGatewayAddresses"]
            taken = self.call("AllocateAddress")
            self.now[address["PublicIp"]] = taken["PublicIp"]
            made = self.call(
                "CreateNatGateway",
                SubnetId=self.now[each["SubnetId"]],
                AllocationId=taken["AllocationId"],
                PrivateIpAddress=address["PrivateIp"],
            )["NatGateway"]
            self.now[each["NatGatewayId"]] = made["NatGatewayId"]

    def _peerings(self) -> None:
        for each in self._recorded("VpcPeeringConnections"):
            one, other = (self.now[each[f"{side}VpcInfo"]["VpcId"]] for side in _SIDES)
            made = self.call("CreateVpcPeeringConnection", VpcId=one, PeerVpcId=other)
            key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
            self.now[each["VpcPeeringConnectionId"]] = key
            if each["Status"]["Code"] == "active":
                self.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)

    def _vpn_gateways(self) -> None:
        """The gateways that route tables name; the recording has no list of them."""
        for each in self._recorded("RouteTables"):
            ways = (route.get("GatewayId", "") for route in each["Routes"])
            named = (item["GatewayId"] for item in each["PropagatingVgws"])
            for key in {*ways, *named}:
                if key.startswith("vgw-") and key not in self.now:
                    made = self.call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]
                    self.now[key] = made["VpnGatewayId"]
                    vpc = self.now[each["VpcId"]]
                    self.call("AttachVpnGateway", VpnGatewayId=self.now[key], VpcId=vpc)

    def _tables(self) -> None:
        for each in self._recorded("RouteTables"):
            vpc = self.now[each["VpcId"]]
            made = self.call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
            self.now[each["RouteTableId"]] = made
            for route in self._routes(each["Routes"]):
                self.call("CreateRoute", RouteTableId=made, **route)
            for way in each["PropagatingVgws"]:
                key = self.now[way["GatewayId"]]
                self.call("EnableVgwRoutePropagation", RouteTableId=made, GatewayId=key)
            for item in each["Associations"]:
                self._join_table(vpc, made, item)

    def _routes(self, routes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The routes to what there is here."""
        for each in routes:
            for member in ("GatewayId", "NatGatewayId", "VpcPeeringConnectionId"):
                target = self.now.get(each.get(member, ""))
                if target and "DestinationCidrBlock" in each:
                    cidr = each["DestinationCidrBlock"]
                    yield {"DestinationCidrBlock": cidr, member: target}

    def _join_table(self, vpc: str, table: str, item: dict[str, Any]) -> None:
        if not item["Main"]:
            subnet = self.now[item["SubnetId"]]
            self.call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)
            return
        only = [
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        (old,) = self.call("DescribeRouteTables", Filters=only)["RouteTables"]
        (main,) = (each for each in old["Associations"] if each["Main"])
        key = main["RouteTableAssociationId"]
        self.call("ReplaceRouteTableAssociation", AssociationId=key, RouteTableId=table)
