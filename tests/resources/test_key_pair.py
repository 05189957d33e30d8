"""Key pairs.  The fingerprints of the fixed keys were made with the commands that AWS documents:
``ssh-keygen -ef KEY -m PEM | openssl rsa -RSAPublicKey_in -outform DER | openssl md5 -c`` and
``ssh-keygen -l -f KEY`` (OpenSSH 9.2, OpenSSL 3.0)."""

from __future__ import annotations

import hashlib
import textwrap
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Txn
from gureum.resources.key_pair import KeyPair, key_named
from gureum.wire.models import input_members
from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal

RSA = (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDCtcD7m3JqDmUcDT8lHrZVKpfPVotMIF5yF684BkIXy/lFx1Wyi+6BvrPk"
    "wEpOmVLrsR8q/2Rt6Dv9OhwyrOGB3NUXswruhbnVw33CebhDWvmM8NRfYYqc2gf3QdiRd9Ah8hom7g8Sl3Pt0KIe"
    "O2ladZd48KWe4EcZkRcM66b2hY6NatNQqRxu4zY63IvNraZFWyzWEAFK2PZq6Bv7AH06PCDVRgm9bL6GTQth0mTp"
    "u3LXcVEAZx5vpLzTnthXRPIPL+7T/qoWw/tqqXAExg47UgF9RWzEnSYeVcICuEEbg4ZpXtP+ImaLyVqdw4muQB9D"
    "5g4MesAtG9t9wfDwBgh9"
)
RSA_DER = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwrXA+5tyag5lHA0/JR62VSqXz1aLTCBechevOAZCF8v5"
    "RcdVsovugb6z5MBKTplS67EfKv9kbeg7/TocMqzhgdzVF7MK7oW51cN9wnm4Q1r5jPDUX2GKnNoH90HYkXfQIfIa"
    "Ju4PEpdz7dCiHjtpWnWXePClnuBHGZEXDOum9oWOjWrTUKkcbuM2OtyLza2mRVss1hABStj2augb+wB9Ojwg1UYJ"
    "vWy+hk0LYdJk6bty13FRAGceb6S8057YV0TyDy/u0/6qFsP7aqlwBMYOO1IBfUVsxJ0mHlXCArhBG4OGaV7T/iJm"
    "i8lancOJrkAfQ+YODHrALRvbfcHw8AYIfQIDAQAB"
)
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIMVvLRsF6Pz8N+3EhCuOeENxdIB9ukLqmcrugz/J3Wpg"
RSA_MD5 = "67:89:29:16:e8:84:84:a2:95:ea:64:60:f1:19:e6:70"
ED25519_SHA256 = "cagERqYbUB0BEPjbrFyXyCuRPp9i8u3ybuEC7VI4F5c="


def rfc4716(blob: str) -> str:
    """A public key as ``ssh-keygen -e`` writes it, with a header that goes over two lines."""
    header = 'Comment: "2048-bit RSA, converted by me \\\nfrom: OpenSSH"'
    body = "\n".join(textwrap.wrap(blob, 70))
    return f"---- BEGIN SSH2 PUBLIC KEY ----\n{header}\n{body}\n---- END SSH2 PUBLIC KEY ----\n"


def material(key: Any) -> str:
    """A public key in OpenSSH's form."""
    text: bytes = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return text.decode()


def pairs(cloud: Cloud, **params: Any) -> list[dict[str, Any]]:
    """The key pairs that DescribeKeyPairs answers, less their times."""
    found = cloud.call("DescribeKeyPairs", **params)["KeyPairs"]
    for item in found:
        assert item.pop("CreateTime").isoformat() == "2026-11-24T08:00:00+00:00"
    return list(found)


