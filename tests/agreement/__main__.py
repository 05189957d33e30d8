"""``python -m tests.agreement PACKETS [SEED [6|64|t]]``: a soak; disagreements are shrunk and
stored.  With a 6 the clouds are dual-stack and the packets IPv6's, with 64 NAT gateways make IPv4
of them, with a t a transit gateway joins VPCs that a peering would join."""

from __future__ import annotations

import sys
from collections import Counter

from tests.agreement.compare import compare
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.draw_nat64 import TranslatedDraw
from tests.agreement.draw_transit import TransitDraw
from tests.agreement.replay import Replay
from tests.agreement.shrink import stored
from tests.kernel.lab import Lab

PER_CLOUD = 60


def main(packets: int, seed: int, drawn: type[Draw] = Draw) -> int:
    """Send that many packets; how many disagreed."""
    lab = Lab("auto")
    sent = answered = wrong = 0
    codes: Counter[str] = Counter()
    try:
        while sent < packets:
            draw = drawn(seed)
            questions = list(draw.questions(PER_CLOUD))
            found = compare(lab, Replay(draw.calls), questions)
            sent, answered = sent + found.sent, answered + found.answered
            codes += found.codes
            for each in found.wrong:
                print(f"seed {seed}: {each}", flush=True)
            if found.wrong:
                print(f"stored {stored(lab, draw.calls, questions, found.wrong[0])}", flush=True)
            wrong += len(found.wrong)
            seed += 1
    finally:
        lab.close()
    print(f"{sent} packets, {answered} answered, {wrong} disagreements; next seed {seed}")
    print(f"followed to their blocks: {dict(codes.most_common())}")
    return wrong


if __name__ == "__main__":
    count, seed_ = int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 1
    drawn = {"6": DualDraw, "64": TranslatedDraw, "t": TransitDraw}.get("".join(sys.argv[3:]), Draw)
    sys.exit(1 if main(count, seed_, drawn) else 0)
