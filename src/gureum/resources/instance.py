"""Instance: a machine with interfaces in a VPC; its states and what it asks of the network.

What the API shows of it is in :mod:`gureum.resources.instance_shape`, the actions are in
:mod:`gureum.resources.run_instances`, :mod:`gureum.resources.instance_api` and
:mod:`gureum.resources.instance_attributes`.

Sources: EC2 User Guide, "Instance lifecycle"; EC2 API Reference, Instance, StateReason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gureum.errors import invalid_value
from gureum.kind import Lowering
from gureum.model import Reader, Resource, Txn, ref
from gureum.model.cidr import resolver_address
from gureum.model.timestamps import age
from gureum.program import Host, Machine
from gureum.resources import instance_profile, network_interface, root_replacement, volume
from gureum.resources.dhcp_options import (
    AMAZON_DNS,
    DOMAIN_NAME,
    NAME_SERVERS,
    DhcpOptions,
    internal_domain,
    private_dns,
)
from gureum.resources.instance_types import TYPES
from gureum.resources.network_interface import interfaces_of
from gureum.resources.subnet import IPV6_ONLY, Subnet
from gureum.resources.vpc import RESOLVER_ADDRESS6, Vpc

STATES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
"""The states with their codes (EC2 API Reference, InstanceState)."""

UP = frozenset({"pending", "running"})
ENDED = frozenset({"shutting-down", "terminated"})

KEPT = timedelta(hours=1)
"""How long a terminated instance stays visible."""


@dataclass(frozen=True, kw_only=True)
class MetadataOptions:
    """How the instance's metadata may be asked for (EC2 API, ModifyInstanceMetadataOptions)."""

    tokens: str = "required"
    hop_limit: int = 2
    endpoint: str = "enabled"
    ipv6: str = "disabled"
    tags: str = "disabled"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an instance is in its state: AWS's code and sentence, and when."""

    code: str
    message: str
    transition: str = ""


USER_REQUEST = ("Client.UserInitiatedShutdown", "User initiated shutdown")
OWN_SHUTDOWN = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
LAUNCH_FAILED = ("Server.InternalError", "Internal error on launch")


@dataclass(frozen=True, kw_only=True)
class Instance(
    Resource,
    kind="instance",
    prefix="i",
    not_found="InvalidInstanceID.NotFound",
    malformed="InvalidInstanceID.Malformed",
    noun="instance",
):
    """An instance.

    ``boot`` counts its starts; ``keys`` are the public keys that it was launched with, ``base`` the
    name of the files that its image stands for; ``cores`` and ``threads`` are None for all that its
    type has; ``auto_public`` says that it gets a public address
    of AWS's own at each start.  Its interfaces name it, not it them; ``subnet`` and ``vpc`` are
    remembered when they are gone.
    """

    image: str
    base: str
    root_device: str
    type: str
    vpc: str = ref("weak")
    subnet: str = ref("weak")
    zone: str
    reservation: str
    launch_index: int = 0
    launched: str
    token: str = ""
    state: str = "pending"
    boot: int = 1
    key_name: str | None = None
    keys: tuple[str, ...] = ()
    user_data: str = ""
    auto_public: bool = False
    protected: bool = False
    stop_protected: bool = False
    shutdown_behavior: str = "stop"
    monitored: bool = False
    ebs_optimized: bool = False
    tenancy: str = "default"
    placement_group: str | None = ref("weak", default=None)
    partition: int | None = None
    cores: int | None = None
    threads: int | None = None
    bandwidth: str = "default"
    credits: str | None = None
    recovery: str = "default"
    hostname_type: str = "ip-name"
    dns_a_record: bool = False
    dns_aaaa_record: bool = False
    metadata: MetadataOptions = MetadataOptions()
    reason: Reason | None = None
    ended: str | None = None

    @property
    def wanted(self) -> str:
        """What is to become of it: ``running``, ``stopped`` or ``terminated``."""
        if self.state in UP:
            return "running"
        return "terminated" if self.state in ENDED else "stopped"

    @property
    def processors(self) -> tuple[int, int]:
        """Cores and threads of each that it uses."""
        cores, threads = TYPES[self.type].cores
        return self.cores or cores, self.threads or threads


