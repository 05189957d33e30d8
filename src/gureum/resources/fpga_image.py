"""FPGA images: records, as no instance here has an FPGA to load one.

Sources: EC2 API Reference, CreateFpgaImage and its relatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View
from gureum.model.txn import not_found
from gureum.resources.shapes import is_account, tag_list
from gureum.wire.regions import regions

MAX_IMAGES = 100
"""FPGA images of an account and region."""

ALL = "all"
"""The group of everybody."""


@dataclass(frozen=True, kw_only=True)
class FpgaImage(
    Resource,
    kind="fpga-image",
    prefix="afi",
    not_found="InvalidFpgaImageID.NotFound",
    malformed="InvalidFpgaImageID.Malformed",
    noun="FPGA image",
    missing="The FPGA image id '[{id}]' does not exist",
):
    """An FPGA image; ``everywhere`` is the id that it has in all regions, ``users`` are the
    accounts that may load it, ``public`` says that all may."""

    everywhere: str
    name: str = ""
    description: str = ""
    changed: str
    state: Literal["pending", "available"] = "pending"
    users: tuple[str, ...] = ()
    public: bool = False
    products: tuple[str, ...] = ()


def create(call: Call) -> Shape:
    """CreateFpgaImage: nobody looks into the bucket."""
    where = call.params["InputStorageLocation"]
    for name in ("Bucket", "Key"):
        if not where.get(name):
            raise missing_parameter(f"inputStorageLocation.{name.lower()}")
    return _made(call, call.new_id("agfi"), call.get("Name", ""), call.get("Description", ""))


def copy(call: Call) -> Shape:
    """CopyFpgaImage: with the same id in all regions, and another one here."""
    region, key = call.params["SourceRegion"], call.params["SourceFpgaImageId"]
    if region not in regions():
        raise invalid_value("sourceRegion", region)
    source = call.txn.view.find(FpgaImage, key)
    if source is None or source.region != region or not _may_load(source, call.account):
        raise not_found(FpgaImage, key)
    name, text = call.get("Name") or source.name, call.get("Description") or source.description
    return {"FpgaImageId": _made(call, source.everywhere, name, text)["FpgaImageId"]}


def _made(call: Call, everywhere: str, name: str, description: str) -> Shape:
    if sum(1 for _ in call.txn.all(FpgaImage)) >= MAX_IMAGES:
        raise ApiError(
            "ResourceLimitExceeded", "The maximum number of FPGA images has been reached."
        )
    row = call.created(
        FpgaImage(
            **call.common(FpgaImage),
            everywhere=everywhere,
            name=name,
            description=description,
            changed=call.now,
        )
    )
    return {"FpgaImageId": row.id, "FpgaImageGlobalId": everywhere}


def delete(call: Call) -> Shape:
    """DeleteFpgaImage."""
    call.txn.delete(_own(call))
    return {"Return": True}


def _may_load(row: FpgaImage, account: str) -> bool:
    return row.account == account or row.public or account in row.users


def _own(call: Call) -> FpgaImage:
    """The image of the call, which the caller must own.

    Raises:
        ApiError: ``InvalidFpgaImageID.NotFound``, ``InvalidFpgaImageID.Malformed``.
    """
    return call.txn.get(FpgaImage, call.params["FpgaImageId"])


# --- attributes ---------------------------------------------------------------------------------
def describe_attribute(call: Call) -> Shape:
    """DescribeFpgaImageAttribute."""
    return _attribute(_own(call), call.params["Attribute"])


def modify_attribute(call: Call) -> Shape:
    """ModifyFpgaImageAttribute: name, description, who may load it, or product codes.

    Raises:
        ApiError: the not-found codes, ``InvalidParameterCombination``, ``MissingParameter``,
            ``InvalidParameterValue``.
    """
    row = _own(call)
    given = {
        "name": call.get("Name") is not None,
        "description": call.get("Description") is not None,
        "loadPermission": any(call.get(n) for n in ("LoadPermission", "UserIds", "UserGroups")),
        "productCodes": bool(call.get("ProductCodes")),
    }
    asked = [name for name, there in given.items() if there]
    attribute = call.get("Attribute") or (asked[0] if len(asked) == 1 else None)
    if attribute is None and not asked:
        raise missing_parameter("attribute")
    if attribute is None or asked != [attribute]:
        raise invalid_combination("Fields for one attribute must be specified.")
    row = call.txn.put(replace(_modified(call, row, attribute), changed=call.now))
    return _attribute(row, attribute)


def _modified(call: Call, row: FpgaImage, attribute: str) -> FpgaImage:
    if attribute == "name":
        return replace(row, name=call.params["Name"])
    if attribute == "description":
        return replace(row, description=call.params["Description"])
    if attribute == "productCodes":
        return replace(row, products=tuple(dict.fromkeys(row.products + _products(call))))
    for add, items in _permissions(call):
        row = _permitted(row, items, add=add)
    return row


def _products(call: Call) -> tuple[str, ...]:
    if call.get("OperationType") == "remove":
        raise invalid_value("operationType", "remove", "Product codes cannot be removed.")
    return tuple(call.params["ProductCodes"])


def _permissions(call: Call) -> Iterator[tuple[bool, Iterable[Mapping[str, Any]]]]:
    """Those to be added (True) and removed, in both of the API's ways."""
    change = call.get("LoadPermission") or {}
    yield True, change.get("Add") or ()
    yield False, change.get("Remove") or ()
    listed = [{"UserId": each} for each in call.get("UserIds") or ()]
    listed += [{"Group": each} for each in call.get("UserGroups") or ()]
    if listed:
        if call.get("OperationType") is None:
            raise missing_parameter("operationType")
        yield call.params["OperationType"] == "add", listed


