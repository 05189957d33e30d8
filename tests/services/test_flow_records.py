"""Records compared with the examples of the VPC User Guide, "Flow log record examples"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.resources.flow_log_format import FIELDS
from gureum.services.flow_records import ALWAYS_NOTHING, Entry, header, line, value_of, wanted
from tests.conftest import Cloud
from tests.services.flows import FLOW, Place


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return Place(cloud)


def test_the_default_format(place: Place) -> None:
    log = place.log()
    assert line(log, place.entry()) == (
        f"2 123456789012 {place.eni} 172.31.16.139 10.0.1.21 20641 22 6 20 4249 1418530010 "
        "1418530070 ACCEPT OK"
    )
    assert line(log, place.entry(accepted=False)).endswith(" REJECT OK")
    assert header(log) == (
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes "
        "start end action log-status"
    )


@pytest.mark.parametrize("status", ["NODATA", "SKIPDATA"])
def test_no_data_and_skipped_records(place: Place, status: str) -> None:
    entry = Entry(place.cloud.store.view, place.row(), 1431280876, 1431280934)
    entry = replace(entry, status=status)  # type: ignore[arg-type]
    assert line(place.log(), entry) == (
        f"2 123456789012 {place.eni} - - - - - - - 1431280876 1431280934 - {status}"
    )


def test_all_fields(place: Place) -> None:
    text = " ".join(f"${{{name}}}" for name in FIELDS)
    words = line(place.log(LogFormat=text), place.entry()).split()
    told = dict(zip(FIELDS, words, strict=True))
    assert {name: value for name, value in told.items() if value != "-"} == {
        "version": "8",
        "account-id": "123456789012",
        "interface-id": place.eni,
        "srcaddr": "172.31.16.139",
        "dstaddr": "10.0.1.21",
        "srcport": "20641",
        "dstport": "22",
        "protocol": "6",
        "packets": "20",
        "bytes": "4249",
        "start": "1418530010",
        "end": "1418530070",
        "action": "ACCEPT",
        "log-status": "OK",
        "vpc-id": place.vpc,
        "subnet-id": place.subnet,
        "instance-id": "i-0000000000000000a",
        "tcp-flags": "3",
        "type": "IPv4",
        "pkt-srcaddr": "172.31.16.139",
        "pkt-dstaddr": "10.0.1.21",
        "region": "ap-northeast-2",
        "az-id": "apne2-az1",
        "flow-direction": "ingress",
    }
    nothing = {name for name, value in told.items() if value == "-"}
    assert nothing == ALWAYS_NOTHING | {"traffic-path"}


def test_who_forwards_is_told_by_its_own_address(place: Place) -> None:
    """ "Traffic through a NAT gateway" """
    text = "${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr}"
    log = place.log(LogFormat=text)
    there, here, beyond = "10.0.1.5", "10.0.1.21", "203.0.113.5"
    for inward, source, target, said in (
        (True, there, beyond, f"{there} {here} {there} {beyond}"),
        (False, here, beyond, f"{here} {beyond} {here} {beyond}"),
        (True, beyond, here, f"{beyond} {here} {beyond} {here}"),
        (False, beyond, there, f"{here} {there} {beyond} {there}"),
    ):
        entry = place.entry(inward=inward, source=source, target=target)
        assert line(log, entry) == said


def test_paths(place: Place) -> None:
    out = replace(FLOW, inward=False, way="gateway")
    assert value_of("traffic-path", place.entry(out)) == "2"  # the instance is not known
    assert value_of("traffic-path", place.entry(out, way="local")) == "1"
    assert value_of("traffic-path", place.entry(out, way="peering")) == "4"
    assert value_of("flow-direction", place.entry(out)) == "egress"


def test_the_path_of_an_instance_to_the_internet(place: Place) -> None:
    cloud = place.cloud
    (image, *_) = cloud.call("DescribeImages", Owners=["amazon"])["Images"]
    for kind, path in (("t3.nano", "8"), ("t2.nano", "2")):
        (made,) = cloud.call(
            "RunInstances", ImageId=image["ImageId"], InstanceType=kind, MinCount=1, MaxCount=1
        )["Instances"]
        row = place.row(made["NetworkInterfaces"][0]["NetworkInterfaceId"])
        flow = replace(FLOW, interface=row.id, inward=False, way="gateway")
        entry = Entry(cloud.store.view, row, 0, 0, flow=flow)
        assert value_of("traffic-path", entry) == path


def test_a_peering_to_another_region(place: Place) -> None:
    other = Cloud()
    other.store = place.cloud.store
    other.dispatch = place.cloud.dispatch
    other.region = "us-east-1"
    vpc = str(other.call("CreateVpc", CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])
    made = place.cloud.call(
        "CreateVpcPeeringConnection", VpcId=place.vpc, PeerVpcId=vpc, PeerRegion="us-east-1"
    )
    key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    out = replace(FLOW, inward=False, way="peering")
    assert value_of("traffic-path", place.entry(out, target="10.9.1.4")) == "5"
    assert value_of("traffic-path", place.entry(out, target="10.8.1.4")) == "4"


def test_verdicts_that_a_flow_log_takes(place: Place) -> None:
    accepted, refused = place.entry(), place.entry(accepted=False)
    nothing = Entry(place.cloud.store.view, place.row(), 0, 60, "NODATA")
    for traffic, takes in (("ALL", [1, 1, 1]), ("ACCEPT", [1, 0, 1]), ("REJECT", [0, 1, 1])):
        log = place.log(of="NetworkInterface", key=place.eni, TrafficType=traffic)
        assert [wanted(log, each) for each in (accepted, refused, nothing)] == takes
        place.cloud.call("DeleteFlowLogs", FlowLogIds=[log.id])
