"""The key file of a state folder: made once, for its owner only, and never replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.iam.access_key import GLOBAL
from gureum.iam.account import create
from gureum.model import View
from gureum.server.secret_key import open_vault
from gureum.server.settings import Settings, SettingsError, vault_path
from gureum.store import MemoryStore, StoreError


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
