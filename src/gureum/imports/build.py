"""Builds the cloud that answers tell of, in the transaction of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gureum.errors import ApiError
from gureum.imports import (
    endpoints,
    filters,
    hosts,
    mirroring,
    networks,
    records,
    supplement,
    transit,
    transit_records,
    tunnels,
    ways,
)
from gureum.imports.answers import FACTS, IDS, Answers, Item
from gureum.imports.conform import conforming
from gureum.imports.names import names
from gureum.imports.reading import Reading
from gureum.imports.report import Report
from gureum.imports.verify import verify
from gureum.kind import Call

Read = Callable[[Reading, Item], None]

_FIRST: Mapping[str, Read] = {
    "DhcpOptions": networks.dhcp,
    "Vpcs": networks.vpc,
    "ManagedPrefixLists": networks.managed_list,
    "InternetGateways": networks.internet_gateway,
    "CarrierGateways": networks.carrier_gateway,
    "VpcEncryptionControls": records.encryption_control,
    "SecondaryNetworks": records.secondary_network,
    "SecondarySubnets": records.secondary_subnet,
    "EgressOnlyInternetGateways": networks.egress_only_gateway,
    "CustomerGateways": ways.customer_gateway,
    "VpnGateways": ways.vpn_gateway,
    "VpnConnections": records.vpn_connection,
    "LaunchTemplates": records.launch_template,
    "Subnets": networks.subnet,
    "NetworkAcls": filters.acl,
    "SubnetIpv4CidrReservations": networks.reservation,
    "SubnetIpv6CidrReservations": networks.reservation,
    "SecurityGroups": filters.group,
    "VpcPeeringConnections": ways.peering,
}
_THEN: Mapping[str, Read] = {
    "KeyPairs": hosts.key_pair,
    "PlacementGroups": hosts.placement_group,
    "Volumes": hosts.volume,
    "Addresses": hosts.address,
    "Reservations": hosts.reservation,
    "IamInstanceProfileAssociations": hosts.profile,
}
_LAST: Mapping[str, Read] = {
    "TransitGateways": transit.gateway,
    "TransitGatewayRouteTables": transit.table,
    "TransitGatewayVpcAttachments": transit.attachment,
    "TransitGatewayPeeringAttachments": transit.peering,
    "TransitGatewayConnects": transit.connect,
    "TransitGatewayConnectPeers": transit.connect_peer,
    "VpnConcentrators": transit.concentrator,
    "TransitGatewayMulticastDomains": transit_records.multicast_domain,
    "TransitGatewayPolicyTables": transit_records.policy_table,
    "TransitGatewayMeteringPolicies": transit_records.metering_policy,
    "NetworkInsightsPaths": records.insights_path,
    "ServiceConfigurations": records.endpoint_service,
    "VpcEndpoints": endpoints.endpoint,
    "InstanceConnectEndpoints": endpoints.connect_endpoint,
    "TrafficMirrorFilters": mirroring.filter_,
    "TrafficMirrorTargets": mirroring.target,
    "TrafficMirrorSessions": mirroring.session,
    "NatGateways": ways.nat_gateway,
    "RouteTables": ways.route_table,
    "FlowLogs": records.flow_log,
    "NetworkInterfacePermissions": records.interface_permission,
    "VpcBlockPublicAccessOptions": records.public_access,
    "VpcBlockPublicAccessExclusions": records.exclusion,
}
"""What refers to something is read after that.  Rules come after groups, which name each other,
and interfaces after instances."""

_ELSEWHERE = frozenset(
    {
        *("NetworkInterfaces", "PrefixLists", "SecurityGroupRules", "TransitGatewayAttachments"),
        *("AllowedPrincipals", "LaunchTemplateVersions", "TransitGatewayPrefixListReferences"),
        "TrafficMirrorFilterRules",
    }
)


@dataclass(frozen=True)
class Options:
    """Which local images instances run: ``aliases`` are names of images by the ids of images of
    elsewhere, ``image`` is the name for all that are not known here."""

    image: str = "debian-12"
    aliases: Mapping[str, str] = field(default_factory=dict)


def build(call: Call, answers: Answers, options: Options) -> Report:
    """Put what the answers tell into the transaction, with its own ids.

    Raises:
        ApiError: ``ImportClash`` where ids are taken.
    """
    report = Report()
    answers = tunnels.told(conforming(answers, report))
    translated = names(answers, call.txn.view, call.account, call.region, report)
    answers = _translate(answers, translated.here)
    reading = Reading(call, answers, report, options.image, options.aliases)
    _read(reading, _FIRST)
    filters.rules(reading)
    _read(reading, _THEN)
    for key, item in hosts.all_interfaces(reading):
        with reading.one("NetworkInterfaces", key):
            hosts.interface(reading, item)
    supplement.gateways_of_tables(reading)
    supplement.profiles(reading)
    _read(reading, _LAST)
    supplement.companions(reading, [item.get("VpcId", "") for item in answers.of("Vpcs")])
    transit.other_attachments(reading)
    hosts.tell_idle(reading)
    if reading.clashes:
        _refuse(reading.clashes)
    _unread(answers, report)
    verify(call, answers, report)
    return report


def _translate(answers: Answers, here: Callable[[object], object]) -> Answers:
    lists = {what: here(items) for what, items in answers.lists.items()}
    parts = {key: here(items) for key, items in answers.parts.items()}
    return Answers(lists, answers.attributes, parts, answers.strange)  # type: ignore[arg-type]


def _read(reading: Reading, readers: Mapping[str, Read]) -> None:
    for what, read in readers.items():
        for item in reading.answers.of(what):
            key = str(item.get(IDS[what], "?"))
            with reading.one(what, key):
                read(reading, item)


def _unread(answers: Answers, report: Report) -> None:
    """Tell of what nothing here reads."""
    known = {*_FIRST, *_THEN, *_LAST, *_ELSEWHERE, *FACTS}
    for what, items in sorted(answers.lists.items()):
        if what not in known:
            for item in items:
                report.leave(what, _any_id(what, item), "not built, or not imported yet")
    for name, why in answers.strange:
        report.leave("files", name, why)


def _any_id(what: str, item: Item) -> str:
    """What an item of a list that is not known is probably called."""
    named = [item[what.removesuffix("s") + "Id"]] if what.removesuffix("s") + "Id" in item else []
    named += [v for name, v in item.items() if name.endswith(("Id", "Name", "Arn"))]
    return str(named[0]) if named else "?"


def _refuse(clashes: list[str]) -> None:
    listed = ", ".join(sorted(clashes)[:10])
    more = f" and {len(clashes) - 10} more" if len(clashes) > 10 else ""
    raise ApiError("ImportClash", f"There are such things already: {listed}{more}.", 409)
