"""Frames taken apart; nothing that a host sends makes it fail."""

from __future__ import annotations

import dns.rcode
from hypothesis import given, settings
from hypothesis import strategies as st

from gureum.frames import Frame, decode
from tests.frames import samples
from tests.frames.samples import ONE, TWO, datagram, segment
from tests.kernel.packets import arp, ethernet, ipv6, neighbour


def names(frame: Frame) -> list[str]:
    return [each.protocol for each in frame.layers]


def values(frame: Frame, protocol: str) -> dict[str, str]:
    layer = frame[protocol]
    assert layer is not None
    return {field.name: field.value for field in layer.fields}


def test_arp_asks_and_answers() -> None:
    asks = decode(ethernet("ff:ff:ff:ff:ff:ff", ONE, 0x0806, arp(1, ONE, "10.0.0.1", "10.0.0.2")))
    assert asks.said == "ARP who has 10.0.0.2? tell 10.0.0.1"
    assert (asks.source, asks.target) == (ONE, "ff:ff:ff:ff:ff:ff")
    told = decode(ethernet(ONE, TWO, 0x0806, arp(2, TWO, "10.0.0.2", "10.0.0.1")))
    assert told.said == f"ARP 10.0.0.2 is at {TWO}"
    assert values(told, "ARP")["operation"] == "reply"


def test_every_layer_of_a_syn_with_its_bytes() -> None:
    data = samples.syn()
    frame = decode(data)
    assert [(each.layer, each.protocol, each.pdu) for each in frame.layers] == [
        (2, "Ethernet", "frame"),
        (3, "IPv4", "packet"),
        (4, "TCP", "segment"),
    ]
    assert [(each.start, each.end) for each in frame.layers] == [(0, 14), (14, 34), (34, 74)]
    assert frame.rest == len(data) == 74
    ip, tcp = values(frame, "IPv4"), values(frame, "TCP")
    assert (ip["source"], ip["destination"], ip["time to live"]) == ("10.0.1.10", "10.0.2.20", "64")
    assert (tcp["source port"], tcp["flags"], tcp["window"]) == ("40000", "SYN", "64240")
    for word in ("maximum segment size 1460", "window scale 7", "SACK permitted", "timestamps"):
        assert word in tcp["options"]
    (ttl,) = (each for each in frame.layers[1].fields if each.name == "time to live")
    assert data[ttl.start : ttl.end] == bytes((64,))
    (port,) = (each for each in frame.layers[2].fields if each.name == "destination port")
    assert int.from_bytes(data[port.start : port.end], "big") == 80


def test_an_echo_and_an_error_that_quotes_it() -> None:
    assert decode(samples.echo()).said.endswith("ICMP echo request id 7 seq 1")
    assert decode(samples.echo(0)).said.endswith("ICMP echo reply id 7 seq 1")
    error = decode(samples.time_exceeded())
    assert names(error) == ["Ethernet", "IPv4", "ICMP", "IPv4", "ICMP"]
    assert error.layers[2].said == "ICMP time exceeded: time to live is over"
    assert error.layers[4].said == "ICMP echo request id 7 seq 1"


def test_dns_over_udp_and_tcp() -> None:
    asks = decode(datagram(samples.question().to_wire(), 5353, 53))
    assert asks.layers[-1].said == "DNS query 4711 ip-10-0-2-20.ec2.internal. A"
    told = decode(datagram(samples.answer().to_wire(), 53, 5353))
    assert told.layers[-1].said == "DNS answer 4711 ip-10-0-2-20.ec2.internal. A: 10.0.2.20"
    assert "10.0.2.20" in values(told, "DNS")["answer"]
    missing = samples.answer()
    missing.answer.clear()
    missing.set_rcode(dns.rcode.NXDOMAIN)
    wire = missing.to_wire()
    framed = decode(segment(len(wire).to_bytes(2, "big") + wire, 53, 40000))
    assert framed.layers[-1].said.endswith(": NXDOMAIN")


def test_dhcp() -> None:
    frame = decode(datagram(samples.dhcp_discover(), 68, 67))
    assert frame.layers[-1].said == f"DHCP discover {ONE}"
    assert values(frame, "DHCP")["transaction"] == "0x00001234"


def test_a_real_tls_hello_on_any_port() -> None:
    for port in (443, 8443):
        frame = decode(segment(samples.client_hello(), dport=port))
        assert frame.layers[-1].said == "TLS client hello db.example TLS 1.3"
        tls = values(frame, "TLS")
        assert tls["application protocols"] == "h2, http/1.1"
        assert "TLS 1.2" in tls["versions"]
        assert frame.layers[-1].layer == 6


