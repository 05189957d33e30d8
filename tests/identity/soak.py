"""``python -m tests.identity.soak N [SEED]``: random policies against the independent reading."""

from __future__ import annotations

import sys
from collections import Counter

from gureum.identity.evaluate import evaluate
from tests.identity.draw import Draw, policies, request
from tests.identity.oracle import decide

REQUESTS = 10
"""Requests to one set of policies."""


def soak(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How so many requests ended, and those of which the two say different things."""
    ends: Counter[str] = Counter()
    wrong = []
    for number in range(seed, seed + -(-count // REQUESTS)):
        cases = list(Draw(number).cases(REQUESTS))
        held = policies(cases[0])
        for case in cases:
            ours, theirs = evaluate(held, request(case)).outcome.value, decide(case)
            ends[theirs] += 1
            if ours != theirs:
                wrong.append(f"seed {number}: {ours}, the oracle says {theirs}\n{case}")
    return ends, wrong


if __name__ == "__main__":
    found, disagreements = soak(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1)
    print(*disagreements[:5], sep="\n")
    print(f"{found.total()} cases {dict(found)}, {len(disagreements)} disagreements")
    sys.exit(1 if disagreements else 0)
