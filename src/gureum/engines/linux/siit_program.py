"""What turns packets of one IP version into packets of the other, in the kernel (RFC 7915).

The program stands where a translator's pair of links comes back into its namespace, and keeps
nothing: what is to be remembered of a flow, connection tracking remembers on both sides of it.  An
IPv4 address is an IPv6 address in the prefix; the one IPv6 address that is none of these,
``inside6``, is the IPv4 address ``inside4``.  What comes here has its checksums.

A packet's head is read onto the stack, the new one is laid out there, and written in its place.
The fields of a pseudo-header lie in a row, because sums are made of rows.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

from gureum.engines.linux.ebpf import (
    STACK,
    Line,
    Register,
    add,
    assembled,
    call,
    change,
    go,
    go_if,
    leave,
    move,
    number,
    on_stack,
    read,
    store,
)
from gureum.engines.linux.items import Siit
from gureum.engines.linux.siit_steps import (
    CONTEXT,
    KIND,
    SEED,
    SIZE,
    VALUE,
    Row,
    copied,
    loaded,
    number_at,
    number_changed,
    number_put,
    put,
    seeded,
    sum_of,
    sum_with,
    when,
    written,
)

# linux/bpf.h
_CHANGE_PROTOCOL, _ADJUST_ROOM = 31, 50
_PROTOCOL = 16
"""Where struct __sk_buff has a frame's EtherType, as on the wire."""
_PASS, _DROP = 0, 2
"""linux/pkt_cls.h."""

_ETHERNET, _IPV4, _IPV6, _ICMP = 14, 20, 40, 8
_GROWS = _IPV6 - _IPV4
_ETHER4, _ETHER6 = 0x0800, 0x86DD
_ICMP4, _TCP, _UDP, _FRAGMENT, _ICMP6 = 1, 6, 17, 44, 58
_CHECKSUM_AT = {_TCP: 16, _UDP: 6}
_ECHOES = ((8, 128), (0, 129))
"""The types of an echo and its answer, of ICMP (RFC 792) and of ICMPv6 (RFC 4443)."""
_UNREACHABLE, _EXPIRED, _TOO_BIG, _BAD_HEADER = (3, 1), (11, 3), 2, 4
_FRAGMENTATION_NEEDED, _BAD_PROTOCOL, _NEXT_HEADER = 4, 2, 6
_LEAST_MTU = 1280
_BARE = bytes((0x45, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0))
"""An IPv4 header without options that may not be cut, up to its addresses."""

# where the stack has what, from its end
_V6, _TAIL, _L6 = -104, -64, -56
"""An IPv6 header, the length and the protocol of its pseudo-header, and the beginning of ICMPv6: up
to the fourth octet behind a header inside."""
_V4, _L4 = -160, -136
"""An IPv4 header and the beginning of ICMP, as far."""
_BEGIN6, _BEGIN4 = _ICMP + _IPV6 + 4, _ICMP + _IPV4 + 4
_CHECKSUM = -164


def program(it: Siit) -> bytes:
    """The instructions."""
    return assembled(
        (
            move(CONTEXT, 1),
            *(_to_ipv4(it) if it.to == 4 else _to_ipv6(it)),
            "done",
            number(0, _PASS),
            leave(),
            "lost",
            number(0, _DROP),
            leave(),
        )
    )


# --- from IPv6 to IPv4 --------------------------------------------------------------------------
def _to_ipv4(it: Siit) -> Iterator[Line]:
    yield from _only(_ETHER6)
    yield from loaded(_ETHERNET, _IPV6, _V6)
    yield from on_stack(_BARE + _packed(it.inside4), _V4)
    yield from copied("word", _V6 + 36, _V4 + 16)
    yield from _class_to_ipv4(_V6, _V4)
    yield from number_at(SIZE, _V6 + 4)
    yield from _tail(SIZE)
    yield change(SIZE, "+", _IPV4)
    yield from number_put(SIZE, _V4 + 2)
    yield from _hop_given_back(_V6 + 7, _V4 + 8)
    yield read(KIND, STACK, _V6 + 6, "byte")
    yield go_if(KIND, "==", _ICMP6, "icmp")
    yield store("byte", _V4 + 9, KIND)
    yield from _ports_checksum(_IPV6, (_V6 + 8, 32), (_V4 + 12, 8))
    yield from _as_ipv4()
    yield from _ports_written(_IPV4)
    yield go("done")
    yield "icmp"
    yield from put(_ICMP4, _V4 + 9)
    yield from _icmp_begins(_IPV6, _L6, _L4)
    for kind4, kind6 in _ECHOES:
        yield from when(KIND, kind6, put(kind4, _L4), "echo")
    yield from _error_to_ipv4(it)
    yield go("done")
    yield "echo"
    yield from sum_of((_V6 + 8, 44), (_L4, 4))
    yield store("half", _L4 + 2, 0)
    yield from _as_ipv4()
    yield from written(_ETHERNET + _IPV4, 4, _L4)


