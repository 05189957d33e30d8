"""What wrong requests once broke, each refused now."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from gureum.resources.image_allowed import within
from gureum.resources.network_interface import NetworkInterface
from tests.conftest import Cloud
from tests.fuzz.check import Target
from tests.fuzz.furnished import furnished
from tests.fuzz.requests import Drawn

MANY = "2147483647"
FOUND = (
    # Memory for as many addresses or prefixes as were asked for.
    ("AssignPrivateIpAddresses", {"NetworkInterfaceId": "<eni>", "Ipv4PrefixCount": MANY},
     "InsufficientCidrBlocks"),
    ("AssignPrivateIpAddresses",
     {"NetworkInterfaceId": "<eni>", "SecondaryPrivateIpAddressCount": MANY},
     "PrivateIpAddressLimitExceeded"),
    ("CreateNetworkInterface", {"SubnetId": "<subnet>", "SecondaryPrivateIpAddressCount": MANY},
     "PrivateIpAddressLimitExceeded"),
    ("CreateNetworkInterface", {"SubnetId": "<subnet>", "SecondaryPrivateIpAddressCount": "-1"},
     "InvalidParameterValue"),
    ("AssignPrivateIpAddresses", {"NetworkInterfaceId": "<eni>", "Ipv4PrefixCount": "-1"},
     "InvalidParameterValue"),
    # Codes that AWS does not have.
    ("ReplaceIamInstanceProfileAssociation",
     {"IamInstanceProfile.Name": "a", "AssociationId": "rtbassoc-00000000"},
     "InvalidAssociationID.NotFound"),
    ("ModifyVpcEndpointConnectionNotification", {"ConnectionNotificationId": "x"},
     "InvalidConnectionNotification"),
    ("DeleteSubnetCidrReservation", {"SubnetCidrReservationId": "scr-x"},
     "InvalidSubnetCidrReservationID.NotFound"),
    ("UnlockSnapshot", {"SnapshotId": "<snap>"}, "IncorrectState"),
    # Text that is no base64, in the old style.
    ("ModifyInstanceAttribute",
     {"InstanceId": "<i>", "Attribute": "userData", "Value": "10.0.0.2"},
     "InvalidParameterValue"),
)  # fmt: skip


@pytest.mark.parametrize(("action", "parameters", "code"), FOUND)
def test_a_finding(action: str, parameters: dict[str, str], code: str) -> None:
    target = Target(furnished())
    drawn = Drawn(Random(0), target.store.view, action)
    drawn.parameters = {name: named(target, text) for name, text in parameters.items()}
    assert target.send(drawn) == code


def named(target: Target, text: str) -> str:
    """A text with the oldest row of a prefix in its place; of interfaces, one that is free."""
    for row in sorted(target.store.view.rows.values(), key=lambda row: (row.created, row.id)):
        free = not isinstance(row, NetworkInterface) or row.attachment is None
        if free and f"<{row.prefix}>" in text:
            return text.replace(f"<{row.prefix}>", row.id)
    return text


def test_a_time_in_a_launch_template_is_shown() -> None:
    cloud = Cloud()
    until = "2027-01-01T00:00:00+00:00"
    data = {"InstanceMarketOptions": {"SpotOptions": {"ValidUntil": until}}}
    cloud.call("CreateLaunchTemplate", LaunchTemplateName="spot", LaunchTemplateData=data)
    (version,) = cloud.call("DescribeLaunchTemplateVersions", LaunchTemplateName="spot")[
        "LaunchTemplateVersions"
    ]
    options = version["LaunchTemplateData"]["InstanceMarketOptions"]["SpotOptions"]
    assert options["ValidUntil"].isoformat() == until


def test_an_age_without_end_bounds_no_image() -> None:
    assert within(timedelta(days=10**6), 2**31 - 1)
    assert not within(timedelta(days=3), 2)
