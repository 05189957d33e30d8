"""Tunnels of VPN connections that only the configuration for the customer's device tells of.

AWS answered so before connections had options of tunnels.  The text is AWS's XML, of which three
values matter; it is searched, as nothing that others may have written is given to an XML parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from gureum.imports.answers import Answers, Item

_TUNNEL = re.compile(r"<ipsec_tunnel>(.*?)</ipsec_tunnel>", re.DOTALL)
_OURS = re.compile(r"<vpn_gateway>(.*?)</vpn_gateway>", re.DOTALL)
_ADDRESS = re.compile(r"<ip_address>([0-9.]+)</ip_address>")
_KEY = re.compile(r"<pre_shared_key>([^<]+)</pre_shared_key>")


def told(answers: Answers) -> Answers:
    """The answers with the tunnels of each VPN connection among its options."""
    if "VpnConnections" not in answers.lists:
        return answers
    items = [_with_tunnels(item) for item in answers.of("VpnConnections")]
    return replace(answers, lists=answers.lists | {"VpnConnections": items})


def _with_tunnels(item: Item) -> Item:
    options = item.get("Options", {})
    text = item.get("CustomerGatewayConfiguration")
    if options.get("TunnelOptions") or not text:
        return item
    return item | {"Options": options | {"TunnelOptions": list(_tunnels(text))}}


def _tunnels(text: str) -> Iterator[Item]:
    for tunnel in _TUNNEL.findall(text):
        ours, key = _OURS.search(tunnel), _KEY.search(tunnel)
        outside, inside, *_ = [*_ADDRESS.findall(ours[1] if ours else ""), "", ""]
        if key and outside and inside:
            yield {
                "OutsideIpAddress": outside,
                "TunnelInsideCidr": str(IPv4Network(f"{inside}/30", strict=False)),
                "PreSharedKey": key[1],
            }
