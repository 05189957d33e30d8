"""The EC2 resources, one file each: rows, actions named as in the API, lowering."""

from gureum.resources import (
    access_scope,
    attachment_api,
    dhcp_options,
    elastic_ip,
    image,
    instance_api,
    instance_types,
    internet_gateway,
    internet_host,
    key_pair,
    nat_gateway,
    network_acl,
    network_insights,
    network_interface_api,
    prefix_list_api,
    public_ip,
    region_api,
    route_table,
    security_group,
    security_group_rule,
    subnet,
    tags,
    volume,
    vpc,
    vpc_peering,
)
from gureum.resources.registry import Registry

REGISTRY = Registry(
    (
        dhcp_options.KIND,
        vpc.KIND,
        subnet.KIND,
        subnet.LEASE,
        internet_gateway.KIND,
        network_acl.KIND,
        network_acl.ASSOCIATION,
        prefix_list_api.KIND,
        prefix_list_api.VERSION,
        security_group.KIND,
        security_group_rule.KIND,
        public_ip.KIND,
        public_ip.ASSOCIATION,
        elastic_ip.KIND,
        network_interface_api.KIND,
        nat_gateway.KIND,
        route_table.KIND,
        route_table.ASSOCIATION,
        image.KIND,
        key_pair.KIND,
        instance_types.KIND,
        volume.KIND,
        instance_api.KIND,
        attachment_api.KIND,
        internet_host.KIND,
        vpc_peering.KIND,
        network_insights.KIND,
        network_insights.ANALYSIS,
        access_scope.KIND,
        access_scope.ANALYSIS,
        tags.KIND,
        region_api.KIND,
    )
)
"""All kinds.  What AWS makes unasked in a region, or along with a row, is made in this order: DHCP
options before the VPC that has them, a default VPC's gateway before the route that leads to it."""

__all__ = ["REGISTRY", "Registry"]