# --- import -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "public", "fingerprint"),
    [
        (f"ssh-rsa {RSA} me@here there\n", f"ssh-rsa {RSA} me@here there", RSA_MD5),
        (f"ssh-rsa {RSA}", f"ssh-rsa {RSA} k", RSA_MD5),
        (rfc4716(RSA), f"ssh-rsa {RSA} k", RSA_MD5),
        (RSA_DER, f"ssh-rsa {RSA} k", RSA_MD5),
        (f"ssh-ed25519 {ED25519} ed", f"ssh-ed25519 {ED25519} ed", ED25519_SHA256),
        (rfc4716(ED25519), f"ssh-ed25519 {ED25519} k", ED25519_SHA256),
    ],
)
def test_import(cloud: Cloud, text: str, public: str, fingerprint: str) -> None:
    answer = cloud.call("ImportKeyPair", KeyName="k", PublicKeyMaterial=text.encode())
    key = answer["KeyPairId"]
    assert answer == {
        "KeyPairId": key,
        "KeyName": "k",
        "KeyFingerprint": fingerprint,
        "Tags": [],
    }
    assert pairs(cloud, IncludePublicKey=True) == [
        {**answer, "KeyType": public.partition(" ")[0].removeprefix("ssh-"), "PublicKey": public}
    ]
    assert "PublicKey" not in pairs(cloud)[0]


@pytest.mark.parametrize(
    "text",
    [
        "rubbish",
        "ssh-rsa",
        f"ssh-rsa {RSA[:-8]}",
        f"ssh-rsa {RSA}\nssh-rsa {RSA}",
        f"ssh-rsa {ED25519}",
        RSA_DER[:-4],
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        material(ec.generate_private_key(ec.SECP256R1())),
        material(rsa.generate_private_key(65537, 1536)),
        "\xff",
    ],
)
def test_import_of_what_is_no_key(cloud: Cloud, text: str) -> None:
    given = text.encode("latin-1")
    assert refusal(cloud, "ImportKeyPair", KeyName="k", PublicKeyMaterial=given) == (
        "InvalidKey.Format",
        "Key is not in valid OpenSSH public key format",
    )


# --- create -------------------------------------------------------------------------------------
def test_create_rsa(cloud: Cloud) -> None:
    answer = cloud.call("CreateKeyPair", KeyName="k")
    text = answer["KeyMaterial"]
    assert text.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert text.endswith("\n-----END RSA PRIVATE KEY-----")
    private = load_pem_private_key(text.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert answer["KeyFingerprint"] == hashlib.sha1(der).digest().hex(":")
    (shape,) = pairs(cloud, IncludePublicKey=True)
    assert shape["PublicKey"] == f"{material(private)} k"
    assert shape["KeyType"] == "rsa"


def test_create_ed25519(cloud: Cloud) -> None:
    answer = cloud.call("CreateKeyPair", KeyName="k", KeyType="ed25519")
    text = answer["KeyMaterial"]
    assert text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    # OpenSSH reads no such file without its last newline.
    assert text.endswith("\n-----END OPENSSH PRIVATE KEY-----\n")
    public = material(load_ssh_private_key(text.encode(), None))
    (shape,) = pairs(cloud, IncludePublicKey=True)
    assert shape["PublicKey"] == f"{public} k"
    assert shape["KeyType"] == "ed25519"
    cloud.call("ImportKeyPair", KeyName="again", PublicKeyMaterial=public.encode())
    assert {item["KeyFingerprint"] for item in pairs(cloud)} == {answer["KeyFingerprint"]}


def test_the_private_key_is_kept_nowhere(cloud: Cloud) -> None:
    text = cloud.call("CreateKeyPair", KeyName="k", KeyType="ed25519")["KeyMaterial"]
    secret = text.splitlines()[3]
    kept = msgspec.json.encode(
        [list(cloud.store.view.rows.values()), list(cloud.store._tokens.values())]
    )
    assert b"ssh-ed25519" in kept
    assert secret.encode() not in kept
    # Answers are remembered for idempotency tokens: the action must not have one.
    operation = {"KeyName", "KeyType", "TagSpecifications", "KeyFormat", "DryRun"}
    assert input_members("ec2", "CreateKeyPair") == operation


def test_create_with_tags(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "mine"}]
    specification = [{"ResourceType": "key-pair", "Tags": tags}]
    answer = cloud.call(
        "CreateKeyPair", KeyName="k", KeyType="ed25519", TagSpecifications=specification
    )
    assert answer["Tags"] == tags
    assert pairs(cloud, Filters=only({"tag:Name": "mine"}))[0]["KeyName"] == "k"


