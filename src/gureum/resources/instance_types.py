"""Instance types: what each may use of the machine, and how AWS describes it.

Source: EC2 Instance Types guide, "Amazon EC2 instance type specifications".  These are the current
and the commonest older general purpose, compute and memory types; sizes past what a laptop has are
left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gureum.errors import invalid_combination
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View
from gureum.resources.region import zone_id, zones

DEFAULT = "m1.small"
"""What RunInstances takes where no type is given."""


@dataclass(frozen=True, slots=True)
class Size:
    """``cpus`` virtual processors, ``memory`` in MiB, how many interfaces and addresses on each."""

    cpus: int
    memory: int
    interfaces: int
    addresses: int

    @property
    def cores(self) -> tuple[int, int]:
        """Processor cores, and threads of each."""
        count = max(1, self.cpus // 2)
        return count, self.cpus // count


_SIZES = """
m1.small      1   1740   2   4
t2.nano       1    512   2   2
t2.micro      1   1024   2   2
t2.small      1   2048   3   4
t2.medium     2   4096   3   6
t2.large      2   8192   3  12
t3.nano       2    512   2   2
t3.micro      2   1024   2   2
t3.small      2   2048   3   4
t3.medium     2   4096   3   6
t3.large      2   8192   3  12
t3.xlarge     4  16384   4  15
t3a.nano      2    512   2   2
t3a.micro     2   1024   2   2
t3a.small     2   2048   2   4
t3a.medium    2   4096   3   6
t3a.large     2   8192   3  12
m4.large      2   8192   2  10
m5.large      2   8192   3  10
m5.xlarge     4  16384   4  15
m5.2xlarge    8  32768   4  15
m6i.large     2   8192   3  10
m6i.xlarge    4  16384   4  15
m7i.large     2   8192   3  10
c5.large      2   4096   3  10
c5.xlarge     4   8192   4  15
c6i.large     2   4096   3  10
c6i.xlarge    4   8192   4  15
c7i.large     2   4096   3  10
r5.large      2  16384   3  10
r6i.large     2  16384   3  10
"""

TYPES: dict[str, Size] = {
    name: Size(*map(int, rest))
    for name, *rest in (line.split() for line in _SIZES.split("\n") if line)
}

_XEN = ("m1", "t2", "m4")
_OLD = ("m1",)


def family(name: str) -> str:
    """The first part of a type's name."""
    return name.partition(".")[0]


def burstable(name: str) -> bool:
    """Whether the type has CPU credits."""
    return name.startswith("t")


def current(name: str) -> bool:
    """Whether the type is of the current generation."""
    return family(name) not in _OLD


def nitro(name: str) -> bool:
    """Whether the type is one of those built on AWS's Nitro System."""
    return family(name) not in _XEN


def check_ipv6_only(name: str) -> None:
    """Whether instances of the type can be in an IPv6-only subnet (VPC User Guide, "Subnet types":
    those that are built on the Nitro System).

    Raises:
        ApiError: ``InvalidParameterCombination``.
    """
    if not nitro(name):
        raise invalid_combination(
            f"The instance type '{name}' is not supported in an IPv6-only subnet: only types that "
            "are built on the Nitro System are."
        )


def clusters(name: str) -> bool:
    """Whether instances of the type can be in a cluster placement group."""
    return current(name) and not burstable(name)


def default_credits(name: str) -> str:
    """The credit specification that AWS gives unasked."""
    return "standard" if family(name) == "t2" else "unlimited"


@dataclass(frozen=True, kw_only=True)
class InstanceType(
    Resource,
    kind="instance-type",
    prefix="type",
    not_found="InvalidInstanceType",
    malformed="InvalidInstanceType",
    noun="instance type",
):
    """A type as a listing has it; the id is its name, for offerings with the place, ``zone``."""

    zone: str = ""

    @property
    def name(self) -> str:
        """The type's name."""
        return self.id.partition(" ")[0]


def _types(call: Call) -> Iterator[InstanceType]:
    for name in TYPES:
        yield InstanceType(id=name, account=call.account, region=call.region, created="")


