"""The command line of ssh, as ssh itself understands it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from gureum.cli.ssh import Login, ssh_argv
from tests.cli.clouds import Served

WEB = {"address": "192.168.55.7", "place": {"id": "i-web"}}
BASTION = {"address": "198.18.3.4", "place": {"id": "i-bastion"}}
ODD = Path("/tmp/a b/100%.pem")
LOGIN = Login("/usr/bin/ssh", "admin", ODD, Path("/var/lib/gureum/known_hosts"))


def understood(argv: list[str]) -> dict[str, str]:
    """The settings that ssh would use (``ssh -G``), without the user's own."""
    call = [argv[0], "-G", "-F", "none", *argv[1:]]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs}


def test_the_target_is_reached_with_the_key_and_host_keys_of_our_own() -> None:
    settings = understood(ssh_argv(LOGIN, WEB, None, ()))
    assert settings["hostname"] == "192.168.55.7"
    assert settings["user"] == "admin"
    assert settings["userknownhostsfile"] == "/var/lib/gureum/known_hosts"
    assert settings["hostkeyalias"] == "i-web"
    assert settings["stricthostkeychecking"] == "accept-new"
    assert settings["identitiesonly"] == "yes"
    assert settings["identityfile"].replace("%%", "%") == str(ODD)
    assert "proxycommand" not in settings


def test_a_bastion_is_gone_through_with_the_same_key(tmp_path: Path) -> None:
    settings = understood(ssh_argv(LOGIN, WEB, BASTION, ()))
    assert (settings["hostname"], settings["hostkeyalias"]) == ("192.168.55.7", "i-web")
    jump = proxied(ssh_argv(LOGIN, WEB, BASTION, ()), tmp_path)
    assert jump[-3:] == ["-W", "[192.168.55.7]:22", "admin@198.18.3.4"]
    assert '-oIdentityFile="/tmp/a b/100%%.pem"' in jump
    through = understood([LOGIN.program, *jump[:-3], jump[-1]])
    assert (through["hostname"], through["hostkeyalias"]) == ("198.18.3.4", "i-bastion")
    assert through["identityfile"].replace("%%", "%") == str(ODD)


def proxied(argv: list[str], folder: Path) -> list[str]:
    """The arguments with which ssh itself, which expands and quotes in its own way, starts the
    program on the way."""
    recorder, words = folder / "recorder", folder / "words"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{words}\n')
    recorder.chmod(0o755)
    proxy = "-oProxyCommand="
    swapped = [word.replace(f"{proxy}{LOGIN.program}", f"{proxy}{recorder}") for word in argv]
    call = [swapped[0], "-F", "none", *swapped[1:]]
    subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return words.read_text().splitlines()


def test_further_arguments_are_ssh_s_options_and_the_command() -> None:
    rest = ("-L", "8080:localhost:80", "ls", "-l")
    argv = ssh_argv(LOGIN, WEB, None, rest)
    assert tuple(argv[-4:]) == rest
    settings = understood(argv)
    assert settings["localforward"].startswith("8080 ")
    assert settings["hostname"] == "192.168.55.7"


def test_without_a_key_the_user_s_own_are_tried() -> None:
    login = Login("/usr/bin/ssh", "root", None, Path("/x"))
    settings: dict[str, Any] = understood(ssh_argv(login, WEB, None, ()))
    assert settings["identitiesonly"] == "no"
    assert settings["user"] == "root"


def test_what_has_no_public_address_needs_a_bastion(shop: Served) -> None:
    result = shop.cli("ssh", "db")
    assert result.exit_code == 4
    assert result.stderr.endswith("Name a bastion in it with --via.\n")
