"""Pages put together are the whole, whatever comes and goes between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.wire.pages import paginate

Row = tuple[str, str]
ROWS = st.sets(st.tuples(st.text("012", min_size=1, max_size=2), st.text("ab구", max_size=3)))


def one(rows: set[Row], size: int | None, token: str | None) -> tuple[list[Row], str | None]:
    return paginate(rows, lambda row: row, max_results=size, next_token=token, scope="List")


@given(ROWS, st.integers(1, 4))
def test_pages_are_the_whole(rows: set[Row], size: int) -> None:
    seen: list[Row] = []
    token = None
    while True:
        page, token = one(rows, size, token)
        assert len(page) == size or token is None
        seen += page
        if token is None:
            break
        assert page
    assert seen == sorted(rows)


@given(ROWS, ROWS, ROWS, st.integers(1, 3))
def test_rows_that_come_and_go_disturb_no_others(
    rows: set[Row], come: set[Row], gone: set[Row], size: int
) -> None:
    first, token = one(rows, size, None)
    if token is None:
        return
    later = (rows | come) - gone
    rest, none = one(later, None, token)
    assert none is None
    # Each row that was there all the time is seen once and in order; no new one hides it.
    assert rest == sorted(row for row in later if row > first[-1])
    assert set(first) | set(rest) >= rows - gone


def test_no_limit_is_one_page() -> None:
    assert one({("1", "a"), ("0", "b")}, None, None) == ([("0", "b"), ("1", "a")], None)


def test_no_token_after_a_full_last_page() -> None:
    assert one({("1", "a"), ("2", "b")}, 2, None)[1] is None


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (4, "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."),
        (11, "Value ( 11 ) for parameter maxResults is invalid. Expecting a value less than 10."),
    ],
)
def test_bounds(size: int, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        paginate([], lambda row: row, max_results=size, next_token=None, low=5, high=10)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValue", words)
    for good in (5, 10):
        paginate([], lambda row: row, max_results=good, next_token=None, low=5, high=10)


def token_of(scope: str) -> str:
    rows = [("1", "a"), ("2", "b")]
    token = paginate(rows, lambda row: row, max_results=1, next_token=None, scope=scope)[1]
    assert token
    return token


@pytest.mark.parametrize(
    "token",
    ["x", "abcd", "구름", "A" * 10_000, "====", "W10=", "bnVsbA==", token_of("Other"), "WzFd"],
)
def test_tokens_that_are_not_ours(token: str) -> None:
    with pytest.raises(ApiError) as caught:
        one(set(), 5, token)
    assert caught.value.code == "InvalidPaginationToken"


def test_tokens_tell_nothing_at_a_glance() -> None:
    assert "1" not in token_of("List")[:4]
    assert one({("1", "a"), ("3", "c")}, None, token_of("List")) == ([("3", "c")], None)
