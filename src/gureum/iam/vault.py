"""Secrets at rest: sealed with a key that the database does not hold.

Signature Version 4 needs the secret itself to check a signature, so a hash will not do.
AES-256-GCM binds each secret to the name it was sealed under: one cannot be moved to another row.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultError(ValueError):
    """What was to be opened was sealed with another key, under another name, or by nobody."""


class Vault:
    """Seals and opens texts with one key of :data:`KEY_BYTES` bytes, which may be changed: between
    :meth:`turn` and :meth:`turned` the old one opens, too."""

    def __init__(self, key: bytes) -> None:
        self._ciphers: tuple[AESGCM, ...] = (AESGCM(key),)
        self.turns = 0
        """How often the key has been changed: what was sealed before is worth nothing."""

    def __repr__(self) -> str:
        return "Vault()"

    def turn(self, key: bytes) -> None:
        """Seal with another key from now on."""
        self._ciphers = (AESGCM(key), *self._ciphers)

    def turned(self) -> None:
        """Forget the key before the last."""
        self._ciphers = self._ciphers[:1]
        self.turns += 1

    def turn_back(self) -> None:
        """Forget the last key."""
        self._ciphers = self._ciphers[1:]

    def seal(self, text: str, name: str) -> str:
        """A text that :meth:`open` turns back (base64 for URLs); a new one each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._ciphers[0].encrypt(nonce, text.encode(), name.encode())
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, name: str) -> str:
        """What was sealed under ``name``.

        Raises:
            VaultError: nothing was.
        """
        for cipher in self._ciphers:
            try:
                raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
                nonce, content = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
                return cipher.decrypt(nonce, content, name.encode()).decode()
            except (InvalidTag, binascii.Error, ValueError):
                continue
        raise VaultError(f"this is no secret of {name}")


def new_vault() -> Vault:
    """A vault whose key nobody else has: what it seals is lost with it."""
    return Vault(secrets.token_bytes(KEY_BYTES))
