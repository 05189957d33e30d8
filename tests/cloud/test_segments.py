"""A subnet's mode is a tag: what an AWS client writes there is in force while instances run."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel import packets

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

TAG = "gureum:segment-mode"
ANY = "0.0.0.0/0"


def test_a_tag_changes_a_running_subnet(daemon: Daemon, site: Site) -> None:
    """A connection goes on through all modes, and a third station hears of it what it may."""
    group = site.group("open", ("tcp", 80, ANY))
    shut = site.group("shut", ("tcp", 81, ANY))
    one, two = site.launch(site.private, group), site.launch(site.private, group)
    third = site.launch(site.private, shut)
    booted = [daemon.gureum("console", each.id).stdout for each in (one, two, third)]
    assert all("boot 1" in text for text in booted)
    with packets.connection(one.ns, two.ip, two.ns, 80) as (client, server, _):
        for mode, hears in (("hub", True), ("switch", False), ("hub", True), ("fabric", False)):
            site.ec2.create_tags(Resources=[site.private], Tags=[{"Key": TAG, "Value": mode}])
            shown = json.loads(daemon.gureum("segment", site.private, "--json").stdout)
            assert shown["mode"] == mode
            assert packets.alive(client, server)
            assert packets.alive(server, client)
            marker = f"as-a-{mode}".encode()
            with packets.sniffing(third.ns, "eth0") as saw:
                client.sendall(marker)
                assert server.recv(100) == marker
                assert saw(marker, packets.LONG if hears else packets.SHORT) is hears
            assert packets.tcp(one.ns, third.ip, 80, patience=packets.SHORT) == packets.TIMEOUT
            assert packets.tcp(one.ns, third.ip, 81) == packets.REFUSED
    after = [daemon.gureum("console", each.id).stdout for each in (one, two, third)]
    assert after == booted, "nobody was started anew"


def test_another_value_is_refused_and_changes_nothing(daemon: Daemon, site: Site) -> None:
    site.ec2.create_tags(Resources=[site.public], Tags=[{"Key": TAG, "Value": "switch"}])
    with pytest.raises(ClientError, match="fabric, switch, hub") as caught:
        site.ec2.create_tags(Resources=[site.public], Tags=[{"Key": TAG, "Value": "ring"}])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert json.loads(daemon.gureum("segment", site.public, "--json").stdout)["mode"] == "switch"
    site.ec2.delete_tags(Resources=[site.public], Tags=[{"Key": TAG}])
    assert json.loads(daemon.gureum("segment", site.public, "--json").stdout)["mode"] == "fabric"
