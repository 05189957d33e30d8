"""A security group that is associated with another VPC by the AWS CLI filters there."""

from __future__ import annotations

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"


def test_rules_filter_in_the_associated_vpc(daemon: Daemon, site: Site) -> None:
    other = Site(daemon, "10.1.0.0/16")
    group = site.group("shared", ("tcp", 80, ANY))
    both = ("--group-id", group, "--vpc-id", other.vpc)
    assert aws(daemon, "associate-security-group-vpc", *both)["State"] == "associating"
    found = aws(daemon, "get-security-groups-for-vpc", "--vpc-id", other.vpc)
    assert group in [item["GroupId"] for item in found["SecurityGroupForVpcs"]]
    web = other.launch(other.public, group, public=True)
    with listening(web.ns, 80), listening(web.ns, 81), listening(web.ns, 82):
        assert tcp(site.me, web.public_ip, 80) == "open"
        assert tcp(site.me, web.public_ip, 81, patience=SHORT) == "timeout"
        site.allow(group, "tcp", 81, ANY)
        assert tcp(site.me, web.public_ip, 81) == "open"
        friend = other.launch(other.private, other.group("friend"))
        assert tcp(friend.ns, web.ip, 82, patience=SHORT) == "timeout"
        own = friend.show()["SecurityGroups"][0]["GroupId"]
        site.allow(group, "tcp", 82, own)  # a group of the other VPC, by reference
        assert tcp(friend.ns, web.ip, 82) == "open"
