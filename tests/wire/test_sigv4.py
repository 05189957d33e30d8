"""The credential scope is read from the header or a presigned query, and never half."""

from __future__ import annotations

import pytest

from gureum.errors import ApiError
from gureum.wire.sigv4 import Scope, credential_scope

CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20261124/eu-west-3/ec2/aws4_request"
SCOPE = Scope("AKIAIOSFODNN7EXAMPLE", "20261124", "eu-west-3", "ec2")
TAIL = "SignedHeaders=host;x-amz-date, Signature=00ff"


@pytest.mark.parametrize("comma", [", ", ",", " , "])
def test_header(comma: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}{comma}{TAIL}"
    assert credential_scope({"authorization": header}, {}) == SCOPE


def test_presigned() -> None:
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": CREDENTIAL}
    assert credential_scope({}, query) == SCOPE


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpwYXNz", "Bearer x"])
def test_not_signed(header: str) -> None:
    assert credential_scope({"authorization": header}, {"X-Amz-Credential": CREDENTIAL}) is None


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "AKIA",
        "AKIA/20261124/eu-west-3/ec2",
        "AKIA/20261124/eu-west-3/ec2/aws2_request",
        "AKIA/20261124//ec2/aws4_request",
        "AK<IA/20261124/eu-west-3/ec2/aws4_request",
        f"{'A' * 200}/20261124/eu-west-3/ec2/aws4_request",
        f"{CREDENTIAL}/more",
    ],
)
def test_half_signed(credential: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={credential}, {TAIL}"
    with pytest.raises(ApiError) as caught:
        credential_scope({"authorization": header}, {})
    assert caught.value.code == "IncompleteSignature"
