"""Runs labs: builds a broken cloud in an account of its own, asks its question, mends and ends it.

What a lab is stands in :mod:`gureum.labs`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from gureum.errors import ApiError
from gureum.explain.verdict import Answer, Reach
from gureum.kind import Shape
from gureum.labs import Call, Lab, LabError, Unknown, kept, meant, names, read, texts
from gureum.labs.commands import commands
from gureum.labs.lab import account_of
from gureum.model import Resource
from gureum.resources.instance import ENDED, Instance
from gureum.resources.region import DEFAULT_REGION
from gureum.server.cloud import Cloud
from gureum.server.console_explain import PROTOCOLS, Explained, Explainer, Question
from gureum.server.lab_account import LabAccount
from gureum.server.places import Scope

Verdict = Literal["solved", "partly", "blocked"]


@dataclass(frozen=True, kw_only=True)
class LabRun(
    Resource, kind="lab", prefix="lab", not_found="InvalidParameterValue", noun="started lab"
):
    """Marks that a lab is started in the account: what its calls made known, how many hints were
    given away, and since when it is solved."""

    name: str
    known: tuple[tuple[str, str], ...]
    hints: int = 0
    solved: str | None = None


class Labs:
    """The labs of one cloud; one at a time is changed.

    Methods raise :class:`ApiError`: ``NoSuchLab``, ``LabNotStarted``, ``LabFailed`` where a call is
    refused, and the codes of :mod:`gureum.server.places` where the ends of a question are gone.
    """

    def __init__(self, cloud: Cloud, explain: Explainer) -> None:
        self._cloud = cloud
        self._explain = explain
        self._lock = threading.Lock()

    def all(self) -> list[Shape]:
        """Every lab, and whether it is started and solved."""
        return [self._shown(name) for name in names()]

    def start(self, name: str) -> Shape:
        """Build a lab's cloud and wait until it runs: all of it or nothing.  One that is started is
        left as it is; ``fresh`` says whether it was not."""
        lab = _read(name)
        with self._lock:
            fresh = self._find(name) is None
            if fresh:
                self._start(name, lab)
        return self._shown(name) | {"fresh": fresh}

    def check(self, name: str, answer: str | None = None, *, hint: bool = False) -> Shape:
        """Ask the lab's question again.  ``answer`` is a code to be told whether it says what is
        wrong; ``hint`` gives one hint more away."""
        lab = _read(name)
        with self._lock:
            run = self._run(name)
            if hint:
                more = min(run.hints + 1, len(texts(name, "en").hints))
                self._note(replace(run, hints=more))
            found = self._check(name, lab)
        right = answer.upper() in lab.answers if answer else None
        return self._shown(name) | found | {"answer_is_right": right}

    def solve(self, name: str) -> Shape:
        """Mend the lab's cloud, unless it is mended; ``commands`` of the AWS CLI do the same."""
        lab = _read(name)
        with self._lock:
            known = self.known(name)
            lines = commands(lab.fix, known)
            found = self._check(name, lab)
            if found["verdict"] != "solved":
                account = self._account(name)
                self._do(account, lab.fix, known)
                account.rest()
                found = self._check(name, lab)
        return self._shown(name) | found | {"commands": lines}

    def stop(self, name: str) -> Shape:
        """Remove everything of the lab's account."""
        _read(name)
        with self._lock:
            was = self._find(name) is not None
            self._account(name).clear()
        return self._shown(name) | {"was_started": was}

    def stop_all(self) -> list[Shape]:
        """Remove everything of all labs that are started."""
        return [self.stop(name) for name in names() if self._find(name) is not None]

    def known(self, name: str) -> dict[str, str]:
        """The names that the lab's calls made known, with their values."""
        return dict(self._run(name).known)

    def asked(self, name: str) -> Explained:
        """The lab's question, explained as it is now."""
        lab, run = _read(name), self._run(name)
        source, target = lab.question.source, meant(lab.question.target, self.known(name))
        protocol, port = PROTOCOLS[lab.question.protocol], lab.question.port
        icmp = (8, 0) if port is None else None
        scope = Scope(self._cloud.store.view, run.account, run.region)
        return self._explain(scope, Question(source, target, protocol, port, icmp))

    # --- rows -----------------------------------------------------------------------------------
    def _account(self, name: str) -> LabAccount:
        return LabAccount(self._cloud, account_of(name))

    def _find(self, name: str) -> LabRun | None:
        return self._cloud.store.view.find(LabRun, f"lab-{account_of(name)}")

    def _run(self, name: str) -> LabRun:
        run = self._find(name)
        if run is None:
            said = f"The lab {name} is not started: 'gureum lab start {name}' does that."
            raise ApiError("LabNotStarted", said, 409)
        return run

    def _note(self, run: LabRun) -> None:
        with self._account(run.name).transaction() as txn:
            txn.put(run)

    def _shown(self, name: str) -> Shape:
        lab, run = _read(name), self._find(name)
        target = lab.question.target
        return {
            "name": name,
            "title": lab.title,
            "level": lab.level,
            "topics": list(lab.topics),
            "account": account_of(name),
            "region": DEFAULT_REGION,
            "started": run.created if run else None,
            "solved": run.solved if run else None,
            "hints": run.hints if run else 0,
            "question": {
                "source": lab.question.source,
                "target": meant(target, dict(run.known)) if run else target,
                "service": lab.question.service,
            },
        }

    # --- building and asking --------------------------------------------------------------------
    def _start(self, name: str, lab: Lab) -> None:
        account = self._account(name)
        account.clear()  # clients may have been there since the last time
        try:
            known = self._do(account, lab.build, {})
            account.rest()
            ended = [row.id for row in account.rows(Instance) if row.state in ENDED]
            if ended:
                raise ApiError("LabFailed", f"{', '.join(ended)} did not start.", 500)
            self._note(
                LabRun(
                    id=f"lab-{account.number}",
                    account=account.number,
                    region=DEFAULT_REGION,
                    created=self._cloud.dispatch.clock(),
                    name=name,
                    known=tuple(known.items()),
                )
            )
        except BaseException:
            account.clear()
            raise

    def _do(
        self, account: LabAccount, calls: Iterable[Call], known: dict[str, str]
    ) -> dict[str, str]:
        """Make calls; what is known after them."""
        for call in calls:
            try:
                answer = account.call(call.do, meant(call.params, known))
                known = known | kept(call, answer, known)
            except (ApiError, Unknown) as error:
                raise ApiError("LabFailed", f"{call.do} was refused: {error}", 409) from None
        return known

    def _check(self, name: str, lab: Lab) -> Shape:
        found = self.asked(name)
        verdict = verdict_of(found.answer)
        run = self._run(name)
        solved = (run.solved or self._cloud.dispatch.clock()) if verdict == "solved" else None
        self._note(replace(run, solved=solved))
        return {
            "verdict": verdict,
            "blocks": len(blocks(found.answer)),
            "reach": found.answer.reach,
            "address": found.address,
        }


def blocks(answer: Answer) -> list[str | None]:
    """The codes of what blocks in the network, in order; whether somebody listens is not asked."""
    return [step.code for step in answer.failing() if step.kind != "listen"]


def verdict_of(answer: Answer) -> Verdict:
    """Whether the exchange works, from all client ports."""
    verdicts: dict[Reach, Verdict] = {"all": "solved", "some": "partly", "none": "blocked"}
    return verdicts[answer.reach]


def _read(name: str) -> Lab:
    try:
        return read(name)
    except LabError as error:
        raise ApiError("NoSuchLab", f"{error}", 404) from None
