"""Who uses an image: reports for its owner, and references in one's own account.

Sources: EC2 User Guide, "View your AMI usage" and "Identify your resources referencing specified
AMIs"; EC2 API Reference, CreateImageUsageReport, DescribeImageReferences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, Txn, View, ref
from gureum.model.timestamps import timestamp
from gureum.resources.image import resolved_id
from gureum.resources.image_attributes import own_image
from gureum.resources.instance import STATES, Instance
from gureum.resources.launch_template import LaunchTemplate, LaunchTemplateVersion
from gureum.resources.shapes import is_account, tag_list

KEPT = timedelta(days=30)
"""How long a report is there (EC2 User Guide)."""

MOST_IMAGES = 10
"""Images whose references can be asked for at once (the same)."""

DEPTHS = {"report": 20, "references": 10}
"""How many of the latest versions of a template are looked at unasked."""

INSTANCE, TEMPLATE = "ec2:Instance", "ec2:LaunchTemplate"
REPORTED = (INSTANCE, TEMPLATE, "imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe")
REFERRING = (*REPORTED, "ssm:Parameter")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A type of resource that is looked at; ``values`` are those of the one option that it has."""

    type: str
    option: str | None = None
    values: tuple[str, ...] = ()

    @property
    def depth(self) -> int | None:
        """So many versions of a template, if the scope says."""
        return int(self.values[0]) if self.option == "version-depth" and self.values else None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """So many resources of a type that an account has."""

    account: str
    type: str
    count: int


@dataclass(frozen=True, kw_only=True)
class UsageReport(
    Resource,
    kind="image-usage-report",
    prefix="amiur",
    not_found="InvalidImageUsageReportId.NotFound",
    malformed="InvalidImageUsageReportId.Malformed",
    noun="image usage report",
):
    """Who used an image at the time when the report was made; ``accounts`` empty means all."""

    image: str = ref("weak")
    scopes: tuple[Scope, ...]
    accounts: tuple[str, ...] = ()
    usages: tuple[Usage, ...] = ()
    state: Literal["pending", "available"] = "pending"


@dataclass(frozen=True)
class Entry:
    """A line of a listing, as the API shows it."""

    id: str
    created: str
    shape: Shape


# --- what uses an image -------------------------------------------------------------------------
def _users(
    txn: Txn, images: Iterable[str], scope: Scope, depth: int
) -> Iterator[tuple[str, Resource]]:
    """The rows of all accounts of the region that use one of some images, each with that."""
    asked = set(images)
    if scope.type == INSTANCE:
        states = set(scope.values) or set(STATES) - {"terminated"}
        for row in txn.view.all(Instance):
            if row.region == txn.region and row.image in asked and row.state in states:
                yield row.image, row
    if scope.type == TEMPLATE:
        for template in txn.view.all(LaunchTemplate):
            if template.region == txn.region:
                for key in sorted(_named(txn, template, scope.depth or depth) & asked):
                    yield key, template


def _named(txn: Txn, template: LaunchTemplate, depth: int) -> set[str]:
    """The images in the latest versions of a template."""
    rows = sorted(
        txn.view.referrers(template.id, LaunchTemplateVersion), key=lambda row: -row.number
    )
    found = set()
    for row in rows[:depth]:
        if text := row.shape.get("ImageId"):
            try:
                found.add(resolved_id(txn, text))
            except ApiError:
                continue  # a parameter that nobody publishes
    return found


def _scopes(
    items: Iterable[Mapping[str, Any]], types: tuple[str, ...], options: Mapping[str, str]
) -> tuple[Scope, ...]:
    """The types that a request asks for.

    Raises:
        ApiError: ``InvalidParameterValue``, ``InvalidParameterCombination``.
    """
    found: dict[str, Scope] = {}
    for item in items:
        kind = item.get("ResourceType")
        if kind not in types or kind in found:
            raise invalid_value("resourceType", kind)
        scope = Scope(type=kind)
        for option in item.get("ResourceTypeOptions") or ():
            name, values = option.get("OptionName"), tuple(option.get("OptionValues") or ())
            if options.get(kind) != name:
                raise invalid_combination(f"The option {name} is not one of {kind}.")
            _check_option(name, values)
            scope = replace(scope, option=name, values=values)
        found[kind] = scope
    return tuple(found.values())


def _check_option(name: str, values: tuple[str, ...]) -> None:
    for value in values:
        number = value.isascii() and value.isdigit() and 1 <= int(value) <= 10_000
        if not (number if name == "version-depth" else value in STATES):
            raise invalid_value(name, value)
    if name == "version-depth" and len(values) != 1:
        raise invalid_value(name, ", ".join(values))


