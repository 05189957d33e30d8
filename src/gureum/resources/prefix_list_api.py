"""The API's actions on managed prefix lists.

Sources: VPC User Guide, "Work with customer-managed prefix lists"; EC2 API Reference,
CreateManagedPrefixList, ModifyManagedPrefixList, RestoreManagedPrefixListVersion; the messages as
clients report them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Part, Selector, Shape, show_part
from gureum.model import View
from gureum.resources.permissions import check_text, cidr_v4, cidr_v6
from gureum.resources.prefix_list import (
    IPV4,
    IPV6,
    Entry,
    PrefixList,
    PrefixListVersion,
    provide,
    version_id,
)
from gureum.resources.route_table import RouteTable
from gureum.resources.route_table import over_quota as table_over_quota
from gureum.resources.security_group import SecurityGroupRule
from gureum.resources.security_group_rule import over_quota as group_over_quota
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.transit_gateway import TransitGatewayRouteTable
from gureum.resources.transit_gateway_route import over_quota as transit_over_quota

MAX_LISTS = 100
"""Prefix lists per region (VPC quotas)."""

MAX_ENTRIES = 1000
"""Entries per list (VPC quotas)."""

MAX_VERSIONS = 1000
"""Versions that are kept of a list; the oldest gives way (VPC quotas)."""


def create_prefix_list(call: Call) -> Shape:
    """CreateManagedPrefixList: version 1 has the entries given."""
    name, family = _checked_name(call.params["PrefixListName"]), call.params["AddressFamily"]
    if family not in (IPV4, IPV6):
        raise invalid_value("AddressFamily", family, f"Valid values: {IPV4}, {IPV6}.")
    size = _checked_size(call.params["MaxEntries"])
    entries = _added((), _entries(call.get("Entries", ()), family))
    _check_fits(entries, size)
    if sum(1 for row in call.txn.all(PrefixList) if not row.managed_by_aws) >= MAX_LISTS:
        raise ApiError(
            "PrefixListLimitExceeded", "The maximum number of prefix lists has been reached."
        )
    row = call.created(
        PrefixList(
            **call.common(PrefixList),
            name=name,
            family=family,
            owner=call.account,
            max_entries=size,
            entries=entries,
        )
    )
    _keep(call, row)
    return _answer(call, row, "create-in-progress")


def _checked_name(name: str) -> str:
    check_text(name, "PrefixListName")
    if not name or name.startswith("com.amazonaws"):
        reason = "The name must not be empty and cannot start with com.amazonaws."
        raise invalid_value("PrefixListName", name, reason)
    return name


def _checked_size(size: int) -> int:
    if not 1 <= size <= MAX_ENTRIES:
        raise invalid_value("MaxEntries", size, f"It must be between 1 and {MAX_ENTRIES}.")
    return size


def _entries(items: Iterable[Mapping[str, Any]], family: str) -> list[Entry]:
    """Entries as a request gives them, each block once.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    canonical = cidr_v4 if family == IPV4 else cidr_v6
    found: dict[str, Entry] = {}
    for item in items:
        cidr, text = canonical(item["Cidr"]), item.get("Description")
        if cidr in found:
            raise invalid_value("Cidr", cidr, "The same CIDR must not appear multiple times.")
        description = check_text(text, "Description") if text else None
        found[cidr] = Entry(cidr=cidr, description=description)
    return list(found.values())


def _check_fits(entries: tuple[Entry, ...], size: int) -> None:
    if len(entries) > size:
        raise ApiError(
            "PrefixListMaxEntriesExceeded",
            f"You have exceeded the maximum number of entries ({size}) for the prefix list.",
        )


def _keep(call: Call, row: PrefixList) -> None:
    """Store the row's entries under its version."""
    common = {**call.common(PrefixListVersion, version_id(row.id, row.version)), "tags": ()}
    call.created(
        PrefixListVersion(**common, prefix_list=row.id, version=row.version, entries=row.entries)
    )
    oldest = call.txn.find(PrefixListVersion, version_id(row.id, row.version - MAX_VERSIONS))
    if oldest is not None:
        call.txn.delete(oldest)


def _answer(call: Call, row: PrefixList, state: str) -> Shape:
    """AWS answers with the state on the way; here it is there with the answer."""
    return {"PrefixList": show(row, call.txn.view) | {"State": state}}


def _asked(call: Call) -> PrefixList:
    return call.txn.see(PrefixList, call.params["PrefixListId"])