def _error_to_ipv4(it: Siit) -> Iterator[Line]:
    """RFC 7915, section 5.2; where an error is about a header, it is lost."""
    yield from _error_begins(_IPV6, _BEGIN6, _L6, _L4)
    yield go_if(KIND, "==", _TOO_BIG, "too-big")
    yield from put(_EXPIRED[0], _L4)
    yield store("byte", _L4 + 1, VALUE)
    yield go_if(KIND, "==", _EXPIRED[1], "inside")
    yield go_if(KIND, "!=", _UNREACHABLE[1], "lost")
    yield from put(_UNREACHABLE[0], _L4)
    yield from put(1, _L4 + 1)
    for code6, code4 in ((1, 10), (4, 3)):
        yield from when(VALUE, code6, put(code4, _L4 + 1), "inside")
    yield go("inside")
    yield "too-big"
    yield from put(_UNREACHABLE[0], _L4)
    yield from put(_FRAGMENTATION_NEEDED, _L4 + 1)
    yield from number_at(VALUE, _L6 + 6)
    yield go_if(VALUE, "<=", _LEAST_MTU - 1, "lost")
    yield change(VALUE, "-", _GROWS)
    yield from number_put(VALUE, _L4 + 6)
    yield "inside"
    yield from _inside_to_ipv4(it, _L6 + _ICMP, _L4 + _ICMP)
    yield from sum_of((_V6 + 8, 40 + _BEGIN6), (_L4, _BEGIN4))
    yield store("half", _L4 + 2, 0)
    yield from number_changed(_V4 + 2, -_GROWS)
    yield from _as_ipv4()
    yield from _room(-_GROWS)
    yield from written(_ETHERNET + _IPV4, _BEGIN4, _L4)


def _inside_to_ipv4(it: Siit, old: int, new: int) -> Iterator[Line]:
    """The head of the packet that an error is about, which was sent to ``inside6``."""
    yield from on_stack(_BARE, new)
    yield from copied("word", old + 20, new + 12)
    yield from on_stack(_packed(it.inside4), new + 16)
    yield from _class_to_ipv4(old, new)
    yield from number_at(SIZE, old + 4)
    yield change(SIZE, "+", _IPV4)
    yield from number_put(SIZE, new + 2)
    yield from copied("byte", old + 7, new + 8)
    yield from copied("word", old + _IPV6, new + _IPV4)
    yield read(KIND, STACK, old + 6, "byte")
    yield go_if(KIND, "==", _FRAGMENT, "lost")
    yield go_if(KIND, "!=", _ICMP6, "same")
    yield number(KIND, _ICMP4)
    yield read(VALUE, STACK, old + _IPV6, "byte")
    for kind4, kind6 in _ECHOES:
        yield from when(VALUE, kind6, put(kind4, new + _IPV4), "same")
    yield go("lost")  # there is no error about an error
    yield "same"
    yield store("byte", new + 9, KIND)
    yield from _header_sum(new)


def _as_ipv4() -> Iterator[Line]:
    yield from _header_sum(_V4)
    yield from _turned(_ETHER4)
    yield from written(_ETHERNET, _IPV4, _V4)


def _header_sum(at: int) -> Iterator[Line]:
    yield number(VALUE, 0)
    yield from sum_with(VALUE, None, (at, _IPV4))
    yield store("half", at + 10, 0)


def _class_to_ipv4(old: int, new: int) -> Iterator[Line]:
    """The traffic class, of which each of the first two octets has a half."""
    yield read(1, STACK, old, "byte")
    yield change(1, "<<", 4)
    yield read(2, STACK, old + 1, "byte")
    yield change(2, ">>", 4)
    yield change(1, "&", 0xF0)
    yield add(1, 2)
    yield store("byte", new + 1, 1)


