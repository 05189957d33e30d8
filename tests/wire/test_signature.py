"""Signatures: AWS's published vectors, botocore's own, and every mutation of a good request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from posixpath import normpath
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.wire.signature import (
    SKEW,
    MismatchError,
    Sent,
    UntimelyError,
    claim,
    signing_key,
    verify,
)

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
Headers = dict[str, str]


def proved(sent: Sent, now: datetime, secret: str = SECRET) -> bool:
    """Whether the signature is good, with any refusal as a no."""
    try:
        claimed = claim(sent)
        if claimed is None or claimed.scope.access_key != KEY:
            return False  # the secret of another key is another
        verify(sent, claimed, secret, now)
    except (ApiError, MismatchError, UntimelyError):
        return False
    return True


# --- AWS's test suite ---------------------------------------------------------------------------
# name, method, path, query, headers besides host and date, body, signature
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ODD = "%40%23%24%25%5E=&%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B%7B%7D"
SUITE: list[tuple[str, str, str, str, Headers, str, str]] = [
    ("get-vanilla", "GET", "/", "", {}, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-header-key-duplicate", "GET", "/", "", {"my-header1": "value2,value2,value1"}, "",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("get-header-value-multiline", "GET", "/", "", {"my-header1": "value1,value2,value3"}, "",
     "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"),
    ("get-header-value-order", "GET", "/", "", {"my-header1": "value4,value1,value3,value2"}, "",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", "GET", "/", "",
     {"my-header1": " value1", "my-header2": ' "a   b   c"'}, "",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-unreserved", "GET", f"/{UNRESERVED}", "", {}, "",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", "GET", "/\u00e1\u0088\u00b4", "", {}, "",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-vanilla-empty-query-key", "GET", "/", "Param1=value1", {}, "",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", {}, "",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-query-unreserved", "GET", "/", f"{UNRESERVED}={UNRESERVED}", {}, "",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("get-vanilla-utf8-query", "GET", "/", "%E1%88%B4=bar", {}, "",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("get-relative", "GET", "/example/..", "", {}, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-relative-relative", "GET", "/example1/example2/../..", "", {}, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-slash", "GET", "//", "", {}, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-slash-dot-slash", "GET", "/./", "", {}, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("post-vanilla", "POST", "/", "", {}, "",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-header-key-sort", "POST", "/", "", {"my-header1": "value1"}, "",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-header-value-case", "POST", "/", "", {"my-header1": "VALUE1"}, "",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    ("post-vanilla-query", "POST", "/", "Param1=value1", {}, "",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("post-vanilla-query-nonunreserved", "POST", "/", ODD, {}, "",
     "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e"),
    ("post-vanilla-query-space", "POST", "/", "p=", {}, "",
     "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b"),
    ("post-x-www-form-urlencoded", "POST", "/", "", {"content-type": FORM}, "Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ("post-x-www-form-urlencoded-parameters", "POST", "/", "",
     {"content-type": f"{FORM}; charset=utf8"}, "Param1=value1",
     "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
]  # fmt: skip
"""Of AWS's Signature Version 4 test suite, as its SDKs carry it."""


def vector(method: str, path: str, query: str, headers: Headers, body: str, signature: str) -> Sent:
    sent = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", **headers}
    names = ";".join(sorted(sent))
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return Sent(method, path, query, sent, body.encode())


@pytest.mark.parametrize("case", SUITE, ids=[case[0] for case in SUITE])
def test_awss_vectors(case: tuple[str, str, str, str, Headers, str, str]) -> None:
    sent = vector(*case[1:])
    assert proved(sent, SUITE_TIME)
    assert not proved(sent, SUITE_TIME, SECRET.lower())
    assert not proved(replace(sent, body=sent.body + b"&"), SUITE_TIME)


def test_the_documented_signing_key() -> None:
    """IAM User Guide, "Signature Version 4: deriving the signing key"."""
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


# --- botocore -----------------------------------------------------------------------------------
BODY = "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=a+b"


def clock() -> datetime:
    return datetime.now(UTC)


def signed(url: str = "http://localhost:4566/", token: str | None = None, body: str = BODY) -> Sent:
    """A request as botocore signs it at this moment."""
    request = AWSRequest("POST", url, {"Content-Type": FORM}, body)
    SigV4Auth(Credentials(KEY, SECRET, token), "ec2", "eu-west-3").add_auth(request)
    return received(request, body)


def presigned(seconds: int = 60, token: str | None = None) -> Sent:
    request = AWSRequest("GET", f"http://localhost:4566/?{BODY}")
    auth = SigV4QueryAuth(Credentials(KEY, SECRET, token), "ec2", "eu-west-3", expires=seconds)
    auth.add_auth(request)
    return received(request, "")


