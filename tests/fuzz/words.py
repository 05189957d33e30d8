"""What values are drawn from: words by the names of parameters, borders of numbers, rubbish."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.model import Resource
from gureum.resources import REGISTRY

BORDERS = (
    *("-1", "0", "1", "2", "3", "5", "8", "10", "16", "28", "56", "64", "100", "120", "255", "256"),
    *("1000", "3000", "32766", "32767", "65000", "65535", "65536", "16384", "2147483647"),
    *("-2147483648", "4200000000", "1.5"),
)
RUBBISH = (
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\r\n",
        "<&>\"'",
        "%s%n",
        "../../etc/passwd",
        "null",
        "None",
        "true",
    ),
    *(
        "-1",
        "0",
        "9" * 30,
        "1e400",
        "nan",
        "١",
        "1_000",
        "0x10",
        "😀",
        "\ud7ff",
        "\ufffe",
        "é" * 400,
    ),
    *("vpc-", "vpc-zzzz", "sg-0", "10.0.0.0/33", "10.0.0.1/16", "300.1.1.1", "::/0", "fe80::1/64"),
    *("0.0.0.0", "255.255.255.255", "10.0.0.0/016", "[]", "{}", "*", "?" * 40, "a" * 70_000),
)
_CIDRS = (
    *("10.0.0.0/16", "10.0.1.0/24", "10.0.9.0/24", "10.1.0.0/16", "10.0.0.0/28", "10.0.0.0/29"),
    *("0.0.0.0/0", "172.31.0.0/16", "192.168.0.0/16", "198.18.0.0/16", "100.64.0.0/16"),
    *("10.0.0.0/8", "10.0.0.1/32", "10.0.0.7/24", "224.0.0.0/16", "169.254.0.0/16", "127.0.0.0/16"),
)
_CIDRS6 = (
    "::/0",
    "3fff:1::/56",
    "3fff:1:0:100::/64",
    "fd00::/56",
    "::1/128",
    "fe80::/64",
    "3fff::/33",
)
_IPS = (
    *("10.0.1.4", "10.0.1.20", "10.0.1.0", "10.0.1.255", "10.0.1.3", "10.0.2.7", "198.18.0.9"),
    *("203.0.113.9", "0.0.0.0", "127.0.0.1", "224.0.0.1", "10.0.1", "10.0.1.20/32"),
)
_IPS6 = ("3fff:1::9", "::", "::1", "fe80::1", "ff02::1", "3fff:1:0:100::a", "1")
_ARNS = (
    "arn:aws:iam::123456789012:root",
    "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/0123456789abcdef",
    "arn:aws:sns:ap-northeast-2:123456789012:topic",
    "arn:aws:kms:ap-northeast-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-00000000",
    "arn:",
    "*",
)

WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Ipv6Cidr", _CIDRS6),
    ("CidrIpv6", _CIDRS6),
    ("Ipv6Prefix", _CIDRS6),
    ("Ipv6Address", _IPS6),
    ("Cidr", _CIDRS),
    ("Prefix", _CIDRS),
    ("Arn", _ARNS),
    ("Principal", _ARNS),
    ("Ip", _IPS),
    ("Address", _IPS),
    ("Protocol", ("tcp", "udp", "icmp", "icmpv6", "-1", "6", "17", "1", "58", "255", "256", "esp")),
    ("AvailabilityZone", ("ap-northeast-2a", "ap-northeast-2c", "apne2-az1", "us-east-1a", "x")),
    ("Region", ("ap-northeast-2", "us-east-1", "us-iso-east-1", "moon-1")),
    ("Device", ("/dev/sda1", "/dev/sdf", "/dev/xvda", "xvdz", "eth0", "")),
    ("Owner", ("self", "amazon", "123456789012", "999999999999", "all")),
    ("Account", ("123456789012", "999999999999", "1", "self")),
    ("UserId", ("123456789012", "999999999999", "1", "all")),
    ("Policy", ("{}", '{"Statement":[]}', "{", "", "[1]")),
    ("Metadata", ("", "a")),
    ("ServiceName", ("com.amazonaws.ap-northeast-2.s3", "com.amazonaws.ap-northeast-2.ec2", "x")),
    ("ImageName", ("image-1", "ab", "bad name!", "x" * 129)),
    ("Version", ("1", "2", "$Latest", "$Default", "0", "-1", "x")),
    ("Key", ("Name", "a", "aws:x", "gureum:segment-mode", "", "domain-name-servers", "x" * 128)),
    ("Value", ("a", "true", "hub", "*", "", "10.0.0.2", "x" * 256, "available", "\\*?")),
    ("Token", ("token-1", "token-2", "x" * 65)),
    ("InstanceType", ("t3.micro", "t3.nano", "m5.large", "t9.huge")),
    ("Format", ("pem", "ppk", "x")),
)
"""Text by a part of a parameter's name; the first that fits."""