def reason(what: tuple[str, str], now: str, *, by_user: bool = True) -> Reason:
    """A reason with the time in the wording of ``StateTransitionReason``."""
    code, message = what
    at = datetime.fromisoformat(now).strftime("%Y-%m-%d %H:%M:%S GMT")
    shown = f"User initiated ({at})" if by_user else f"{code} ({at})"
    return Reason(code=code, message=f"{code}: {message}", transition=shown)


# --- what the machine room saw ------------------------------------------------------------------
def observed(txn: Txn, now: str, key: str, state: str, boot: int | None = None) -> None:
    """Take note that the instance's machine is ``running`` or ``stopped``; ``boot`` is its counter
    of starts as far as that is known.

    A machine that stopped while nobody had asked for that has shut itself down; one that never came
    up at its first start is terminated, as in AWS.
    """
    row = txn.find(Instance, key)
    if row is None:
        return
    if boot in (None, row.boot):
        root_replacement.ended(txn, row.id, now, well=state == "running")
    if state == "running":
        if row.state == "pending":
            txn.put(replace(row, state="running"))
    elif row.state == "stopping":
        _stopped(txn, row)
    elif row.state == "shutting-down":
        _terminated(txn, row, now)
    elif row.state == "pending" and row.boot == 1:
        failed = reason(LAUNCH_FAILED, now, by_user=False)
        _terminated(txn, txn.put(replace(row, reason=failed)), now)
    elif row.state in UP:
        why = OWN_SHUTDOWN if row.state == "running" else LAUNCH_FAILED
        row = txn.put(replace(row, reason=reason(why, now, by_user=False)))
        if row.shutdown_behavior == "terminate":
            txn.put(replace(row, state="shutting-down"))
        else:
            _stopped(txn, row)


def _stopped(txn: Txn, row: Instance) -> None:
    for eni in interfaces_of(txn.view, row.id):
        network_interface.release_public(txn, eni)
        network_interface.plug(txn, eni, None)
    txn.put(replace(row, state="stopped"))


def _terminated(txn: Txn, row: Instance, now: str) -> None:
    for eni in interfaces_of(txn.view, row.id):
        goes = eni.attachment is not None and eni.attachment.delete_on_termination
        free = network_interface.detach(txn, eni)
        if goes:
            network_interface.delete(txn, free)
    volume.release(txn, row.id)
    instance_profile.dissolve(txn, row.id)
    txn.put(replace(row, state="terminated", ended=now))


def expired(txn: Txn, row: Instance, now: str) -> None:
    """Forget an instance that was terminated an hour ago."""
    if row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)


# --- names --------------------------------------------------------------------------------------
def hostname(reader: Reader, row: Instance) -> str:
    """The private host name (EC2 User Guide, "EC2 instance hostnames and domains")."""
    if row.hostname_type == "resource-name":
        domain = internal_domain(row.region)
        return f"{row.id}.{domain}"
    found = interfaces_of(reader, row.id)
    ip = found[0].ip if found else None
    return private_dns(row.region, ip) if ip else ""


def check_names(reader: Reader, row: Instance) -> None:
    """Whether the instance may have the names that it asks for.

    Raises:
        ApiError: ``InvalidParameterValue``: in an IPv6-only subnet there is no name, and no record,
            of an IPv4 address.
    """
    subnet = reader.find(Subnet, row.subnet)
    if subnet is None or not subnet.native:
        return
    reason = f"It is not supported in the IPv6-only subnet '{subnet.id}'"
    if row.hostname_type != IPV6_ONLY["hostname_type"]:
        raise invalid_value("hostnameType", row.hostname_type, reason)
    if row.dns_a_record:
        raise invalid_value("enableResourceNameDnsARecord", "true", reason)


