"""Further things that can be changed of instances, or asked: where they are, how many processors
they use, their profile, their password.

Source: EC2 API Reference, ModifyInstancePlacement, ModifyInstanceCpuOptions,
AssociateIamInstanceProfile, GetPasswordData, DescribeInstanceTopology.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Listing, Shape
from gureum.model import Resource, View
from gureum.resources import instance_profile
from gureum.resources.instance import ENDED, Instance
from gureum.resources.instance_types import TYPES, nitro
from gureum.resources.placement_group import group_named, placed
from gureum.resources.shapes import unsupported


def _stopped(call: Call) -> Instance:
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state != "stopped":
        raise ApiError(
            "IncorrectInstanceState", f"The instance '{row.id}' is not in the 'stopped' state."
        )
    return row


# --- placement ----------------------------------------------------------------------------------
def modify_placement(call: Call) -> Shape:
    """ModifyInstancePlacement: an empty name takes the instance out of its group."""
    unsupported(call, "HostId", "HostResourceGroupArn")
    row = _stopped(call)
    tenancy = call.get("Tenancy", row.tenancy)
    if tenancy != row.tenancy and "default" in (tenancy, row.tenancy):
        raise ApiError(
            "InvalidRequest", f"The tenancy cannot be changed from {row.tenancy} to {tenancy}."
        )
    group, number = row.placement_group, row.partition
    if call.get("GroupName") == "" and not call.get("GroupId"):
        group, number = None, None
    elif call.get("GroupName") or call.get("GroupId"):
        group, number = placed(call, call.params, row.type)
    elif call.get("PartitionNumber"):
        group, number = placed(call, {**call.params, "GroupId": row.placement_group}, row.type)
    call.txn.put(replace(row, tenancy=tenancy, placement_group=group, partition=number))
    return {"Return": True}


# --- processors ---------------------------------------------------------------------------------
def checked_cpus(kind: str, given: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Cores and threads of each that ``CpuOptions`` ask of a type; None for all that it has.

    Raises:
        ApiError: ``InvalidParameterCombination``, ``InvalidParameterValue``,
            ``UnsupportedOperation``.
    """
    for name in ("AmdSevSnp", "NestedVirtualization"):
        if given.get(name) == "enabled":
            raise ApiError("UnsupportedOperation", f"{name} is not available in this cloud.")
    cores, threads = given.get("CoreCount"), given.get("ThreadsPerCore")
    if cores is None and threads is None:
        return None, None
    if cores is None or threads is None:
        raise invalid_combination("Core count and threads per core must be specified together.")
    most_cores, most_threads = TYPES[kind].cores
    if not 1 <= cores <= most_cores:
        raise invalid_value("CpuOptions.CoreCount", cores, f"{kind} has up to {most_cores} cores.")
    if not 1 <= threads <= most_threads:
        raise invalid_value(
            "CpuOptions.ThreadsPerCore", threads, f"{kind} has up to {most_threads} threads a core."
        )
    return cores, threads


def modify_cpus(call: Call) -> Shape:
    """ModifyInstanceCpuOptions: in force from the next start on."""
    row = _stopped(call)
    cores, threads = checked_cpus(row.type, call.params)
    if cores is None:
        cores, threads = row.cores or TYPES[row.type].cores[0], row.threads
    row = call.txn.put(replace(row, cores=cores, threads=threads))
    return {
        "InstanceId": row.id,
        "CoreCount": row.cores,
        "ThreadsPerCore": row.threads or TYPES[row.type].cores[1],
    }


def modify_network_performance(call: Call) -> Shape:
    """ModifyInstanceNetworkPerformanceOptions: remembered only."""
    row = _stopped(call)
    if not nitro(row.type):
        raise ApiError("UnsupportedOperation", f"{row.type} does not support bandwidth weighting.")
    row = call.txn.put(replace(row, bandwidth=call.params["BandwidthWeighting"]))
    return {"InstanceId": row.id, "BandwidthWeighting": row.bandwidth}


# --- profiles -----------------------------------------------------------------------------------
def associate_profile(call: Call) -> Shape:
    """AssociateIamInstanceProfile."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state in ENDED:
        raise ApiError(
            "IncorrectInstanceState",
            f"The instance '{row.id}' is not in the 'running' or 'stopped' state.",
        )
    arn = instance_profile.profile_arn(call.txn, call.params["IamInstanceProfile"])
    if instance_profile.association_of(call.txn.view, row.id) is not None:
        raise ApiError("IncorrectState", f"There is an existing association for instance {row.id}")
    made = instance_profile.associate(call, row.id, arn, state="associating")
    return {"IamInstanceProfileAssociation": instance_profile.show(made, call.txn.view)}


# --- reports ------------------------------------------------------------------------------------
def report_status(call: Call) -> Shape:
    """ReportInstanceStatus: heard, and nothing follows, as in AWS."""
    for key in call.params["Instances"]:
        call.txn.get(Instance, key)
    return {}


def modify_event(call: Call) -> Shape:
    """ModifyInstanceEventStartTime: nothing is ever scheduled here.

    Raises:
        ApiError: ``InvalidInstanceEventIDNotFound``, always.
    """
    call.txn.get(Instance, call.params["InstanceId"])
    raise ApiError(
        "InvalidInstanceEventIDNotFound",
        f"The event ID '{call.params['InstanceEventId']}' does not exist",
    )


def get_password(call: Call) -> Shape:
    """GetPasswordData: empty, as of every instance that is not Windows."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    return {"InstanceId": row.id, "Timestamp": call.now, "PasswordData": ""}


# --- topology -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Place:
    """An instance of a type whose topology is told; none here is."""

    id: str
    created: str


def _topology(call: Call) -> Iterator[Place]:
    for name in call.get("GroupNames", ()):
        group_named(call.txn, name)
    for key in call.get("InstanceIds", ()):
        call.txn.get(Instance, key)
        yield Place(key, "")


def _untold(call: Call, row: Place) -> bool:
    return False


def _show_place(row: Resource, view: View) -> Shape:
    return {"InstanceId": row.id}


TOPOLOGY: Listing[Any] = Listing(
    action="DescribeInstanceTopology",
    result="Instances",
    show=_show_place,
    ids="InstanceIds",
    rows=_topology,
    keep=_untold,
)
"""Empty, as AWS tells the topology of its largest types only."""

READS = frozenset({"GetPasswordData"})

ACTIONS: Mapping[str, Callable[[Call], Shape]] = {
    "ModifyInstancePlacement": modify_placement,
    "ModifyInstanceCpuOptions": modify_cpus,
    "ModifyInstanceNetworkPerformanceOptions": modify_network_performance,
    "ModifyInstanceEventStartTime": modify_event,
    "AssociateIamInstanceProfile": associate_profile,
    "ReportInstanceStatus": report_status,
    "GetPasswordData": get_password,
}
