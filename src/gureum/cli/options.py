"""Options that many commands share, and what was given for them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Base:
    """What holds for every command: the state folder of the cloud that is meant."""

    state: Path


pass_base = click.make_pass_decorator(Base)


@dataclass(frozen=True)
class Where:
    """The account and region in which names count; None for the cloud's defaults."""

    account: str | None
    region: str | None

    def params(self) -> dict[str, str]:
        """As parameters of the console API."""
        given = {"account": self.account, "region": self.region}
        return {name: value for name, value in given.items() if value}


def json_option(function: F) -> F:
    """``--json``, passed as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def ipv6_option(function: F) -> F:
    """``-6``, passed as ``ipv6``."""
    told = "Go by the names' IPv6 addresses."
    return click.option("-6", "--ipv6", is_flag=True, help=told)(function)


def where_options(function: F) -> F:
    """``--region`` and ``--account``, passed as ``region`` and ``account``."""
    function = click.option(
        "--account",
        metavar="DIGITS",
        default=_account,
        callback=_checked,
        help="The account in which names count.  [env: a 12-digit AWS_ACCESS_KEY_ID; "
        "default: 123456789012]",
    )(function)
    return click.option(
        "--region",
        metavar="REGION",
        envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
        help="The region in which names count.  [env: AWS_REGION, AWS_DEFAULT_REGION; "
        "default: ap-northeast-2]",
    )(function)


_ACCOUNT = re.compile(r"[0-9]{12}")


def _account() -> str | None:
    """As the API does: an access key id of twelve digits names the account."""
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    return key if _ACCOUNT.fullmatch(key) else None


def _checked(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _ACCOUNT.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no account: twelve digits are")
    return value