# --- from IPv4 to IPv6 --------------------------------------------------------------------------
def _to_ipv6(it: Siit) -> Iterator[Line]:
    yield from _only(_ETHER4)
    yield from loaded(_ETHERNET, _IPV4, _V4)
    yield from _plain(_V4)
    yield from on_stack(bytes(8) + _prefix(it), _V6)
    yield from copied("word", _V4 + 12, _V6 + 20)
    yield from on_stack(_packed(it.inside6), _V6 + 24)
    yield from _class_to_ipv6(_V4, _V6)
    yield from number_at(SIZE, _V4 + 2)
    yield change(SIZE, "-", _IPV4)
    yield from number_put(SIZE, _V6 + 4)
    yield from _tail(SIZE)
    yield from _hop_given_back(_V4 + 8, _V6 + 7)
    yield read(KIND, STACK, _V4 + 9, "byte")
    yield go_if(KIND, "==", _ICMP4, "icmp")
    yield store("byte", _V6 + 6, KIND)
    yield from _ports_checksum(_IPV4, (_V4 + 12, 8), (_V6 + 8, 32))
    yield from _as_ipv6()
    yield from _ports_written(_IPV6)
    yield go("done")
    yield "icmp"
    yield from put(_ICMP6, _V6 + 6)
    yield from _icmp_begins(_IPV4, _L4, _L6)
    for kind4, kind6 in _ECHOES:
        yield from when(KIND, kind4, put(kind6, _L6), "echo")
    yield from _error_to_ipv6(it)
    yield go("done")
    yield "echo"
    yield from sum_of((_L4, 4), (_V6 + 8, 44))
    yield store("half", _L6 + 2, 0)
    yield from _as_ipv6()
    yield from written(_ETHERNET + _IPV6, 4, _L6)


def _error_to_ipv6(it: Siit) -> Iterator[Line]:
    """RFC 7915, section 4.2; where an error is about a header, it is lost."""
    yield from _error_begins(_IPV4, _BEGIN4, _L4, _L6)
    yield from put(_EXPIRED[1], _L6)
    yield store("byte", _L6 + 1, VALUE)
    yield go_if(KIND, "==", _EXPIRED[0], "inside")
    yield go_if(KIND, "!=", _UNREACHABLE[0], "lost")
    yield go_if(VALUE, "==", _FRAGMENTATION_NEEDED, "too-big")
    yield go_if(VALUE, "==", _BAD_PROTOCOL, "bad-protocol")
    yield from put(_UNREACHABLE[1], _L6)
    yield from put(0, _L6 + 1)
    for code4, code6 in ((3, 4), (9, 1), (10, 1), (13, 1), (15, 1)):
        yield from when(VALUE, code4, put(code6, _L6 + 1), "inside")
    yield go("inside")
    yield "bad-protocol"
    yield from put(_BAD_HEADER, _L6)
    yield from put(1, _L6 + 1)
    yield from put(_NEXT_HEADER, _L6 + 7)
    yield go("inside")
    yield "too-big"
    yield from put(_TOO_BIG, _L6)
    yield from put(0, _L6 + 1)
    yield from number_at(VALUE, _L4 + 6)
    yield change(VALUE, "+", _GROWS)
    yield go_if(VALUE, ">", _LEAST_MTU, "enough")
    yield number(VALUE, _LEAST_MTU)
    yield "enough"
    yield from number_put(VALUE, _L6 + 6)
    yield "inside"
    yield from _inside_to_ipv6(it, _L4 + _ICMP, _L6 + _ICMP)
    yield from number_changed(_V6 + 4, _GROWS)
    yield from number_changed(_TAIL + 2, _GROWS)
    yield from sum_of((_L4, _BEGIN4), (_V6 + 8, 40 + _BEGIN6))
    yield store("half", _L6 + 2, 0)
    yield from _as_ipv6()
    yield from _room(_GROWS)
    yield from written(_ETHERNET + _IPV6, _BEGIN6, _L6)


def _inside_to_ipv6(it: Siit, old: int, new: int) -> Iterator[Line]:
    """The head of the packet that an error is about, which ``inside6`` sent."""
    yield from _plain(old)
    yield from on_stack(bytes(8) + _packed(it.inside6) + _prefix(it), new)
    yield from copied("word", old + 16, new + 36)
    yield from _class_to_ipv6(old, new)
    yield from number_at(SIZE, old + 2)
    yield change(SIZE, "-", _IPV4)
    yield from number_put(SIZE, new + 4)
    yield from copied("byte", old + 8, new + 7)
    yield from copied("word", old + _IPV4, new + _IPV6)
    yield read(KIND, STACK, old + 9, "byte")
    yield go_if(KIND, "!=", _ICMP4, "same")
    yield number(KIND, _ICMP6)
    yield read(VALUE, STACK, old + _IPV4, "byte")
    for kind4, kind6 in _ECHOES:
        yield from when(VALUE, kind4, put(kind6, new + _IPV6), "same")
    yield go("lost")  # there is no error about an error
    yield "same"
    yield store("byte", new + 6, KIND)