def _own(call: Call) -> PrefixList:
    """The list, which must not be one of AWS's or of another account that shares it.

    Raises:
        ApiError: ``UnauthorizedOperation``.
    """
    row = _asked(call)
    if row.managed_by_aws or row.account != call.account:
        raise ApiError(
            "UnauthorizedOperation", "You are not authorized to perform this operation.", 403
        )
    return row


# --- changes ------------------------------------------------------------------------------------
def modify_prefix_list(call: Call) -> Shape:
    """ModifyManagedPrefixList: entries make a new version, name and size do not."""
    unsupported(call, "IpamPrefixListResolverSyncEnabled")
    row = _own(call)
    changes = bool(call.get("AddEntries") or call.get("RemoveEntries"))
    size = call.get("MaxEntries")
    if changes and size is not None:
        raise invalid_combination(
            "You cannot modify the entries and the maximum entries for the prefix list in the "
            "same request."
        )
    _check_version(row, call.get("CurrentVersion"))
    if name := call.get("PrefixListName"):
        row = replace(row, name=_checked_name(name))
    if size is not None:
        row = _resized(call, row, _checked_size(size))
    if changes:
        row = _changed(call, row, _modified(call, row))
    call.txn.put(row)
    return _answer(call, row, "modify-in-progress")


def _check_version(row: PrefixList, current: int | None) -> None:
    if current is not None and current != row.version:
        raise ApiError(
            "PrefixListVersionMismatch", "The prefix list has the incorrect version number."
        )


def _modified(call: Call, row: PrefixList) -> tuple[Entry, ...]:
    """The entries less those to remove, with those to add; a new description replaces the old."""
    gone = [entry.cidr for entry in _entries(call.get("RemoveEntries", ()), row.family)]
    come = _entries(call.get("AddEntries", ()), row.family)
    known = {entry.cidr for entry in row.entries}
    for cidr in gone:
        if cidr not in known:
            raise _bad_change(f"The prefix list does not have an entry with the CIDR ({cidr}).")
    both = next((entry.cidr for entry in come if entry.cidr in gone), None)
    if both is not None:
        raise _bad_change(f"The CIDR ({both}) cannot be added and removed in the same request.")
    return _added(tuple(e for e in row.entries if e.cidr not in gone), come)


def _added(old: tuple[Entry, ...], come: Iterable[Entry]) -> tuple[Entry, ...]:
    entries = {entry.cidr: entry for entry in old}
    for entry in come:
        if entries.get(entry.cidr) == entry:
            raise _bad_change(
                f"An entry with the CIDR ({entry.cidr}) and description "
                f"({entry.description or ''}) already exists."
            )
        entries[entry.cidr] = entry
    return tuple(entries.values())


def _bad_change(message: str) -> ApiError:
    return ApiError("InvalidPrefixListModification", message)


def _changed(call: Call, row: PrefixList, entries: tuple[Entry, ...]) -> PrefixList:
    """The list with other entries, under its next version."""
    _check_fits(entries, row.max_entries)
    row = replace(row, entries=entries, version=row.version + 1, failure=None)
    _keep(call, row)
    return row


def _resized(call: Call, row: PrefixList, size: int) -> PrefixList:
    """The list with another size, if everything that refers to it has room for that; else the
    failure in its state, as AWS finds out only afterwards."""
    _check_fits(row.entries, size)
    view = call.txn.view.put(replace(row, max_entries=size))
    full = [key for key in _referring(view, row) if _over_quota(view, key)]
    if full:
        listed = ", ".join(full[:10])
        said = f"The following resources do not support the new maximum size: {listed}"
        return replace(row, failure=said)
    return replace(row, max_entries=size, failure=None)


def _over_quota(view: View, key: str) -> bool:
    if table := view.find(RouteTable, key):
        return table_over_quota(view, table)
    if transit := view.find(TransitGatewayRouteTable, key):
        return transit_over_quota(view, transit)
    return group_over_quota(view, key)


def restore_version(call: Call) -> Shape:
    """RestoreManagedPrefixListVersion: the entries of a version, as a new one."""
    row = _own(call)
    _check_version(row, call.params["CurrentVersion"])
    old = _version(call, row, call.params["PreviousVersion"])
    if old.version == row.version:
        raise invalid_value("PreviousVersion", old.version, "It is the current version.")
    row = call.txn.put(_changed(call, row, old.entries))
    return _answer(call, row, "restore-in-progress")


