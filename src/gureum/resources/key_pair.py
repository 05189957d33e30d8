"""Key pair: a public key for logging in; its private half leaves in one answer and is kept nowhere.

Sources: EC2 User Guide, "Amazon EC2 key pairs" and "Verify the fingerprint of your key pair"; EC2
API Reference, CreateKeyPair, ImportKeyPair.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_ssh_public_key,
)

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Resource, View
from gureum.resources.shapes import tag_list

RSA_BITS = 2048
"""Of keys that CreateKeyPair makes."""

IMPORTED_BITS = frozenset({1024, 2048, 4096})
"""Lengths of RSA keys that ImportKeyPair takes."""

MAX_NAME = 255

_MISSING = "The key pair '{}' does not exist"

PublicKey: TypeAlias = RSAPublicKey | Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class KeyPair(
    Resource,
    kind="key-pair",
    prefix="key",
    not_found="InvalidKeyPair.NotFound",
    malformed="InvalidParameterValue",
    noun="key pair",
    missing=_MISSING.format("{id}"),
):
    """The public half of a key pair.  ``type`` is ``rsa`` or ``ed25519``, ``public_key`` a line in
    OpenSSH's form; ``name`` is unique in an account's region."""

    name: str
    type: str
    fingerprint: str
    public_key: str


def key_named(call: Call, name: str) -> KeyPair:
    """The key pair of that name.

    Raises:
        ApiError: ``InvalidKeyPair.NotFound``.
    """
    row = _named(call, name)
    if row is None:
        raise ApiError("InvalidKeyPair.NotFound", _MISSING.format(name))
    return row


def _named(call: Call, name: str) -> KeyPair | None:
    return next((row for row in call.txn.all(KeyPair) if row.name == name), None)


# --- fingerprints -------------------------------------------------------------------------------
def _colons(digest: bytes) -> str:
    return digest.hex(":")


def _ed25519_fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key as OpenSSH sends it, base64."""
    blob = base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def imported_fingerprint(key: PublicKey) -> str:
    """MD5 of an RSA public key in DER; for ED25519 the same as for a created one."""
    if isinstance(key, Ed25519PublicKey):
        return _ed25519_fingerprint(key)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _colons(hashlib.md5(der, usedforsecurity=False).digest())