@dataclass(frozen=True)
class _Naming:
    """What a VPC's DHCP options tell an instance: ``domain`` is that of its own name where it is
    not the region's."""

    resolvers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    domain: str = ""


def _naming(reader: Reader, vpc: Vpc, *, ipv6_only: bool = False) -> _Naming:
    """Source: EC2 API Reference, CreateDhcpOptions: the custom domain is part of a host's name
    only where a custom name server is given too.  DHCPv6 tells of name servers with IPv6 addresses
    alone (RFC 3646)."""
    options = reader.find(DhcpOptions, vpc.dhcp_options)
    if options is None:
        return _Naming()
    amazon, given = resolver_address(vpc.cidr), options.values(NAME_SERVERS)
    if ipv6_only:
        amazon = RESOLVER_ADDRESS6
    domains = tuple(word for text in options.values(DOMAIN_NAME) for word in text.split())
    own = domains[0] if domains and given and AMAZON_DNS not in given else ""
    servers = (amazon if each == AMAZON_DNS else each for each in given)
    return _Naming(tuple(ip for ip in servers if ":" in ip or not ipv6_only), domains, own)


def rooted(reader: Reader, key: str) -> str | None:
    """The instance whose root volume that is, if it is one's."""
    row = reader.find(volume.Volume, key)
    for how in row.attachments if row is not None else ():
        instance = reader.find(Instance, how.instance)
        if instance is not None and instance.root_device == how.device:
            return instance.id
    return None


def root_volume(row: Instance, reader: Reader) -> volume.Volume | None:
    """The volume at the instance's root device, if there is one."""
    found = volume.volumes_of(reader, row.id)
    at = (each for each, how in found if how.device == row.root_device and how.state in _THERE)
    return next(at, None)


_THERE = ("attaching", "attached")


def _data_volumes(row: Instance, reader: Reader) -> tuple[tuple[str, str], ...]:
    """The volumes beside the root, by the last part of their device's name."""
    return tuple(
        (how.device.rpartition("/")[2], each.id)
        for each, how in volume.volumes_of(reader, row.id)
        if how.device != row.root_device and how.state != "detaching"
    )


def own_name(reader: Reader, row: Instance) -> str:
    """The host name that the instance itself knows: in the domain of its VPC's own name servers
    where there are any."""
    name, vpc = hostname(reader, row), reader.find(Vpc, row.vpc)
    domain = _naming(reader, vpc).domain if vpc else ""
    return f"{name.partition('.')[0]}.{domain}" if domain else name


# --- lowering -----------------------------------------------------------------------------------
def lower(row: Instance, lowering: Lowering) -> None:
    """A host for as long as there may be processes, and a machine while it is to run."""
    if row.state in ("stopped", "terminated"):
        return
    found = interfaces_of(lowering.view, row.id)
    vpc = lowering.view.find(Vpc, row.vpc)
    if not found or vpc is None:
        return
    name = hostname(lowering.view, row)
    names = _naming(lowering.view, vpc, ipv6_only=found[0].ip is None)
    lowering.say(Host(id=row.id, kind="instance", router=row.vpc, name=name))
    if row.state in UP:
        cores, threads = row.processors
        root = root_volume(row, lowering.view)
        lowering.say(
            Machine(
                id=row.id,
                image=(root.base if root else None) or row.base,
                hostname=own_name(lowering.view, row),
                ip=found[0].address,
                resolvers=names.resolvers,
                search=names.search,
                cpus=cores * threads,
                memory=TYPES[row.type].memory,
                boot=row.boot,
                keys=row.keys,
                user_data=row.user_data,
                volumes=_data_volumes(row, lowering.view),
                disk=root.snapshot if root else "",
                root=root.id if root else "",
            ),
            row.image,
        )
