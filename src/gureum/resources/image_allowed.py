"""Allowed images: which images an account lets itself use, by who provides them and how old they
are.

Source: EC2 User Guide, "Control the discovery and use of AMIs in Amazon EC2 with Allowed AMIs"; EC2
API Reference, ImageCriterion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from gureum.errors import ApiError, invalid_value
from gureum.kind import Shape
from gureum.model.timestamps import age
from gureum.wire.filters import matcher

MAX_CRITERIA = 10


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """What an image must be, all of it; empty and None ask for nothing.  ``most_days`` is the
    greatest age, ``most_days_deprecated`` how long it may have been out of date."""

    providers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    most_days: int | None = None
    most_days_deprecated: int | None = None
    product_codes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AllowedImages:
    """The settings of a region: with no criteria, all images are allowed."""

    state: Literal["disabled", "audit-mode", "enabled"] = "disabled"
    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True)
class Ages:
    """How long ago an image was made and went out of date; None for one that has not."""

    created: timedelta
    deprecated: timedelta | None

    @classmethod
    def at(cls, now: str, created: str, deprecated: str | None) -> Ages:
        """The ages at a time."""
        old = age(deprecated, now) if deprecated else None
        return cls(age(created, now), old)


def within(age: timedelta | None, most: int | None) -> bool:
    """Whether an age is at most so many days, if there is one and a bound."""
    return age is None or most is None or age / timedelta(days=1) <= most


def admits(
    criteria: Iterable[Criterion], providers: set[str | None], name: str, ages: Ages
) -> bool:
    """Whether one of the criteria admits an image of somebody else's, or there are none.

    ``providers`` are its owner and the owner's alias.
    """
    whole = list(criteria)
    return not whole or any(_fits(each, providers, name, ages) for each in whole)


def _fits(each: Criterion, providers: set[str | None], name: str, ages: Ages) -> bool:
    if each.product_codes:  # nothing here comes from the Marketplace
        return False
    if each.providers and not providers & set(each.providers):
        return False
    if each.names and not any(matcher(pattern)(name) for pattern in each.names):
        return False
    return within(ages.created, each.most_days) and within(
        ages.deprecated, each.most_days_deprecated
    )


def parse(items: Iterable[Mapping[str, Any]]) -> tuple[Criterion, ...]:
    """The criteria of a request.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    found = tuple(_parse_one(item) for item in items)
    if len(found) > MAX_CRITERIA:
        raise ApiError("InvalidParameterValue", f"At most {MAX_CRITERIA} criteria can be given.")
    return found


def _parse_one(item: Mapping[str, Any]) -> Criterion:
    for name in ("ImageWatermarks", "ScanResultCondition"):
        if item.get(name):
            raise ApiError(
                "UnsupportedOperation",
                f"The condition {name} of image criteria is not available in this cloud.",
            )
    providers = tuple(item.get("ImageProviders", ()))
    for each in providers:
        account = len(each) == 12 and each.isascii() and each.isdigit()
        if not account and each not in ("amazon", "aws-marketplace", "aws-backup-vault", "none"):
            raise invalid_value("imageProvider", each)
    return Criterion(
        providers=providers,
        names=tuple(item.get("ImageNames", ())),
        most_days=item.get("CreationDateCondition", {}).get("MaximumDaysSinceCreated"),
        most_days_deprecated=item.get("DeprecationTimeCondition", {}).get(
            "MaximumDaysSinceDeprecated"
        ),
        product_codes=tuple(item.get("MarketplaceProductCodes", ())),
    )


def show_criterion(each: Criterion) -> Shape:
    """The API's ``ImageCriterion`` structure."""
    shape: Shape = {}
    if each.providers:
        shape["ImageProviders"] = list(each.providers)
    if each.names:
        shape["ImageNames"] = list(each.names)
    if each.product_codes:
        shape["MarketplaceProductCodes"] = list(each.product_codes)
    if each.most_days is not None:
        shape["CreationDateCondition"] = {"MaximumDaysSinceCreated": each.most_days}
    if each.most_days_deprecated is not None:
        shape["DeprecationTimeCondition"] = {
            "MaximumDaysSinceDeprecated": each.most_days_deprecated
        }
    return shape