def created_fingerprint(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """SHA-1 of an RSA private key in DER (PKCS #8)."""
    if isinstance(key, Ed25519PrivateKey):
        return _ed25519_fingerprint(key.public_key())
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _colons(hashlib.sha1(der, usedforsecurity=False).digest())


# --- actions ------------------------------------------------------------------------------------
def create_key_pair(call: Call) -> Shape:
    """CreateKeyPair: the answer has the private key, which nothing here keeps.

    The action has no idempotency token, so the answer is not remembered either.
    """
    name = _new_name(call)
    if call.get("KeyFormat", "pem") != "pem":
        raise ApiError(
            "UnsupportedOperation", "The key format ppk is not available in this cloud yet."
        )
    private = _generate(call.get("KeyType", "rsa"))
    row = _store(call, name, private.public_key(), created_fingerprint(private), comment=name)
    return _show_new(row) | {"KeyMaterial": _private_text(private)}


def _generate(kind: str) -> RSAPrivateKey | Ed25519PrivateKey:
    if kind == "ed25519":
        return Ed25519PrivateKey.generate()
    return generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _private_text(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    form = (
        PrivateFormat.OpenSSH
        if isinstance(key, Ed25519PrivateKey)
        else PrivateFormat.TraditionalOpenSSL
    )
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    # OpenSSH does not read a file in its own form without the newline at the end.
    return text if form is PrivateFormat.OpenSSH else text.strip()


def import_key_pair(call: Call) -> Shape:
    """ImportKeyPair: an RSA or ED25519 public key of the caller's own."""
    name = _new_name(call)
    key, comment = _read(call.params["PublicKeyMaterial"])
    row = _store(call, name, key, imported_fingerprint(key), comment=comment or name)
    return _show_new(row)


def _new_name(call: Call) -> str:
    name: str = call.params["KeyName"]
    if not name.strip():
        raise ApiError(
            "InvalidParameterValue", "Invalid value '' for keyPairNames. It should not be blank"
        )
    if len(name) > MAX_NAME or not name.isascii():
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({name[:MAX_NAME]}) for parameter KeyName is invalid. "
            f"It must be at most {MAX_NAME} ASCII characters.",
        )
    if _named(call, name):
        raise ApiError("InvalidKeyPair.Duplicate", "The keypair already exists")
    return name


def _store(call: Call, name: str, key: PublicKey, fingerprint: str, comment: str) -> KeyPair:
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return call.created(
        KeyPair(
            **call.common(KeyPair),
            name=name,
            type="ed25519" if isinstance(key, Ed25519PublicKey) else "rsa",
            fingerprint=fingerprint,
            public_key=f"{line} {comment}",
        )
    )


def _read(material: bytes) -> tuple[PublicKey, str]:
    """A public key in one of the forms that AWS takes, and its comment.

    Raises:
        ApiError: ``InvalidKey.Format``.
    """
    try:
        text = material.decode().strip()
        key, comment = _parse(text)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise _bad_format() from None
    if isinstance(key, RSAPublicKey) and key.key_size in IMPORTED_BITS:
        return key, comment
    if isinstance(key, Ed25519PublicKey):
        return key, comment
    raise _bad_format()


def _parse(text: str) -> tuple[object, str]:
    """OpenSSH's line, RFC 4716's block, or base64 of DER; raises ValueError for others."""
    if text.startswith("---- BEGIN SSH2 PUBLIC KEY ----"):
        return load_ssh_public_key(_line_of_block(text).encode()), ""
    kind, _, rest = text.partition(" ")
    if rest and kind.startswith("ssh-"):
        _, _, comment = rest.strip().partition(" ")
        if "\n" in text:
            raise ValueError(text)
        return load_ssh_public_key(text.encode()), comment.strip()
    return load_der_public_key(base64.b64decode("".join(text.split()), validate=True)), ""


def _line_of_block(text: str) -> str:
    """RFC 4716's form as OpenSSH's: headers go, the key's type stands in its first field."""
    lines, continued, body = text.splitlines(), False, ""
    for line in lines[1:]:
        if line.startswith("---- END"):
            break
        header = continued or ":" in line
        continued = header and line.endswith("\\")
        if not header:
            body += line.strip()
    blob = base64.b64decode(body, validate=True)
    size = int.from_bytes(blob[:4], "big")
    return f"{blob[4 : 4 + size].decode()} {body}"


def _bad_format() -> ApiError:
    return ApiError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")


def delete_key_pair(call: Call) -> Shape:
    """DeleteKeyPair, by name or id; one that is not there is as good as deleted."""
    if key := call.get("KeyPairId"):
        row = call.txn.find(KeyPair, key)
    elif name := call.get("KeyName"):
        row = _named(call, name)
    else:
        raise missing_parameter("KeyName")
    if row is None:
        return {"Return": True}
    call.txn.delete(row)
    return {"Return": True, "KeyPairId": row.id}


# --- answers ------------------------------------------------------------------------------------
def _show_new(row: KeyPair) -> Shape:
    return {
        "KeyPairId": row.id,
        "KeyName": row.name,
        "KeyFingerprint": row.fingerprint,
        "Tags": tag_list(row),
    }


def show(row: KeyPair, view: View) -> Shape:
    """The API's ``KeyPairInfo`` structure; the public key is in it if the row has it."""
    shape = _show_new(row) | {"KeyType": row.type, "CreateTime": row.created}
    return shape | {"PublicKey": row.public_key} if row.public_key else shape


def _listed(call: Call) -> Iterable[KeyPair]:
    """All key pairs, with their public keys only where the call asks for them."""
    rows = call.txn.all(KeyPair)
    if call.get("IncludePublicKey"):
        return rows
    return (replace(row, public_key="") for row in rows)


KIND = Kind(
    row=KeyPair,
    actions={
        "CreateKeyPair": create_key_pair,
        "ImportKeyPair": import_key_pair,
        "DeleteKeyPair": delete_key_pair,
    },
    listings=(
        Listing(
            action="DescribeKeyPairs",
            result="KeyPairs",
            show=show,
            ids="KeyPairIds",
            rows=_listed,
            selectors={
                "KeyNames": Selector(
                    path="KeyName", code="InvalidKeyPair.NotFound", message=_MISSING
                )
            },
            paths={"fingerprint": "KeyFingerprint"},
        ),
    ),
)
