"""The regions of the public AWS partition, as botocore's endpoint list has them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from gureum.wire.models import loader

_PARTITION = "aws"


@cache
def regions() -> Mapping[str, str]:
    """Region name to description: ``ap-northeast-2`` is ``Asia Pacific (Seoul)``."""
    partitions = loader().load_data("endpoints")["partitions"]
    (partition,) = (p for p in partitions if p["partition"] == _PARTITION)
    found = {name: its["description"] for name, its in partition["regions"].items()}
    return MappingProxyType(dict(sorted(found.items())))


def endpoint(service_name: str, region: str) -> str:
    """The host name of a service in a region, as DescribeRegions shows it for ec2."""
    return f"{service_name}.{region}.amazonaws.com"
