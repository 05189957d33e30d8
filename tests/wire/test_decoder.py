"""Every operation's parameters survive the way from botocore's serializer through our decoder."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from gureum.errors import ApiError
from gureum.wire import Request, actions, decode
from gureum.wire.decoder import Decoder
from gureum.wire.form import tree
from tests.wire.samples import Sampler, odd_shape
from tests.wiring import SERVICES, form, request_for, service_model

CALLS = [(name, action) for name in SERVICES for action in sorted(actions(name))]


def ec2(**parameters: str) -> Request:
    """A request with raw parameters; ``__`` stands for a dot."""
    raw = {name.replace("__", "."): value for name, value in parameters.items()}
    return decode("POST", {}, "", urlencode(raw).encode(), host_service="ec2")


@pytest.mark.parametrize(("service", "action"), CALLS)
def test_parameters_survive(service: str, action: str) -> None:
    shape = service_model(service).operation_model(action).input_shape
    if shape is None:
        assert request_for(action, {}, service).params == {}
        return
    params = Sampler(most=1).value(shape)
    assert request_for(action, params, service).params == params


@pytest.mark.parametrize("service", SERVICES)
def test_every_required_parameter_is_asked_for(service: str) -> None:
    asked = 0
    for action in sorted(actions(service)):
        shape = service_model(service).operation_model(action).input_shape
        for name in shape.required_members if shape is not None else ():
            params = Sampler(most=1).value(shape)
            del params[name]
            with pytest.raises(ApiError) as caught:
                request_for(action, params, service)
            code = "MissingParameter" if service == "ec2" else "ValidationError"
            assert caught.value.code == code, (action, name)
            asked += 1
    assert asked > 10


def test_an_empty_list_of_the_query_protocol_is_a_list() -> None:
    body = form("sts", "AssumeRole", {"RoleArn": "a" * 20, "RoleSessionName": "x", "Tags": []})
    assert b"Tags=" in body
    assert decode("POST", {}, "", body).params["Tags"] == []


def test_list_numbers_may_have_gaps_and_are_numbers() -> None:
    request = ec2(
        Action="DescribeVpcs", VpcId__10="ten", VpcId__9="nine", VpcId__200="last", VpcId__0="zero"
    )
    assert request.params["VpcIds"] == ["zero", "nine", "ten", "last"]


def test_empty_options_are_absent_but_empty_strings_are_strings() -> None:
    request = ec2(
        Action="RunInstances",
        MinCount="1",
        MaxCount="1",
        Placement__AvailabilityZone="",
        Placement__Tenancy="",
        Placement__PartitionNumber="",
        EbsOptimized="",
        TagSpecification__1__Tag__1__Key="k",
        TagSpecification__1__Tag__1__Value="",
    )
    assert request.params == {
        "MinCount": 1,
        "MaxCount": 1,
        "Placement": {"AvailabilityZone": ""},
        "TagSpecifications": [{"Tags": [{"Key": "k", "Value": ""}]}],
    }


RUN = {"Action": "RunInstances", "MinCount": "1", "MaxCount": "1"}
REFUSED: list[tuple[dict[str, str], str, str]] = [
    (
        {"Action": "DescribeVpcs", "Nonsense": "1"},
        "UnknownParameter",
        "The parameter Nonsense is not recognized",
    ),
    (
        {"Action": "DescribeVpcs", "VpcIds.1": "x"},
        "UnknownParameter",
        "The parameter VpcIds.1 is not recognized",
    ),
    (
        {"Action": "DescribeVpcs", "vpcId.1": "x"},
        "UnknownParameter",
        "The parameter vpcId.1 is not recognized",
    ),
    (  # a list where names are numbers
        {"Action": "DescribeVpcs", "VpcId.member.1": "x"},
        "UnknownParameter",
        "The parameter VpcId.member.1 is not recognized",
    ),
    (  # a list given as a scalar
        {"Action": "DescribeVpcs", "VpcId": "x"},
        "UnknownParameter",
        "The parameter VpcId is not recognized",
    ),
    (  # a scalar given as a structure, and as a list
        {"Action": "CreateVpc", "CidrBlock.Foo.Bar": "x"},
        "UnknownParameter",
        "The parameter CidrBlock.Foo.Bar is not recognized",
    ),
    (
        {"Action": "CreateVpc", "CidrBlock.1": "x"},
        "UnknownParameter",
        "The parameter CidrBlock.1 is not recognized",
    ),
    (  # a structure given as a scalar
        RUN | {"Placement": "here"},
        "UnknownParameter",
        "The parameter Placement is not recognized",
    ),
    (  # an element of a list of structures given as a scalar
        {"Action": "DescribeVpcs", "Filter.1": "x"},
        "UnknownParameter",
        "The parameter Filter.1 is not recognized",
    ),
    ({"Action": "DescribeVpcs", "VpcId.-1": "x"}, "UnknownParameter", ""),
    ({"Action": "DescribeVpcs", "VpcId.01": "x"}, "UnknownParameter", ""),
    ({"Action": "DescribeVpcs", "VpcId.²": "x"}, "UnknownParameter", ""),
    ({"Action": "DescribeVpcs", "VpcId." + "9" * 400: "x"}, "UnknownParameter", ""),
    (
        {"Action": "CreateSubnet", "CidrBlock": "10.0.0.0/24"},
        "MissingParameter",
        "The request must contain the parameter VpcId",
    ),
    (  # required inside a structure of a list
        RUN | {"ElasticGpuSpecification.1.Typo": "x"},
        "UnknownParameter",
        "The parameter ElasticGpuSpecification.1.Typo is not recognized",
    ),
    (
        RUN | {"CreditSpecification": ""},
        "MissingParameter",
        "The request must contain the parameter CreditSpecification.CpuCredits",
    ),
    (
        {"Action": "RunInstances", "MinCount": "", "MaxCount": "1"},
        "MissingParameter",
        "The request must contain the parameter MinCount",
    ),
    (
        RUN | {"EbsOptimized": "yes"},
        "InvalidParameterValue",
        "Value (yes) for parameter ebsOptimized is invalid. Expecting true or false",
    ),
    (
        RUN | {"Placement.Tenancy": "nowhere"},
        "InvalidParameterValue",
        "Value (nowhere) for parameter placement.Tenancy is invalid",
    ),
    (
        {"Action": "DescribeVpcs", "MaxResults": "1"},
        "InvalidParameterValue",
        "Value ( 1 ) for parameter maxResults is invalid. Expecting a value greater than 5.",
    ),
    (
        {"Action": "DescribeVpcs", "MaxResults": "1001"},
        "InvalidParameterValue",
        "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value less than 1000.",
    ),
    ({"Action": "ImportKeyPair", "KeyName": "k"}, "MissingParameter", ""),
    (
        {"Action": "ImportKeyPair", "KeyName": "k", "PublicKeyMaterial": "a b!"},
        "InvalidParameterValue",
        "Value (a b!) for parameter publicKeyMaterial is invalid. Invalid BASE64 encoding",
    ),
    ({"Action": "DescribeSpotPriceHistory", "StartTime": "today"}, "InvalidParameterValue", ""),
    *(
        ({"Action": "RunInstances", "MinCount": bad, "MaxCount": "1"}, "InvalidParameterValue", "")
        for bad in ("1.5", "abc", "1_0", "0x1", "٣", "2147483648", "-2147483649", " 1", "9" * 5000)
    ),
]


@pytest.mark.parametrize(("parameters", "code", "message"), REFUSED)
def test_refused(parameters: dict[str, str], code: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode("POST", {}, "", urlencode(parameters).encode(), host_service="ec2")
    assert caught.value.code == code
    assert caught.value.status == 400
    assert not message or caught.value.message == message


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"RoleSessionName": "x"}, "Value 'null' at 'roleArn' failed to satisfy constraint"),
        (
            {"RoleArn": "a" * 20, "RoleSessionName": "x", "DurationSeconds": "1"},
            "at 'durationSeconds' failed to satisfy constraint: Member must have value greater",
        ),
    ],
)
def test_query_services_word_it_their_way(parameters: dict[str, str], words: str) -> None:
    body = urlencode({"Action": "AssumeRole", "Version": "2011-06-15"} | parameters).encode()
    with pytest.raises(ApiError) as caught:
        decode("POST", {}, "", body)
    assert caught.value.code == "ValidationError"
    assert words in caught.value.message


def test_flat_lists_and_maps_of_the_query_protocol() -> None:
    decoder = Decoder("query").of(odd_shape())
    sent = {
        "Leaf.1": "a",
        "Leaf.2": "b",
        "Named.Name.1": "c",
        "Map.entry.1.Key": "k",
        "Map.entry.1.value": "7",
        "Flat.1.key": "f",
        "Flat.1.value": "8",
        "Me.Me.Me.Leaf.1": "deep",
    }
    assert decoder(tree(sent), "") == {
        "Leaves": ["a", "b"],
        "Names": ["c"],
        "Map": {"k": 7},
        "Flat": {"f": 8},
        "Me": {"Me": {"Me": {"Leaves": ["deep"]}}},
    }
    for bad in ("Named.member.1", "Map.1.Key", "Map.entry.1.Other", "Map.entry", "Leaf.x"):
        with pytest.raises(ApiError, match=f"The parameter {bad} is not recognized"):
            decoder(tree({bad: "x"}), "")
    with pytest.raises(ApiError, match=r"at 'map.entry.1.value'"):
        decoder(tree({"Map.entry.1.Key": "x"}), "")
