"""What wrong requests once broke, each refused now."""

from __future__ import annotations

from random import Random

import pytest

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
    drawn.parameters = drawn.filled(parameters)
    assert target.send(drawn) == code
