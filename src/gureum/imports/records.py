"""Reads what is a record here, or says what else is done with packets: VPN connections, endpoint
services, flow logs, launch templates, permissions of interfaces, Block Public Access,
encryption controls, secondary networks, paths to be analysed."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

from gureum.imports.answers import Item
from gureum.imports.hosts import take
from gureum.imports.reading import Left, Reading, moment
from gureum.resources import vpn_tunnel
from gureum.resources.endpoint_service import EndpointService, Permission, PrivateName
from gureum.resources.flow_log import DestinationOptions, FlowLog
from gureum.resources.flow_log_format import (
    DEFAULT_FORMAT,
    FIELDS,
    TRANSIT_FIELDS,
    TRANSIT_FORMAT,
    fields_of,
)
from gureum.resources.launch_template import LaunchTemplate, LaunchTemplateVersion, version_key
from gureum.resources.network_insights import NetworkInsightsPath, is_end, packet_fields
from gureum.resources.network_interface_permission import InterfacePermission
from gureum.resources.public_access import (
    BIDIRECTIONAL,
    GONE,
    INGRESS,
    OFF,
    PublicAccessExclusion,
    PublicAccessOptions,
    options_id,
)
from gureum.resources.region import zones
from gureum.resources.secondary_network import SecondaryNetwork, SecondarySubnet, State
from gureum.resources.vpc_encryption import EXCLUSIONS, VpcEncryptionControl
from gureum.resources.vpn_connection import IN_SERVICE, VpnConnection
from gureum.resources.vpn_tunnel import Tunnel

_ASKED = {
    "DpdTimeoutSeconds": "DPDTimeoutSeconds",
    "DpdTimeoutAction": "DPDTimeoutAction",
    "IkeVersions": "IKEVersions",
}
"""Options of a tunnel that a request calls otherwise than the answer."""


# --- VPN ----------------------------------------------------------------------------------------
def vpn_connection(reading: Reading, item: Item) -> None:
    """A VPN connection of a virtual private gateway; its tunnels' addresses are taken."""
    key, options = item["VpnConnectionId"], item.get("Options", {})
    if item["State"] not in IN_SERVICE:
        raise Left(f"it is {item['State']}")
    if item.get("TransitGatewayId"):
        raise Left("VPN connections of transit gateways are not built")
    tunnels = tuple(_tunnel(given) for given in options.get("TunnelOptions", ()))
    if not tunnels:
        reading.report.assumed.append((key, "a VPN connection without tunnels: nothing tells them"))
    telemetry = item.get("VgwTelemetry") or [{}]
    common = reading.common(VpnConnection, item, key)
    if changed := telemetry[0].get("LastStatusChange"):
        common["created"] = moment(changed)
    reading.put(
        VpnConnection(
            **common,
            customer=item["CustomerGatewayId"],
            gateway=item.get("VpnGatewayId"),
            static=options.get("StaticRoutesOnly", False),
            local=options.get("LocalIpv4NetworkCidr", "0.0.0.0/0"),
            remote=options.get("RemoteIpv4NetworkCidr", "0.0.0.0/0"),
            tunnels=tunnels,
            routes=tuple(each["DestinationCidrBlock"] for each in item.get("Routes", ())),
            state=item["State"],
        )
    )
    for tunnel in tunnels:
        take(reading, tunnel.outside, key)


def _tunnel(given: Item) -> Tunnel:
    made = Tunnel(
        outside=given["OutsideIpAddress"],
        inside=str(IPv4Network(given["TunnelInsideCidr"])),
        key=given["PreSharedKey"],
    )
    return vpn_tunnel.changed(
        made, {_ASKED.get(name, name): value for name, value in given.items()}
    )


