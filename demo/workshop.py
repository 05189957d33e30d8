"""Builds the workshop cloud with boto3, and takes it down again.

A company network in one VPC: web servers outside, a database inside, a bastion to manage both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "ap-northeast-2"
PREFIX = "workshop"
MY_ADDRESS = "198.19.0.10"
CIDR = "192.168.55.0/24"
SUBNETS = {
    "external-a": ("192.168.55.0/26", "ap-northeast-2a"),
    "external-c": ("192.168.55.64/26", "ap-northeast-2c"),
    "internal": ("192.168.55.128/27", "ap-northeast-2a"),
    "management": ("192.168.55.160/27", "ap-northeast-2c"),
}
SWITCHED = "external-a"
"""This subnet carries frames as an ordinary switch does, so that flooding can be seen."""

ECHO = Path(__file__).with_name("echo.py").read_text(encoding="utf-8")

SERVE = f"""#!/bin/sh
cat >/srv/echo.py <<'END'
{ECHO}END
cat >/etc/rc.local <<'END'
#!/bin/sh
python3 /srv/echo.py PORT NAME >/var/log/echo.log 2>&1 &
END
chmod +x /etc/rc.local
"""

BASTION = r"""#!/bin/sh
cat >/etc/profile.d/bastion.sh <<'END'
readonly TMOUT=600
export TMOUT
PROMPT_COMMAND='echo "$(date -u +%FT%TZ) $(whoami) $(history 1)" >>/var/log/commands'
export PROMPT_COMMAND
END
touch /var/log/commands && chmod 622 /var/log/commands
"""


def client(endpoint: str) -> Any:
    """An unmodified EC2 client of AWS's SDK for Python."""
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",  # noqa: S106 - any will do: the API is open on loopback
        config=Config(retries={"max_attempts": 0}),
    )


@dataclass
class Workshop:
    """The ids of what was built, by name."""

    ec2: Any
    key_file: Path
    vpc: str = ""
    gateway: str = ""
    nat: str = ""
    allocation: str = ""
    subnets: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)

    def instance(self, name: str) -> dict[str, Any]:
        """What DescribeInstances says of an instance."""
        answer = self.ec2.describe_instances(InstanceIds=[self.instances[name]])
        found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return found

    def wait(self, waiter: str, *names: str) -> None:
        """Wait with AWS's own waiter."""
        ids = [self.instances[name] for name in names or self.instances]
        settings = {"Delay": 1, "MaxAttempts": 120}
        self.ec2.get_waiter(waiter).wait(InstanceIds=ids, WaiterConfig=settings)


def tags(kind: str, name: str, **more: str) -> list[dict[str, Any]]:
    """TagSpecifications with a Name."""
    pairs = {"Name": f"{PREFIX}-{name}"} | {k.replace("_", ":", 1): v for k, v in more.items()}
    listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": listed}]


def build(ec2: Any, folder: Path) -> Workshop:
    """The whole cloud but for the NAT gateway, with all instances running."""
    made = Workshop(ec2, folder / "workshop.pem")
    _key(made)
    _network(made)
    _groups(made)
    _instances(made)
    made.wait("instance_running")
    return made


def _key(made: Workshop) -> None:
    answer = made.ec2.create_key_pair(KeyName=PREFIX, KeyType="ed25519")
    made.key_file.touch(mode=0o600)
    made.key_file.write_text(answer["KeyMaterial"], encoding="ascii")


