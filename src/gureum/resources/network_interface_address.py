"""Addresses that an interface is given after it was made, and those that are taken from it.

Source: EC2 API Reference, AssignPrivateIpAddresses, AssignIpv6Addresses.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.kind import Call
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.public_ip import associations
from gureum.resources.subnet import Subnet, lease, lease_ipv6, release


def give_address(call: Call, eni: NetworkInterface, ip: str | None) -> NetworkInterface:
    """Add a secondary private address: ``ip``, or any free one."""
    subnet = call.txn.target(Subnet, eni.subnet)
    return call.txn.put(replace(eni, ips=(*eni.ips, lease(call, subnet, eni.id, ip))))


def take_address(call: Call, eni: NetworkInterface, ip: str) -> NetworkInterface:
    """Remove a secondary private address; an Elastic IP on it is associated no more."""
    for item in list(associations(call.txn.view, eni.id)):
        if item.private_ip == ip:
            call.txn.delete(item)
    release(call, eni.subnet, ip)
    return call.txn.put(replace(eni, ips=tuple(other for other in eni.ips if other != ip)))


def give_ipv6(call: Call, eni: NetworkInterface, ip: str | None) -> NetworkInterface:
    """Add an IPv6 address: ``ip``, or any free one."""
    subnet = call.txn.target(Subnet, eni.subnet)
    return call.txn.put(replace(eni, ips6=(*eni.ips6, lease_ipv6(call, subnet, eni.id, ip))))


def take_ipv6(call: Call, eni: NetworkInterface, ip: str) -> NetworkInterface:
    """Remove an IPv6 address."""
    release(call, eni.subnet, ip)
    return call.txn.put(replace(eni, ips6=tuple(other for other in eni.ips6 if other != ip)))
