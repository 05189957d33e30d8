"""Key pairs, with OpenSSH's and OpenSSL's own figures as the oracle."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from gureum.resources.key_pair import KeyPair, key_named
from gureum.kind import Call
from gureum.errors import ApiError
from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal

RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCT2YL0AL1PSiWWMPtjwzDJFtHFnjLs1cQnTFKlHUHSdkXbmXB6"
OPENSSH = PublicFormat.OpenSSH


def line(key: Any, comment: str = "") -> bytes:
    """A public key in OpenSSH's form."""
    text: bytes = key.public_key().public_bytes(Encoding.OpenSSH, OPENSSH)
    return text + (f" {comment}".encode() if comment else b"")


def new_rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
