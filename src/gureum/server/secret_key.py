"""The key that seals secrets in the database: a file beside it that only its owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gureum.iam.access_key import AccessKey
from gureum.iam.vault import KEY_BYTES, Vault
from gureum.model import View
from gureum.server.settings import vault_path
from gureum.store import StoreError


def open_vault(state: Path, view: View) -> Vault:
    """The vault of a state folder; its key is made at the first start.

    Raises:
        StoreError: the file holds no key, others may read it, or it is gone while ``view`` has
            secrets that were sealed with it.
    """
    path = vault_path(state)
    if not path.exists():
        if any(True for _ in view.all(AccessKey)):
            raise StoreError(f"{path} is gone, and without it no access key of this cloud counts")
        _make(path)
    if path.stat().st_mode & 0o077:
        raise StoreError(
            f"{path} may be read by others: 'chmod 600' it, and change all access keys"
        )
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path} holds no key of {KEY_BYTES} bytes")
    return Vault(key)


def _make(path: Path) -> None:
    """Whole or not at all: another key made later would open nothing."""
    new = path.with_name(".secret.key")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
