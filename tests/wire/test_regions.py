"""The regions of the public partition, from botocore."""

from __future__ import annotations

from gureum.wire.regions import endpoint, regions


def test_regions() -> None:
    found = regions()
    assert found["ap-northeast-2"] == "Asia Pacific (Seoul)"
    assert found["us-east-1"] == "US East (N. Virginia)"
    assert len(found) > 30
    assert not any(name.startswith(("cn-", "us-gov-", "aws-", "us-iso")) for name in found)
    assert list(found) == sorted(found)


def test_endpoint() -> None:
    assert endpoint("ec2", "ap-northeast-2") == "ec2.ap-northeast-2.amazonaws.com"
