"""Flow log: whose packets are recorded, which of them, how and where.

Source: VPC User Guide, "Logging IP traffic using VPC Flow Logs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from gureum.model import Reader, Resource, ref

Traffic = Literal["ACCEPT", "REJECT", "ALL"]


@dataclass(frozen=True, kw_only=True)
class DestinationOptions:
    """How objects in a bucket are called: by ``key=value`` folders (Apache Hive's partitions), and
    with a folder for each hour."""

    hive: bool = False
    per_hour: bool = False


@dataclass(frozen=True, kw_only=True)
class FlowLog(
    Resource,
    kind="vpc-flow-log",
    prefix="fl",
    not_found="InvalidFlowLogId.NotFound",
    noun="flow log",
    missing="These flow log ids in the input list are not found: [TotalCount: 1] {id}",
):
    """A flow log of a VPC, a subnet or a network interface, which it outlives.

    ``group`` is the log group and ``destination`` the ARN, each as it was given; ``interval`` is in
    seconds.
    """

    resource: str = ref("weak")
    traffic: Traffic
    destination_type: Literal["cloud-watch-logs", "s3"]
    group: str | None = None
    destination: str | None = None
    role: str | None = None
    cross_account_role: str | None = None
    log_format: str
    interval: int
    options: DestinationOptions | None = None


class Interface(Protocol):
    """What of a network interface decides which flow logs are about it."""

    @property
    def id(self) -> str: ...
    @property
    def subnet(self) -> str: ...
    @property
    def vpc(self) -> str: ...


def flow_logs_of(reader: Reader, interface: Interface) -> list[FlowLog]:
    """The flow logs of an interface: its own, its subnet's and its VPC's."""
    return [
        log
        for key in (interface.id, interface.subnet, interface.vpc)
        for log in reader.referrers(key, FlowLog)
    ]