# --- reports ------------------------------------------------------------------------------------
def create_report(call: Call) -> Shape:
    """CreateImageUsageReport: of an own image, by other accounts."""
    image = own_image(call)
    scopes = _scopes(call.params["ResourceTypes"], REPORTED, {TEMPLATE: "version-depth"})
    if not scopes:
        raise missing_parameter("resourceTypes")
    accounts = tuple(dict.fromkeys(call.get("AccountIds") or ()))
    for each in accounts:
        if not is_account(each):
            raise invalid_value("accountIds", each)
    counts: Counter[tuple[str, str]] = Counter()
    for scope in scopes:
        for _, user in _users(call.txn, (image.id,), scope, DEPTHS["report"]):
            if user.account != call.account and (not accounts or user.account in accounts):
                counts[user.account, scope.type] += 1
    usages = (Usage(account=who, type=what, count=n) for (who, what), n in sorted(counts.items()))
    row = call.created(
        UsageReport(
            **call.common(UsageReport),
            image=image.id,
            scopes=scopes,
            accounts=accounts,
            usages=tuple(usages),
        )
    )
    return {"ReportId": row.id}


def delete_report(call: Call) -> Shape:
    """DeleteImageUsageReport."""
    call.txn.delete(call.txn.get(UsageReport, call.params["ReportId"]))
    return {"Return": True}


def expired(txn: Txn, row: UsageReport, now: str) -> None:
    """Forget a report of a month ago."""
    if now >= _ends(row):
        txn.delete(row)


def _ends(row: UsageReport) -> str:
    return timestamp(datetime.fromisoformat(row.created) + KEPT)


def show(row: UsageReport, view: View) -> Shape:
    """The API's ``ImageUsageReport`` structure."""
    return {
        "ReportId": row.id,
        "ImageId": row.image,
        "ResourceTypes": [_show_scope(each) for each in row.scopes],
        "AccountIds": list(row.accounts),
        "State": row.state,
        "CreationTime": row.created,
        "ExpirationTime": _ends(row),
        "Tags": tag_list(row),
    }


def _show_scope(scope: Scope) -> Shape:
    shape: Shape = {"ResourceType": scope.type}
    if scope.option:
        option = {"OptionName": scope.option, "OptionValues": list(scope.values)}
        shape["ResourceTypeOptions"] = [option]
    return shape


def _entries(call: Call) -> Iterator[Entry]:
    """The lines of the reports that are asked for, or of all that are there."""
    asked, images = call.get("ReportIds") or (), set(call.get("ImageIds") or ())
    rows = [call.txn.get(UsageReport, key) for key in asked] or list(call.txn.all(UsageReport))
    for row in rows:
        for usage in row.usages if row.state == "available" else ():
            shape: Shape = {
                "ReportId": row.id,
                "ImageId": row.image,
                "ReportCreationTime": row.created,
                "ResourceType": usage.type,
                "AccountId": usage.account,
                "UsageCount": usage.count,
            }
            if not images or row.image in images:
                yield Entry(f"{row.id}/{usage.account}/{usage.type}", row.created, shape)


# --- references ---------------------------------------------------------------------------------
def _references(call: Call) -> Iterator[Entry]:
    """What of the caller's own refers to the images of a call."""
    images = tuple(dict.fromkeys(call.params["ImageIds"]))
    if len(images) > MOST_IMAGES:
        raise invalid_combination(f"At most {MOST_IMAGES} images can be asked for.")
    everything, items = call.get("IncludeAllResourceTypes"), call.get("ResourceTypes") or ()
    if bool(everything) == bool(items):
        raise invalid_combination(
            "Exactly one of includeAllResourceTypes and resourceTypes must be specified."
        )
    options = {INSTANCE: "state-name", TEMPLATE: "version-depth"}
    scopes = tuple(Scope(type=each) for each in REFERRING)
    for scope in scopes if everything else _scopes(items, REFERRING, options):
        for image, row in _users(call.txn, images, scope, DEPTHS["references"]):
            if row.account == call.account:
                arn = f"arn:aws:ec2:{row.region}:{row.account}:{row.kind}/{row.id}"
                shape = {"ImageId": image, "ResourceType": scope.type, "Arn": arn}
                yield Entry(f"{image}/{row.id}", row.created, shape)


def _show_entry(entry: Entry, view: View) -> Shape:
    return entry.shape


KIND = Kind(
    row=UsageReport,
    actions={"CreateImageUsageReport": create_report, "DeleteImageUsageReport": delete_report},
    listings=(
        Listing(
            action="DescribeImageUsageReports",
            result="ImageUsageReports",
            show=show,
            ids="ReportIds",
            keep=lambda call, row: not call.get("ImageIds") or row.image in call.params["ImageIds"],
        ),
        Listing(
            action="DescribeImageUsageReportEntries",
            result="ImageUsageReportEntries",
            show=_show_entry,
            rows=_entries,
            paths={"creation-time": "ReportCreationTime"},
        ),
        Listing(
            action="DescribeImageReferences",
            result="ImageReferences",
            show=_show_entry,
            rows=_references,
        ),
    ),
    settled=becomes("pending", "available"),
    expired=expired,
)
