"""Who signed a request: signatures held against the keys of the store.

What a refused caller is told differs between the protocols: EC2 says ``AuthFailure`` of keys and
signatures alike, STS and IAM say which, and CloudTrail and RAM have names of their own for the
same.  Sources: EC2 API Reference, "Error codes for the Amazon EC2 API"; STS API Reference and
CloudTrail API Reference, "Common errors".
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from gureum.errors import ApiError
from gureum.iam.access_key import AccessKey
from gureum.iam.caller import Identity
from gureum.iam.identities import of_key, of_session
from gureum.iam.session import opened
from gureum.iam.vault import Vault, VaultError
from gureum.model.timestamps import timestamp
from gureum.store import Store
from gureum.wire.models import IN_JSON, JSON_SERVICES
from gureum.wire.signature import Claim, MismatchError, Sent, UntimelyError, claim, verify

log = logging.getLogger(__name__)

Mode = Literal["open", "verify", "enforce"]
"""``open``: any credentials will do, and a 12-digit key names the account.  ``verify``: signatures
are checked.  ``enforce``: so are policies."""


MOST_OPENED = 1024
"""Secrets that are kept opened; where there are more, all are opened anew."""


def utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Key:
    """A key that counts now: its secret, and who has it."""

    identity: Identity
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Authenticator:
    """Finds out who signed requests, by the keys in ``store``, which ``vault`` opens."""

    store: Store
    vault: Vault
    mode: Mode
    clock: Callable[[], datetime] = utc
    _opened: dict[str, str] = field(default_factory=dict, repr=False)
    """Secrets by how they are sealed: opening one costs as much as checking a signature."""

    def __call__(self, sent: Sent) -> Identity | None:
        """Who sent a request: in an open cloud whom its key stands for, or nobody.

        Raises:
            ApiError: it is not signed, or not as it should be; in the words of the service.
        """
        return self._claimed(sent) if self.mode == "open" else self._proven(sent)

    def _claimed(self, sent: Sent) -> Identity | None:
        try:
            claimed = claim(sent)
            key = self._key(claimed) if claimed else None
        except ApiError:
            return None
        return key.identity if key else None

    def _proven(self, sent: Sent) -> Identity:
        claimed = claim(sent)
        if claimed is None:
            raise ApiError(
                "MissingAuthenticationToken", "Request is missing Authentication Token", 403
            )
        service = claimed.scope.service
        key = self._key(claimed)
        if key is None:
            raise _unknown_key(service)
        try:
            verify(sent, claimed, key.secret, self.clock())
        except UntimelyError as error:
            raise _untimely(service, str(error)) from None
        except MismatchError as error:
            raise _mismatch(service, str(error)) from None
        if not _may_use(service, key.identity):
            raise _unknown_key(service)
        return key.identity.checked()

    def _key(self, claimed: Claim) -> Key | None:
        """The key of a claim, if it counts: those that are gone or switched off do not.

        Raises:
            ApiError: the session is over.
        """
        if claimed.token is not None:
            return self._session(claimed, claimed.token)
        for _ in range(2):  # the key of the vault may just have been changed
            view = self.store.view
            row = view.find(AccessKey, claimed.scope.access_key)
            if row is None or row.status != "Active":
                return None
            identity = of_key(view, row)
            if identity is None:
                return None
            with contextlib.suppress(VaultError):
                return Key(identity, self._open(row))
        lost = claimed.scope.access_key
        log.error("the secret of %s cannot be opened: the key of this folder is another", lost)
        return None

    def _open(self, row: AccessKey) -> str:
        """The secret of a key.

        Raises:
            VaultError: it was sealed with another key.
        """
        secret = self._opened.get(row.sealed)
        if secret is None:
            secret = self.vault.open(row.sealed, row.id)
            if len(self._opened) >= MOST_OPENED:
                self._opened.clear()
            self._opened[row.sealed] = secret
        return secret

    def _session(self, claimed: Claim, token: str) -> Key | None:
        key = claimed.scope.access_key
        sealed = opened(self.vault, key, token)
        if sealed is None:
            return None
        if timestamp(self.clock()) >= sealed.session.expires:
            raise _expired(claimed.scope.service)
        identity = of_session(self.store.view, sealed.session, key)
        return Key(identity, sealed.secret) if identity is not None else None


def _may_use(service: str, who: Identity) -> bool:
    """A session that GetSessionToken gave opens everything but IAM (STS API Reference)."""
    own = who.session is not None and not who.session.name
    return not (own and service == "iam")


_NAMES = {
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "ExpiredToken": "ExpiredTokenException",
}
"""CloudTrail's and RAM's names of what STS and IAM say."""


def _told(service: str, code: str, message: str) -> ApiError:
    if service in IN_JSON:
        return ApiError(_NAMES[code], message, 400 if service in JSON_SERVICES else 403)
    return ApiError(code, message, 403)


def _expired(service: str) -> ApiError:
    if service == "ec2":
        return ApiError("RequestExpired", "Request has expired.")
    return _told(service, "ExpiredToken", "The security token included in the request is expired")


def _unknown_key(service: str) -> ApiError:
    if service == "ec2":
        return _auth_failure()
    message = "The security token included in the request is invalid."
    return _told(service, "InvalidClientTokenId", message)


def _untimely(service: str, message: str) -> ApiError:
    if service == "ec2":
        return ApiError("RequestExpired", "Request has expired.")
    return _told(service, "SignatureDoesNotMatch", message)


def _mismatch(service: str, message: str) -> ApiError:
    return _auth_failure() if service == "ec2" else _told(service, "SignatureDoesNotMatch", message)


def _auth_failure() -> ApiError:
    message = "AWS was not able to validate the provided access credentials"
    return ApiError("AuthFailure", message, 401)
