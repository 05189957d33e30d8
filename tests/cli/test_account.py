"""Accounts at the command line: a secret is shown once, and never again."""

from __future__ import annotations

import json

from tests.cli.clouds import Served


def test_an_account_and_its_key(served: Served) -> None:
    made = json.loads(
        served.cli("account", "create", "team", "--id", "111122223333", "--json").stdout
    )
    assert made["account"] == "111122223333"
    listed = served.cli("account", "list")
    assert ("111122223333" in listed.stdout, made["access_key_id"] in listed.stdout) == (True, True)
    assert made["secret_access_key"] not in listed.stdout
    (row,) = json.loads(served.cli("account", "list", "--json").stdout)
    assert row == {"account": "111122223333", "name": "team", "root_keys": [made["access_key_id"]]}


def test_a_key_is_told_as_clients_want_it(served: Served) -> None:
    told = served.cli("account", "create", "other")
    lines = told.stdout.splitlines()
    assert [line.partition(" = ")[0] for line in lines[1:]] == [
        "aws_access_key_id",
        "aws_secret_access_key",
    ]
    assert "shown this once" in told.stderr


def test_keys_come_and_go(served: Served) -> None:
    first = json.loads(served.cli("account", "create", "team", "--json").stdout)["access_key_id"]
    second = json.loads(served.cli("account", "new-key", "team", "--json").stdout)
    assert served.cli("account", "new-key", "team").exit_code == 1
    assert served.cli("account", "delete-key", "team", first).exit_code == 0
    (row,) = json.loads(served.cli("account", "list", "--json").stdout)
    assert row["root_keys"] == [second["access_key_id"]]


def test_what_is_refused(served: Served) -> None:
    served.cli("account", "create", "team", "--id", "111122223333")
    for args, told in (
        (("create", "team"), "exists"),
        (("create", "more", "--id", "111122223333"), "exists"),
        (("create", "more", "--id", "1"), "twelve digits"),
        (("create", "a/b"), "no name for an account"),
        (("new-key", "nobody"), "There is no account nobody"),
        (("delete-key", "team", "AKIANONE"), "cannot be found"),
    ):
        result = served.cli("account", *args)
        assert (result.exit_code, told in result.stderr) == (1, True), args


def test_another_key_for_all_secrets(served: Served) -> None:
    served.cli("account", "create", "team")
    served.cli("account", "create", "more")
    before = served.parts.vault.turns
    told = served.cli("account", "rotate-key")
    assert (told.exit_code, told.stdout) == (0, "2 secrets are sealed with a new key\n")
    assert served.parts.vault.turns == before + 1
    assert (served.state / "secret.key").stat().st_mode & 0o777 == 0o600
