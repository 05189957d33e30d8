"""Dispatch: what is generic for every action, from furnishing a region to pages of a listing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Txn, View
from gureum.resources import REGISTRY, Registry
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_acl import NetworkAcl
from gureum.resources.security_group import SecurityGroup
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc
from gureum.server.dispatch import Dispatcher, Home, utc_now
from gureum.store import Commit, MemoryStore
from gureum.wire import decode
from gureum.wire.models import input_members
from tests.conftest import Cloud
from tests.model.rows import ACCOUNT, REGION, House
from tests.resources.building import default_group, make_interface, make_subnet, make_vpc, only
from tests.resources.test_vpn import make_connection, make_gateway
from tests.resources.transit import make_star
from tests.server.reads import PARAMETERS, recorded
from tests.wiring import request_for


def commits(cloud: Cloud) -> list[Commit]:
    """A list that grows with every commit from now on."""
    told: list[Commit] = []
    cloud.store.subscribe(told.append)
    return told


# --- which actions there are --------------------------------------------------------------------
def test_an_action_of_no_api() -> None:
    with pytest.raises(ApiError) as caught:
        decode("POST", {}, "", b"Action=DescribeEverything&Version=2016-11-15")
    assert caught.value.code == "InvalidAction"


def test_an_action_that_is_not_built(cloud: Cloud) -> None:
    error = cloud.error("CreateIpam")
    assert (error.code, error.status) == ("UnsupportedOperation", 501)
    assert error.message == (
        "The action CreateIpam is part of the EC2 API but is not built in Gureum yet."
    )
    assert len(cloud.store.view.rows) == 0  # it does not even furnish the region


def test_reads_are_named_like_reads() -> None:
    names = {*REGISTRY.actions, *REGISTRY.listings}
    like_reads = {
        name for name in names if name.startswith(("Describe", "Get", "List", "Search", "Validate"))
    }
    assert like_reads == REGISTRY.reads


def _offered(cloud: Cloud) -> str:
    """An endpoint service."""
    balancer = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/1"
    made = cloud.call("CreateVpcEndpointServiceConfiguration", NetworkLoadBalancerArns=[balancer])
    return str(made["ServiceConfiguration"]["ServiceId"])


def _analysed(cloud: Cloud) -> tuple[str, str]:
    """An access scope, and an analysis of it, which runs."""
    internet = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}
    paths = [{"Source": internet}]
    made = cloud.call("CreateNetworkInsightsAccessScope", MatchPaths=paths, ClientToken="t")
    scope = made["NetworkInsightsAccessScope"]["NetworkInsightsAccessScopeId"]
    started = cloud.call(
        "StartNetworkInsightsAccessScopeAnalysis",
        NetworkInsightsAccessScopeId=scope,
        ClientToken="t",
    )["NetworkInsightsAccessScopeAnalysis"]
    return scope, started["NetworkInsightsAccessScopeAnalysisId"]


@pytest.mark.parametrize("action", sorted(REGISTRY.reads))
def test_reads_never_write(cloud: Cloud, action: str) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    image = cloud.call("DescribeImages")["Images"][0]["ImageId"]
    launched = cloud.call("RunInstances", ImageId=image, SubnetId=subnet, MinCount=1, MaxCount=1)
    scope, found = _analysed(cloud)
    star = make_star(cloud)
    volume = cloud.call("DescribeVolumes")["Volumes"][0]["VolumeId"]
    tunnels = make_connection(cloud, make_gateway(cloud))
    names = {
        **recorded(cloud, vpc),
        "VOLUME": volume,
        "SNAPSHOT": cloud.call("CreateSnapshot", VolumeId=volume)["SnapshotId"],
        "VPC": vpc,
        "SCOPE": scope,
        "FOUND": found,
        "ENI": make_interface(cloud, subnet)["NetworkInterfaceId"],
        "INSTANCE": launched["Instances"][0]["InstanceId"],
        "IMAGE": image,
        "IMAGES": [image],
        "SUBNET": subnet,
        "GROUPS": [default_group(cloud, vpc)["GroupId"]],
        "SERVICE": _offered(cloud),
        "TUNNELS": tunnels["VpnConnectionId"],
        "OUTSIDE": tunnels["Options"]["TunnelOptions"][0]["OutsideIpAddress"],
        "TRANSIT": star.table,
        "ATTACHMENT": star.attachments[0],
        "LIST": cloud.call("DescribePrefixLists")["PrefixLists"][0]["PrefixListId"],
    }
    params = {
        name: names.get(value, value) if isinstance(value, str) else value
        for name, value in PARAMETERS.get(action, {}).items()
    }
    told, before = commits(cloud), cloud.store.view
    cloud.call(action, **params)
    assert told == []
    assert cloud.store.view is before
    if "DryRun" not in input_members("ec2", action):
        return
    error = cloud.error(action, **params, DryRun=True)
    assert (error.code, error.status) == ("DryRunOperation", 412)
    assert error.message == "Request would have succeeded, but DryRun flag is set."


def test_a_read_that_writes_would_be_forgotten() -> None:
    """Reads work in a transaction that nobody commits."""

    def describe(call: Call) -> Shape:
        call.txn.put(House(**call.common(House)))
        return {}

    store = MemoryStore()
    kind = Kind[House](
        row=House,
        actions={"DescribeVpcAttribute": describe},
        reads=frozenset({"DescribeVpcAttribute"}),
    )
    dispatch = Dispatcher(store, Registry((kind,)), clock=lambda: "2026-11-24T08:00:00.000Z")
    params = {"VpcId": "vpc-1", "Attribute": "enableDnsSupport"}
    assert dispatch(request_for("DescribeVpcAttribute", params), ACCOUNT, REGION) == {}
    assert list(store.view.all(House)) == []


# --- the region's furniture ---------------------------------------------------------------------
def test_a_region_is_furnished_once(cloud: Cloud) -> None:
    told = commits(cloud)
    first = cloud.call("DescribeVpcs")
    assert [commit.view.revision for commit in told] == [1]
    assert cloud.call("DescribeVpcs") == first
    assert len(told) == 1
    view = cloud.store.view
    for cls, count in (
        (Vpc, 1),
        (Subnet, 4),
        (InternetGateway, 1),
        (SecurityGroup, 1),
        (NetworkAcl, 1),
        (Home, 1),
    ):
        assert sum(1 for _ in view.all(cls)) == count


def test_what_was_deleted_is_not_provided_again(cloud: Cloud) -> None:
    gateway = cloud.call("DescribeInternetGateways")["InternetGateways"][0]
    where = {
        "InternetGatewayId": gateway["InternetGatewayId"],
        "VpcId": gateway["Attachments"][0]["VpcId"],
    }
    cloud.call("DetachInternetGateway", **where)
    cloud.call("DeleteInternetGateway", InternetGatewayId=where["InternetGatewayId"])
    assert cloud.call("DescribeInternetGateways")["InternetGateways"] == []
    again = Dispatcher(cloud.store, REGISTRY, clock=lambda: cloud.now)  # after a restart
    request = request_for("DescribeInternetGateways", {})
    assert again(request, cloud.account, cloud.region) == {"InternetGateways": []}


def test_each_account_and_region_has_its_own(cloud: Cloud) -> None:
    seen = set()
    for account in ("123456789012", "210987654321"):
        for region in ("ap-northeast-2", "us-east-1"):
            cloud.account, cloud.region = account, region
            vpcs = cloud.call("DescribeVpcs")["Vpcs"]
            assert [(vpc["OwnerId"], vpc["IsDefault"]) for vpc in vpcs] == [(account, True)]
            seen.add(vpcs[0]["VpcId"])
    assert len(seen) == 4
    error = cloud.error("DeleteVpc", VpcId=next(iter(seen - {vpcs[0]["VpcId"]})))
    assert error.code == "InvalidVpcID.NotFound"


def test_many_threads_furnish_once(cloud: Cloud) -> None:
    ready = threading.Barrier(8)
    request = request_for("DescribeVpcs", {})

    def ask() -> None:
        ready.wait(10)
        cloud.dispatch(request, cloud.account, cloud.region)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in cloud.store.view.all(Vpc)) == 1


def test_a_write_may_be_the_first_call(cloud: Cloud) -> None:
    make_vpc(cloud)
    assert cloud.store.view.revision == 2
    assert sum(1 for _ in cloud.store.view.all(Vpc)) == 2


# --- writing ------------------------------------------------------------------------------------
def test_one_call_is_one_commit(cloud: Cloud) -> None:
    cloud.call("DescribeVpcs")
    told = commits(cloud)
    make_vpc(cloud)
    assert len(told) == 1
    kinds = {new.kind for _, new in told[0].changes.rows.values() if new}
    assert {"vpc", "security-group", "security-group-rule", "network-acl"} <= kinds


def test_a_refusal_changes_nothing(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    told, before = commits(cloud), cloud.store.view
    cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="192.168.0.0/24")
    # Found out only after the row was made:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]
    error = cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24", TagSpecifications=tags)
    assert error.message == "'vpc' is not a valid taggable resource type for this operation."
    assert (told, cloud.store.view is before) == ([], True)


def test_a_dry_run_tells_what_would_be_refused(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    told = commits(cloud)
    good = cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24", DryRun=True)
    bad = cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="192.168.0.0/24", DryRun=True)
    assert (good.code, good.status, bad.code) == ("DryRunOperation", 412, "InvalidSubnet.Range")
    assert told == []


def test_rows_are_dated_by_the_clock(cloud: Cloud) -> None:
    cloud.now = "2027-01-01T00:00:00.000Z"
    make_vpc(cloud)
    assert {row.created for row in cloud.store.view.all(Vpc)} == {cloud.now}
    assert len(utc_now()) == len(cloud.now)
    assert utc_now().endswith("Z")


# --- idempotency tokens -------------------------------------------------------------------------
def create_acl(cloud: Cloud, vpc: str, **more: Any) -> dict[str, Any]:
    return cloud.call("CreateNetworkAcl", VpcId=vpc, **more)


def test_a_token_repeats_the_answer(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first = create_acl(cloud, vpc, ClientToken="a")
    told = commits(cloud)
    for _ in range(3):
        assert create_acl(cloud, vpc, ClientToken="a") == first
    assert told == []
    assert create_acl(cloud, vpc, ClientToken="b") != first
    # Without a token every call is a new one.
    assert create_acl(cloud, vpc) != create_acl(cloud, vpc)


def test_the_answer_is_that_of_then(cloud: Cloud) -> None:
    """Even when what it made is gone, as in AWS while the token is remembered."""
    vpc = make_vpc(cloud)
    first = create_acl(cloud, vpc, ClientToken="a")
    cloud.call("DeleteNetworkAcl", NetworkAclId=first["NetworkAcl"]["NetworkAclId"])
    assert create_acl(cloud, vpc, ClientToken="a") == first


def test_other_parameters_with_the_same_token(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    create_acl(cloud, vpc, ClientToken="a")
    error = cloud.error("CreateNetworkAcl", VpcId=other, ClientToken="a")
    assert (error.code, error.status) == ("IdempotentParameterMismatch", 400)
    assert error.message.endswith("(Client token a)")


def test_a_token_is_of_one_action_account_and_region(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    create_acl(cloud, vpc, ClientToken="a")
    make_interface(cloud, make_subnet(cloud, vpc), ClientToken="a")
    cloud.region = "us-east-1"
    create_acl(cloud, make_vpc(cloud), ClientToken="a")
    cloud.account = "210987654321"
    create_acl(cloud, make_vpc(cloud), ClientToken="a")


def test_refusals_and_dry_runs_use_no_token_up(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    dry = cloud.error("CreateNetworkAcl", VpcId=vpc, ClientToken="a", DryRun=True)
    cloud.error("CreateNetworkAcl", VpcId="vpc-0123456789abcdef0", ClientToken="a")
    first = create_acl(cloud, vpc, ClientToken="a")
    assert dry.code == "DryRunOperation"
    # A dry run is one also after the token was used.
    again = cloud.error("CreateNetworkAcl", VpcId=vpc, ClientToken="a", DryRun=True)
    assert again.code == "DryRunOperation"
    assert create_acl(cloud, vpc, ClientToken="a") == first


# --- listings -----------------------------------------------------------------------------------
def test_ids_in_the_order_asked_and_once(cloud: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    found = cloud.call("DescribeVpcs", VpcIds=[two, one, two])["Vpcs"]
    assert [vpc["VpcId"] for vpc in found] == [two, one]
    error = cloud.error("DescribeVpcs", VpcIds=[one, "vpc-0123456789abcdef0"])
    assert error.code == "InvalidVpcID.NotFound"


def test_filters_apply_to_the_ids_too(cloud: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    found = cloud.call("DescribeVpcs", VpcIds=[one, two], Filters=only({"cidr": "10.1.0.0/16"}))
    assert [vpc["VpcId"] for vpc in found["Vpcs"]] == [two]
    none = cloud.call("DescribeVpcs", Filters=only({"cidr": "10.9.0.0/16"}))
    assert none["Vpcs"] == []
    unknown = cloud.error("DescribeVpcs", Filters=only({"colour": "red"}))
    assert (unknown.code, unknown.message) == (
        "InvalidParameterValue",
        "The filter 'colour' is invalid",
    )


def test_values_are_or_ed_and_filters_and_ed(cloud: Cloud) -> None:
    subnets = {
        cidr: make_subnet(cloud, vpc, cidr)
        for vpc in [make_vpc(cloud)]
        for cidr in ("10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/25")
    }

    def found(filters: dict[str, Any]) -> set[str]:
        shown = cloud.call("DescribeSubnets", Filters=only(filters))["Subnets"]
        return {subnet["SubnetId"] for subnet in shown}

    both = {"cidr-block": ["10.0.1.0/24", "10.0.3.0/25"]}
    assert found(both) == {subnets["10.0.1.0/24"], subnets["10.0.3.0/25"]}
    assert found({**both, "available-ip-address-count": "123"}) == {subnets["10.0.3.0/25"]}


def test_pages_of_what_a_filter_leaves(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    mine = [make_subnet(cloud, vpc, f"10.0.{number}.0/24") for number in range(12)]
    found: list[str] = []
    token: dict[str, str] = {}
    for size in (5, 5, 2):
        page = cloud.call("DescribeSubnets", Filters=only({"vpc-id": vpc}), MaxResults=5, **token)
        assert len(page["Subnets"]) == size
        found += [subnet["SubnetId"] for subnet in page["Subnets"]]
        token = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
    assert token == {}
    assert sorted(found) == sorted(mine)


def test_new_rows_between_pages_disturb_nothing(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    filters = only({"vpc-id": vpc})
    for number in range(7):
        cloud.now = f"2026-11-24T08:00:{number:02}.000Z"
        make_subnet(cloud, vpc, f"10.0.{number}.0/24")
    first = cloud.call("DescribeSubnets", Filters=filters, MaxResults=5)
    cloud.call("DeleteSubnet", SubnetId=first["Subnets"][4]["SubnetId"])
    cloud.now = "2026-11-24T09:00:00.000Z"
    make_subnet(cloud, vpc, "10.0.99.0/24")
    rest = cloud.call(
        "DescribeSubnets", Filters=filters, MaxResults=5, NextToken=first["NextToken"]
    )
    shown = [subnet["CidrBlock"] for subnet in (*first["Subnets"], *rest["Subnets"])]
    assert shown == [*(f"10.0.{number}.0/24" for number in range(7)), "10.0.99.0/24"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MaxResults": 4}, "InvalidParameterValue"),
        ({"NextToken": "rubbish"}, "InvalidPaginationToken"),
        ({"MaxResults": 5, "VpcIds": ["VPC"]}, "InvalidParameterCombination"),
    ],
)
def test_pages_that_cannot_be_had(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    vpc = make_vpc(cloud)
    if "VpcIds" in params:
        params = {**params, "VpcIds": [vpc]}
    assert cloud.error("DescribeVpcs", **params).code == code


def test_selectors_are_names_that_must_be_found(cloud: Cloud) -> None:
    for name in ("web", "db"):
        cloud.call("CreateSecurityGroup", GroupName=name, Description=name)
    found = cloud.call("DescribeSecurityGroups", GroupNames=["web", "default"])
    assert {group["GroupName"] for group in found["SecurityGroups"]} == {"web", "default"}
    error = cloud.error("DescribeSecurityGroups", GroupNames=["web", "cache"])
    assert error.code == "InvalidGroup.NotFound"


def test_rows_of_a_listing_of_its_own() -> None:
    """What a listing's ``rows`` yields can be asked for by id, and nothing else."""

    def show(house: House, view: View) -> Shape:
        return {"VpcId": house.id}

    kind = Kind[House](
        row=House,
        listings=(
            Listing(
                action="DescribeVpcs",
                result="Vpcs",
                show=show,
                ids="VpcIds",
                rows=lambda call: [h for h in call.txn.all(House) if h.name != "hidden"],
                keep=lambda call, house: house.name != "asleep",
            ),
        ),
    )
    store = MemoryStore()
    dispatch = Dispatcher(store, Registry((kind,)))
    with store.transaction(ACCOUNT, REGION) as txn:
        _houses(txn, "", "hidden", "asleep")

    def listed(*keys: str) -> Shape:
        return dispatch(request_for("DescribeVpcs", {"VpcIds": list(keys)}), ACCOUNT, REGION)

    keys = [f"house-{number:017x}" for number in range(3)]
    assert listed() == {"Vpcs": [{"VpcId": keys[0]}]}
    assert listed(keys[2], keys[0]) == {"Vpcs": [{"VpcId": keys[0]}]}
    with pytest.raises(ApiError) as caught:
        listed(keys[1])
    assert caught.value.code == "InvalidHouseID.NotFound"


