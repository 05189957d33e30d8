"""Forms become trees; hostile ones are refused with AWS's codes before they cost anything."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.wire.form import MAX_BYTES, MAX_DEPTH, MAX_NAME, MAX_PARAMETERS, pairs, tree


def test_query_and_body_together() -> None:
    assert pairs("a=1&b=%EA%B5%AC%EB%A6%84", b"c=x+y&d=&e=1%2B1%3D2\r\n") == {
        "a": "1",
        "b": "구름",
        "c": "x y",
        "d": "",
        "e": "1+1=2",
    }
    assert pairs("", b"") == {}


def test_dots_nest() -> None:
    found = tree({"Action": "x", "Filter.1.Name": "n", "Filter.1.Value.10": "v", "Filter.2": ""})
    assert found == {"Action": "x", "Filter": {"1": {"Name": "n", "Value": {"10": "v"}}, "2": ""}}


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("a=1", b"a=2", "MalformedQueryString"),
        ("", b"a=1&a=1", "MalformedQueryString"),
        ("a=%zz", b"", "MalformedQueryString"),
        ("a=%f", b"", "MalformedQueryString"),
        ("", b"a=%ff%fe", "MalformedQueryString"),
        ("", b"a=\xff", "MalformedQueryString"),
        ("", b"a=%00", "InvalidCharacter"),
        ("", b"a%0b=x", "InvalidCharacter"),
        ("", b"a=%EF%BF%BF", "InvalidCharacter"),
        ("", b"&".join(b"a%d=" % n for n in range(MAX_PARAMETERS + 1)), "MalformedQueryString"),
        ("", b"a" * (MAX_NAME + 1) + b"=", "MalformedQueryString"),
        ("", b"a=" + b"x" * MAX_BYTES, "RequestEntityTooLarge"),
    ],
)
def test_refused(query: str, body: bytes, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        pairs(query, body)
    assert caught.value.code == code


def test_parameters_of_query_and_body_are_counted_together() -> None:
    half = "&".join(f"{{}}{n}=" for n in range(MAX_PARAMETERS // 2 + 1))
    with pytest.raises(ApiError, match="more than"):
        pairs(half.replace("{}", "a"), half.replace("{}", "b").encode())


@pytest.mark.parametrize(
    "names", [("a", "a.b"), ("a.b", "a"), ("a.b", "a.b.c"), ("a..b",), (".a",), ("a.",), ("",)]
)
def test_names_that_contradict_themselves(names: tuple[str, ...]) -> None:
    with pytest.raises(ApiError) as caught:
        tree(dict.fromkeys(names, "x"))
    assert caught.value.code == "InvalidQueryParameter"


def test_depth_is_bounded() -> None:
    assert tree({".".join("a" * MAX_DEPTH): "x"})
    with pytest.raises(ApiError, match="nested too deep"):
        tree({".".join("a" * (MAX_DEPTH + 1)): "x"})


PRINTABLE = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
)


@given(st.dictionaries(PRINTABLE.filter(len), PRINTABLE, max_size=5))
def test_what_is_encoded_is_read(parameters: dict[str, str]) -> None:
    assert pairs("", urlencode(parameters).encode()) == parameters
