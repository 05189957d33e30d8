"""Instances: RunInstances and the life of what it makes, through the wire."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gureum.program import Address, Host, Machine, Port, PublicAddress
from gureum.resources.instance import observed
from tests.conftest import Cloud

LATER = "2026-11-24T10:30:00.000Z"


def image(cloud: Cloud, name: str = "gureum-base") -> str:
    answer = cloud.call("DescribeImages", Filters=[{"Name": "name", "Values": [f"{name}*"]}])
    return str(answer["Images"][0]["ImageId"])


def run(cloud: Cloud, count: int = 1, **params: Any) -> list[dict[str, Any]]:
    whole = {"ImageId": image(cloud), "InstanceType": "t3.micro"} | params
    answer = cloud.call("RunInstances", MinCount=1, MaxCount=count, **whole)
    found: list[dict[str, Any]] = answer["Instances"]
    return found


def one(cloud: Cloud, **params: Any) -> dict[str, Any]:
    return run(cloud, **params)[0]


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeInstances", InstanceIds=[key])
    found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return found


def seen(cloud: Cloud, key: str, state: str) -> dict[str, Any]:
    """What the machine room reports, and how the instance shows then."""
    cloud.system(observed, cloud.now, key, state)
    return show(cloud, key)


def said(cloud: Cloud, kind: type, key: str) -> list[Any]:
    """The statements of a type that the instance asked for."""
    found = cloud.program().statements
    named = ((s, {getattr(s, "id", ""), getattr(s, "host", "")}) for s in found)
    return [s for s, names in named if isinstance(s, kind) and key in names]


def subnet(cloud: Cloud, **params: Any) -> dict[str, Any]:
    vpc = cloud.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    whole = {"VpcId": vpc, "CidrBlock": "10.0.1.0/24"} | params
    found: dict[str, Any] = cloud.call("CreateSubnet", **whole)["Subnet"]
    return found


def test_an_instance_is_pending_until_its_machine_runs(cloud: Cloud) -> None:
    made = one(cloud)
    assert made["State"] == {"Code": 0, "Name": "pending"}
    (machine,) = said(cloud, Machine, made["InstanceId"])
    assert (machine.cpus, machine.memory, machine.boot) == (2, 1024, 1)
    assert machine.image == "gureum-base"
    assert machine.ip == made["PrivateIpAddress"]
    assert (machine.resolvers, machine.search) == (
        ("172.31.0.2",),
        ("ap-northeast-2.compute.internal",),
    )
    assert machine.hostname == made["PrivateDnsName"]
    assert seen(cloud, made["InstanceId"], "running")["State"]["Name"] == "running"


def test_in_a_default_subnet_it_has_a_public_address_and_name(cloud: Cloud) -> None:
    made = one(cloud)
    public = made["PublicIpAddress"]
    assert public.startswith("198.18.")
    assert made["PublicDnsName"].startswith("ec2-198-18-")
    pairs = {(s.private, s.public) for s in cloud.program().statements if type(s) is PublicAddress}
    assert pairs == {(made["PrivateIpAddress"], public)}


def test_in_another_subnet_it_has_one_only_if_asked(cloud: Cloud) -> None:
    where = subnet(cloud)["SubnetId"]
    assert "PublicIpAddress" not in one(cloud, SubnetId=where)
    asked = {"DeviceIndex": 0, "SubnetId": where, "AssociatePublicIpAddress": True}
    assert "PublicIpAddress" in one(cloud, NetworkInterfaces=[asked])
    refused = {"DeviceIndex": 0, "AssociatePublicIpAddress": False}
    assert "PublicIpAddress" not in one(cloud, NetworkInterfaces=[refused])


def test_all_instances_of_a_call_are_one_reservation(cloud: Cloud) -> None:
    keys = [item["InstanceId"] for item in run(cloud, count=12)]
    (reservation,) = cloud.call("DescribeInstances")["Reservations"]
    assert sorted(item["InstanceId"] for item in reservation["Instances"]) == sorted(keys)
    assert sorted(item["AmiLaunchIndex"] for item in reservation["Instances"]) == list(range(12))
    assert len({item["PrivateIpAddress"] for item in reservation["Instances"]}) == 12


def test_filters_look_into_reservations(cloud: Cloud) -> None:
    first, second = (item["InstanceId"] for item in run(cloud, count=2))
    seen(cloud, first, "running")
    for name, value, wanted in (
        ("instance-state-name", "running", [first]),
        ("instance-state-name", "pending", [second]),
        ("launch-index", "1", [second]),
        ("private-ip-address", show(cloud, first)["PrivateIpAddress"], [first]),
        ("instance-type", "t3.*", [first, second]),
        ("vpc-id", "vpc-00000000000000000", []),
    ):
        answer = cloud.call("DescribeInstances", Filters=[{"Name": name, "Values": [value]}])
        keys = [i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]]
        assert sorted(keys) == sorted(wanted), name


def test_pages_of_instances(cloud: Cloud) -> None:
    run(cloud, count=7)
    keys: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = cloud.call("DescribeInstances", MaxResults=5, **token)
        keys += [i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert len(keys) == len(set(keys)) == 7


def test_stop_and_start_keep_the_private_and_change_the_public_address(cloud: Cloud) -> None:
    made = one(cloud)
    key = made["InstanceId"]
    seen(cloud, key, "running")
    (change,) = cloud.call("StopInstances", InstanceIds=[key])["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == (
        "running",
        "stopping",
    )
    assert not said(cloud, Machine, key)
    assert said(cloud, Host, key), "its network is there while its processes end"
    stopped = seen(cloud, key, "stopped")
    assert stopped["State"] == {"Code": 80, "Name": "stopped"}
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "PublicIpAddress" not in stopped
    assert not said(cloud, Host, key)
    assert not said(cloud, Port, key)
    cloud.call("StartInstances", InstanceIds=[key])
    (machine,) = said(cloud, Machine, key)
    assert machine.boot == 2
    started = seen(cloud, key, "running")
    assert started["PrivateIpAddress"] == made["PrivateIpAddress"]
    assert started["PublicIpAddress"] != made["PublicIpAddress"]
    assert "StateReason" not in started


def test_reboot_changes_the_boot_and_nothing_else(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    before = seen(cloud, key, "running")
    cloud.call("RebootInstances", InstanceIds=[key])
    (machine,) = said(cloud, Machine, key)
    assert machine.boot == 2
    assert show(cloud, key) == before


def test_terminate_frees_everything_and_the_row_goes_after_an_hour(cloud: Cloud) -> None:
    made = one(cloud)
    key = made["InstanceId"]
    seen(cloud, key, "running")
    cloud.call("TerminateInstances", InstanceIds=[key])
    gone = seen(cloud, key, "stopped")
    assert gone["State"]["Name"] == "terminated"
    assert "VpcId" not in gone
    assert not said(cloud, Host, key)
    assert cloud.call("DescribeVolumes")["Volumes"] == []
    assert cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"] == []
    kind = cloud.dispatch.registry.by_row[type(cloud.store.view.rows[key])]
    assert kind.expired is not None
    for now, there in ((cloud.now, True), (LATER, False)):
        row = cloud.store.view.rows[key]
        cloud.system(kind.expired, row, now)
        assert (key in cloud.store.view.rows) is there


def test_an_interface_of_ones_own_outlives_the_instance(cloud: Cloud) -> None:
    where = subnet(cloud)["SubnetId"]
    eni = cloud.call("CreateNetworkInterface", SubnetId=where)["NetworkInterface"]
    station = {"DeviceIndex": 0, "NetworkInterfaceId": eni["NetworkInterfaceId"]}
    made = one(cloud, NetworkInterfaces=[station])
    assert made["PrivateIpAddress"] == eni["PrivateIpAddress"]
    again = cloud.error("RunInstances", ImageId=image(cloud), MinCount=1, MaxCount=1,
                        InstanceType="t3.micro", NetworkInterfaces=[station])  # fmt: skip
    assert again.code == "InvalidNetworkInterface.InUse"
    refused = cloud.error(
        "DetachNetworkInterface",
        AttachmentId=made["NetworkInterfaces"][0]["Attachment"]["AttachmentId"],
    )
    assert refused.message == (
        "The network interface at device index 0 and networkCard index 0 cannot be detached."
    )
    cloud.call("TerminateInstances", InstanceIds=[made["InstanceId"]])
    seen(cloud, made["InstanceId"], "stopped")
    (left,) = cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert (left["Status"], "Attachment" in left) == ("available", False)


def test_a_second_interface_is_plugged_and_pulled_live(cloud: Cloud) -> None:
    where = subnet(cloud)["SubnetId"]
    made = one(cloud, SubnetId=where)
    seen(cloud, made["InstanceId"], "running")
    eni = cloud.call("CreateNetworkInterface", SubnetId=where)["NetworkInterface"]
    attach = {"NetworkInterfaceId": eni["NetworkInterfaceId"], "InstanceId": made["InstanceId"]}
    taken = cloud.error("AttachNetworkInterface", DeviceIndex=0, **attach)
    assert taken.code == "InvalidParameterValue"
    attachment = cloud.call("AttachNetworkInterface", DeviceIndex=1, **attach)["AttachmentId"]
    ports = {port.index for port in said(cloud, Port, made["InstanceId"])}
    assert ports == {0, 1}
    third = cloud.call("CreateNetworkInterface", SubnetId=where)["NetworkInterface"]
    full = cloud.error(
        "AttachNetworkInterface",
        NetworkInterfaceId=third["NetworkInterfaceId"],
        InstanceId=made["InstanceId"],
        DeviceIndex=2,
    )
    assert full.code == "AttachmentLimitExceeded"
    cloud.call("DetachNetworkInterface", AttachmentId=attachment)
    assert {port.index for port in said(cloud, Port, made["InstanceId"])} == {0}
    addresses = [s.ip for s in cloud.program().statements if isinstance(s, Address)]
    assert eni["PrivateIpAddress"] not in addresses


@pytest.mark.parametrize(
    ("behavior", "state"), [("stop", "stopped"), ("terminate", "shutting-down")]
)
def test_a_machine_that_ends_by_itself(cloud: Cloud, behavior: str, state: str) -> None:
    key = one(cloud, InstanceInitiatedShutdownBehavior=behavior)["InstanceId"]
    seen(cloud, key, "running")
    after = seen(cloud, key, "stopped")
    assert after["State"]["Name"] == state
    assert after["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_machine_that_never_came_up_is_terminated(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    after = seen(cloud, key, "stopped")
    assert after["State"]["Name"] == "terminated"
    assert after["StateReason"]["Code"] == "Server.InternalError"


def test_protection(cloud: Cloud) -> None:
    key = one(cloud, DisableApiTermination=True, DisableApiStop=True)["InstanceId"]
    seen(cloud, key, "running")
    for action in ("TerminateInstances", "StopInstances"):
        error = cloud.error(action, InstanceIds=[key])
        assert error.code == "OperationNotPermitted"
    cloud.call("ModifyInstanceAttribute", InstanceId=key, DisableApiTermination={"Value": False})
    cloud.call("TerminateInstances", InstanceIds=[key])


def test_states_from_which_nothing_starts(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    assert cloud.error("StopInstances", InstanceIds=[key]).code == "IncorrectInstanceState"
    assert cloud.error("RebootInstances", InstanceIds=[key]).code == "IncorrectInstanceState"
    cloud.call("TerminateInstances", InstanceIds=[key])
    assert cloud.error("StartInstances", InstanceIds=[key]).code == "IncorrectInstanceState"
    assert cloud.call("TerminateInstances", InstanceIds=[key])["TerminatingInstances"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
    ({"ImageId": "debian"}, "InvalidAMIID.Malformed"),
    ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
    ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
    ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
    ({"InstanceType": "m5.24xlarge"}, "Unsupported"),
    ({"MinCount": 0}, "InvalidParameterValue"),
    ({"MinCount": 3, "MaxCount": 2}, "InvalidParameterValue"),
    ({"MaxCount": 1001}, "InstanceLimitExceeded"),
    ({"UserData": "no base64!"}, "InvalidUserData.Malformed"),
    ({"UserData": base64.b64encode(bytes(16385)).decode()}, "InvalidParameterValue"),
    ({"PrivateIpAddress": "172.31.0.9", "MaxCount": 2}, "InvalidParameterCombination"),
    ({"PrivateIpAddress": "10.9.9.9"}, "InvalidParameterValue"),
    ({"NetworkInterfaces": [{"DeviceIndex": 1}]}, "InvalidParameterValue"),
    (
        {"NetworkInterfaces": [{"DeviceIndex": 0}], "SecurityGroups": ["default"]},
        "InvalidParameterCombination",
    ),
    ({"IamInstanceProfile": {"Name": "no/slash"}}, "InvalidParameterValue"),
    ({"MetadataOptions": {"HttpPutResponseHopLimit": 65}}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("params", "code"), REFUSED)
def test_refused_launches_leave_nothing(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    good = {"ImageId": image(cloud), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    before = cloud.store.view.revision
    assert cloud.error("RunInstances", **(good | params)).code == code
    assert cloud.store.view.revision == before


def test_terraforms_launch(cloud: Cloud) -> None:
    """What the provider sends beside the essentials (an empty zone among it)."""
    made = one(
        cloud,
        Placement={"AvailabilityZone": ""},
        CreditSpecification={"CpuCredits": "standard"},
        HibernationOptions={"Configured": False},
        ClientToken="terraform-1",
        UserData=base64.b64encode(b"#!/bin/sh\n").decode(),
    )
    assert made["ClientToken"] == "terraform-1"
    key = made["InstanceId"]
    (specification,) = cloud.call("DescribeInstanceCreditSpecifications", InstanceIds=[key])[
        "InstanceCreditSpecifications"
    ]
    assert specification == {"InstanceId": key, "CpuCredits": "standard"}
    volume = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (shown,) = cloud.call("DescribeVolumes", VolumeIds=[volume])["Volumes"]
    assert (shown["State"], shown["Size"]) == ("in-use", 8)


def test_a_repeated_token_makes_no_second_instance(cloud: Cloud) -> None:
    first = one(cloud, ClientToken="once")
    assert one(cloud, ClientToken="once")["InstanceId"] == first["InstanceId"]
    whole = {"ImageId": image(cloud), "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small"}
    error = cloud.error("RunInstances", ClientToken="once", **whole)
    assert error.code == "IdempotentParameterMismatch"


def test_tags_for_instances_volumes_and_interfaces(cloud: Cloud) -> None:
    kinds = ("instance", "volume", "network-interface")
    specs = [{"ResourceType": k, "Tags": [{"Key": "k", "Value": k}]} for k in kinds]
    made = one(cloud, TagSpecifications=specs)
    assert made["Tags"] == [{"Key": "k", "Value": "instance"}]
    assert cloud.call("DescribeVolumes")["Volumes"][0]["Tags"][0]["Value"] == "volume"
    (eni,) = cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert eni["TagSet"][0]["Value"] == "network-interface"


def test_attributes(cloud: Cloud) -> None:
    key = one(cloud, UserData=base64.b64encode(b"#!/bin/sh\n").decode())["InstanceId"]

    def attribute(name: str) -> Any:
        answer = cloud.call("DescribeInstanceAttribute", InstanceId=key, Attribute=name)
        return {k: v for k, v in answer.items() if k != "InstanceId"}

    def modify(**params: Any) -> None:
        cloud.call("ModifyInstanceAttribute", InstanceId=key, **params)

    assert attribute("disableApiStop") == {"DisableApiStop": {"Value": False}}
    assert attribute("instanceType") == {"InstanceType": {"Value": "t3.micro"}}
    assert base64.b64decode(attribute("userData")["UserData"]["Value"]) == b"#!/bin/sh\n"
    modify(SourceDestCheck={"Value": False})
    assert attribute("sourceDestCheck") == {"SourceDestCheck": {"Value": False}}
    modify(Attribute="instanceInitiatedShutdownBehavior", Value="terminate")
    behavior = attribute("instanceInitiatedShutdownBehavior")
    assert behavior["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    busy = cloud.error("ModifyInstanceAttribute", InstanceId=key, InstanceType={"Value": "t3.nano"})
    assert busy.code == "IncorrectInstanceState"
    many = cloud.error(
        "ModifyInstanceAttribute",
        InstanceId=key,
        SourceDestCheck={"Value": True},
        EbsOptimized={"Value": True},
    )
    assert many.code == "InvalidParameterCombination"
    seen(cloud, key, "running")
    cloud.call("StopInstances", InstanceIds=[key])
    seen(cloud, key, "stopped")
    modify(InstanceType={"Value": "t3.nano"})
    modify(UserData={"Value": b"#!/bin/ash\n"})
    assert base64.b64decode(attribute("userData")["UserData"]["Value"]) == b"#!/bin/ash\n"
    assert show(cloud, key)["InstanceType"] == "t3.nano"


def test_status_shows_running_instances_unless_all_are_asked_for(cloud: Cloud) -> None:
    first, second = (item["InstanceId"] for item in run(cloud, count=2))
    seen(cloud, first, "running")
    answer = cloud.call("DescribeInstanceStatus", InstanceIds=[first, second])
    assert [item["InstanceId"] for item in answer["InstanceStatuses"]] == [first]
    assert answer["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "ok"
    answer = cloud.call("DescribeInstanceStatus", IncludeAllInstances=True)
    assert len(answer["InstanceStatuses"]) == 2
    unknown = cloud.error("DescribeInstanceStatus", InstanceIds=["i-00000000000000000"])
    assert unknown.code == "InvalidInstanceID.NotFound"


def test_metadata_and_other_options(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    options = cloud.call("ModifyInstanceMetadataOptions", InstanceId=key, HttpTokens="optional")
    assert options["InstanceMetadataOptions"]["HttpTokens"] == "optional"
    assert show(cloud, key)["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    done = cloud.call(
        "ModifyInstanceCreditSpecification",
        InstanceCreditSpecifications=[
            {"InstanceId": key, "CpuCredits": "standard"},
            {"InstanceId": "i-00000000000000000", "CpuCredits": "standard"},
        ],
    )
    assert [i["InstanceId"] for i in done["SuccessfulInstanceCreditSpecifications"]] == [key]
    assert len(done["UnsuccessfulInstanceCreditSpecifications"]) == 1


def test_the_console_comes_from_the_machine_room(cloud: Cloud) -> None:
    cloud.dispatch.probe = lambda what, key: f"{what} of {key}".encode()
    key = one(cloud)["InstanceId"]
    answer = cloud.call("GetConsoleOutput", InstanceId=key)
    assert base64.b64decode(answer["Output"]).decode() == f"console of {key}"


def test_types_and_offerings(cloud: Cloud) -> None:
    (micro,) = cloud.call("DescribeInstanceTypes", InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert (micro["VCpuInfo"]["DefaultVCpus"], micro["MemoryInfo"]["SizeInMiB"]) == (2, 1024)
    small = [{"Name": "memory-info.size-in-mib", "Values": ["512"]}]
    names = {
        i["InstanceType"]
        for i in cloud.call("DescribeInstanceTypes", Filters=small)["InstanceTypes"]
    }
    assert names == {"t2.nano", "t3.nano", "t3a.nano"}
    offers = cloud.call(
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}],
    )["InstanceTypeOfferings"]
    assert {item["Location"] for item in offers} == {f"ap-northeast-2{z}" for z in "abcd"}