def show(row: InstanceType, view: View) -> Shape:
    """The API's ``InstanceTypeInfo`` structure."""
    size, name = TYPES[row.id], row.id
    xen = not nitro(name)
    cores, threads = size.cores
    strategies = ["cluster", "partition", "spread"] if clusters(name) else ["partition", "spread"]
    return {
        "InstanceType": name,
        "CurrentGeneration": current(name),
        "FreeTierEligible": name in ("t2.micro", "t3.micro"),
        "SupportedUsageClasses": ["on-demand", "spot"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"],
        "BareMetal": False,
        "Hypervisor": "xen" if xen else "nitro",
        "ProcessorInfo": {
            "SupportedArchitectures": ["x86_64"],
            "SustainedClockSpeedInGhz": 2.5,
        },
        "VCpuInfo": {
            "DefaultVCpus": size.cpus,
            "DefaultCores": cores,
            "DefaultThreadsPerCore": threads,
            "ValidCores": list(range(1, cores + 1)),
            "ValidThreadsPerCore": list(range(1, threads + 1)),
        },
        "MemoryInfo": {"SizeInMiB": size.memory},
        "InstanceStorageSupported": False,
        "EbsInfo": {
            "EbsOptimizedSupport": "unsupported" if xen else "default",
            "EncryptionSupport": "supported",
            "NvmeSupport": "unsupported" if xen else "required",
        },
        "NetworkInfo": _network(size, xen=xen),
        "PlacementGroupInfo": {"SupportedStrategies": strategies},
        "HibernationSupported": False,
        "BurstablePerformanceSupported": burstable(name),
        "DedicatedHostsSupported": False,
        "AutoRecoverySupported": True,
        "SupportedBootModes": ["legacy-bios"] if xen else ["legacy-bios", "uefi"],
        "NitroEnclavesSupport": "unsupported",
        "NitroTpmSupport": "unsupported",
    }


def _network(size: Size, *, xen: bool) -> Shape:
    return {
        "NetworkPerformance": "Low to Moderate" if xen else "Up to 5 Gigabit",
        "MaximumNetworkInterfaces": size.interfaces,
        "MaximumNetworkCards": 1,
        "DefaultNetworkCardIndex": 0,
        "NetworkCards": [
            {
                "NetworkCardIndex": 0,
                "NetworkPerformance": "Low to Moderate" if xen else "Up to 5 Gigabit",
                "MaximumNetworkInterfaces": size.interfaces,
            }
        ],
        "Ipv4AddressesPerInterface": size.addresses,
        "Ipv6AddressesPerInterface": size.addresses,
        "Ipv6Supported": True,
        "EnaSupport": "unsupported" if xen else "required",
        "EfaSupported": False,
        "EncryptionInTransitSupported": False,
    }


def _offerings(call: Call) -> Iterable[InstanceType]:
    wanted = call.get("LocationType", "region")
    for row in _types(call):
        for place in [call.region] if wanted == "region" else zones(call.region):
            where = zone_id(place) if wanted == "availability-zone-id" else place
            yield replace(row, id=f"{row.id} {where}", zone=where)


def _show_offering(row: InstanceType, view: View) -> Shape:
    kind = "region"
    if row.zone != row.region:
        kind = "availability-zone" if row.zone.startswith(row.region) else "availability-zone-id"
    return {"InstanceType": row.name, "LocationType": kind, "Location": row.zone}


KIND = Kind(
    row=InstanceType,
    listings=(
        Listing(
            action="DescribeInstanceTypes",
            result="InstanceTypes",
            show=show,
            ids="InstanceTypes",
            rows=_types,
            paths={
                "auto-recovery-supported": "AutoRecoverySupported",
                "bare-metal": "BareMetal",
                "burstable-performance-supported": "BurstablePerformanceSupported",
                "current-generation": "CurrentGeneration",
                "free-tier-eligible": "FreeTierEligible",
                "memory-info.size-in-mib": "MemoryInfo.SizeInMiB",
                "network-info.maximum-network-interfaces": "NetworkInfo.MaximumNetworkInterfaces",
                "network-info.ipv4-addresses-per-interface": (
                    "NetworkInfo.Ipv4AddressesPerInterface"
                ),
                "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures[]",
                "supported-boot-mode": "SupportedBootModes[]",
                "supported-root-device-type": "SupportedRootDeviceTypes[]",
                "supported-usage-class": "SupportedUsageClasses[]",
                "supported-virtualization-type": "SupportedVirtualizationTypes[]",
                "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
                "vcpu-info.default-cores": "VCpuInfo.DefaultCores",
            },
        ),
        Listing(
            action="DescribeInstanceTypeOfferings",
            result="InstanceTypeOfferings",
            show=_show_offering,
            rows=_offerings,
        ),
    ),
)
