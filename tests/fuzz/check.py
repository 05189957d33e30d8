"""What holds of every request, however wrong: it is answered, soon, and all or nothing."""

from __future__ import annotations

import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from gureum.compile import Compiler
from gureum.errors import ApiError
from gureum.model import View
from gureum.model.timestamps import timestamp
from gureum.resources import REGISTRY
from gureum.server.dispatch import Dispatcher
from gureum.store import Commit, MemoryStore
from gureum.wire import decode
from tests.fuzz.requests import Drawn
from tests.wiring import through_wire

ACTIONS = tuple(sorted({*REGISTRY.actions, *REGISTRY.listings}))
"""Every action that is built."""

SLOW = 10.0
"""Seconds after which an answer is a finding.  Most take milliseconds; a thousand instances take
some seconds on a machine that has other things to do."""

_BEGIN = datetime(2026, 11, 24, 9, tzinfo=UTC)
_FOLDER = Path(__file__).parent


def _codes(name: str) -> frozenset[str]:
    lines = (_FOLDER / name).read_text().splitlines()
    return frozenset(line.split()[0] for line in lines if line and not line.startswith("#"))


CODES = _codes("aws_codes.txt") | _codes("further_codes.txt")
"""The codes that AWS documents, and those that it is known to send beside them."""


class FuzzError(AssertionError):
    """A request was answered as none may be; ``kind`` tells the same finding from another."""

    def __init__(self, kind: str, drawn: Drawn | None, detail: str = "") -> None:
        asked = f"\n{drawn.action} {drawn.parameters}" if drawn else ""
        super().__init__(f"{kind}{asked[:3000]}\n{detail}")
        self.kind = kind


class Target:
    """A cloud that requests are sent to, from a revision on."""

    def __init__(self, view: View) -> None:
        self.store = MemoryStore()
        self.store._view = view
        self.compiler = Compiler(REGISTRY)
        self.compiler.load(view)
        self.store.subscribe(self._follow)
        self.time = 0
        self.dispatch = Dispatcher(self.store, REGISTRY, clock=self._clock)

    def _clock(self) -> str:
        return timestamp(_BEGIN + timedelta(seconds=self.time))

    def _follow(self, commit: Commit) -> None:
        self.compiler.update(commit.view, commit.changes)
        for _, row in commit.changes.rows.values():
            if row is not None:  # what is stored must be read again
                again = msgspec.json.decode(msgspec.json.encode(row), type=type(row))
                assert again == row, f"{row} is read back as {again}"

    def send(self, drawn: Drawn) -> str | None:
        """The error code of a request's answer, or None if it was carried out.

        Raises:
            FuzzError: it was not answered as every request must be.
        """
        self.time += 1
        before, begun = self.store.view, time.monotonic()
        try:
            code = self._sent(drawn)
        except FuzzError:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            kind = f"{drawn.action}: {type(error).__name__} in {place}"
            raise FuzzError(kind, drawn, traceback.format_exc()) from error
        if time.monotonic() - begun > SLOW:
            raise FuzzError(f"{drawn.action}: slow", drawn)
        changes = self.store.view.rows is not before.rows
        if changes and (code is not None or drawn.action in REGISTRY.reads):
            raise FuzzError(f"{drawn.action}: {code} changed something", drawn)
        return code

    def _sent(self, drawn: Drawn) -> str | None:
        try:
            request = decode("POST", {}, "", drawn.body(), "ec2")
            answer = self.dispatch(request, "123456789012", "ap-northeast-2")
        except ApiError as error:
            if error.code not in CODES:
                raise FuzzError(f"{error.code} is no code of AWS", drawn, str(error)) from error
            if error.status >= 500:
                raise FuzzError(f"{drawn.action}: status {error.status}", drawn) from error
            return error.code
        if request.dry_run:
            raise FuzzError(f"{drawn.action}: a dry run was answered", drawn)
        through_wire(request, answer)
        return None

    def show_all(self) -> None:
        """Every listing tells of what is there now."""
        for action in sorted(REGISTRY.listings):
            with suppress(ApiError):  # some cannot be asked without parameters
                request = decode("POST", {}, "", f"Action={action}".encode(), "ec2")
                through_wire(request, self.dispatch(request, "123456789012", "ap-northeast-2"))


def some_action(dice: Random) -> str:
    """An action to draw, more often one that changes something."""
    action = dice.choice(ACTIONS)
    return dice.choice(ACTIONS) if action in REGISTRY.reads else action


def session(dice: Random, view: View, count: int, asked: list[Drawn] | None = None) -> Any:
    """Send requests one after another; how many ended in what."""
    target = Target(view)
    found: dict[str, int] = {}
    for _ in range(count):
        drawn = Drawn(dice, target.store.view, some_action(dice))
        if asked is not None:
            asked.append(drawn)
        code = target.send(drawn) or "done"
        found[code] = found.get(code, 0) + 1
    try:
        target.show_all()
    except Exception as error:
        raise FuzzError("a listing", None, traceback.format_exc()) from error
    return found
