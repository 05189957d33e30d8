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
    """A flow log of a VPC, a subnet, a network interface, a transit gateway or an attachment of
    one, which it outlives.

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

    @property
    def of_transit(self) -> bool:
        """Whether it is about a transit gateway, or an attachment."""
        return self.resource.startswith("tgw-")


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
    return flow_logs_about(reader, interface.id, interface.subnet, interface.vpc)


def flow_logs_about(reader: Reader, *keys: str) -> list[FlowLog]:
    """The flow logs of some resources."""
    return [log for key in keys for log in reader.referrers(key, FlowLog)]
