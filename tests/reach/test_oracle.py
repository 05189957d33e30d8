"""Random packets in random clouds: the engine against the plain reading of the statements."""

from __future__ import annotations

from tests.reach.soak import PER_CLOUD, Trial, disagreements

PACKETS = 110_000


def test_no_packet_of_a_hundred_thousand_is_judged_otherwise() -> None:
    asked, wrong = 0, []
    for each in disagreements(range(PACKETS // PER_CLOUD)):
        asked += 1
        if each is not None:
            wrong.append(each)
    assert wrong == []
    assert asked >= 100_000


def test_sets_and_spans_are_what_the_pairs_are() -> None:
    works = 0
    for seed in range(500_000, 500_120):
        trial = Trial(seed)
        reach = trial.reach
        for it in trial.questions(10):
            header = (it.protocol, it.detail)
            others = [
                node
                for node in trial.nodes
                if node != it.target and not node.kind == it.target.kind == "internet"
            ]
            into = [node for node in others if reach.point(node, it.target, *header).works]
            out = [node for node in others if reach.point(it.target, node, *header).works]
            assert sorted(reach.sources(it.target, *header)) == sorted(into), seed
            assert sorted(reach.targets(it.target, *header)) == sorted(out), seed
            works += len(into) + len(out)
            known = reach.point(it.source, it.target, *header, address=it.address)
            where: int | None = it.detail if isinstance(it.detail, int) else None
            if isinstance(it.detail, tuple):
                where = it.detail[0] * 256 + it.detail[1]
            protocol, at = (it.protocol, where) if where is not None else (None, it.protocol)
            found = [
                span
                for span in reach.spans(it.source, it.target, address=it.address)
                if span.protocol == protocol and span.first <= at <= span.last
            ]
            assert [span.verdict for span in found] == [known] * known.works, seed
            reasons = reach.why(it.source, it.target, *header, address=it.address)
            assert known.works or reasons == ()
    assert works > 2000
