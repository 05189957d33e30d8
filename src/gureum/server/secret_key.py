"""The key that seals secrets in the database: a file beside it that only its owner may read.

It is changed in this order: the new key into a file of its own, all secrets sealed anew in one
transaction, the database made durable, the new file in the place of the old one.  Whenever that is
broken off, the secrets themselves tell at the next start which of the two files is theirs.
"""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import replace
from pathlib import Path

from gureum.iam.access_key import GLOBAL, AccessKey
from gureum.iam.vault import KEY_BYTES, Vault, VaultError
from gureum.model import Txn, View
from gureum.server.settings import vault_path
from gureum.store import Store, StoreError

log = logging.getLogger(__name__)


def open_vault(state: Path, view: View) -> Vault:
    """The vault of a state folder; its key is made at the first start.

    Raises:
        StoreError: the file holds no key, others may read it, or it is gone while ``view`` has
            secrets that were sealed with it.
    """
    path = vault_path(state)
    _settle(path, view)
    if not path.exists():
        if any(True for _ in view.all(AccessKey)):
            raise StoreError(f"{path} is gone, and without it no access key of this cloud counts")
        _make(path)
    return Vault(_read(path))


def _settle(path: Path, view: View) -> None:
    """End a change of the key that was broken off."""
    new = _new(path)
    if not new.exists():
        return
    if path.exists() and not _opens(new, view):
        new.unlink()
        log.info("the change of %s had not come to pass", path)
    else:
        _put_in_place(new, path)
        log.info("the change of %s is done", path)


def _new(path: Path) -> Path:
    """Where the next key is until it is the one."""
    return path.with_name(f"{path.name}.new")


def _opens(path: Path, view: View) -> bool:
    """Whether the key in a file opens any of the secrets there are."""
    try:
        vault = Vault(_read(path))
    except StoreError:  # not even written to its end
        return False
    for row in view.all(AccessKey):
        try:
            vault.open(row.sealed, row.id)
        except VaultError:
            continue
        return True
    return False


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise StoreError(
            f"{path} may be read by others: 'chmod 600' it, and change all access keys"
        )
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path} holds no key of {KEY_BYTES} bytes")
    return key


def rotate(state: Path, store: Store, vault: Vault) -> int:
    """Change the key: all secrets are sealed anew, and sessions are over; how many secrets.

    Raises:
        OSError, sqlite3.Error: the disk refused; everything is as before.
        VaultError: a secret cannot be opened with the key there is; everything is as before.
    """
    path = vault_path(state)
    new = _new(path)
    key = secrets.token_bytes(KEY_BYTES)
    new.unlink(missing_ok=True)
    _write(new, key)
    try:
        with store.transaction("", GLOBAL) as txn:  # nobody else seals a row meanwhile
            vault.turn(key)
            count = _seal_anew(txn, vault)
    except BaseException:
        if not _opens(new, store.view):  # else it is committed, and who heard of that failed
            vault.turn_back()
            new.unlink()
        raise
    vault.turned()
    if store.scrub():
        _put_in_place(new, path)
    else:
        log.warning("the database is busy: %s stays beside %s until the next start", new, path)
    return count


def _seal_anew(txn: Txn, vault: Vault) -> int:
    rows = list(txn.view.all(AccessKey))
    for row in rows:
        txn.put(replace(row, sealed=vault.seal(vault.open(row.sealed, row.id), row.id)))
    return len(rows)


def _make(path: Path) -> None:
    """Whole or not at all: another key made later would open nothing."""
    new = path.with_name(".secret.key")
    new.unlink(missing_ok=True)
    _write(new, secrets.token_bytes(KEY_BYTES))
    _put_in_place(new, path)


def _write(path: Path, key: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(new: Path, path: Path) -> None:
    """Durably: a power cut must not bring back what it replaces."""
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