def _houses(txn: Txn, *names: str) -> None:
    for number, name in enumerate(names):
        key = f"house-{number:017x}"
        txn.put(
            House(
                id=key,
                account=ACCOUNT,
                region=REGION,
                created="2026-11-24T08:00:00.000Z",
                name=name,
            )
        )


# --- the registry -------------------------------------------------------------------------------
def test_two_kinds_cannot_claim_the_same() -> None:
    house = Kind[House](row=House, actions={"CreateVpc": lambda call: {}})
    with pytest.raises(ValueError, match="two kinds claim the action CreateVpc"):
        Registry((house, Kind[Vpc](row=Vpc, actions={"CreateVpc": lambda call: {}})))
    with pytest.raises(ValueError, match="two kinds for House"):
        Registry((house, Kind[House](row=House)))


def test_live_facts_come_from_the_probe() -> None:
    asked: list[tuple[str, str]] = []

    def probe(what: str, key: str) -> bytes:
        asked.append((what, key))
        return b"hello"

    kind = Kind[House](
        row=None,
        actions={"GetConsoleOutput": lambda call: {"Output": call.probe("console", "i-1")}},
        reads=frozenset({"GetConsoleOutput"}),
    )
    dispatch = Dispatcher(MemoryStore(), Registry((kind,)), probe=probe)
    answer = dispatch(request_for("GetConsoleOutput", {"InstanceId": "i-1"}), ACCOUNT, REGION)
    assert answer == {"Output": b"hello"}
    assert asked == [("console", "i-1")]
