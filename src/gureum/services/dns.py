"""DNS messages: a question's bytes in, the answer's bytes out.

A question comes from an instance, which may send anything: what cannot be a plain question is
refused before it is parsed, so that a packet costs little whatever is in it.

Sources: RFC 1035 (messages), RFC 2308 (negative answers), RFC 6891 (EDNS), RFC 8482 (ANY).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gureum.services.names import Records

TTL = 60
"""Seconds for which an answer may be kept; AWS's own say so, too."""

MAX_QUESTION = 1232
"""Bytes of a question at most (DNS Flag Day 2020: what any path carries in one piece)."""

_HEADER = struct.Struct("!HHHHHH")
_ANSWERED, _OPCODE, _KEPT = 0x8000, 0x7800, 0x0110
"""Bits of a header: that it is an answer, its opcode; the bits that an answer takes over (recursion
is wanted, checking is disabled)."""

_RECURSES = 0x0080
_MOST_ADDITIONAL = 2
"""EDNS options and a signature are all that a question has beside itself."""


LookUp: TypeAlias = Callable[[str], Records | None]
"""Says what a name stands for, where it is asked."""


def answer(wire: bytes, look_up: LookUp, zone: Callable[[str], str]) -> bytes | None:
    """The answer to a question; None where there is to be none.  ``zone`` names the domain that a
    name belongs to."""
    if len(wire) < _HEADER.size or len(wire) > MAX_QUESTION:
        return None
    _, flags, questions, answers, authorities, additional = _HEADER.unpack_from(wire)
    if flags & _ANSWERED:
        return None  # an answer to an answer would never end
    if flags & _OPCODE:
        return _refusal(wire, dns.rcode.NOTIMP)
    if (questions, answers, authorities) != (1, 0, 0) or additional > _MOST_ADDITIONAL:
        return _refusal(wire, dns.rcode.FORMERR)
    try:
        question = dns.message.from_wire(wire)
        return _answered(question, look_up, zone).to_wire(max_size=MAX_QUESTION)
    except dns.message.UnknownTSIGKey:
        return _refusal(wire, dns.rcode.NOTAUTH)
    except (dns.exception.DNSException, ValueError, struct.error):
        return _refusal(wire, dns.rcode.FORMERR)


def _refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """A bare header, where there is no telling what was asked."""
    number, flags, *_ = _HEADER.unpack_from(wire)
    said = _ANSWERED | (flags & (_KEPT | _OPCODE)) | _RECURSES | code
    return _HEADER.pack(number, said, 0, 0, 0, 0)


def _answered(
    question: dns.message.Message, look_up: LookUp, zone: Callable[[str], str]
) -> dns.message.Message:
    made = dns.message.make_response(question, recursion_available=True, our_payload=MAX_QUESTION)
    (asked,) = question.question
    if question.edns > 0:
        made.set_rcode(dns.rcode.BADVERS)
        return made
    if asked.rdclass != dns.rdataclass.IN:
        made.set_rcode(dns.rcode.REFUSED)
        return made
    name = asked.name.to_text(omit_final_dot=True).lower()
    records = look_up(name)
    wanted = _wanted(records, asked.rdtype)
    if wanted is not None:
        values = [_value(wanted[0], each) for each in wanted[1:]]
        made.answer.append(dns.rrset.from_rdata_list(asked.name, TTL, values))
        return made
    if records is None:
        made.set_rcode(dns.rcode.NXDOMAIN)
    made.authority.append(_authority(zone(name)))
    return made


def _wanted(records: Records | None, kind: dns.rdatatype.RdataType) -> tuple[str, ...] | None:
    """Type and values of the records of that type."""
    for name, values in (records or {}).items():
        if kind in (dns.rdatatype.from_text(name), dns.rdatatype.ANY):
            return name, *(f"{each}." if name == "PTR" else each for each in values)
    return None


@lru_cache(maxsize=4096)
def _value(kind: str, text: str) -> dns.rdata.Rdata:
    """A record's value; reading one from text costs more than all the rest of an answer."""
    return dns.rdata.from_text("IN", kind, text)


@lru_cache(maxsize=256)
def _authority(zone: str) -> dns.rrset.RRset:
    """Who says that there is nothing, and for how long that may be believed."""
    origin = f"{zone}." if zone else "."
    said = f"ns.{origin.lstrip('.')} hostmaster.{origin.lstrip('.')} 1 7200 900 1209600 {TTL}"
    return dns.rrset.from_text(origin, TTL, "IN", "SOA", said)
