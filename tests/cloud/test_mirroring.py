"""Traffic mirroring by the API: an instance sees what another one sends and receives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel import packets
from tests.kernel.mirrors import END, deaf, send, tap

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

OPTIONS = ("--no-host-link", "--no-machines")


def _eni(guest: Guest) -> str:
    return str(guest.show()["NetworkInterfaces"][0]["NetworkInterfaceId"])


def _rule(site: Site, key: str, **more: Any) -> None:
    site.ec2.create_traffic_mirror_filter_rule(
        TrafficMirrorFilterId=key,
        **{
            "TrafficDirection": "egress",
            "RuleNumber": 100,
            "RuleAction": "accept",
            "SourceCidrBlock": "0.0.0.0/0",
            "DestinationCidrBlock": "0.0.0.0/0",
            **more,
        },
    )


def test_a_session_copies_what_its_filter_says(daemon: Daemon, site: Site) -> None:
    ec2 = site.ec2
    group = site.group("all", ("udp", 53, "10.0.0.0/16"), ("udp", END, "10.0.0.0/16"))
    watchers = site.group("watchers")
    source, peer = site.launch(site.public, group), site.launch(site.public, group)
    watcher = site.launch(site.private, watchers)
    made = ec2.create_traffic_mirror_target(NetworkInterfaceId=_eni(watcher))
    target = made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    chosen = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    _rule(site, chosen, Protocol=17)
    session = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=_eni(source),
        TrafficMirrorTargetId=target,
        TrafficMirrorFilterId=chosen,
        SessionNumber=1,
        VirtualNetworkId=4242,
    )["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    us, them = source.ip, peer.ip
    with tap(watcher.ns) as copies, deaf(peer.ns, 53, 54, END), deaf(source.ns, 53):
        send(source.ns, them, END)
        assert copies.next(packets.SHORT) is None  # the target's group is closed
        site.allow(watchers, "udp", 4789, f"{us}/32")
        send(peer.ns, us, 53)
        send(source.ns, them, 53, 54, END)
        seen = copies.until_end()
        assert [each.said for each in seen] == [f"{us} {them} 4000 53", f"{us} {them} 4000 54"]
        assert {(each.vni, each.sender) for each in seen} == {(4242, us)}

        _rule(site, chosen, TrafficDirection="ingress", Protocol=17)
        _rule(
            site,
            chosen,
            RuleNumber=1,
            RuleAction="reject",
            Protocol=17,
            DestinationPortRange={"FromPort": 54, "ToPort": 54},
        )
        send(peer.ns, us, 53)
        send(source.ns, them, 53, 54, END)
        assert [each.said for each in copies.until_end()] == [
            f"{them} {us} 4000 53",
            f"{us} {them} 4000 53",
        ]

        daemon.kill()
        send(source.ns, them, 53, END)
        assert len(copies.until_end()) == 1
        daemon.start()
        send(source.ns, them, 53, END)
        assert len(copies.until_end()) == 1

        ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session)
        send(source.ns, them, 53)
        assert copies.next(packets.SHORT) is None