_PARTS: tuple[tuple[str, str | tuple[str, ...]], ...] = (
    ("TransitGatewayAttachment", "tgw-attach"),
    (
        "AssociationId",
        ("rtbassoc", "aclassoc", "eipassoc", "vpc-cidr-assoc", "subnet-cidr-assoc", "iip-assoc"),
    ),
    ("AttachmentId", "eni-attach"),
    ("InstanceConnectEndpoint", "eice"),
    ("NetworkInterfacePermission", "eni-perm"),
    ("ConnectionNotification", "vpce-nfn"),
    ("NetworkInsightsPath", "nip"),
    ("NetworkInsightsAnalysis", "nia"),
    ("NetworkInsightsAccessScopeAnalysis", "nisa"),
    ("NetworkInsightsAccessScope", "nis"),
    ("Allocation", "eipalloc"),
    ("NetworkInterface", "eni"),
    ("EgressOnly", "eigw"),
    ("InternetGateway", "igw"),
    ("NatGateway", "nat"),
    ("TransitGatewayRouteTableAnnouncement", "tgw-rtb-ann"),
    ("TransitGatewayRouteTable", "tgw-rtb"),
    ("TransitGatewayAttachment", "tgw-attach"),
    ("TransitGateway", "tgw"),
    ("VpcPeeringConnection", "pcx"),
    ("VpcEndpoint", "vpce"),
    ("ServiceId", "vpce-svc"),
    ("VpnConnection", "vpn"),
    ("VpnGateway", "vgw"),
    ("CustomerGateway", "cgw"),
    ("SecurityGroupRule", "sgr"),
    ("SubnetCidrReservation", "scr"),
    ("SecurityGroup", "sg"),
    ("PlacementGroup", "pg"),
    ("GroupId", "sg"),
    ("NetworkAcl", "acl"),
    ("RouteTable", "rtb"),
    ("DhcpOptions", "dopt"),
    ("PrefixList", "pl"),
    ("KeyPair", "key"),
    ("LaunchTemplateId", "lt"),
    ("Image", "ami"),
    ("Snapshot", "snap"),
    ("Volume", "vol"),
    ("Instance", "i"),
    ("Subnet", "subnet"),
    ("Vpc", "vpc"),
)


def prefixes(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Parts of parameters that name something, with the prefixes that its id may have."""
    if name.endswith(("Id", "Ids")) or name in _NAMED:
        for part, prefix in _PARTS:
            yield part, (prefix,) if isinstance(prefix, str) else prefix
        for row in Resource.by_kind.values():
            yield row.__name__, (row.prefix,)


_NAMED = frozenset({"Groups", "SecurityGroups"})

FILTERS = tuple(
    sorted(
        {
            name
            for _, listing in REGISTRY.listings.values()
            for name in (*listing.paths, *listing.computed)
        }
        | {"tag:Name", "tag-key", "vpc-id", "state", "nonsense", "tag:", ""}
    )
)
"""Names of filters."""