def test_http_on_any_port() -> None:
    frame = decode(segment(samples.REQUEST, dport=8080))
    assert frame.layers[-1].said == "HTTP GET /index.html HTTP/1.1"
    assert values(frame, "HTTP")["Host"] == "web"
    told = decode(segment(samples.RESPONSE, 8080, 40000))
    assert told.layers[-1].said == "HTTP HTTP/1.1 200 OK"
    assert told.data[told.rest :] == b"hello", "the body is no header"
    assert names(decode(segment(b"GETTING on", dport=80)))[-1] == "TCP"


def test_ipv6_and_neighbours() -> None:
    packet = ipv6("fe80::1", "fe80::2", neighbour(135, "fe80::2", ONE), 58)
    frame = decode(ethernet(TWO, ONE, 0x86DD, packet))
    assert names(frame) == ["Ethernet", "IPv6", "ICMPv6"]
    assert frame.layers[-1].said == "ICMPv6 neighbour solicitation fe80::2"
    plain = decode(ethernet(TWO, ONE, 0x86DD, ipv6("3fff::1", "3fff::2", b"hello")))
    assert names(plain) == ["Ethernet", "IPv6", "UDP"]
    assert values(plain, "IPv6")["hop limit"] == "64"


def test_behind_extension_headers_of_ipv6() -> None:
    """A report of multicast groups, as Linux sends it: behind a router alert (RFC 3810)."""
    alert = bytes((58, 0, 5, 2, 0, 0, 1, 0))
    report = bytes((143, 0, 0, 0, 0, 0, 0, 0))
    frame = decode(ethernet(TWO, ONE, 0x86DD, ipv6("fe80::1", "ff02::16", alert + report, 0)))
    assert names(frame) == ["Ethernet", "IPv6", "IPv6 hop-by-hop options", "ICMPv6"]
    assert frame.layers[-1].said == "ICMPv6 multicast listener report"
    first = bytes((6, 0, 0, 1, 0, 0, 0, 9)) + samples.syn()[34:]
    later = bytes((6, 0, 0x05, 0xA8, 0, 0, 0, 9)) + b"GET / HTTP/1.1"
    one, two = (decode(ethernet(TWO, ONE, 0x86DD, ipv6("3fff::1", "3fff::2", each, 44)))
                for each in (first, later))  # fmt: skip
    assert names(one)[2:] == ["IPv6 fragment", "TCP"]
    assert one.layers[2].said == "IPv6 fragment at 0, more follow"
    assert names(two)[2:] == ["IPv6 fragment"], "nothing is read behind a later one"
    assert two.said.endswith("IPv6 fragment at 1448")


def test_padding_is_no_payload() -> None:
    """A frame on a cable has 60 bytes at least (IEEE 802.3 clause 3.2.8); the packet is shorter."""
    frame = decode(segment(b"") + bytes(6))
    assert frame.said.endswith("len 0")


def test_behind_a_later_fragment_nothing_is_read() -> None:
    data = bytearray(samples.syn())
    data[20:22] = (185).to_bytes(2, "big")
    frame = decode(bytes(data))
    assert names(frame) == ["Ethernet", "IPv4"]
    assert "fragment at 1480" in frame.said


def test_what_a_frame_says_does_not_steer_a_terminal() -> None:
    frame = decode(segment(b"GET /\x1b[2J HTTP/1.1\r\nX: \x07\r\n\r\n"))
    assert "\x1b" not in frame.said
    assert all(char.isprintable() for field in frame.layers[-1].fields for char in field.value)


def sound(frame: Frame) -> None:
    """Layers follow each other, and no field is outside of the frame."""
    at = 0
    for layer in frame.layers:
        assert at <= layer.start <= layer.end <= len(frame.data)
        at = layer.end
        for field in layer.fields:
            assert layer.start <= field.start <= field.end <= len(frame.data)
    assert frame.rest == at
    assert isinstance(frame.said if frame.layers else "", str)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    sound(decode(data))


@settings(deadline=None)
@given(st.data())
def test_any_frame_cut_and_changed(data: st.DataObject) -> None:
    """Bits that flip on the way, and frames of which only the beginning was kept."""
    frame = bytearray(data.draw(st.sampled_from(samples.everything())))
    for _ in range(data.draw(st.integers(0, 4))):
        frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    sound(decode(bytes(frame[: data.draw(st.integers(0, len(frame)))])))
