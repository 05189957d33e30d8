"""Tokens are good for whom they were given, for as long as was asked, and not if changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gureum.services.tokens import Tokens

ME, OTHER = "i-1/1", "i-2/1"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_good_for_its_time_and_its_owner() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    made = tokens.issue(ME, 60)
    assert tokens.remaining(ME, made) == 60
    assert tokens.remaining(OTHER, made) is None
    assert tokens.remaining("i-1/2", made) is None, "another boot"
    clock.now += 59.5
    assert tokens.remaining(ME, made) == 0
    clock.now += 0.5
    assert tokens.remaining(ME, made) is None


def test_tokens_are_another_processs_business() -> None:
    clock = Clock()
    made = Tokens(clock).issue(ME, 60)
    assert Tokens(clock).remaining(ME, made) is None


@given(st.integers(0, 55), st.sampled_from("AZaz09-_="))
def test_a_changed_token_is_none(at: int, letter: str) -> None:
    tokens = Tokens(Clock())
    made = tokens.issue(ME, 60)
    changed = made[:at] + letter + made[at + 1 :]
    if changed != made:
        assert tokens.remaining(ME, changed) is None


@given(st.text(max_size=80))
def test_no_text_is_a_token(text: str) -> None:
    assert Tokens(Clock()).remaining(ME, text) is None
