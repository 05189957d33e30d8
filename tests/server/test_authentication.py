"""Who gets in where signatures are checked, and what the others are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from botocore.exceptions import ClientError

from gureum.iam.vault import Vault, VaultError, new_vault
from gureum.server.authentication import Authenticator
from tests.server.secured import Keys, Lines, Secured


@pytest.fixture(scope="module")
def keys(secured: Secured) -> Keys:
    return secured.account("team")


def refused(secured: Secured, keys: Keys, service: str) -> tuple[str, str, int]:
    """The code, message and status with which a harmless call is refused."""
    client = secured.client(keys, service)
    with pytest.raises(ClientError) as caught:
        client.describe_vpcs() if service == "ec2" else client.get_caller_identity()
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


EC2_REFUSAL = ("AuthFailure", "AWS was not able to validate the provided access credentials", 401)


def test_a_root_key_opens_its_account_and_no_other(secured: Secured, keys: Keys) -> None:
    other = secured.account("others")
    mine = secured.client(keys, "sts").get_caller_identity()
    assert mine["Arn"] == f"arn:aws:iam::{mine['Account']}:root"
    vpc = secured.client(keys).create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]
    assert vpc["OwnerId"] == mine["Account"]
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        secured.client(other).describe_vpcs(VpcIds=[vpc["VpcId"]])


def test_a_wrong_secret(secured: Secured, keys: Keys) -> None:
    wrong = (keys[0], keys[1][::-1])
    assert refused(secured, wrong, "ec2") == EC2_REFUSAL
    code, message, status = refused(secured, wrong, "sts")
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert message.startswith("The request signature we calculated does not match the signature")


@pytest.mark.parametrize("key", ["AKIAUNKNOWN", "123456789012", "test"])
def test_an_unknown_key(secured: Secured, key: str) -> None:
    assert refused(secured, (key, "secret"), "ec2") == EC2_REFUSAL
    told = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    assert refused(secured, (key, "secret"), "sts") == told


def test_a_token_that_nobody_gave(secured: Secured, keys: Keys) -> None:
    assert refused(secured, (*keys[:2], "token"), "ec2") == EC2_REFUSAL
    assert refused(secured, (*keys[:2], "token"), "sts")[0] == "InvalidClientTokenId"


@pytest.mark.parametrize("minutes", [16, -16])
def test_another_hour(secured: Secured, keys: Keys, minutes: int) -> None:
    secured.late = timedelta(minutes=minutes)
    try:
        assert refused(secured, keys, "ec2") == ("RequestExpired", "Request has expired.", 400)
        code, message, status = refused(secured, keys, "sts")
        assert (code, status) == ("SignatureDoesNotMatch", 403)
        assert message.startswith("Signature ")
    finally:
        secured.late = timedelta()


@pytest.mark.parametrize(
    ("version", "body"),
    [("2016-11-15", "<RequestID>"), ("2011-06-15", "<ErrorResponse"), ("none", "<RequestID>")],
)
def test_an_unsigned_request(secured: Secured, version: str, body: str) -> None:
    answer = secured.post(f"Action=DescribeVpcs&Version={version}")
    assert answer.status_code == 403
    assert "<Code>MissingAuthenticationToken</Code>" in answer.text
    assert body in answer.text


def test_the_old_signature_opens_nothing(secured: Secured, keys: Keys) -> None:
    body = f"Action=DescribeVpcs&AWSAccessKeyId={keys[0]}&SignatureVersion=2&Signature=x"
    assert "MissingAuthenticationToken" in secured.post(body).text


def test_half_a_signature(secured: Secured) -> None:
    answer = secured.post("Action=DescribeVpcs", authorization="AWS4-HMAC-SHA256 Credential=x")
    assert (answer.status_code, "<Code>IncompleteSignature<" in answer.text) == (400, True)


def test_nothing_is_said_of_an_action_before_who_asks(secured: Secured) -> None:
    assert "MissingAuthenticationToken" in secured.post("Action=NoSuchAction").text
    assert "MissingAuthenticationToken" in secured.post("").text


def test_a_presigned_request(secured: Secured, keys: Keys) -> None:
    url = secured.client(keys, "sts").generate_presigned_url(
        "get_caller_identity", ExpiresIn=60, HttpMethod="GET"
    )
    assert "<Arn>arn:aws:iam::" in httpx.get(url).text
    assert "SignatureDoesNotMatch" in httpx.get(url.replace("GetCaller", "getCaller")).text
    secured.late = timedelta(seconds=61)
    try:
        assert "Signature expired" in httpx.get(url).text
    finally:
        secured.late = timedelta()


def test_a_key_that_is_deleted_ends_at_once(secured: Secured) -> None:
    first = secured.account("short")
    number = secured.client(first, "sts").get_caller_identity()["Account"]
    made = secured.accounts.new_key("short")
    second = (made["access_key_id"], made["secret_access_key"])
    assert secured.client(second, "sts").get_caller_identity()["Account"] == number
    secured.accounts.delete_key("short", first[0])
    assert refused(secured, first, "sts")[0] == "InvalidClientTokenId"
    assert secured.client(second, "sts").get_caller_identity()["Account"] == number


def test_reset_is_no_open_door(secured: Secured) -> None:
    answer = httpx.post(f"{secured.endpoint}/_gureum/reset")
    assert (answer.status_code, "OperationNotPermitted" in answer.text) == (403, True)


def test_a_secret_that_was_sealed_elsewhere_opens_nothing(secured: Secured, keys: Keys) -> None:
    elsewhere = Authenticator(secured.store, new_vault(), "verify")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secured.api, "_auth", elsewhere)
        assert refused(secured, keys, "ec2") == EC2_REFUSAL


def test_a_secret_is_bound_to_its_name() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal("secret", "AKIA1")
    assert vault.open(sealed, "AKIA1") == "secret"
    for wrong, name in (
        (sealed, "AKIA2"),
        (sealed[:-4] + "AAA=", "AKIA1"),
        ("", "AKIA1"),
        ("ä", ""),
    ):
        with pytest.raises(VaultError):
            vault.open(wrong, name)


def test_the_aws_cli(secured: Secured, keys: Keys) -> None:
    done = secured.aws(keys, "ec2", "create-vpc", "--cidr-block", "10.9.0.0/16")
    assert json.loads(done.stdout)["Vpc"]["CidrBlock"] == "10.9.0.0/16", done.stderr


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """All that is logged meanwhile."""
    handler, logger = Lines(), logging.getLogger("gureum")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_no_secret_is_logged(secured: Secured, lines: list[str]) -> None:
    made = secured.accounts.create("quiet", None)
    keys = (made["access_key_id"], made["secret_access_key"])
    secured.client(keys).describe_vpcs()
    refused(secured, (keys[0], keys[1][::-1]), "sts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secured.api, "_auth", Authenticator(secured.store, new_vault(), "verify"))
        refused(secured, keys, "ec2")
    row = secured.store.view.rows[keys[0]]
    said = "\n".join([*lines, repr(row), repr(secured.vault), repr(secured.auth)])
    assert "DescribeVpcs" in said
    for secret in (keys[1], keys[1][::-1], row.sealed):  # type: ignore[attr-defined]
        assert secret not in said


def test_the_store_holds_no_secret_in_the_clear(secured: Secured) -> None:
    made = secured.accounts.create("sealed", None)
    row = secured.store.view.rows[made["access_key_id"]]
    assert made["secret_access_key"] not in str(vars(row))
