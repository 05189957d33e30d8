"""The actions about an account itself: its alias, and how much of IAM it has.

Source: IAM API Reference, CreateAccountAlias, ListAccountAliases, DeleteAccountAlias,
GetAccountSummary; IAM User Guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gureum.iam import access_key_api, attachment, managed_policy, trust, user
from gureum.iam.access_key import GLOBAL, AccessKey
from gureum.iam.account import account_id
from gureum.iam.call import Action, Call, exists, invalid, no_such
from gureum.iam.managed_policy import ManagedPolicy
from gureum.iam.rows import Group, InstanceProfile, Role, User
from gureum.kind import Shape
from gureum.model import Resource

_ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]")

QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicyVersionsInUseQuota": 10_000,
    "InstanceProfilesQuota": 1000,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "GroupPolicySizeQuota": 5120,
    "RolePolicySizeQuota": 10_240,
    "PolicySizeQuota": 6144,
    "AssumeRolePolicySizeQuota": trust.SIZE,
    "AccessKeysPerUserQuota": access_key_api.MAX_KEYS,
    "GroupsPerUserQuota": user.MAX_GROUPS,
    "VersionsPerPolicyQuota": managed_policy.MAX_VERSIONS,
    "AttachedPoliciesPerUserQuota": attachment.MAX_ATTACHED,
    "AttachedPoliciesPerGroupQuota": attachment.MAX_ATTACHED,
    "AttachedPoliciesPerRoleQuota": attachment.MAX_ATTACHED,
}

NONE_HERE = (
    "AccountMFAEnabled",
    "AccountPasswordPresent",
    "AccountSigningCertificatesPresent",
    "MFADevices",
    "MFADevicesInUse",
    "Providers",
    "ServerCertificates",
)
"""Of these there are none here."""


@dataclass(frozen=True, kw_only=True)
class AccountAlias(
    Resource, kind="account-alias", prefix="alias", not_found="NoSuchEntity", noun="account alias"
):
    """The name that an account goes by instead of its number; nobody else has it."""

    name: str


def alias_id(account: str) -> str:
    """The id of the row of an account's alias: it has one at most."""
    return f"alias-{account}"


def create_alias(call: Call) -> Shape:
    """CreateAccountAlias: in the place of the one before, if there is one."""
    name: str = call.params["AccountAlias"]
    if not _ALIAS.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name[:200]}' at 'accountAlias' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: "
            "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"
        )
    others = (row for row in call.txn.view.all(AccountAlias) if row.account != call.account)
    if any(row.name == name for row in others):
        raise exists(f"The account alias {name} already exists.")
    call.txn.put(
        AccountAlias(
            id=alias_id(call.account),
            account=call.account,
            region=GLOBAL,
            created=call.now,
            name=name,
        )
    )
    return {}


def delete_alias(call: Call) -> Shape:
    """DeleteAccountAlias."""
    row, name = call.txn.find(AccountAlias, alias_id(call.account)), call.params["AccountAlias"]
    if row is None or row.name != name:
        raise no_such(f"The account alias {name[:63]} cannot be found.")
    call.txn.delete(row)
    return {}


def list_aliases(call: Call) -> Shape:
    """ListAccountAliases: one at most."""
    row = call.txn.find(AccountAlias, alias_id(call.account))
    return {"AccountAliases": [row.name] if row else [], "IsTruncated": False}


def summary(call: Call) -> Shape:
    """GetAccountSummary: what there is, and how much there may be."""
    users, groups = list(call.txn.all(User)), list(call.txn.all(Group))
    roles = list(call.txn.all(Role))
    attached = {arn for row in (*users, *groups, *roles) for arn in row.attached}
    root_keys = call.txn.view.referrers(account_id(call.account), AccessKey)
    return {
        "SummaryMap": {
            "Users": len(users),
            "Groups": len(groups),
            "Roles": len(roles),
            "Policies": sum(1 for _ in call.txn.all(ManagedPolicy)),
            "PolicyVersionsInUse": len(attached),
            "InstanceProfiles": sum(1 for _ in call.txn.all(InstanceProfile)),
            "AccountAccessKeysPresent": int(any(True for _ in root_keys)),
            "GlobalEndpointTokenVersion": 1,
            **dict.fromkeys(NONE_HERE, 0),
            **QUOTAS,
        }
    }


ACTIONS: dict[str, Action] = {
    "CreateAccountAlias": create_alias,
    "DeleteAccountAlias": delete_alias,
    "ListAccountAliases": list_aliases,
    "GetAccountSummary": summary,
}