def _as_ipv6() -> Iterator[Line]:
    yield from _turned(_ETHER6)
    yield from written(_ETHERNET, _IPV6, _V6)


def _plain(at: int) -> Iterator[Line]:
    """An IPv4 header without options, of a whole packet."""
    yield read(1, STACK, at, "byte")
    yield go_if(1, "!=", 0x45, "lost")
    yield from number_at(1, at + 6)
    yield change(1, "&", 0x3FFF)
    yield go_if(1, "!=", 0, "lost")


def _class_to_ipv6(old: int, new: int) -> Iterator[Line]:
    yield read(1, STACK, old + 1, "byte")
    yield move(2, 1)
    yield change(1, ">>", 4)
    yield change(1, "|", 0x60)
    yield store("byte", new, 1)
    yield change(2, "<<", 4)
    yield change(2, "&", 0xF0)
    yield store("byte", new + 1, 2)


def _prefix(it: Siit) -> bytes:
    return ipaddress.IPv6Network(it.prefix).network_address.packed[:12]


# --- both ways ----------------------------------------------------------------------------------
def _only(ethertype: int) -> Iterator[Line]:
    yield read(0, CONTEXT, _PROTOCOL)
    yield go_if(0, "!=", socket.htons(ethertype), "lost")


def _tail(length: Register) -> Iterator[Line]:
    """The end of ICMPv6's pseudo-header (RFC 8200, section 8.1)."""
    yield from on_stack(bytes((0, 0, 0, 0, 0, 0, 0, _ICMP6)), _TAIL)
    yield from number_put(length, _TAIL + 2)


def _hop_given_back(old: int, new: int) -> Iterator[Line]:
    """What is routed before and behind the translation has made one hop."""
    yield read(1, STACK, old, "byte")
    yield change(1, "+", 1)
    yield store("byte", new, 1)


def _ports_checksum(header: int, old: Row, new: Row) -> Iterator[Line]:
    """The new checksum of TCP or UDP.  UDP without one is lost (RFC 7915, section 4.5)."""
    for protocol, at in _CHECKSUM_AT.items():
        load = loaded(_ETHERNET + header + at, 2, _CHECKSUM)
        yield from when(KIND, protocol, load, "checksum")
    yield go("lost")
    yield "checksum"
    yield read(VALUE, STACK, _CHECKSUM, "half")
    yield go_if(KIND, "!=", _UDP, "some")
    yield go_if(VALUE, "==", 0, "lost")
    yield "some"
    yield from seeded(_CHECKSUM)
    yield from sum_of(old, new)
    yield go_if(KIND, "!=", _UDP, "sum")
    yield go_if(0, "!=", 0, "sum")
    yield number(0, 0xFFFF)  # 0 says that there is none (RFC 768)
    yield "sum"
    yield store("half", _CHECKSUM, 0)


def _ports_written(header: int) -> Iterator[Line]:
    for protocol, at in _CHECKSUM_AT.items():
        write = written(_ETHERNET + header + at, 2, _CHECKSUM)
        yield from when(KIND, protocol, write, "done")


def _icmp_begins(header: int, old: int, new: int) -> Iterator[Line]:
    """The old type, code and checksum, the last put aside."""
    yield from loaded(_ETHERNET + header, 4, old)
    yield from seeded(old + 2)
    yield from on_stack(bytes(4), new)
    yield read(KIND, STACK, old, "byte")
    yield number(1, 0)
    yield store("half", old + 2, 1)


def _error_begins(header: int, size: int, old: int, new: int) -> Iterator[Line]:
    yield from loaded(_ETHERNET + header, size, old)
    yield number(1, 0)
    yield store("half", old + 2, 1)
    yield from on_stack(bytes(8), new)
    yield read(VALUE, STACK, old + 1, "byte")


def _turned(ethertype: int) -> Iterator[Line]:
    yield move(1, CONTEXT)
    yield number(2, socket.htons(ethertype))
    yield number(3, 0)
    yield call(_CHANGE_PROTOCOL)
    yield go_if(0, "!=", 0, "lost")
    yield number(1, socket.htons(ethertype))
    yield store("half", SEED, 1)
    yield from written(_ETHERNET - 2, 2, SEED)


def _room(octets: int) -> Iterator[Line]:
    """Room behind the header, or less of it."""
    yield move(1, CONTEXT)
    yield number(2, octets)
    for register in (3, 4):
        yield number(register, 0)
    yield call(_ADJUST_ROOM)
    yield go_if(0, "!=", 0, "lost")


def _packed(ip: str) -> bytes:
    return ipaddress.ip_address(ip).packed