def _permitted(row: FpgaImage, items: Iterable[Mapping[str, Any]], *, add: bool) -> FpgaImage:
    for item in items:
        user, group = item.get("UserId"), item.get("Group")
        if group is not None and group != ALL:
            raise invalid_value("group", group)
        if user is not None and not is_account(user):
            raise invalid_value("userId", user)
        if group:
            row = replace(row, public=add)
        if user:
            others = tuple(each for each in row.users if each != user)
            row = replace(row, users=(*others, user) if add else others)
    return row


def reset_attribute(call: Call) -> Shape:
    """ResetFpgaImageAttribute: nobody but its owner may load it."""
    call.txn.put(replace(_own(call), users=(), public=False, changed=call.now))
    return {"Return": True}


def _attribute(row: FpgaImage, attribute: str) -> Shape:
    permissions: list[Shape] = [{"UserId": each} for each in row.users]
    if row.public:
        permissions.append({"Group": ALL})
    values: dict[str, Shape] = {
        "name": {"Name": row.name},
        "description": {"Description": row.description},
        "loadPermission": {"LoadPermissions": permissions},
        "productCodes": {"ProductCodes": _show_products(row)},
    }
    return {"FpgaImageAttribute": {"FpgaImageId": row.id, **values[attribute]}}


def _show_products(row: FpgaImage) -> list[Shape]:
    return [{"ProductCodeId": each, "ProductCodeType": "marketplace"} for each in row.products]


# --- listing ------------------------------------------------------------------------------------
def _listed(call: Call) -> Iterator[FpgaImage]:
    owners = {call.account if each == "self" else each for each in call.get("Owners") or ()}
    for row in call.txn.view.all(FpgaImage):
        seen = row.region == call.region and _may_load(row, call.account)
        if seen and (not owners or row.account in owners):
            yield row


def show(row: FpgaImage, view: View) -> Shape:
    """The API's ``FpgaImage`` structure."""
    return {
        "FpgaImageId": row.id,
        "FpgaImageGlobalId": row.everywhere,
        "Name": row.name,
        "Description": row.description,
        "State": {"Code": row.state},
        "CreateTime": row.created,
        "UpdateTime": row.changed,
        "OwnerId": row.account,
        "ProductCodes": _show_products(row),
        "Public": row.public,
        "DataRetentionSupport": False,
        "InstanceTypes": [],
        "Tags": tag_list(row),
    }


KIND = Kind(
    row=FpgaImage,
    actions={
        "CreateFpgaImage": create,
        "CopyFpgaImage": copy,
        "DeleteFpgaImage": delete,
        "DescribeFpgaImageAttribute": describe_attribute,
        "ModifyFpgaImageAttribute": modify_attribute,
        "ResetFpgaImageAttribute": reset_attribute,
    },
    reads=frozenset({"DescribeFpgaImageAttribute"}),
    listings=(
        Listing(
            action="DescribeFpgaImages",
            result="FpgaImages",
            show=show,
            ids="FpgaImageIds",
            rows=_listed,
            paths={"product-code": "ProductCodes[].ProductCodeId", "state": "State.Code"},
        ),
    ),
    settled=becomes("pending", "available"),
)
