"""Makes a disagreement small: calls that it does not need are taken out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.agreement.compare import Disagreement, Question, compare
from tests.agreement.replay import ApiCall, Replay
from tests.kernel.lab import Lab

REGRESSIONS = Path(__file__).parent / "regressions"


def shrunk(calls: list[ApiCall], fails: Callable[[list[ApiCall]], bool]) -> list[ApiCall]:
    """A shortest part, as far as leaving out runs of calls finds one, that still fails.

    Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
    """
    size = max(1, len(calls) // 2)
    while True:
        at = 0
        while at < len(calls):
            less = calls[:at] + calls[at + size :]
            if fails(less):
                calls = less
            else:
                at += size
        if size == 1:
            return calls
        size //= 2


def stored(lab: Lab, calls: list[ApiCall], questions: list[Question], found: Disagreement) -> Path:
    """Shrink a disagreement and store it under ``regressions/``; the file.

    Other questions that it needs stay: one packet may be in the way of another.
    """

    def fails(calls: list[ApiCall], questions: list[Question]) -> bool:
        wrong = compare(lab, Replay(calls), questions).wrong
        return any(each.question == found.question for each in wrong)

    if fails(calls, [found.question]):
        questions = [found.question]
    else:
        questions = shrunk(questions, lambda part: fails(calls, part))
    calls = shrunk(calls, lambda part: fails(part, questions))
    REGRESSIONS.mkdir(exist_ok=True)
    number = 1 + max((int(path.stem) for path in REGRESSIONS.glob("[0-9]*.json")), default=0)
    path = REGRESSIONS / f"{number:03}.json"
    told = {"predicted": found.predicted, "seen": found.seen, "questions": questions}
    path.write_text(json.dumps(told | {"calls": calls}, indent=1) + "\n")
    return path
