"""The role of an instance, as its metadata service hands it out: credentials that end and rotate.

Sources: EC2 User Guide, "Retrieve security credentials from instance metadata", "Instance metadata
categories" (``iam/info``, ``iam/security-credentials``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from gureum.iam import trust
from gureum.iam.bearer import arn, lookup
from gureum.iam.rows import WORDS, InstanceProfile, Role
from gureum.iam.session import Credentials, Session, credentials, lasting
from gureum.iam.vault import Vault
from gureum.identity.request import Context, Principal, Request
from gureum.model import View
from gureum.model.timestamps import age

LIFE = 6 * 3600
"""Seconds that credentials serve."""
FRESH = timedelta(minutes=15)
"""New ones are there this long before the old ones end; AWS promises five minutes."""
SERVICE = "ec2.amazonaws.com"
MOST_KEPT = 4096
"""Credentials that are kept; where there are more, all are made anew."""

Files = Mapping[str, "str | Mapping[str, str]"]
"""What is at ``iam/``: texts, and the directory ``security-credentials``."""


@dataclass(frozen=True)
class _Kept:
    role: str
    made: str
    credentials: Credentials
    turns: int
    """Of the vault, when it sealed them."""


class InstanceRoles:
    """Hands out the credentials of instances' roles; ``clock`` gives the time as rows have it.

    They are kept in memory: after a restart there are new ones, and old ones serve to their end.
    """

    def __init__(self, vault: Vault, clock: Callable[[], str]) -> None:
        self._vault = vault
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def files(self, view: View, instance: str, profile_arn: str) -> Files:
        """What an instance reads of its role; nothing where the profile has none, or there is no
        such profile."""
        profile = _profile(view, profile_arn)
        role = view.find(Role, profile.role) if profile else None
        if profile is None or role is None:
            return {}
        if not _trusted(role, self._clock()):
            return _unauthorized(role, self._clock())
        kept = self._credentials(role, instance)
        info = {
            "Code": "Success",
            "LastUpdated": _seconds(kept.made),
            "InstanceProfileArn": profile_arn,
            "InstanceProfileId": profile.id,
        }
        return {"info": _text(info), "security-credentials": {role.name: _told(kept)}}

    def _credentials(self, role: Role, instance: str) -> _Kept:
        with self._lock:
            now, kept = self._clock(), self._kept.get(instance)
            if kept is None or kept.role != role.id or self._ends(kept, now):
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                session = Session(role.id, now, lasting(now, LIFE), instance)
                turns = self._vault.turns
                kept = _Kept(role.id, now, credentials(self._vault, session, role.account), turns)
                self._kept[instance] = kept
            return kept

    def _ends(self, kept: _Kept, now: str) -> bool:
        return kept.turns != self._vault.turns or age(now, kept.credentials.expires) <= FRESH


def _profile(view: View, profile_arn: str) -> InstanceProfile | None:
    """The profile of an ARN, which must be it to the letter."""
    parts = profile_arn.split(":", 5)
    if len(parts) != 6:
        return None
    row = lookup(view, InstanceProfile, parts[4], parts[5].rpartition("/")[2])
    return row if row is not None and arn(row, WORDS[InstanceProfile]) == profile_arn else None


def _trusted(role: Role, now: str) -> bool:
    """Whether the role lets EC2 assume it."""
    who = Principal.of(SERVICE)
    keys = Context.of([("aws:CurrentTime", now), ("aws:PrincipalIsAWSService", "true")])
    return trust.trusts(role, Request("sts:AssumeRole", arn(role, WORDS[Role]), keys, who))


def _unauthorized(role: Role, now: str) -> Files:
    told = _text(
        {
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": f"EC2 cannot assume the role {role.name}: its trust policy does not let it.",
            "LastUpdated": _seconds(now),
        }
    )
    return {"info": told, "security-credentials": {role.name: told}}


def _told(kept: _Kept) -> str:
    given = kept.credentials
    return _text(
        {
            "Code": "Success",
            "LastUpdated": _seconds(kept.made),
            "Type": "AWS-HMAC",
            "AccessKeyId": given.key,
            "SecretAccessKey": given.secret,
            "Token": given.token,
            "Expiration": _seconds(given.expires),
        }
    )


def _seconds(moment: str) -> str:
    """A time as the metadata service writes it: without parts of seconds."""
    return f"{moment[:19]}Z"


def _text(facts: Mapping[str, str]) -> str:
    return json.dumps(facts, indent=2)
