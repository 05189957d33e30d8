"""A VPC of one account with a subnet that another one has by a share, on real packets."""

from __future__ import annotations

import json
import re

import pytest

from tests.cloud.site import Guest, Site
from tests.cloud.test_services import TOKEN, fetch, meta, token
from tests.cloud.test_shared import share
from tests.daemon import Daemon
from tests.kernel.packets import LONG, SHORT, listening, tcp
from tests.ram.test_shares import refused

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

OWNER, OTHER = "111111111111", "123456789012"


class Participant(Site):
    """An account in another one's VPC, which has no network of its own there."""

    def __init__(self, host: Site, account: str) -> None:
        self.daemon, self.me, self.vpc, self.image = host.daemon, host.me, host.vpc, host.image
        self.ec2 = host.daemon.ec2(account=account)


@pytest.fixture(scope="module")
def host(daemon: Daemon) -> Site:
    """The owner's VPC."""
    return Site(daemon, "10.7.0.0/16", OWNER)


def arn(host: Site, subnet: str) -> str:
    (found,) = host.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    return str(found["SubnetArn"])


def is_explained(daemon: Daemon, source: str, target: str, port: int) -> bool:
    """What is said of a packet, and of all pairs."""
    told = daemon.gureum("explain", source, target, str(port))
    one = told.returncode == 0
    file = daemon.state / "policy.yaml"
    statement = f"name: one\n  from: {source}\n  to: {target}\n"
    file.write_text(f"- {statement}  {'always' if one else 'never'}: tcp/{port}\n")
    held = daemon.gureum("verify", str(file))
    assert held.returncode == 0, told.stdout + held.stdout + held.stderr
    return one


def mended(daemon: Daemon, source: str, target: str, port: int, account: str) -> None:
    """Do what an explanation proposes, as the account that it names."""
    told = daemon.gureum("explain", source, target, str(port)).stdout
    assert f", as {account}" in told
    (command,) = re.findall(r"^ *aws ec2 authorize-security-group-ingress --group-id (\S+) "
                            r"--ip-permissions '(.*)'$", told, re.MULTILINE)  # fmt: skip
    daemon.ec2(account=account).authorize_security_group_ingress(
        GroupId=command[0], IpPermissions=json.loads(command[1])
    )


def test_owner_and_participant_meet_in_a_shared_subnet(daemon: Daemon, host: Site) -> None:
    shared = share(daemon, arn(host, host.public))
    guests = Participant(host, OTHER)
    theirs, mine = host.group("store"), guests.group("web")
    store = host.launch(host.private, theirs)
    web = guests.launch(host.public, mine, public=True)
    assert web.show()["NetworkInterfaces"][0]["OwnerId"] == OTHER

    def both(source: Guest, target: Guest, port: int, *, works: bool) -> None:
        said = tcp(source.ns, target.ip, port, patience=LONG if works else SHORT)
        assert said == ("open" if works else "timeout")
        assert is_explained(daemon, source.id, target.id, port) is works

    with listening(store.ns, 5432), listening(web.ns, 80):
        both(web, store, 5432, works=False)
        both(store, web, 80, works=False)
        # Each opens its own group to the other's, and to nobody else, as is proposed.
        mended(daemon, web.id, store.id, 5432, OWNER)
        mended(daemon, store.id, web.id, 80, OTHER)
        both(web, store, 5432, works=True)
        both(store, web, 80, works=True)
        assert tcp(host.me, web.public_ip, 80, patience=SHORT) == "timeout"
        guests.allow(mine, "tcp", 80, "0.0.0.0/0")
        assert tcp(host.me, web.public_ip, 80) == "open", "by the owner's gateway"
        with listening(host.me, 8080):
            assert tcp(web.ns, "198.19.0.10", 8080) == "open"
        # The end of the share: what runs goes on, nothing new comes.
        daemon.ec2("ram", OWNER).delete_resource_share(resourceShareArn=shared)
        code, _ = refused(
            guests.ec2.run_instances,
            ImageId=guests.image, MinCount=1, MaxCount=1, SubnetId=host.public,
        )  # fmt: skip
        assert code == "InvalidSubnetID.NotFound"
        both(web, store, 5432, works=True)
        guests.ec2.stop_instances(InstanceIds=[web.id])
        web.becomes("stopped")
        guests.ec2.start_instances(InstanceIds=[web.id])
        web.becomes("running")
    assert refused(host.ec2.delete_subnet, SubnetId=host.public)[0] == "DependencyViolation"
    with listening(web.ns, 80):
        both(store, web, 80, works=True)


def test_addresses_metadata_and_names_are_the_participants(daemon: Daemon, host: Site) -> None:
    share(daemon, arn(host, host.public))
    guests = Participant(host, OTHER)
    web = guests.launch(host.public, guests.group("names", ("tcp", 80, "0.0.0.0/0")))
    made = guests.ec2.allocate_address(Domain="vpc")
    guests.ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=web.id)
    with listening(web.ns, 80):
        assert tcp(host.me, made["PublicIp"], 80) == "open"
    # A group of the owner's that is shared, too, opens it by the owner's rules.
    base = host.group("base")
    (shown,) = host.ec2.describe_security_groups(GroupIds=[base])["SecurityGroups"]
    share(daemon, shown["SecurityGroupArn"])
    guests.ec2.modify_instance_attribute(InstanceId=web.id, Groups=[base])
    with listening(web.ns, 81):
        assert tcp(host.me, made["PublicIp"], 81, patience=SHORT) == "timeout"
        host.allow(base, "tcp", 81, "0.0.0.0/0")
        assert tcp(host.me, made["PublicIp"], 81) == "open"
    document = "/latest/dynamic/instance-identity/document"
    status, identity = fetch(web, document, **{TOKEN: token(web)})
    assert (status, json.loads(identity)["accountId"]) == (200, OTHER)
    mac = meta(web, "mac")
    assert meta(web, f"network/interfaces/macs/{mac}/owner-id") == OTHER
    assert meta(web, f"network/interfaces/macs/{mac}/vpc-id") == host.vpc
    told = daemon.gureum("map", "--account", OTHER).stdout
    assert f"of {OWNER}" in told
    assert web.id in told
