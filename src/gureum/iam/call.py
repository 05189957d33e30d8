"""A call of IAM's API being carried out, and what its actions share: errors, names, pages.

Source: IAM API Reference; the sentences are those that IAM answers with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from gureum.errors import ApiError
from gureum.iam.caller import Identity, Keys
from gureum.iam.vault import Vault
from gureum.kind import Params, Shape
from gureum.model import Txn
from gureum.wire.pages import paginate

Item = TypeVar("Item")

PAGE, MOST = 100, 1000
"""Items of a page where nothing is asked, and at most."""

_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")


@dataclass
class Call:
    """Who asks what, when, and the transaction it works in; ``vault`` seals new secrets;
    ``keys`` are the condition keys that hold of the request."""

    action: str
    params: Params
    txn: Txn
    now: str
    caller: Identity
    vault: Vault
    keys: Keys = ()

    @property
    def account(self) -> str:
        return self.txn.account

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default where it is absent."""
        value = self.params.get(name)
        return default if value is None else value


Action = Callable[[Call], Shape]


def no_such(message: str) -> ApiError:
    """``NoSuchEntity``."""
    return ApiError("NoSuchEntity", message, 404)


def exists(message: str) -> ApiError:
    """``EntityAlreadyExists``."""
    return ApiError("EntityAlreadyExists", message, 409)


def conflict(message: str) -> ApiError:
    """``DeleteConflict``."""
    return ApiError("DeleteConflict", message, 409)


def over_quota(quota: str, most: int) -> ApiError:
    """``LimitExceeded`` in IAM's usual wording."""
    return ApiError("LimitExceeded", f"Cannot exceed quota for {quota}: {most}", 409)


def invalid(message: str) -> ApiError:
    """``ValidationError``."""
    return ApiError("ValidationError", message)


def new_name(call: Call, member: str, longest: int) -> str:
    """A name for something new.

    Raises:
        ApiError: ``ValidationError``.
    """
    name: str = call.params[member]
    spoken = member[0].lower() + member[1:]
    if len(name) > longest:
        raise invalid(
            f"1 validation error detected: Value '{name[:200]}' at '{spoken}' failed to satisfy "
            f"constraint: Member must have length less than or equal to {longest}"
        )
    if not _NAME.fullmatch(name):
        raise invalid(
            f"The specified value for {spoken} is invalid. It must contain only alphanumeric "
            "characters and/or the following: +=,.@_-"
        )
    return name


def path_of(call: Call, member: str = "Path", default: str = "/") -> str:
    """A path, which begins and ends in a slash.

    Raises:
        ApiError: ``ValidationError``.
    """
    path: str = call.get(member, default)
    if not _PATH.fullmatch(path):
        raise invalid(
            f"The specified value for {member[0].lower()}{member[1:]} is invalid. It must begin "
            "and end with / and contain only alphanumeric characters and/or / characters."
        )
    return path


def page(
    call: Call, items: Iterable[Item], key: Callable[[Item], str], default: int = PAGE
) -> tuple[list[Item], Shape]:
    """One page of items in the order of their keys, which are unique, and what is said of the rest.

    Raises:
        ApiError: ``ValidationError``.
    """
    most = call.get("MaxItems", default)
    if not 1 <= most <= MOST:
        raise invalid(
            f"1 validation error detected: Value '{most}' at 'maxItems' failed to satisfy "
            f"constraint: Member must have value between 1 and {MOST}"
        )
    marker = call.get("Marker")
    try:
        found, token = paginate(
            items,
            lambda item: (key(item),),
            max_results=most,
            next_token=marker,
            scope=call.action,
        )
    except ApiError:
        raise invalid("Invalid Marker.") from None
    return found, {"IsTruncated": token is not None, "Marker": token}


def encoded(document: str) -> str:
    """A policy's document as answers have it (RFC 3986)."""
    return quote(document, safe="")
