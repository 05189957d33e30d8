"""Parts of the rules by which transit gateways tell packets apart.

Source: EC2 API Reference, TransitGatewayPolicyRule, TransitGatewayMeteringPolicyRule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from gureum.errors import invalid_value
from gureum.resources.shapes import PORTS

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def checked_block(name: str, params: Mapping[str, Any], member: str, before: str = "") -> str:
    """The block that a request gives under ``member``, in its canonical form; ``before`` if it
    gives none, ``*`` for all.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    text = params.get(member)
    if text is None:
        return before
    if text in ("", "*"):
        return str(text)
    try:
        return str(ip_network(text))
    except ValueError:
        raise invalid_value(name, text) from None


def checked_ports(params: Mapping[str, Any], member: str, before: str = "") -> str:
    """The port or range of ports (``80-443``) that a request gives under ``member``.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    text = params.get(member)
    if text is None:
        return before
    if text in ("", "*"):
        return str(text)
    match = _RANGE.fullmatch(text)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if low > high or high not in PORTS:
        raise invalid_value(f"{member[0].lower()}{member[1:]}", text)
    return str(text)