def received(request: Any, body: str) -> Sent:
    """What a server gets of a request."""
    prepared = request.prepare()
    where = urlsplit(prepared.url)
    pairs = [(name.encode(), _bytes(value)) for name, value in prepared.headers.items()]
    pairs.append((b"Host", where.netloc.encode()))
    path, query = (where.path or "/").encode(), where.query.encode()
    return Sent.of(prepared.method, path, query, pairs, body.encode())


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("make", [signed, presigned])
def test_botocores_signatures(make: Callable[..., Sent], token: str | None) -> None:
    sent = make(token=token)
    found = claim(sent)
    assert found is not None
    assert (found.scope.access_key, found.scope.region, found.token) == (KEY, "eu-west-3", token)
    assert proved(sent, clock())
    assert not proved(sent, clock(), SECRET[:-1])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4566",
        "ec2.localhost:4566",
        "[::1]:4566",
        "cloud.example:80",
        "cloud.example:443",
        "cloud.example",
    ],
)
def test_any_form_of_the_host(host: str) -> None:
    sent = signed(f"http://{host}/")
    assert proved(sent, clock())
    behind = {**sent.headers, "host": "10.0.0.7:4566", "x-forwarded-host": sent.headers["host"]}
    assert proved(replace(sent, headers=behind), clock())
    assert not proved(replace(sent, headers={**sent.headers, "host": "other.example"}), clock())


def test_a_port_that_goes_without_saying() -> None:
    """botocore leaves out :80 and :443; some clients send it all the same."""
    sent = signed("http://cloud.example/")
    for host in ("cloud.example:80", "cloud.example:443"):
        assert proved(replace(sent, headers={**sent.headers, "host": host}), clock())


def test_a_date_header_serves_too() -> None:
    sent = vector(*SUITE[0][1:])
    headers = {**sent.headers, "date": format_datetime(SUITE_TIME, usegmt=True)}
    assert claim(replace(sent, headers=headers)) is not None
    del headers["x-amz-date"]
    found = claim(replace(sent, headers=headers))
    assert found is not None
    assert found.moment == SUITE_TIME


# --- time ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("late", "good"),
    [
        (timedelta(), True),
        (SKEW, True),
        (SKEW + timedelta(seconds=1), False),
        (-SKEW, True),
        (-SKEW - timedelta(seconds=1), False),
    ],
)
def test_clocks_may_be_a_quarter_of_an_hour_apart(late: timedelta, good: bool) -> None:
    assert proved(vector(*SUITE[0][1:]), SUITE_TIME + late) is good


def test_what_is_said_of_the_hour() -> None:
    sent = vector(*SUITE[0][1:])
    found = claim(sent)
    assert found is not None
    with pytest.raises(UntimelyError) as caught:
        verify(sent, found, SECRET, SUITE_TIME + timedelta(minutes=20))
    assert str(caught.value) == (
        "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z "
        "(20150830T125600Z - 15 min.)"
    )


@pytest.mark.parametrize(("late", "good"), [(0, True), (58, True), (63, False), (-1000, False)])
def test_a_presigned_request_serves_as_long_as_it_says(late: int, good: bool) -> None:
    assert proved(presigned(60), clock() + timedelta(seconds=late)) is good


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_no_presigned_request_serves_longer_than_a_week(seconds: int) -> None:
    assert not proved(presigned(seconds), clock())


def test_the_day_of_the_scope_is_the_days() -> None:
    sent = signed()
    changed = {
        name: text.replace(f"{clock():/%Y%m%d/}", "/20200101/")
        for name, text in sent.headers.items()
    }
    found = claim(replace(sent, headers=changed))
    assert found is not None
    with pytest.raises(MismatchError, match="Date in Credential scope does not match"):
        verify(sent, found, SECRET, clock())


# --- what is no signature -----------------------------------------------------------------------
def test_an_unsigned_request_claims_nothing() -> None:
    assert claim(Sent("POST", "/", "", {"host": "localhost"}, BODY.encode())) is None
    in_body = urlencode({"X-Amz-Algorithm": "AWS4-HMAC-SHA256"})
    assert claim(Sent("POST", "/", "", {"host": "localhost"}, in_body.encode())) is None