def _network(made: Workshop) -> None:
    ec2 = made.ec2
    vpc = ec2.create_vpc(CidrBlock=CIDR, TagSpecifications=tags("vpc", "vpc"))
    made.vpc = vpc["Vpc"]["VpcId"]
    for name, (cidr, zone) in SUBNETS.items():
        mode = {"gureum_segment-mode": "switch"} if name == SWITCHED else {}
        answer = ec2.create_subnet(
            VpcId=made.vpc,
            CidrBlock=cidr,
            AvailabilityZone=zone,
            TagSpecifications=tags("subnet", name, **mode),
        )
        made.subnets[name] = answer["Subnet"]["SubnetId"]
    answer = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway", "igw"))
    made.gateway = answer["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made.gateway, VpcId=made.vpc)
    for name in ("external", "internal"):
        answer = ec2.create_route_table(VpcId=made.vpc, TagSpecifications=tags("route-table", name))
        made.tables[name] = answer["RouteTable"]["RouteTableId"]
    ec2.create_route(
        RouteTableId=made.tables["external"],
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=made.gateway,
    )
    for name, subnet in made.subnets.items():
        table = "internal" if name == "internal" else "external"
        ec2.associate_route_table(RouteTableId=made.tables[table], SubnetId=subnet)


def rule(protocol: str, number: int, **peer: str) -> dict[str, Any]:
    """An IpPermission for one port (or ICMP type) and one peer."""
    last = -1 if protocol == "icmp" else number
    permission: dict[str, Any] = {"IpProtocol": protocol, "FromPort": number, "ToPort": last}
    if "cidr" in peer:
        permission["IpRanges"] = [{"CidrIp": peer["cidr"]}]
    else:
        permission["UserIdGroupPairs"] = [{"GroupId": peer["group"]}]
    return permission


WEB = rule("tcp", 8080, cidr="0.0.0.0/0")


def _groups(made: Workshop) -> None:
    for name in ("external", "internal", "management"):
        answer = made.ec2.create_security_group(
            GroupName=f"{PREFIX}-{name}",
            Description=f"{name} hosts of the workshop",
            VpcId=made.vpc,
            TagSpecifications=tags("security-group", name),
        )
        made.groups[name] = answer["GroupId"]
    external, management = made.groups["external"], made.groups["management"]
    echo = rule("icmp", 8, cidr=CIDR)
    rules = {
        "external": [WEB, rule("tcp", 22, group=management), echo],
        "internal": [rule("tcp", 3306, group=external), rule("tcp", 22, group=management), echo],
        "management": [rule("tcp", 22, cidr=f"{MY_ADDRESS}/32")],
    }
    for name, permissions in rules.items():
        made.ec2.authorize_security_group_ingress(
            GroupId=made.groups[name], IpPermissions=permissions
        )


def _serve(port: int, name: str) -> str:
    return SERVE.replace("PORT", str(port)).replace("NAME", name)


def _instances(made: Workshop) -> None:
    debian = image(made.ec2, "debian-12")
    small = image(made.ec2, "gureum-base")
    plan = (
        ("web", debian, "external-a", "external", True, _serve(8080, "web")),
        ("db", debian, "internal", "internal", False, _serve(3306, "db")),
        ("bastion", debian, "management", "management", True, BASTION),
        ("neighbour", small, "external-a", "external", False, ""),
        ("onlooker", small, "external-a", "external", False, ""),
    )
    for name, ami, subnet, group, public, script in plan:
        answer = made.ec2.run_instances(
            ImageId=ami,
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            KeyName=PREFIX,
            UserData=script,
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": made.subnets[subnet],
                    "Groups": [made.groups[group]],
                    "AssociatePublicIpAddress": public,
                }
            ],
            TagSpecifications=tags("instance", name),
        )
        made.instances[name] = answer["Instances"][0]["InstanceId"]


def image(ec2: Any, name: str) -> str:
    """The newest image of a name, as users of AWS look for it."""
    answer = ec2.describe_images(
        Owners=["amazon"], Filters=[{"Name": "name", "Values": [f"{name}*"]}]
    )
    newest = max(answer["Images"], key=lambda item: item["CreationDate"])
    return str(newest["ImageId"])


def add_nat(made: Workshop) -> str:
    """A NAT gateway outside, and the inner table's default route to it; its public address."""
    ec2 = made.ec2
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", "nat"))
    made.allocation = address["AllocationId"]
    answer = ec2.create_nat_gateway(
        SubnetId=made.subnets["external-a"],
        AllocationId=made.allocation,
        TagSpecifications=tags("natgateway", "nat"),
    )
    made.nat = answer["NatGateway"]["NatGatewayId"]
    settings = {"Delay": 1, "MaxAttempts": 30}
    waiter = ec2.get_waiter("nat_gateway_available")
    waiter.wait(NatGatewayIds=[made.nat], WaiterConfig=settings)
    ec2.create_route(
        RouteTableId=made.tables["internal"],
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=made.nat,
    )
    return str(address["PublicIp"])


