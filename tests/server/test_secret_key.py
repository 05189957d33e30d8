"""The key file of a state folder: made once, for its owner only, never replaced unasked, and
changed without a moment in which a secret could be lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.iam.access_key import GLOBAL, AccessKey
from gureum.iam.account import create
from gureum.iam.vault import Vault, VaultError
from gureum.model import View
from gureum.server.secret_key import open_vault, rotate
from gureum.server.settings import Settings, SettingsError, vault_path
from gureum.store import MemoryStore, SqliteStore, StoreError


def test_it_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path, View()).seal("secret", "name")
    assert vault_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert open_vault(tmp_path, View()).open(sealed, "name") == "secret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    open_vault(tmp_path, View())
    vault_path(tmp_path).chmod(0o640)
    with pytest.raises(StoreError, match="may be read by others"):
        open_vault(tmp_path, View())


def test_one_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    vault_path(tmp_path).touch(0o600)
    with pytest.raises(StoreError, match="holds no key of 32 bytes"):
        open_vault(tmp_path, View())


def test_one_that_is_gone_is_told_rather_than_replaced(tmp_path: Path) -> None:
    store = MemoryStore()
    with store.transaction("123456789012", GLOBAL) as txn:
        create(txn, open_vault(tmp_path, View()), "team", "2026-11-24T08:00:00.000Z")
    vault_path(tmp_path).unlink()
    with pytest.raises(StoreError, match="is gone"):
        open_vault(tmp_path, store.view)
    assert not vault_path(tmp_path).exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cloud.example"])
def test_an_open_cloud_is_not_served_to_everybody_unasked(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="anybody who reaches the port"):
        Settings(tmp_path, host).check()
    Settings(tmp_path, host, allow_anyone=True).check()
    Settings(tmp_path, host, auth="verify").check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_open(tmp_path: Path, host: str) -> None:
    Settings(tmp_path, host).check()


def test_a_reset_by_anybody_needs_an_open_cloud(tmp_path: Path) -> None:
    Settings(tmp_path, allow_reset=True).check()
    with pytest.raises(SettingsError, match="--allow-reset"):
        Settings(tmp_path, allow_reset=True, auth="verify").check()


# --- another key --------------------------------------------------------------------------------
NOW = "2026-11-24T08:00:00.000Z"


class Folder:
    """A state folder with a database, a key and some accounts; ``secrets`` are by key id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path / "gureum.db")
        self.vault = open_vault(path, self.store.view)
        self.secrets: dict[str, str] = {}

    def account(self, number: str) -> None:
        with self.store.transaction(number, GLOBAL) as txn:
            issued = create(txn, self.vault, f"team{number}", NOW)
        self.secrets[issued.row.id] = issued.secret

    def again(self) -> Folder:
        """The same folder at the next start."""
        self.store.close()
        found = Folder(self.path)
        found.secrets = self.secrets
        return found

    def opened(self) -> dict[str, str]:
        rows = self.store.view.all(AccessKey)
        return {row.id: self.vault.open(row.sealed, row.id) for row in rows}

    def files(self) -> set[str]:
        return {path.name for path in self.path.iterdir() if "key" in path.name}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    for number in range(5):
        made.account(f"{number:012}")
    yield made
    made.store.close()


def test_another_key_opens_all_secrets_and_the_old_one_none(folder: Folder) -> None:
    old = Vault(vault_path(folder.path).read_bytes())
    sealed = [row.sealed for row in folder.store.view.all(AccessKey)]
    folder.store._db.execute("PRAGMA secure_delete=OFF")  # some builds of SQLite have it on
    folder.account("888888888888")
    with folder.store.transaction("888888888888", GLOBAL) as txn:
        (gone,) = txn.all(AccessKey)
        txn.delete(gone)
    del folder.secrets[gone.id]
    sealed.append(gone.sealed)
    session = folder.vault.seal("session", "name")
    assert rotate(folder.path, folder.store, folder.vault) == 5
    assert folder.opened() == folder.secrets
    assert folder.files() == {"secret.key"}
    assert vault_path(folder.path).stat().st_mode & 0o777 == 0o600
    with pytest.raises(VaultError):
        folder.vault.open(session, "name")
    for row in folder.store.view.all(AccessKey):
        with pytest.raises(VaultError):
            old.open(row.sealed, row.id)
    left = b"".join(path.read_bytes() for path in folder.path.glob("gureum.db*"))
    assert [text for text in sealed if text.encode() in left] == []
    assert folder.again().opened() == folder.secrets


def test_a_key_made_later_is_sealed_with_the_new_one(folder: Folder) -> None:
    rotate(folder.path, folder.store, folder.vault)
    folder.account("999999999999")
    assert folder.again().opened() == folder.secrets


def test_a_disk_that_refuses_leaves_all_as_it_was(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    session = folder.vault.seal("session", "name")
    monkeypatch.setattr(folder.store, "_save", full)
    with pytest.raises(OSError, match="No space"):
        rotate(folder.path, folder.store, folder.vault)
    monkeypatch.undo()
    assert (folder.opened(), folder.files()) == (folder.secrets, {"secret.key"})
    assert folder.vault.open(session, "name") == "session"
    assert folder.again().opened() == folder.secrets


def test_a_listener_that_fails_undoes_nothing(folder: Folder) -> None:
    """The secrets are committed then, and only the new key opens them."""

    def fails(commit: object) -> None:
        raise RuntimeError("no")

    folder.store.subscribe(fails)
    with pytest.raises(RuntimeError):
        rotate(folder.path, folder.store, folder.vault)
    assert folder.opened() == folder.secrets
    assert folder.again().opened() == folder.secrets


def test_a_busy_database_is_settled_at_the_next_start(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.store, "scrub", lambda: False)
    rotate(folder.path, folder.store, folder.vault)
    assert (folder.opened(), folder.files()) == (folder.secrets, {"secret.key", "secret.key.new"})
    again = folder.again()
    assert (again.opened(), again.files()) == (folder.secrets, {"secret.key"})


def test_a_new_key_that_seals_nothing_goes(folder: Folder) -> None:
    for content in (b"", b"x" * 32):  # broken off while it was written, or before the commit
        left = folder.path / "secret.key.new"
        left.touch(0o600)
        left.write_bytes(content)
        folder = folder.again()
        assert (folder.opened(), folder.files()) == (folder.secrets, {"secret.key"})
    folder.store.close()


ROTATOR = """
import sys
from pathlib import Path
from gureum.iam import registry  # all types of rows
from gureum.server.secret_key import open_vault, rotate
from gureum.store import SqliteStore

path = Path(sys.argv[1])
store = SqliteStore(path / "gureum.db")
vault = open_vault(path, store.view)
while True:
    rotate(path, store, vault)
    print(flush=True)
"""


def test_kill_9_at_any_time_loses_no_secret(folder: Folder) -> None:
    folder.store.close()
    for delay in (0.0, 0.001, 0.002, 0.004, 0.006, 0.009, 0.013):
        process = subprocess.Popen(
            [sys.executable, "-c", ROTATOR, str(folder.path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process:
            assert process.stdout.readline()
            time.sleep(delay)
            process.kill()
        found = Folder(folder.path)
        assert found.opened() == folder.secrets
        assert found.files() == {"secret.key"}
        found.store.close()
