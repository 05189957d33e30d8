"""GetInstanceTypesFromInstanceRequirements: which types have what is asked for.

Source: EC2 API Reference, InstanceRequirementsRequest; EC2 User Guide, "Attribute-based instance
type selection".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gureum.errors import invalid_combination
from gureum.kind import Call, Listing, Shape
from gureum.model import View
from gureum.resources.instance_types import TYPES, Size, burstable, current, family
from gureum.wire.filters import matcher

Asked = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A type, in the order of names."""

    id: str
    created: str = ""


def within(value: float, bounds: Asked | None) -> bool:
    """Whether a value is between ``Min`` and ``Max``, as far as they are given."""
    if not bounds:
        return True
    low, high = bounds.get("Min"), bounds.get("Max")
    return (low is None or value >= low) and (high is None or value <= high)


def _inclusion(asked: str, has: bool) -> bool:
    return asked == "included" or (asked == "required") == has


def _named(name: str, patterns: list[str]) -> bool:
    return any(matcher(pattern)(name) for pattern in patterns)


def _maker(name: str) -> str:
    """AMD's types have an ``a`` behind their generation (``t3a``); the others here are Intel's."""
    return "amd" if family(name).endswith("a") else "intel"


_NONE_HAS = ("AcceleratorCount", "AcceleratorTotalMemoryMiB", "TotalLocalStorageGB")
"""What no type here has any of: accelerators and local disks."""

_TESTS: tuple[Callable[[str, Size, Asked], bool], ...] = (
    lambda name, size, asked: within(size.cpus, asked["VCpuCount"]),
    lambda name, size, asked: within(size.memory, asked["MemoryMiB"]),
    lambda name, size, asked: within(size.memory / 1024 / size.cpus, asked.get("MemoryGiBPerVCpu")),
    lambda name, size, asked: within(size.interfaces, asked.get("NetworkInterfaceCount")),
    lambda name, size, asked: not _named(name, asked.get("ExcludedInstanceTypes", [])),
    lambda name, size, asked: (
        not asked.get("AllowedInstanceTypes") or _named(name, asked["AllowedInstanceTypes"])
    ),
    lambda name, size, asked: (
        not asked.get("InstanceGenerations")
        or ("current" if current(name) else "previous") in asked["InstanceGenerations"]
    ),
    lambda name, size, asked: (
        not asked.get("CpuManufacturers") or _maker(name) in asked["CpuManufacturers"]
    ),
    lambda name, size, asked: _inclusion(
        asked.get("BurstablePerformance", "excluded"), burstable(name)
    ),
    lambda name, size, asked: _inclusion(asked.get("BareMetal", "excluded"), has=False),
    lambda name, size, asked: _inclusion(asked.get("LocalStorage", "included"), has=False),
    lambda name, size, asked: not asked.get("RequireHibernateSupport"),
    lambda name, size, asked: all(within(0, asked.get(member)) for member in _NONE_HAS),
    lambda name, size, asked: (
        not any(
            asked.get(member)
            for member in ("AcceleratorTypes", "AcceleratorManufacturers", "AcceleratorNames")
        )
    ),
)


def _types(call: Call) -> Iterator[Found]:
    asked = call.params["InstanceRequirements"]
    if asked.get("AllowedInstanceTypes") and asked.get("ExcludedInstanceTypes"):
        raise invalid_combination(
            "Only one of allowedInstanceTypes and excludedInstanceTypes may be specified."
        )
    if "x86_64" not in call.params["ArchitectureTypes"]:
        return
    if "hvm" not in call.params["VirtualizationTypes"]:
        return
    for name, size in sorted(TYPES.items()):
        if all(test(name, size, asked) for test in _TESTS):
            yield Found(name)


def show(row: Found, view: View) -> Shape:
    """The API's ``InstanceTypeInfoFromInstanceRequirements`` structure."""
    return {"InstanceType": row.id}


LISTING: Listing[Found] = Listing(
    action="GetInstanceTypesFromInstanceRequirements",
    result="InstanceTypes",
    show=show,
    rows=_types,
)
