"""RAM where signatures are checked and policies enforced, and what the trail says of it."""

from __future__ import annotations

import json

from tests.ram.test_shares import UNKNOWN, refused
from tests.server.secured import REGION, Secured
from tests.server.test_enforce import allow
from tests.server.test_trail import Watched


def test_policies_hold_for_ram(enforced: Secured) -> None:
    watched = Watched(enforced, "sharing")
    lists = {"ram:RequestedResourceType": "ec2:PrefixList"}
    make = allow("ram:CreateResourceShare", StringEquals=lists)
    net = allow("ram:UpdateResourceShare", StringEquals={"aws:ResourceTag/team": "net"})
    keys = watched.user("sharer", make, net, allow("ram:Get*"))
    root, user = (enforced.client(each, "ram") for each in (watched.keys, keys))
    arn = f"arn:aws:ec2:{REGION}:{watched.number}"
    share = user.create_resource_share(
        name="a", resourceArns=[f"{arn}:prefix-list/pl-0123456789abcdef0"]
    )["resourceShare"]["resourceShareArn"]
    code, message = refused(
        user.create_resource_share,
        name="b",
        resourceArns=[f"{arn}:transit-gateway/tgw-0123456789abcdef0"],
    )
    assert code == "AccessDeniedException"
    assert "is not authorized to perform: ram:CreateResourceShare" in message
    update = user.update_resource_share
    code, message = refused(update, resourceShareArn=share, name="c")
    assert (code, f"on resource: {share}" in message) == ("AccessDeniedException", True)
    root.tag_resource(resourceShareArn=share, tags=[{"key": "team", "value": "net"}])
    assert update(resourceShareArn=share, name="c")["resourceShare"]["name"] == "c"
    assert refused(user.list_resources, resourceOwner="SELF")[0] == "AccessDeniedException"
    event = watched.last("UpdateResourceShare")
    assert event["eventSource"] == "ram.amazonaws.com"
    assert event["requestParameters"] == {"resourceShareArn": share, "name": "c"}
    assert event["userIdentity"]["userName"] == "sharer"
    (found, *_) = watched.look("ResourceName", share)
    assert found["EventName"] == "UpdateResourceShare"


def test_signatures_are_checked_as_ram_tells(secured: Secured) -> None:
    key, _ = secured.account("signer")
    ram = secured.client((key, "wrong"), "ram")
    assert refused(ram.get_resource_shares, resourceOwner="SELF")[0] == "InvalidSignatureException"
    assert refused(ram.delete_resource_share, resourceShareArn=UNKNOWN)[0] == (
        "InvalidSignatureException"
    )
    stranger = secured.client(("AKIA0000000000000000", "wrong"), "ram")
    assert refused(stranger.list_permissions)[0] == "UnrecognizedClientException"


def test_the_aws_cli(secured: Secured) -> None:
    keys = secured.account("by-cli")
    made = secured.aws(keys, "ram", "create-resource-share", "--name", "by cli")
    assert made.returncode == 0, made.stderr
    share = json.loads(made.stdout)["resourceShare"]["resourceShareArn"]
    gone = secured.aws(keys, "ram", "delete-resource-share", "--resource-share-arn", share)
    assert json.loads(gone.stdout) == {"returnValue": True}
