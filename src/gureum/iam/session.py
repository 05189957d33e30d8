"""Sessions: credentials that end, carried whole in their own token.

Nothing is stored: the token holds the session sealed by the vault under the session's key id, so
that it survives a restart, costs no row and can be neither read nor altered.  What it is allowed
follows from the role or user as they are when it is used; where they are gone the session is over.
Source: STS API Reference, "Credentials".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from gureum.iam.access_key import key_id
from gureum.iam.vault import Vault, VaultError
from gureum.model import Tags
from gureum.model.timestamps import timestamp

MAX_TOKEN = 12_000
"""Characters of a token that are looked at."""


@dataclass(frozen=True)
class Session:
    """One session of ``owner``: a role under the name ``name``, else a user or an account's root.

    ``issued`` and ``expires`` are timestamps.  ``policies`` are documents of session policies, and
    ``arns`` managed policies that are some.  What it is marked with is told in
    :mod:`gureum.iam.session_tags`.
    """

    owner: str
    issued: str
    expires: str
    name: str = ""
    policies: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()
    tags: Tags = ()
    transitive: tuple[str, ...] = ()
    source: str = ""

    @property
    def limited(self) -> bool:
        """Whether session policies limit what it may do."""
        return bool(self.policies or self.arns)


@dataclass(frozen=True)
class Sealed:
    """A session with its secret, as tokens hold it."""

    session: Session
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """What a client is given."""

    key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: str

    def shown(self) -> dict[str, str]:
        """The API's ``Credentials`` structure."""
        return {
            "AccessKeyId": self.key,
            "SecretAccessKey": self.secret,
            "SessionToken": self.token,
            "Expiration": self.expires,
        }


def lasting(now: str, seconds: int) -> str:
    """When a session of so many seconds ends."""
    return timestamp(datetime.fromisoformat(now) + timedelta(seconds=seconds))


def credentials(vault: Vault, session: Session, account: str) -> Credentials:
    """Fresh credentials of a session of an account."""
    key, secret = key_id(account, "ASIA"), secrets.token_urlsafe(30)
    content = msgspec.json.encode(Sealed(session, secret)).decode()
    return Credentials(key, secret, vault.seal(content, _named(key)), session.expires)


def _named(key: str) -> str:
    """What a token is sealed as: never the same as the secret of a key that stays."""
    return f"session {key}"


def opened(vault: Vault, key: str, token: str) -> Sealed | None:
    """What a token of a key holds; None where it is none of ours, or of another key."""
    if len(token) > MAX_TOKEN:
        return None
    try:
        return msgspec.json.decode(vault.open(token, _named(key)), type=Sealed)
    except (VaultError, msgspec.MsgspecError):
        return None
