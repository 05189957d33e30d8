"""Parts of answers and refusals that many resources share."""

from __future__ import annotations

from typing import Any

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Resource

PROTOCOL_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
"""The protocols that the EC2 API knows by name (IANA protocol numbers)."""

PROTOCOL_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

PORTS = range(65536)


def tag_list(row: Resource) -> list[dict[str, str]]:
    """The row's tags as the API lists them."""
    return [{"Key": key, "Value": value} for key, value in row.tags]


def unsupported(call: Call, *names: str) -> None:
    """Refuse parameters whose feature is not built yet, naming the first that is given.

    Raises:
        ApiError: ``UnsupportedOperation``.
    """
    for name in names:
        if call.get(name):
            raise ApiError(
                "UnsupportedOperation",
                f"The parameter {name} of {call.action} is not available in this cloud yet.",
            )


def protocol_number(text: str) -> int | None:
    """An IP protocol given by name or number; None for ``-1``, which is all of them.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if text.lower() in PROTOCOL_NUMBERS:
        return PROTOCOL_NUMBERS[text.lower()]
    if text.lower() in ("-1", "all"):
        return None
    if text.isascii() and text.isdigit() and int(text) < 256:
        return int(text)
    raise ApiError(
        "InvalidParameterValue", f"Invalid value '{text}' for IP protocol. Unknown protocol."
    )


def is_account(text: str) -> bool:
    """Whether the text is an account's id: twelve digits."""
    return len(text) == 12 and text.isascii() and text.isdigit()


def given(call: Call, *names: str) -> list[tuple[str, Any]]:
    """Those of the parameters that the call has, with their values."""
    return [(name, call.params[name]) for name in names if call.get(name)]
