"""Volume types: the sizes, IOPS and throughput that each can have.

Sources: EC2 API Reference, CreateVolume; EBS User Guide, "Amazon EBS volume types".
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import ApiError, missing_parameter

DEFAULT = "gp2"
"""What CreateVolume makes where no type is given."""


@dataclass(frozen=True)
class VolumeType:
    """``smallest`` and ``largest`` in GiB, the bounds of ``iops`` and ``throughput`` (MiB/s) where
    they can be chosen, and how many IOPS there are at most for a GiB."""

    smallest: int
    largest: int
    iops: tuple[int, int] | None = None
    throughput: tuple[int, int] | None = None
    ratio: int = 0
    boots: bool = True


TYPES = {
    "standard": VolumeType(1, 1024),
    "gp2": VolumeType(1, 16384),
    "gp3": VolumeType(1, 65536, (3000, 80000), (125, 2000), 500),
    "io1": VolumeType(4, 16384, (100, 64000), None, 50),
    "io2": VolumeType(4, 65536, (100, 256000), None, 1000),
    "st1": VolumeType(125, 16384, boots=False),
    "sc1": VolumeType(125, 16384, boots=False),
}

_MOST_THROUGHPUT = 0.25
"""MiB/s for each of the IOPS of a gp3 volume."""

MULTI_ATTACH = frozenset({"io1", "io2"})


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What a volume is: its size in GiB, type, IOPS and throughput in MiB/s, and whether several
    instances may have it."""

    size: int
    type: str
    iops: int | None = None
    throughput: int | None = None
    multi_attach: bool = False


def checked(
    kind: str,
    size: int,
    *,
    iops: int | None = None,
    throughput: int | None = None,
    multi_attach: bool = False,
) -> Performance:
    """What a volume of the type gives, with what was asked for.

    Raises:
        ApiError: ``InvalidParameterValue``, ``InvalidParameterCombination``, ``MissingParameter``.
    """
    its = TYPES[kind]
    if size < its.smallest:
        raise _value(f"Volume of {size}GiB is too small; minimum is {its.smallest}GiB.")
    if size > its.largest:
        raise _value(
            f"Volume of {size}GiB is too large for volume type {kind}; maximum is {its.largest}GiB."
        )
    if multi_attach and kind not in MULTI_ATTACH:
        raise ApiError(
            "InvalidParameterCombination",
            f"Multi-Attach is not supported for volumes of type {kind}.",
        )
    given = _iops(kind, its, size, iops)
    return Performance(
        size=size,
        type=kind,
        iops=given,
        throughput=_throughput(kind, its, given, throughput),
        multi_attach=multi_attach,
    )


def _iops(kind: str, its: VolumeType, size: int, asked: int | None) -> int | None:
    if its.iops is None:
        if asked is not None:
            raise ApiError(
                "InvalidParameterCombination",
                f"The parameter iops is not supported for {kind} volumes.",
            )
        return min(max(3 * size, 100), 16000) if kind == "gp2" else None
    low, high = its.iops
    if asked is None:
        if kind != "gp3":
            raise missing_parameter("iops")
        return low
    if not low <= asked <= high:
        bound = f"low; minimum is {low}" if asked < low else f"high; maximum is {high}"
        raise _value(f"Volume iops of {asked} is too {bound}.")
    if asked > max(low, its.ratio * size):
        raise _value(
            f"Iops to volume size ratio of {asked / size:f} is too high; "
            f"maximum is {its.ratio:f} iops per GiB."
        )
    return asked


def _throughput(kind: str, its: VolumeType, iops: int | None, asked: int | None) -> int | None:
    if its.throughput is None:
        if asked is not None:
            raise ApiError(
                "InvalidParameterCombination",
                f"The parameter throughput is not supported for {kind} volumes.",
            )
        return None
    low, high = its.throughput
    if asked is None:
        return low
    if not low <= asked <= high:
        bound = f"low; minimum is {low}" if asked < low else f"high; maximum is {high}"
        raise _value(f"Throughput of {asked} MiBps is too {bound}.")
    if iops and asked > _MOST_THROUGHPUT * iops:
        raise _value(
            f"Throughput (MiBps) to iops ratio of {asked / iops:f} is too high; "
            f"maximum is {_MOST_THROUGHPUT:f} MiBps per iops."
        )
    return asked


def _value(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)