def test_putty_keys_are_not_there_yet(cloud: Cloud) -> None:
    code, _ = refusal(cloud, "CreateKeyPair", KeyName="k", KeyFormat="ppk")
    assert code == "UnsupportedOperation"


@pytest.mark.parametrize("name", ["", " ", "열쇠", "k" * 256])
def test_bad_names(cloud: Cloud, name: str) -> None:
    code, _ = refusal(cloud, "CreateKeyPair", KeyName=name, KeyType="ed25519")
    assert code == "InvalidParameterValue"


def test_a_name_is_there_once_in_an_accounts_region(cloud: Cloud) -> None:
    given = {"KeyName": "k", "PublicKeyMaterial": f"ssh-ed25519 {ED25519}".encode()}
    cloud.call("ImportKeyPair", **given)
    duplicate = ("InvalidKeyPair.Duplicate", "The keypair already exists")
    assert refusal(cloud, "ImportKeyPair", **given) == duplicate
    assert refusal(cloud, "CreateKeyPair", KeyName="k") == duplicate
    cloud.region = "us-east-1"
    cloud.call("ImportKeyPair", **given)


def test_a_dry_run_makes_none(cloud: Cloud) -> None:
    code, _ = refusal(cloud, "CreateKeyPair", KeyName="k", KeyType="ed25519", DryRun=True)
    assert code == "DryRunOperation"
    assert pairs(cloud) == []


# --- delete and describe ------------------------------------------------------------------------
def test_delete(cloud: Cloud) -> None:
    first = cloud.call("CreateKeyPair", KeyName="a", KeyType="ed25519")["KeyPairId"]
    second = cloud.call("CreateKeyPair", KeyName="b", KeyType="ed25519")["KeyPairId"]
    assert cloud.call("DeleteKeyPair", KeyName="a") == {"Return": True, "KeyPairId": first}
    assert cloud.call("DeleteKeyPair", KeyPairId=second) == {"Return": True, "KeyPairId": second}
    assert pairs(cloud) == []
    assert cloud.call("DeleteKeyPair", KeyName="a") == {"Return": True}
    assert cloud.call("DeleteKeyPair", KeyPairId=second) == {"Return": True}
    assert refusal(cloud, "DeleteKeyPair")[0] == "MissingParameter"


def test_selectors_and_filters(cloud: Cloud) -> None:
    made = {
        name: cloud.call("CreateKeyPair", KeyName=name, KeyType="ed25519") for name in ("a", "b")
    }
    key, fingerprint = made["b"]["KeyPairId"], made["b"]["KeyFingerprint"]
    selections: list[dict[str, Any]] = [
        {"KeyNames": ["b"]},
        {"KeyPairIds": [key]},
        {"Filters": only({"key-name": "b"})},
        {"Filters": only({"key-pair-id": key})},
        {"Filters": only({"fingerprint": fingerprint})},
    ]
    for params in selections:
        assert [item["KeyName"] for item in pairs(cloud, **params)] == ["b"]
    assert refusal(cloud, "DescribeKeyPairs", KeyNames=["a", "c"]) == (
        "InvalidKeyPair.NotFound",
        "The key pair 'c' does not exist",
    )
    code, _ = refusal(cloud, "DescribeKeyPairs", KeyPairIds=["key-00000000000000001"])
    assert code == "InvalidKeyPair.NotFound"


def test_key_named(cloud: Cloud) -> None:
    public = f"ssh-ed25519 {ED25519} ed"
    cloud.call("ImportKeyPair", KeyName="k", PublicKeyMaterial=public.encode())

    def find(txn: Txn, name: str) -> KeyPair:
        return key_named(Call("", {}, txn, cloud.now), name)

    assert cloud.system(find, "k").public_key == public
    with pytest.raises(ApiError) as caught:
        cloud.system(find, "c")
    assert caught.value.code == "InvalidKeyPair.NotFound"