GOOD = (
    "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/ec2/aws4_request, SignedHeaders=host, "
    "Signature=00"
)


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("AWS4-HMAC-SHA256", "requires 'Credential' parameter. Authorization header requires"),
        (GOOD.replace("SignedHeaders", "Signed"), "requires 'SignedHeaders' parameter"),
        (GOOD.replace("HMAC", "ECDSA"), "Unsupported AWS 'algorithm'"),
        ("Basic dXNlcjpwYXNz", "Unsupported AWS 'algorithm': 'Basic'"),
        (f"{GOOD},{GOOD}", "more than once"),
        (GOOD.replace("=host", "=x-amz-date"), "'Host' must be a 'SignedHeader'"),
        (GOOD.replace("=host", "=host;host"), "once each"),
        (GOOD, "requires existence of either a 'X-Amz-Date' or a 'Date' header"),
    ],
)
def test_half_a_signature(authorization: str, message: str) -> None:
    headers = {"host": "localhost", "authorization": authorization}
    if "'Date' header" not in message:
        headers["x-amz-date"] = "20150830T123600Z"
    with pytest.raises(ApiError) as caught:
        claim(Sent("GET", "/", "", headers, b""))
    assert caught.value.code == "IncompleteSignature"
    assert message in caught.value.message


@pytest.mark.parametrize("date", ["yesterday", "20150830", "Sun, 99 Aug 2015 12:36:00 GMT", "1"])
def test_a_date_that_is_none(date: str) -> None:
    headers = {"host": "localhost", "authorization": GOOD, "date": date}
    with pytest.raises(ApiError, match="IncompleteSignature: Date must be in ISO-8601"):
        claim(Sent("GET", "/", "", headers, b""))


@pytest.mark.parametrize("name", ["Credential", "Date", "SignedHeaders", "Signature"])
def test_half_a_presigned_request(name: str) -> None:
    sent = presigned()
    kept = [part for part in sent.query.split("&") if not part.startswith(f"X-Amz-{name}=")]
    with pytest.raises(ApiError, match=f"must include 'X-Amz-{name}'"):
        claim(replace(sent, query="&".join(kept)))


def test_the_payload_is_the_bodys_hash_whatever_a_header_says() -> None:
    """UNSIGNED-PAYLOAD is S3's: here, a body that was not hashed was not signed."""
    request = AWSRequest(
        "POST", "http://localhost/", {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, BODY
    )
    SigV4Auth(Credentials(KEY, SECRET), "ec2", "eu-west-3").add_auth(request)
    sent = received(request, BODY)
    assert "x-amz-content-sha256" in sent.headers["authorization"]
    assert not proved(sent, clock())


# --- mutations ----------------------------------------------------------------------------------
HEADERS_SIGNED = ("content-type", "x-amz-date", "x-amz-security-token")


def changed(text: str, where: int, what: str) -> str:
    at = where % (len(text) + 1)
    return text[:at] + what + text[at + 1 :]


def mutate(sent: Sent, part: str, where: int, what: str) -> Sent:
    match part:
        case "method":
            return replace(sent, method="GET" if sent.method == "POST" else "POST")
        case "path":
            return replace(sent, path=f"/{what}")
        case "query":
            return replace(sent, query=changed(sent.query, where, what))
        case "body":
            return replace(sent, body=changed(sent.body.decode(), where, what).encode())
        case _:
            return replace(
                sent, headers={**sent.headers, part: changed(sent.headers[part], where, what)}
            )


def meaning(sent: Sent) -> tuple[Any, ...]:
    """What a request says, however it is written: two that say the same may have one signature."""
    found = claim(sent)
    assert found is not None
    headers = tuple(" ".join(sent.headers[name].split()) for name in found.headers)
    return sent.method, normpath(f".{sent.path}"), found, headers, sent.body


@settings(max_examples=500, deadline=None)
@given(
    make=st.sampled_from([signed, presigned]),
    part=st.sampled_from(["method", "path", "query", "body", "authorization", *HEADERS_SIGNED]),
    where=st.integers(0, 1000),
    what=st.sampled_from([*"aZ09&=%+/;,.~ ", "", "%41", "a=b", "X-Amz-Date=1"]),
)
def test_no_mutation_of_a_request_is_signed(
    make: Callable[..., Sent], part: str, where: int, what: str
) -> None:
    sent = make(token="token")
    if part not in ("method", "path", "query", "body") and part not in sent.headers:
        return
    mutant = mutate(sent, part, where, what)
    if proved(mutant, clock()):
        assert meaning(mutant) == meaning(sent)


def test_an_encoding_is_as_good_as_another() -> None:
    """The guard of the test above is needed: ``%41`` is an ``A``."""
    sent = presigned()
    assert proved(
        replace(sent, query=sent.query.replace("DescribeVpcs", "%44escribeVpcs")), clock()
    )
    assert not proved(
        replace(sent, query=sent.query.replace("DescribeVpcs", "escribeVpcs")), clock()
    )
