"""Random packets in random clouds: the engine against the plain reading of the statements."""

from __future__ import annotations

import pytest

from tests.reach.numbering import FOUR, SIX, Numbering
from tests.reach.soak import PER_CLOUD, Trial, disagreements

BOTH = pytest.mark.parametrize("numbering", [FOUR, SIX], ids=["IPv4", "IPv6"])


@BOTH
def test_no_random_packet_is_judged_otherwise(numbering: Numbering) -> None:
    packets = 110_000 if numbering is FOUR else 15_000
    asked, wrong = 0, []
    for each in disagreements(range(packets // PER_CLOUD), numbering=numbering):
        asked += 1
        if each is not None:
            wrong.append(each)
    assert wrong == []
    assert asked > packets * 0.9


@BOTH
def test_sets_and_spans_are_what_the_pairs_are(numbering: Numbering) -> None:
    works = 0
    for seed in range(500_000, 500_120 if numbering is FOUR else 500_050):
        trial = Trial(seed, numbering)
        reach = trial.reach
        for it in trial.questions(10):
            header = (it.protocol, it.detail)
            others = [
                node
                for node in trial.nodes
                if node != it.target
                and not node.kind == it.target.kind == "internet"
                and node.part is None
            ]
            if it.target.kind == "port":
                others += reach.internet(it.target.id).nodes()
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
    assert works > (2000 if numbering is FOUR else 600)
