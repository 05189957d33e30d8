"""``python -m tests.fuzz SECONDS [SEED]``: a soak; every finding is told once, with its request."""

from __future__ import annotations

import sys
import time
from collections import Counter
from random import Random

from tests.fuzz.check import FuzzError, session
from tests.fuzz.furnished import furnished
from tests.fuzz.requests import Drawn

PER_CLOUD = 150
SHOWN = 12
"""So many of the requests before a finding are shown."""


def main(seconds: float, seed: int) -> int:
    """Send requests for a time; how many findings there were."""
    view, end = furnished(), time.monotonic() + seconds
    codes: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    while time.monotonic() < end:
        asked: list[Drawn] = []
        try:
            codes += Counter(session(Random(seed), view, PER_CLOUD, asked))
        except FuzzError as error:
            findings[error.kind] += 1
            if findings[error.kind] == 1:
                print(f"seed {seed}, request {len(asked)}: {error}", flush=True)
        seed += 1
    print(f"{codes.total()} requests, next seed {seed}: {dict(codes.most_common())}")
    for kind, count in findings.most_common():
        print(f"{count:6} {kind}")
    return len(findings)


if __name__ == "__main__":
    sys.exit(1 if main(float(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1) else 0)