# --- endpoint services --------------------------------------------------------------------------
def endpoint_service(reading: Reading, item: Item) -> None:
    """An endpoint service, and who may use it as far as that was asked for."""
    key = item["ServiceId"]
    if item.get("ServiceState", "Available") != "Available":
        raise Left(f"it is {item['ServiceState']}")
    reading.put(
        EndpointService(
            **reading.common(EndpointService, item, key),
            acceptance=item.get("AcceptanceRequired", False),
            network_balancers=tuple(item.get("NetworkLoadBalancerArns", ())),
            gateway_balancers=tuple(item.get("GatewayLoadBalancerArns", ())),
            private_name=_private_name(item),
            permissions=tuple(
                Permission(id=each["ServicePermissionId"], principal=each["Principal"])
                for each in reading.answers.of("AllowedPrincipals")
                if each.get("ServiceId") == key
            ),
            by_owner=item.get("PayerResponsibility") == "ServiceOwner",
        )
    )


def _private_name(item: Item) -> PrivateName | None:
    if not item.get("PrivateDnsName"):
        return None
    how = item.get("PrivateDnsNameConfiguration", {})
    return PrivateName(
        name=item["PrivateDnsName"],
        record=how.get("Name", ""),
        value=how.get("Value", ""),
        state=how.get("State", "pendingVerification"),
    )


# --- flow logs ----------------------------------------------------------------------------------
def flow_log(reading: Reading, item: Item) -> None:
    """A flow log of what is here: it records from now on, into the state folder."""
    kind, options = (
        item.get("LogDestinationType", "cloud-watch-logs"),
        item.get("DestinationOptions"),
    )
    if kind not in ("cloud-watch-logs", "s3"):
        raise Left(f"flow logs to {kind} are not built")
    if options and options.get("FileFormat", "plain-text") != "plain-text":
        raise Left(f"flow logs as {options['FileFormat']} are not built")
    transit = str(item["ResourceId"]).startswith("tgw-")
    form = item.get("LogFormat", TRANSIT_FORMAT if transit else DEFAULT_FORMAT)
    try:
        fields_of(form, TRANSIT_FIELDS if transit else FIELDS)
    except ValueError as error:
        raise Left(f"its format: {error}") from None
    reading.put(
        FlowLog(
            **reading.common(FlowLog, item, item["FlowLogId"], "CreationTime"),
            resource=item["ResourceId"],
            traffic=item.get("TrafficType", "ALL"),
            destination_type=kind,
            group=item.get("LogGroupName"),
            destination=item.get("LogDestination"),
            role=item.get("DeliverLogsPermissionArn"),
            cross_account_role=item.get("DeliverCrossAccountRole"),
            log_format=form,
            interval=item.get("MaxAggregationInterval", 600),
            options=_destination(options),
        )
    )


def _destination(options: Item | None) -> DestinationOptions | None:
    if options is None:
        return None
    return DestinationOptions(
        hive=options.get("HiveCompatiblePartitions", False),
        per_hour=options.get("PerHourPartition", False),
    )


# --- launch templates ---------------------------------------------------------------------------
def launch_template(reading: Reading, item: Item) -> None:
    """A launch template with the versions that were asked for, its default among them."""
    key, told = item["LaunchTemplateId"], reading.answers.of("LaunchTemplateVersions")
    versions = [each for each in told if each.get("LaunchTemplateId") == key]
    numbers = {int(each["VersionNumber"]) for each in versions}
    default, latest = int(item["DefaultVersionNumber"]), int(item["LatestVersionNumber"])
    if missing := {default, latest} - numbers:
        raise Left(f"describe-launch-template-versions does not tell of version {min(missing)}")
    common = reading.common(LaunchTemplate, item, key, "CreateTime")
    reading.put(
        LaunchTemplate(
            **common,
            name=item["LaunchTemplateName"],
            default=default,
            latest=latest,
            numbered=max(numbers),
        )
    )
    for each in versions:
        number = int(each["VersionNumber"])
        reading.put(
            LaunchTemplateVersion(
                **common
                | {
                    "id": version_key(key, number),
                    "created": moment(each["CreateTime"]),
                    "tags": (),
                },
                template=key,
                number=number,
                description=each.get("VersionDescription", ""),
                data=json.dumps(each["LaunchTemplateData"]),
            )
        )


# --- permissions of interfaces ------------------------------------------------------------------
def interface_permission(reading: Reading, item: Item) -> None:
    """What another account may do with an interface."""
    if not item.get("AwsAccountId"):
        raise Left("permissions of services of AWS are not built")
    key = item["NetworkInterfacePermissionId"]
    reading.put(
        InterfacePermission(
            **reading.common(InterfacePermission, item, key),
            interface=item["NetworkInterfaceId"],
            grantee=item["AwsAccountId"],
            permission=item["Permission"],
        )
    )


