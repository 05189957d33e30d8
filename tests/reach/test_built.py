"""In dual-stack clouds that the API builds, the engine and the walk say the same of every pair."""

from __future__ import annotations

from gureum.explain import Network, Packet, explain
from gureum.program import InternetHost, Port
from gureum.reach import VERSIONS, Dual, Node
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.replay import Replay

SEEDS = range(7000, 7008)
CLIENT = 40000
ECHO = {4: (1, (8, 0)), 6: (58, (128, 0))}
PAIRS = 60


def host_of(node: Node) -> InternetHost:
    ips = (node.ip, "") if node.version == 4 else ("", node.ip)
    return InternetHost(node.id, *ips)


def test_every_pair_of_a_cloud_that_the_api_builds() -> None:
    works = {4: 0, 6: 0}
    for seed in SEEDS:
        draw = DualDraw(seed)
        statements = Replay(draw.calls).statements()
        both = Dual(statements)
        ports = {each.id: each for each in statements if isinstance(each, Port)}
        for version in VERSIONS:
            reach = both[version]
            network = Network([*statements, host_of(reach.outside())])
            nodes = sorted(reach.nodes())
            pairs = [(a, b) for a in nodes for b in nodes if a.kind == "port" or b.kind == "port"]
            for source, target in draw.dice.sample(pairs, min(PAIRS, len(pairs))):
                ends = [ports.get(node.id) for node in (source, target)]
                called = reach.called(source, target)
                for header in ((6, draw.dice.choice((22, 80, 443))), ECHO[version]):
                    known = reach.point(source, target, *header)
                    works[version] += known.works
                    if called is None:
                        assert not known.works
                        continue
                    protocol, detail = header
                    client, port, icmp = (
                        (None, None, detail)
                        if isinstance(detail, tuple)
                        else (CLIENT, detail, None)
                    )
                    packet = Packet(source.ip, called, protocol, client, port, icmp)
                    answer = explain(network, ends[0] or host_of(source), packet)
                    end = ends[1].host if ends[1] else target.id
                    walked = answer.works and answer.forth.arrived == end
                    if client is not None:
                        admitted = any(first <= client <= last for first, last in known.clients)
                        itself = source == target and client == port
                        assert itself or admitted == walked, (seed, source, target, header)
                    else:
                        assert known.works == walked, (seed, source, target, header)
    assert min(works.values()) > 50, works
