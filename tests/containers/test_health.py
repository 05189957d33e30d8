"""What probes of a container's health come to."""

from __future__ import annotations

import pytest

from gureum.containers import Health
from gureum.server.docker.health import KEPT, Probe, State, _argv

CHECK = Health(test=("CMD", "true"), retries=2)


def probe(code: int) -> Probe:
    return Probe("then", "now", code, "said")


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ((), "starting"),
        ((1,), "starting"),
        ((1, 1), "unhealthy"),
        ((0,), "healthy"),
        ((0, 1), "healthy"),
        ((0, 1, 1), "unhealthy"),
        ((1, 1, 0), "healthy"),
        ((1, 0, 1), "healthy"),
    ],
)
def test_as_many_failures_in_a_row_as_retries_are_needed(
    codes: tuple[int, ...], status: str
) -> None:
    state = State()
    for code in codes:
        state.hears(probe(code), CHECK, early=False)
    assert state.status == status


def test_failures_in_the_start_period_do_not_count_until_one_worked() -> None:
    state = State()
    for code in (1, 1, 1):
        state.hears(probe(code), CHECK, early=True)
    assert (state.status, state.failing) == ("starting", 0)
    for code in (0, 1, 1):
        state.hears(probe(code), CHECK, early=True)
    assert state.status == "unhealthy"


def test_the_last_probes_are_told() -> None:
    state = State()
    for code in range(1, KEPT + 3):
        state.hears(probe(code), CHECK, early=False)
    shown = state.shown()
    assert [each["ExitCode"] for each in shown["Log"]] == [3, 4, 5, 6, 7]
    assert shown["FailingStreak"] == 7


def test_a_check_is_a_program_or_a_line_for_a_shell() -> None:
    assert _argv(Health(test=("CMD", "a", "b"))) == ("a", "b")
    assert _argv(Health(test=("CMD-SHELL", "a && b"))) == ("/bin/sh", "-c", "a && b")
