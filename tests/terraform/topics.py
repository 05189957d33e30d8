"""What each folder of ``examples/terraform`` is changed to, and what has to hold along the way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from gureum.model.nat64 import synthesized
from tests.daemon import Daemon
from tests.kernel.packets import eventually, run, tcp


@dataclass(frozen=True)
class Seen:
    """A daemon, the account in which a configuration was applied, and its outputs."""

    daemon: Daemon
    account: str
    made: dict[str, Any]

    def ec2(self, service: str = "ec2") -> Any:
        return self.daemon.ec2(service, self.account)

    def meets(self, client: str, address: str, port: int) -> str:
        """What becomes of a connection from an instance, in a word."""
        return tcp(self.daemon.netns(client), address, port)


def nothing(seen: Seen) -> None:
    """Where what Terraform itself says is enough."""


@dataclass(frozen=True)
class Topic:
    """``change`` are the options of the second apply."""

    change: tuple[str, str]
    applied: Callable[[Seen], None] = nothing
    changed: Callable[[Seen], None] = nothing
    destroyed: Callable[[Seen], None] = nothing


def var(text: str) -> tuple[str, str]:
    return "-var", text


# --- network ------------------------------------------------------------------------------------
def network_carries_packets(seen: Seen) -> None:
    made, daemon = seen.made, seen.daemon
    assert made["path_found"] is True
    me = daemon.netns("host-me")
    assert eventually(lambda: tcp(me, made["web"], 80) == "open", 10)
    assert "hello" in run(me, "curl", "-s", f"http://{made['web']}/").stdout
    assert seen.meets(made["db"], "198.19.0.20", 9) == "refused", "out by the NAT gateway"
    assert tcp(me, made["web6"], 22) == "timeout"
    assert tcp(me, made["web6"], 80) == "open"
    assert seen.meets(made["db"], "3fff:800::20", 9) == "refused", "out by egress-only"
    modern = made["modern"]
    assert modern["ipv4"] == "", "it has none"
    assert modern["name"] == f"{modern['id']}.ap-northeast-2.compute.internal"
    assert tcp(me, modern["ipv6"], 80) == "refused", "let in, and nobody listens"
    assert seen.meets(modern["id"], made["web6"], 80) == "open"
    assert seen.meets(modern["id"], synthesized("198.19.0.20"), 9) == "refused", "out by NAT64"


def network_port_has_moved(seen: Seen) -> None:
    me = seen.daemon.netns("host-me")
    assert tcp(me, seen.made["web"], 80) == "timeout"
    assert tcp(me, seen.made["web"], 8080) == "refused", "let in, and nobody listens"


# --- prefix lists -------------------------------------------------------------------------------
def lists_agree(seen: Seen) -> None:
    assert len(set(seen.made["s3"])) == 1


def list_has_changed(seen: Seen) -> None:
    answer = seen.ec2().get_managed_prefix_list_entries(PrefixListId=seen.made["offices"])
    found = [entry["Cidr"] for entry in answer["Entries"]]
    assert found == ["198.51.100.0/24", "192.0.2.128/25"]


def only_lists_of_aws(seen: Seen) -> None:
    lists = seen.ec2().describe_managed_prefix_lists()["PrefixLists"]
    assert {each["OwnerId"] for each in lists} == {"AWS"}


# --- addresses ----------------------------------------------------------------------------------
def prefix_is_reserved(seen: Seen) -> None:
    prefix = IPv4Network(seen.made["prefix"])
    assert prefix.prefixlen == 28
    # Not always its first: an address that was given out before the reservation may lie in it.
    assert prefix.subnet_of(IPv4Network("10.0.1.64/26")), "delegated from the reservation"
    made = seen.made["prefixes6"]
    parts = list(IPv6Network(made["block"]).subnets(prefixlen_diff=8))
    node = IPv6Network(made["node"])
    assert node.prefixlen == 80
    assert node.subnet_of(parts[7]), "delegated from the reservation of IPv6"
    router = next(itertools.islice(IPv6Network(made["block"]).subnets(new_prefix=80), 100, None))
    assert IPv6Network(made["router"]) == router, "the one that is asked for"


# --- observing ----------------------------------------------------------------------------------
def mirrors_to(seen: Seen) -> None:
    (rule,) = seen.ec2().describe_traffic_mirror_filter_rules()["TrafficMirrorFilterRules"]
    assert rule["DestinationPortRange"] == {"FromPort": 80, "ToPort": 8443}


def no_flow_logs(seen: Seen) -> None:
    assert seen.ec2().describe_flow_logs()["FlowLogs"] == []


# --- peering ------------------------------------------------------------------------------------
def peers_talk(seen: Seen) -> None:
    made = seen.made
    assert resolves(seen) == (True, True)
    assert made["far"] == "active"
    for one, other in (("shop", "store"), ("store", "shop")):
        met = seen.meets(made["instances"][one]["id"], made["instances"][other]["ip"], 80)
        assert met == "refused", f"{one} reaches {other}, where nobody listens"


def one_side_resolves(seen: Seen) -> None:
    assert resolves(seen) == (False, True)


def resolves(seen: Seen) -> tuple[bool, bool]:
    """The DNS option of the requester's and of the accepter's side."""
    only = {"VpcPeeringConnectionIds": [seen.made["connection"]]}
    (row,) = seen.ec2().describe_vpc_peering_connections(**only)["VpcPeeringConnections"]
    one, other = (
        row[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"]
        for side in ("RequesterVpcInfo", "AccepterVpcInfo")
    )
    return one, other


def no_connection_is_left(seen: Seen) -> None:
    rows = seen.ec2().describe_vpc_peering_connections()["VpcPeeringConnections"]
    assert {row["Status"]["Code"] for row in rows} == {"deleted"}


# --- sharing ------------------------------------------------------------------------------------
def the_other_account_has_it(seen: Seen) -> None:
    made = seen.made
    assert entries(seen) == ["198.51.100.0/24"]
    ram = seen.daemon.ec2("ram", made["other"])
    found = ram.list_resources(resourceOwner="OTHER-ACCOUNTS", resourceShareArns=[made["share"]])
    assert {each["type"] for each in found["resources"]} == {
        "ec2:PrefixList",
        "ec2:Subnet",
        "ec2:TransitGateway",
    }
    the_other_account_is_in_the_vpc(seen)
    (row,) = seen.ec2().describe_transit_gateway_attachments()["TransitGatewayAttachments"]
    assert (row["TransitGatewayAttachmentId"], row["State"], row["ResourceOwnerId"]) == (
        made["attachment"],
        "available",
        made["other"],
    )


def the_other_account_is_in_the_vpc(seen: Seen) -> None:
    own, other = seen.ec2(), seen.daemon.ec2(account=seen.made["other"])
    asked = {"NetworkInterfaceIds": [seen.made["interface"]]}
    (row,) = own.describe_network_interfaces(**asked)["NetworkInterfaces"]
    assert (row["OwnerId"], row["SubnetId"]) == (seen.made["other"], seen.made["subnet"])
    names = [
        who.describe_subnets(SubnetIds=[seen.made["subnet"]])["Subnets"][0]["Tags"][0]["Value"]
        for who in (own, other)
    ]
    assert names == ["shared", "of the network team"]


def the_other_account_has_another_office(seen: Seen) -> None:
    assert entries(seen) == ["203.0.113.0/24"]


def entries(seen: Seen) -> list[str]:
    """What the other account finds in the list."""
    ec2 = seen.daemon.ec2(account=seen.made["other"])
    found = ec2.get_managed_prefix_list_entries(PrefixListId=seen.made["offices"])["Entries"]
    return [str(each["Cidr"]) for each in found]


def nothing_is_shared(seen: Seen) -> None:
    ram = seen.ec2("ram")
    shares = ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]
    assert {each["status"] for each in shares} == {"DELETED"}
    assert ram.list_resources(resourceOwner="SELF")["resources"] == []


# --- transit gateway ----------------------------------------------------------------------------
def met(seen: Seen) -> dict[str, str]:
    """What becomes of a connection between each two VPCs."""
    who = seen.made["instances"]
    return {
        f"{one} {other}": seen.meets(who[one]["id"], who[other]["ip"], 80)
        for one in who
        for other in who
        if one != other
    }


def two_are_served(seen: Seen) -> None:
    found = met(seen)
    apart = {name for name, how in found.items() if how == "timeout"}
    assert apart == {"shop store", "store shop"}
    assert {how for name, how in found.items() if name not in apart} == {"refused"}
    for name, answer in (("shop", "refused"), ("shared", "timeout")):
        key = seen.made["instances"][name]["id"]
        assert seen.meets(key, "198.19.0.20", 9) == answer, "out by the NAT gateway of another VPC"


def all_talk(seen: Seen) -> None:
    assert set(met(seen).values()) == {"refused"}


def no_transit_gateway(seen: Seen) -> None:
    left = seen.ec2().describe_transit_gateways()["TransitGateways"]
    assert {each["State"] for each in left} <= {"deleted"}


# --- associations -------------------------------------------------------------------------------
def web_is_public(seen: Seen) -> None:
    me, block = seen.daemon.netns("host-me"), seen.ec2().modify_vpc_block_public_access_options
    assert tcp(me, seen.made["web"], 80) == "refused"
    block(InternetGatewayBlockMode="block-ingress")
    assert tcp(me, seen.made["web"], 80) == "timeout"
    block(InternetGatewayBlockMode="off")
    assert tcp(me, seen.made["web"], 80) == "refused"


def web_is_private(seen: Seen) -> None:
    assert tcp(seen.daemon.netns("host-me"), seen.made["web"], 80) == "timeout"


# --- account ------------------------------------------------------------------------------------
def defaults_are_taken_over(seen: Seen) -> None:
    ec2 = seen.ec2()
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert (vpc["VpcId"], vpc["Tags"]) == (seen.made["vpc"], [{"Key": "Name", "Value": "default"}])
    (group,) = ec2.describe_security_groups()["SecurityGroups"]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    blocked = ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]
    assert blocked["InternetGatewayBlockMode"] == "block-bidirectional"


def encryption_is_on(seen: Seen) -> None:
    assert seen.ec2().get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True


# --- endpoints ----------------------------------------------------------------------------------
def routes(ec2: Any, table: str) -> dict[str, tuple[str, str]]:
    """The routes of a table but the local one: gateway and state by destination."""
    (shown,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {
        route.get("DestinationPrefixListId") or route["DestinationCidrBlock"]: (
            route["GatewayId"],
            route["State"],
        )
        for route in shown["Routes"]
        if route["GatewayId"] != "local"
    }


def endpoints_are_there(seen: Seen) -> None:
    made, ec2 = seen.made, seen.ec2()
    assert routes(ec2, made["table"]) == {made["prefix_list"]: (made["s3"], "active")}
    assert made["names"] == ["sts.ap-northeast-2.amazonaws.com"]
    states = {each["State"] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    assert states == {"available"}


def no_endpoints(seen: Seen) -> None:
    assert seen.ec2().describe_vpc_endpoints()["VpcEndpoints"] == []


# --- VPN ----------------------------------------------------------------------------------------
def site_is_routed(seen: Seen) -> None:
    gateway = (seen.made["gateway"], "active")
    assert routes(seen.ec2(), seen.made["table"]) == {
        "172.20.0.0/16": gateway,
        "192.168.0.0/16": gateway,
    }


def another_site_is_routed(seen: Seen) -> None:
    assert "172.21.0.0/16" in routes(seen.ec2(), seen.made["table"])


def gateways_are_deleted(seen: Seen) -> None:
    left = seen.ec2().describe_vpn_gateways()["VpnGateways"]
    assert {each["State"] for each in left} == {"deleted"}


# --- instances ----------------------------------------------------------------------------------
def instances_are_as_asked(seen: Seen) -> None:
    made, ec2 = seen.made, seen.ec2()
    assert made["amazon"].startswith("al2023-ami-2023.")
    assert made["ubuntu"].startswith("ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-")
    assert made["debian"].startswith("debian-12-amd64-")
    assert made["root_size"] == 12
    (templated,) = ec2.describe_instances(InstanceIds=[made["templated"]])["Reservations"]
    shown = templated["Instances"][0]
    assert shown["InstanceType"] == "t3.micro"
    assert shown["Placement"]["GroupName"] == "spread"
    devices = {item["DeviceName"] for item in shown["BlockDeviceMappings"]}
    assert devices == {"/dev/xvda", "/dev/sdb", "/dev/sdf"}
    (data,) = ec2.describe_volumes(VolumeIds=[made["data"]])["Volumes"]
    assert (data["State"], data["Encrypted"], data["Size"]) == ("in-use", False, 10)
    assert runs(seen) == "stopped"


def volume_has_grown(seen: Seen) -> None:
    (data,) = seen.ec2().describe_volumes(VolumeIds=[seen.made["data"]])["Volumes"]
    assert data["Size"] == 20
    assert runs(seen) == "running"


def runs(seen: Seen) -> str:
    """The state of the instance that is stopped and started."""
    shown = seen.ec2().describe_instances(InstanceIds=[seen.made["web"]])["Reservations"]
    return str(shown[0]["Instances"][0]["State"]["Name"])


def owns_nothing(seen: Seen) -> None:
    ec2, me = seen.ec2(), {"OwnerIds": ["self"]}
    assert ec2.describe_volumes()["Volumes"] == []
    assert ec2.describe_snapshots(**me)["Snapshots"] == []
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert ec2.describe_placement_groups()["PlacementGroups"] == []


# --- identity -----------------------------------------------------------------------------------
def profile_is_there(seen: Seen) -> None:
    answer = seen.ec2("iam").get_instance_profile(InstanceProfileName="web")
    assert answer["InstanceProfile"]["Arn"] == seen.made["profile"]
    aliases = seen.ec2("iam").list_account_aliases()["AccountAliases"]
    assert aliases == [f"team-{seen.account}"]


def policy_has_two_versions(seen: Seen) -> None:
    arn = f"arn:aws:iam::{seen.account}:policy/team/reads"
    assert len(seen.ec2("iam").list_policy_versions(PolicyArn=arn)["Versions"]) == 2


def nobody_is_left(seen: Seen) -> None:
    iam = seen.ec2("iam")
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.list_users()["Users"] == []
    assert iam.list_roles()["Roles"] == []
    assert iam.list_groups()["Groups"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []


# --- connect ------------------------------------------------------------------------------------
def group_is_heard(address: str) -> Callable[[Seen], None]:
    def heard(seen: Seen) -> None:
        asked = {"TransitGatewayMulticastDomainId": seen.made["domain"]}
        groups = seen.ec2().search_transit_gateway_multicast_groups(**asked)["MulticastGroups"]
        assert [each["GroupIpAddress"] for each in groups] == [address, address]
        assert sorted(each["GroupSource"] for each in groups) == [False, True]

    return heard


def nothing_is_connected(seen: Seen) -> None:
    ec2 = seen.ec2()
    found = ec2.describe_transit_gateway_connects()["TransitGatewayConnects"]
    assert {each["State"] for each in found} <= {"deleted"}
    assert ec2.describe_carrier_gateways()["CarrierGateways"] == []


TOPICS = {
    "network": Topic(var("port=8080"), network_carries_packets, network_port_has_moved),
    "instances": Topic(var("size=20"), instances_are_as_asked, volume_has_grown, owns_nothing),
    "endpoints": Topic(var("wide=true"), endpoints_are_there, nothing, no_endpoints),
    "transit-gateway": Topic(var("joined=true"), two_are_served, all_talk, no_transit_gateway),
    "sharing": Topic(
        var('offices=["203.0.113.0/24"]'),
        the_other_account_has_it,
        the_other_account_has_another_office,
        nothing_is_shared,
    ),
    "peering": Topic(var("resolve=false"), peers_talk, one_side_resolves, no_connection_is_left),
    "vpn": Topic(
        var('sites=["192.168.0.0/16", "172.21.0.0/16"]'),
        site_is_routed,
        another_site_is_routed,
        gateways_are_deleted,
    ),
    "connect": Topic(
        var("group=224.0.1.9"),
        group_is_heard("224.0.1.5"),
        group_is_heard("224.0.1.9"),
        nothing_is_connected,
    ),
    "associations": Topic(var("public=false"), web_is_public, web_is_private),
    "addresses": Topic(var("mail=post.example.com"), prefix_is_reserved),
    "prefix-lists": Topic(
        var('offices=["198.51.100.0/24", "192.0.2.128/25"]'),
        lists_agree,
        list_has_changed,
        only_lists_of_aws,
    ),
    "observing": Topic(var("last_port=8443"), nothing, mirrors_to, no_flow_logs),
    "account": Topic(var("open=true"), defaults_are_taken_over, encryption_is_on),
    "identity": Topic(var("wide=true"), profile_is_there, policy_has_two_versions, nobody_is_left),
}
"""Every folder, the longest first."""