# --- taking down --------------------------------------------------------------------------------
def destroy(made: Workshop) -> None:
    """Delete everything in the right order."""
    ec2 = made.ec2
    settings = {"Delay": 1, "MaxAttempts": 60}
    if made.instances:
        ec2.terminate_instances(InstanceIds=list(made.instances.values()))
    if made.nat:
        ec2.delete_nat_gateway(NatGatewayId=made.nat)
        waiter = ec2.get_waiter("nat_gateway_deleted")
        waiter.wait(NatGatewayIds=[made.nat], WaiterConfig=settings)
    if made.instances:
        made.wait("instance_terminated")
    if made.allocation:
        ec2.release_address(AllocationId=made.allocation)
    if made.gateway:
        ec2.detach_internet_gateway(InternetGatewayId=made.gateway, VpcId=made.vpc)
        ec2.delete_internet_gateway(InternetGatewayId=made.gateway)
    for subnet in made.subnets.values():
        ec2.delete_subnet(SubnetId=subnet)
    for table in made.tables.values():
        ec2.delete_route_table(RouteTableId=table)
    for name in ("internal", "external", "management"):  # a group goes after those that name it
        if name in made.groups:
            ec2.delete_security_group(GroupId=made.groups[name])
    ec2.delete_vpc(VpcId=made.vpc)
    ec2.delete_key_pair(KeyName=PREFIX)


def leftovers(ec2: Any) -> Iterator[str]:
    """What an interrupted run of this demo left, as the id of its VPC."""
    answer = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [f"{PREFIX}-vpc"]}])
    for vpc in answer["Vpcs"]:
        yield vpc["VpcId"]


def adopt(ec2: Any, vpc: str, folder: Path) -> Workshop:
    """The workshop in a VPC, found again by its tags, so that it can be destroyed."""
    made = Workshop(ec2, folder / "workshop.pem", vpc=vpc)
    only = [{"Name": "vpc-id", "Values": [vpc]}]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    named = [{"Name": "tag:Name", "Values": [f"{PREFIX}-nat"]}]
    alive = [{"Name": "state", "Values": ["pending", "available"]}]
    for group in ec2.describe_security_groups(Filters=only)["SecurityGroups"]:
        if group["GroupName"] != "default":
            made.groups[group["GroupName"].removeprefix(f"{PREFIX}-")] = group["GroupId"]
    tables = ec2.describe_route_tables(Filters=only)["RouteTables"]
    own = [each for each in tables if not any(a.get("Main") for a in each["Associations"])]
    made.tables = _by_id(own, "RouteTableId")
    made.subnets = _by_id(ec2.describe_subnets(Filters=only)["Subnets"], "SubnetId")
    reservations = ec2.describe_instances(Filters=only)["Reservations"]
    made.instances = _by_id([i for r in reservations for i in r["Instances"]], "InstanceId")
    gateways = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    made.gateway = next(iter(_by_id(gateways, "InternetGatewayId")), "")
    nats = ec2.describe_nat_gateways(Filters=only + alive)["NatGateways"]
    made.nat = next(iter(_by_id(nats, "NatGatewayId")), "")
    addresses = ec2.describe_addresses(Filters=named)["Addresses"]
    made.allocation = next(iter(_by_id(addresses, "AllocationId")), "")
    return made


def _by_id(items: list[dict[str, Any]], member: str) -> dict[str, str]:
    return {item[member]: item[member] for item in items}


@contextlib.contextmanager
def refused() -> Iterator[list[str]]:
    """Collects the code and message with which AWS's client is refused."""
    seen: list[str] = []
    try:
        yield seen
    except ClientError as error:
        seen += [error.response["Error"]["Code"], error.response["Error"]["Message"]]