# --- Block Public Access ------------------------------------------------------------------------
def public_access(reading: Reading, item: Item) -> None:
    """What the region blocks."""
    mode = item["InternetGatewayBlockMode"]
    if mode not in (OFF, BIDIRECTIONAL, INGRESS):
        raise Left(f"the mode {mode} is not known")
    if item.get("State") == "default-state":
        return
    when = moment(item["LastUpdateTimestamp"])
    call = reading.call
    reading.put(
        PublicAccessOptions(
            id=options_id(call.account, call.region),
            account=call.account,
            region=call.region,
            created=when,
            mode=mode,
            state="update-complete",
            updated=when,
        )
    )


def exclusion(reading: Reading, item: Item) -> None:
    """A VPC or a subnet that is excepted."""
    if item["State"] in GONE or not item["State"].endswith("complete"):
        raise Left(f"it is {item['State']}")
    target = item["ResourceArn"].rpartition("/")[2]
    reading.put(
        PublicAccessExclusion(
            **reading.common(PublicAccessExclusion, item, item["ExclusionId"], "CreationTimestamp"),
            vpc=target if target.startswith("vpc-") else None,
            subnet=target if target.startswith("subnet-") else None,
            arn=item["ResourceArn"],
            mode=item["InternetGatewayExclusionMode"],
            state=item["State"],
            updated=moment(item["LastUpdateTimestamp"]),
        )
    )


# --- encryption and secondary networks ----------------------------------------------------------
def encryption_control(reading: Reading, item: Item) -> None:
    """The encryption control of a VPC that is here."""
    state, told = item["State"], item.get("ResourceExclusions", {})
    if state.startswith("delet"):
        raise Left(f"it is {state}")
    reading.put(
        VpcEncryptionControl(
            **reading.common(VpcEncryptionControl, item, item["VpcEncryptionControlId"]),
            vpc=item["VpcId"],
            mode=item["Mode"],
            state=state,
            message=item.get("StateMessage") or None,
            excluded=tuple(
                name for name in EXCLUSIONS if told.get(name, {}).get("State") == "enabled"
            ),
        )
    )


def secondary_network(reading: Reading, item: Item) -> None:
    """A secondary network."""
    cidr, association, state = _secondary(item)
    reading.put(
        SecondaryNetwork(
            **reading.common(SecondaryNetwork, item, item["SecondaryNetworkId"]),
            cidr=cidr,
            type=item["Type"],
            association=association,
            state=state,
        )
    )


def secondary_subnet(reading: Reading, item: Item) -> None:
    """A subnet of a secondary network that is here."""
    cidr, association, state = _secondary(item)
    if item["AvailabilityZone"] not in zones(reading.call.region):
        raise Left(f"there is no zone {item['AvailabilityZone']} here")
    reading.put(
        SecondarySubnet(
            **reading.common(SecondarySubnet, item, item["SecondarySubnetId"]),
            network=item["SecondaryNetworkId"],
            zone=item["AvailabilityZone"],
            cidr=cidr,
            association=association,
            state=state,
        )
    )


def _secondary(item: Item) -> tuple[str, str, State]:
    state = item["State"]
    if state not in ("create-in-progress", "create-complete"):
        raise Left(f"it is {state}")
    (block,) = item["Ipv4CidrBlockAssociations"]
    return str(IPv4Network(block["CidrBlock"])), block["AssociationId"], state


# --- questions ----------------------------------------------------------------------------------
def insights_path(reading: Reading, item: Item) -> None:
    """A path to be analysed, whose ends need not be here."""
    ends = item["Source"], item.get("Destination")
    for end in ends:
        if end is not None and not is_end(end):
            raise Left(f"paths from or to {end} are not built")
    key = item["NetworkInsightsPathId"]
    reading.put(
        NetworkInsightsPath(
            **reading.common(NetworkInsightsPath, item, key, "CreatedDate"),
            source=ends[0],
            target=ends[1],
            **packet_fields(item),
        )
    )
