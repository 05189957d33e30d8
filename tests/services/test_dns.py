"""DNS messages, well-formed and not; dnspython builds the questions and reads the answers."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gureum.services.dns import MAX_QUESTION, answer
from gureum.services.names import Records

KNOWN: dict[str, Records] = {
    "web.internal": {"A": ("10.0.1.10",)},
    "10.1.0.10.in-addr.arpa": {"PTR": ("web.internal",)},
    "six.internal": {"A": ("10.0.1.11",), "AAAA": ("3fff::1",)},
    "silent.internal": {},
}


def _raw(wire: bytes) -> bytes | None:
    def look_up(name: str) -> Records | None:
        return KNOWN.get(name)

    return answer(wire, look_up, lambda name: "internal" if name.endswith("internal") else "")


def _ask(question: dns.message.Message) -> dns.message.Message:
    wire = _raw(question.to_wire())
    assert wire is not None
    made = dns.message.from_wire(wire)
    assert question.is_response(made)
    return made


@pytest.mark.parametrize(
    ("name", "kind", "code", "values"),
    [
        ("web.internal", "A", "NOERROR", ["10.0.1.10"]),
        ("WEB.Internal", "A", "NOERROR", ["10.0.1.10"]),
        ("web.internal", "ANY", "NOERROR", ["10.0.1.10"]),
        ("web.internal", "AAAA", "NOERROR", []),
        ("six.internal", "AAAA", "NOERROR", ["3fff::1"]),
        ("six.internal", "A", "NOERROR", ["10.0.1.11"]),
        ("web.internal", "TXT", "NOERROR", []),
        ("silent.internal", "A", "NOERROR", []),
        ("10.1.0.10.in-addr.arpa", "PTR", "NOERROR", ["web.internal."]),
        ("10.1.0.10.in-addr.arpa", "A", "NOERROR", []),
        ("nobody.internal", "A", "NXDOMAIN", []),
        ("example.com", "A", "NXDOMAIN", []),
        (".", "NS", "NXDOMAIN", []),
    ],
)
def test_answers(name: str, kind: str, code: str, values: list[str]) -> None:
    made = _ask(dns.message.make_query(name, kind))
    assert dns.rcode.to_text(made.rcode()) == code
    assert [item.to_text() for rrset in made.answer for item in rrset] == values
    assert made.flags & dns.flags.RA
    soa = [rrset.rdtype for rrset in made.authority]
    assert soa == ([] if values else [dns.rdatatype.SOA]), "how long nothing may be believed"


def test_the_question_comes_back_as_it_was_asked() -> None:
    """Resolvers mix cases to tell answers from forgeries."""
    made = _ask(dns.message.make_query("wEb.iNtErNaL", "A"))
    assert made.question[0].name.to_text() == "wEb.iNtErNaL."


def test_edns() -> None:
    made = _ask(dns.message.make_query("web.internal", "A", use_edns=0, payload=4096))
    assert (made.edns, made.payload) == (0, MAX_QUESTION)
    made = _ask(dns.message.make_query("web.internal", "A", use_edns=1))
    assert made.rcode() == dns.rcode.BADVERS
    assert _ask(dns.message.make_query("web.internal", "A")).edns == -1


def test_other_classes_and_operations_are_refused() -> None:
    made = _ask(dns.message.make_query("version.bind", "TXT", "CH"))
    assert made.rcode() == dns.rcode.REFUSED
    update = dns.message.make_query("web.internal", "A")
    update.set_opcode(dns.opcode.NOTIFY)
    said = _raw(update.to_wire())
    assert said is not None
    assert said[3] & 0xF == dns.rcode.NOTIMP


def _header(*, flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    return struct.pack("!HHHHHH", 4711, flags, *counts)


@pytest.mark.parametrize(
    "wire",
    [
        _header(),
        _header(counts=(0, 0, 0, 0)),
        _header(counts=(2, 0, 0, 0)) + b"\1a\0\0\1\0\1" * 2,
        _header(counts=(1, 1, 0, 0)) + b"\1a\0\0\1\0\1",
        _header(counts=(1, 0, 0, 65535)) + b"\1a\0\0\1\0\1",
        _header() + b"\xc0\x0c\0\1\0\1",  # a name that points at itself
        _header() + b"\x3f" + b"a" * 10,
        _header() + b"\1a\0\0\1\0\1" + b"more",
    ],
)
def test_what_is_no_question_is_refused_in_twelve_bytes(wire: bytes) -> None:
    said = _raw(wire)
    assert said is not None
    assert said[:2] == wire[:2]
    assert (len(said), said[3] & 0xF) == (12, dns.rcode.FORMERR)


@pytest.mark.parametrize(
    "wire",
    [b"", b"x" * 11, _header(flags=0x8000) + b"\1a\0\0\1\0\1", _header() + b"\0" * MAX_QUESTION],
)
def test_some_things_are_not_answered(wire: bytes) -> None:
    """Too short, too long, or an answer: two resolvers would answer each other for ever."""
    assert _raw(wire) is None


@given(st.binary(max_size=64), st.integers(0, 0x7FFF), st.integers(0, 3), st.integers(0, 3))
def test_no_bytes_whatever_do_harm(tail: bytes, flags: int, questions: int, more: int) -> None:
    said = _raw(_header(flags=flags, counts=(questions, 0, 0, more)) + tail)
    assert said is None or 12 <= len(said) <= MAX_QUESTION
