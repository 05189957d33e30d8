"""Further options of instances: processors, profiles, defaults of a region, types by need."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Machine
from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_instance import one, said, seen, show

ARN = "arn:aws:iam::123456789012:instance-profile/web"
NONE = "i-00000000000000001"


def stopped(cloud: Cloud, **params: Any) -> str:
    """The id of an instance that is stopped."""
    key = str(one(cloud, **params)["InstanceId"])
    seen(cloud, key, "running")
    cloud.call("StopInstances", InstanceIds=[key])
    cloud.system(observed, cloud.now, key, "stopped")
    return key


# --- processors ---------------------------------------------------------------------------------
def test_an_instance_uses_as_many_processors_as_it_is_told(cloud: Cloud) -> None:
    made = one(cloud, InstanceType="c5.xlarge", CpuOptions={"CoreCount": 1, "ThreadsPerCore": 2})
    key = made["InstanceId"]
    assert made["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}
    (machine,) = said(cloud, Machine, key)
    assert machine.cpus == 2
    change = {"InstanceId": key, "CoreCount": 2, "ThreadsPerCore": 1}
    assert refusal(cloud, "ModifyInstanceCpuOptions", **change)[0] == "IncorrectInstanceState"
    seen(cloud, key, "running")
    cloud.call("StopInstances", InstanceIds=[key])
    cloud.system(observed, cloud.now, key, "stopped")
    assert cloud.call("ModifyInstanceCpuOptions", **change)["CoreCount"] == 2
    assert show(cloud, key)["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 1}
    wide = change | {"CoreCount": 3}
    assert refusal(cloud, "ModifyInstanceCpuOptions", **wide)[0] == "InvalidParameterValue"
    deep = change | {"ThreadsPerCore": 3}
    assert refusal(cloud, "ModifyInstanceCpuOptions", **deep)[0] == "InvalidParameterValue"
    half = {"InstanceId": key, "CoreCount": 1}
    assert refusal(cloud, "ModifyInstanceCpuOptions", **half)[0] == "InvalidParameterCombination"
    nested = {"InstanceId": key, "NestedVirtualization": "enabled"}
    assert refusal(cloud, "ModifyInstanceCpuOptions", **nested)[0] == "UnsupportedOperation"
    cloud.call("ModifyInstanceAttribute", InstanceId=key, InstanceType={"Value": "t3.micro"})
    assert show(cloud, key)["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}


def test_bandwidth_is_weighted(cloud: Cloud) -> None:
    key = stopped(cloud, NetworkPerformanceOptions={"BandwidthWeighting": "ebs-1"})
    assert show(cloud, key)["NetworkPerformanceOptions"] == {"BandwidthWeighting": "ebs-1"}
    change = {"InstanceId": key, "BandwidthWeighting": "vpc-1"}
    answer = cloud.call("ModifyInstanceNetworkPerformanceOptions", **change)
    assert answer["BandwidthWeighting"] == "vpc-1"
    assert show(cloud, key)["NetworkPerformanceOptions"] == {"BandwidthWeighting": "vpc-1"}
    old = change | {"InstanceId": stopped(cloud, InstanceType="t2.micro")}
    refused = refusal(cloud, "ModifyInstanceNetworkPerformanceOptions", **old)
    assert refused[0] == "UnsupportedOperation"


# --- profiles -----------------------------------------------------------------------------------
def associations(cloud: Cloud, **filters: str) -> list[dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in filters.items()}
    answer = cloud.call("DescribeIamInstanceProfileAssociations", Filters=only(named))
    return list(answer["IamInstanceProfileAssociations"])


def test_a_launch_with_a_profile(cloud: Cloud) -> None:
    made = one(cloud, IamInstanceProfile={"Name": "web"})
    assert made["IamInstanceProfile"]["Arn"] == ARN
    assert made["IamInstanceProfile"]["Id"].startswith("AIPA")
    (found,) = associations(cloud, instance_id=made["InstanceId"])
    assert (found["State"], found["IamInstanceProfile"]["Arn"]) == ("associated", ARN)
    cloud.call("TerminateInstances", InstanceIds=[made["InstanceId"]])
    seen(cloud, made["InstanceId"], "stopped")
    assert associations(cloud, instance_id=made["InstanceId"]) == []


def test_a_profile_comes_and_goes(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    assert "IamInstanceProfile" not in show(cloud, key)
    params = {"InstanceId": key, "IamInstanceProfile": {"Arn": ARN}}
    made = cloud.call("AssociateIamInstanceProfile", **params)["IamInstanceProfileAssociation"]
    assert (made["State"], made["InstanceId"]) == ("associating", key)
    settle(cloud)
    assert [each["State"] for each in associations(cloud, state="associated")] == ["associated"]
    assert show(cloud, key)["IamInstanceProfile"]["Arn"] == ARN
    assert refusal(cloud, "AssociateIamInstanceProfile", **params) == (
        "IncorrectState",
        f"There is an existing association for instance {key}",
    )
    replaced = cloud.call(
        "ReplaceIamInstanceProfileAssociation",
        AssociationId=made["AssociationId"],
        IamInstanceProfile={"Name": "db"},
    )["IamInstanceProfileAssociation"]
    assert replaced["AssociationId"] != made["AssociationId"]
    assert show(cloud, key)["IamInstanceProfile"]["Arn"].endswith("/db")
    gone = {"AssociationId": replaced["AssociationId"]}
    answer = cloud.call("DisassociateIamInstanceProfile", **gone)
    assert answer["IamInstanceProfileAssociation"]["State"] == "disassociating"
    assert "IamInstanceProfile" not in show(cloud, key)
    assert refusal(cloud, "DisassociateIamInstanceProfile", **gone)[0] == "IncorrectState"
    settle(cloud)
    assert refusal(cloud, "DisassociateIamInstanceProfile", **gone) == (
        "InvalidAssociationID.NotFound",
        f"An invalid association-id of '{replaced['AssociationId']}' was given",
    )


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"Name": "no/slash"}, "InvalidParameterValue"),
        ({"Arn": "arn:aws:iam::1:role/x"}, "InvalidParameterValue"),
        ({"Arn": ARN, "Name": "web"}, "InvalidParameterCombination"),
    ],
)
def test_profiles_that_are_none(cloud: Cloud, profile: dict[str, str], code: str) -> None:
    key = one(cloud)["InstanceId"]
    params = {"InstanceId": key, "IamInstanceProfile": profile}
    assert refusal(cloud, "AssociateIamInstanceProfile", **params)[0] == code


# --- defaults of the region ---------------------------------------------------------------------
def test_metadata_defaults(cloud: Cloud) -> None:
    assert cloud.call("GetInstanceMetadataDefaults")["AccountLevel"] == {"ManagedBy": "account"}
    cloud.call("ModifyInstanceMetadataDefaults", HttpTokens="optional", HttpPutResponseHopLimit=5)
    assert cloud.call("GetInstanceMetadataDefaults")["AccountLevel"] == {
        "HttpTokens": "optional",
        "HttpPutResponseHopLimit": 5,
        "ManagedBy": "account",
    }
    options = one(cloud)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("optional", 5)
    options = one(cloud, MetadataOptions={"HttpTokens": "required"})["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 5)
    cloud.call(
        "ModifyInstanceMetadataDefaults", HttpTokens="no-preference", HttpPutResponseHopLimit=-1
    )
    options = one(cloud)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
    refused = refusal(cloud, "ModifyInstanceMetadataDefaults", HttpPutResponseHopLimit=65)
    assert refused[0] == "InvalidParameterValue"


def test_version_one_of_the_metadata_service_can_be_forbidden(cloud: Cloud) -> None:
    image = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))["Images"][0]
    launch = {"ImageId": image["ImageId"], "MinCount": 1, "MaxCount": 1}
    cloud.call("ModifyInstanceMetadataDefaults", HttpTokensEnforced="enabled")
    cloud.call("RunInstances", **launch)
    optional = {"MetadataOptions": {"HttpTokens": "optional"}}
    assert refusal(cloud, "RunInstances", **launch, **optional)[0] == "UnsupportedOperation"


def test_credits_of_a_family(cloud: Cloud) -> None:
    def told() -> str:
        answer = cloud.call("GetDefaultCreditSpecification", InstanceFamily="t3")
        return str(answer["InstanceFamilyCreditSpecification"]["CpuCredits"])

    def of(key: str) -> str:
        answer = cloud.call("DescribeInstanceCreditSpecifications", InstanceIds=[key])
        return str(answer["InstanceCreditSpecifications"][0]["CpuCredits"])

    before = one(cloud)["InstanceId"]
    assert (told(), of(before)) == ("unlimited", "unlimited")
    cloud.call("ModifyDefaultCreditSpecification", InstanceFamily="t3", CpuCredits="standard")
    assert (told(), of(before), of(one(cloud)["InstanceId"])) == (
        "standard",
        "unlimited",
        "standard",
    )
    wrong = {"InstanceFamily": "t3", "CpuCredits": "none"}
    refused = refusal(cloud, "ModifyDefaultCreditSpecification", **wrong)
    assert refused[0] == "InvalidParameterValue"


def test_serial_consoles(cloud: Cloud) -> None:
    def told() -> bool:
        return bool(cloud.call("GetSerialConsoleAccessStatus")["SerialConsoleAccessEnabled"])

    assert told() is False
    assert cloud.call("EnableSerialConsoleAccess")["SerialConsoleAccessEnabled"] is True
    assert told() is True
    cloud.call("DisableSerialConsoleAccess")
    assert told() is False


# --- types by need ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"MemoryMiB": {"Min": 30000}}, {"m5.2xlarge"}),
        ({"VCpuCount": {"Min": 8}}, {"m5.2xlarge"}),
        (
            {"BurstablePerformance": "required", "MemoryMiB": {"Min": 8000, "Max": 9000}},
            {"t2.large", "t3.large", "t3a.large"},
        ),
        (
            {"BurstablePerformance": "included", "CpuManufacturers": ["amd"]},
            {"t3a.nano", "t3a.micro", "t3a.small", "t3a.medium", "t3a.large"},
        ),
        ({"AllowedInstanceTypes": ["r*"]}, {"r5.large", "r6i.large"}),
        ({"InstanceGenerations": ["previous"]}, {"m1.small"}),
        ({"MemoryGiBPerVCpu": {"Max": 2}}, {
            "c5.large", "c5.xlarge", "c6i.large", "c6i.xlarge", "c7i.large", "m1.small",
        }),
        ({"LocalStorage": "required"}, set()),
        ({"AcceleratorCount": {"Min": 1}}, set()),
        ({"BareMetal": "required"}, set()),
    ],
)  # fmt: skip
def test_types_with_what_is_needed(cloud: Cloud, asked: dict[str, Any], found: set[str]) -> None:
    least = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}}
    answer = cloud.call(
        "GetInstanceTypesFromInstanceRequirements",
        ArchitectureTypes=["x86_64"],
        VirtualizationTypes=["hvm"],
        InstanceRequirements=least | asked,
    )
    assert {item["InstanceType"] for item in answer["InstanceTypes"]} == found
    answer = cloud.call(
        "GetInstanceTypesFromInstanceRequirements",
        ArchitectureTypes=["arm64"],
        VirtualizationTypes=["hvm"],
        InstanceRequirements=least | asked,
    )
    assert answer["InstanceTypes"] == []


# --- the rest -----------------------------------------------------------------------------------
def test_what_is_heard_or_told_in_vain(cloud: Cloud) -> None:
    key = one(cloud)["InstanceId"]
    report = {"Status": "impaired", "ReasonCodes": ["unresponsive"]}
    cloud.call("ReportInstanceStatus", Instances=[key], **report)
    refused = refusal(cloud, "ReportInstanceStatus", Instances=[NONE], **report)
    assert refused[0] == "InvalidInstanceID.NotFound"
    event = {"InstanceEventId": "instance-event-1", "NotBefore": "2026-12-01T00:00:00Z"}
    refused = refusal(cloud, "ModifyInstanceEventStartTime", InstanceId=key, **event)
    assert refused[0] == "InvalidInstanceEventIDNotFound"
    assert cloud.call("GetPasswordData", InstanceId=key)["PasswordData"] == ""
    assert cloud.call("DescribeInstanceTopology", InstanceIds=[key])["Instances"] == []
    refused = refusal(cloud, "DescribeInstanceTopology", GroupNames=["nobody"])
    assert refused[0] == "InvalidPlacementGroup.Unknown"
