"""How often an account may call: buckets by the clock, and refusals through a real client."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from gureum.errors import ApiError
from gureum.server.rates import MOST, READS, WRITES, Rates, Size, Throttle, rates
from gureum.server.settings import Settings, SettingsError
from gureum.store import Search
from tests.server.secured import Secured

PLACE = ("123456789012", "ap-northeast-2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(throttle: Throttle, action: str, most: int, place: tuple[str, str] = PLACE) -> int:
    """How many calls get through before one does not."""
    for count in range(most):
        try:
            throttle.take(*place, "ec2", action, reads=action.startswith("Describe"))
        except ApiError as error:
            return count if error.code == "RequestLimitExceeded" else -1
    return most


def test_buckets_of_aws() -> None:
    clock = Clock()
    throttle = Throttle(Rates(), clock)
    assert taken(throttle, "DescribeVpcs", 1000) == READS.tokens
    assert taken(throttle, "DescribeSubnets", 1000) == READS.tokens  # each action has its own
    assert taken(throttle, "CreateVpc", 1000) == WRITES.tokens
    assert taken(throttle, "RunInstances", 1000) == 5
    for other in (("999999999999", PLACE[1]), (PLACE[0], "us-east-1")):
        assert taken(throttle, "CreateVpc", 1000, other) == WRITES.tokens


def test_buckets_fill_again_and_no_further() -> None:
    clock = Clock()
    throttle = Throttle(Rates(), clock)
    taken(throttle, "CreateVpc", 1000)
    clock.now += 0.1
    assert taken(throttle, "CreateVpc", 1000) == 0
    clock.now += 0.1
    assert taken(throttle, "CreateVpc", 1000) == 1
    clock.now += 4
    assert taken(throttle, "CreateVpc", 1000) == 20
    clock.now += 10_000
    assert taken(throttle, "CreateVpc", 1000) == WRITES.tokens


def test_who_is_refused_waits_no_longer_for_it() -> None:
    clock = Clock()
    throttle = Throttle(Rates(writes=Size(2, 1), single={}), clock)
    assert taken(throttle, "CreateVpc", 10) == 2
    for _ in range(10):
        clock.now += 0.1
        taken(throttle, "CreateVpc", 1)
    assert taken(throttle, "CreateVpc", 10) == 0  # the tenth took the one that had come


def test_there_are_so_many_buckets() -> None:
    throttle = Throttle(Rates(), Clock())
    for number in range(MOST + 100):
        throttle.take(f"{number:012}", PLACE[1], "ec2", "CreateVpc", reads=False)
    assert len(throttle._buckets) == MOST


def test_what_can_be_said() -> None:
    assert rates("off") is None
    assert rates("aws") == Rates()
    assert rates("20:5") == Rates(Size(200, 20), Size(50, 5), {})
    for text in ("", "fast", "20", "0:5", "20:0", "-1:5", "20:5:1", "1e3:5"):
        with pytest.raises(ValueError, match="neither off nor aws"):
            rates(text)


def test_nobody_is_surprised_on_loopback(tmp_path: Path) -> None:
    state = tmp_path
    assert Settings(state).rates() is None
    assert Settings(state, auth="enforce").rates() is None
    assert Settings(state, host="192.0.2.1", auth="verify").rates() == Rates()
    assert Settings(state, host="192.0.2.1", auth="verify", rate="off").rates() is None
    with pytest.raises(SettingsError, match="--rate"):
        Settings(state, rate="fast").check()


def test_a_client_is_told() -> None:
    few = Rates(reads=Size(3, 0.001), writes=Size(2, 0.001), single={})
    cloud = Secured(rates=few)
    try:
        keys = cloud.account("team")
        ec2, iam = cloud.client(keys), cloud.client(keys, "iam")
        trail = cloud.client(keys, "cloudtrail")

        def ends(call: object, count: int) -> list[str]:
            assert callable(call)
            found = []
            for _ in range(count):
                try:
                    call()
                    found.append("ok")
                except ClientError as error:
                    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                    found.append(f"{error.response['Error']['Code']} {status}")
            return found

        assert ends(ec2.describe_vpcs, 4) == ["ok"] * 3 + ["RequestLimitExceeded 503"]
        assert ends(ec2.create_internet_gateway, 3) == ["ok"] * 2 + ["RequestLimitExceeded 503"]
        assert ends(iam.list_users, 4) == ["ok"] * 3 + ["Throttling 400"]
        assert ends(trail.lookup_events, 4) == ["ok"] * 3 + ["ThrottlingException 400"]
        other = cloud.client(cloud.account("other"))
        assert ends(other.describe_vpcs, 1) == ["ok"]
        # Who did not sign takes nothing from anybody.
        forged = cloud.client((cloud.account("third")[0], "x" * 40))
        assert ends(forged.describe_vpcs, 5) == ["AuthFailure 401"] * 5
        names = [each.name for _, each in cloud.store.trail.find(Search(), 100)]
        assert names == ["CreateInternetGateway"] * 2
    finally:
        cloud.close()
