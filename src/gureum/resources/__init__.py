"""The EC2 resources, one file each: rows, actions named as in the API, lowering."""

from gureum.resources import subnet, vpc
from gureum.resources.registry import Registry

REGISTRY = Registry(
    (
        vpc.KIND,
        subnet.KIND,
        subnet.LEASE,
    )
)

__all__ = ["REGISTRY", "Registry"]