def _version(call: Call, row: PrefixList, number: int) -> PrefixListVersion:
    found = call.txn.view.find(PrefixListVersion, version_id(row.id, number))
    if found is None:
        raise ApiError(
            "InvalidParameterValue",
            f"The prefix list {row.id} does not have the version {number}.",
        )
    return found


def delete_prefix_list(call: Call) -> Shape:
    """DeleteManagedPrefixList: refused while rules or routes refer to it."""
    row = _own(call)
    answer = _answer(call, row, "delete-in-progress")
    call.txn.delete(row)
    return answer


# --- answers ------------------------------------------------------------------------------------
def show(row: PrefixList, view: View) -> Shape:
    """The API's ``ManagedPrefixList`` structure."""
    account = "aws" if row.managed_by_aws else row.account
    shape: Shape = {
        "PrefixListId": row.id,
        "AddressFamily": row.family,
        "State": "modify-failed" if row.failure else "create-complete",
        "PrefixListArn": f"arn:aws:ec2:{row.region}:{account}:{row.kind}/{row.id}",
        "PrefixListName": row.name,
        "Tags": tag_list(row),
        "OwnerId": row.owner,
    }
    if not row.managed_by_aws:
        shape |= {"MaxEntries": row.max_entries, "Version": row.version}
        if row.version > 1 and not row.failure:
            shape["State"] = "modify-complete"
    if row.failure:
        shape["StateMessage"] = row.failure
    return shape


def show_service(row: PrefixList, view: View) -> Shape:
    """The API's ``PrefixList`` structure, of a list that AWS manages."""
    return {
        "PrefixListId": row.id,
        "PrefixListName": row.name,
        "Cidrs": [entry.cidr for entry in row.entries],
    }


def _listed_entries(call: Call) -> Iterator[Part]:
    row = _asked(call)
    target = call.get("TargetVersion")
    entries = row.entries
    if target is not None and (row.managed_by_aws or target != row.version):
        entries = _version(call, row, target).entries
    for number, entry in enumerate(entries):
        said = {"Description": entry.description} if entry.description else {}
        yield Part(f"{number:06}", "", {"Cidr": entry.cidr, **said})


def _referring(view: View, row: PrefixList) -> list[str]:
    """The ids of the groups and route tables, transit gateways' too, that refer to a list."""
    groups = {rule.group for rule in view.referrers(row.id, SecurityGroupRule)}
    tables = {table.id for table in view.referrers(row.id, RouteTable)}
    transit = {table.id for table in view.referrers(row.id, TransitGatewayRouteTable)}
    return sorted(groups | tables | transit)


def _listed_associations(call: Call) -> Iterator[Part]:
    """Who refers to a list: its owner is told of everybody, others of their own."""
    row = _asked(call)
    for key in _referring(call.txn.view, row):
        owner = call.txn.view.rows[key].account
        if call.account in (row.account, owner):
            yield Part(key, "", {"ResourceId": key, "ResourceOwner": owner})


def _services(call: Call) -> Iterator[PrefixList]:
    return (row for row in call.txn.all(PrefixList) if row.managed_by_aws)


KIND = Kind(
    row=PrefixList,
    actions={
        "CreateManagedPrefixList": create_prefix_list,
        "ModifyManagedPrefixList": modify_prefix_list,
        "RestoreManagedPrefixListVersion": restore_version,
        "DeleteManagedPrefixList": delete_prefix_list,
    },
    listings=(
        Listing(
            action="DescribeManagedPrefixLists",
            result="PrefixLists",
            show=show,
            ids="PrefixListIds",
        ),
        Listing(
            action="DescribePrefixLists",
            result="PrefixLists",
            show=show_service,
            rows=_services,
            selectors={
                "PrefixListIds": Selector(
                    path="PrefixListId",
                    code="InvalidPrefixListId.NotFound",
                    message="The prefix list ID '{}' does not exist",
                )
            },
        ),
        Listing(
            action="GetManagedPrefixListEntries",
            result="Entries",
            show=show_part,
            rows=_listed_entries,
        ),
        Listing(
            action="GetManagedPrefixListAssociations",
            result="PrefixListAssociations",
            show=show_part,
            rows=_listed_associations,
        ),
    ),
    defaults=provide,
)

VERSION = Kind(row=PrefixListVersion)
