"""Pytest's fixtures for networks: a cloud of the test run's own, and who must reach whom in it.

The fixtures import what they need when they are asked for: a run that uses none of them pays for
this file only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gureum.pytest_plugin.claims import Claim
    from gureum.pytest_plugin.cloud import Cloud, Command


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that choose a cloud that is up already."""
    group = parser.getgroup("gureum", "a cloud to test networks in")
    group.addoption(
        "--gureum-state",
        metavar="FOLDER",
        help="Use the cloud that serves this state folder instead of starting one for the run.",
    )
    group.addoption(
        "--gureum-endpoint",
        metavar="URL",
        help="Use the cloud that is up, and speak to its API at this address (behind a forwarded "
        "port, say). Which cloud that is: --gureum-state, or the one 'gureum status' shows.",
    )


@pytest.fixture(scope="session")
def gureum_cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The cloud that the tests use: started for the run on a free port and taken down after it,
    or the one that the options name, which is left as it is."""
    from gureum.pytest_plugin.cloud import ephemeral, running

    state = request.config.getoption("gureum_state")
    endpoint = request.config.getoption("gureum_endpoint")
    if state is None and endpoint is None:
        with ephemeral() as made:
            yield made
    else:
        yield running(Path(state).absolute() if state else None, endpoint)


@pytest.fixture(scope="session")
def ec2(gureum_cloud: Cloud) -> Any:
    """A boto3 client of the cloud's EC2 API."""
    return gureum_cloud.client("ec2")


@pytest.fixture(scope="session")
def gureum(gureum_cloud: Cloud) -> Command:
    """Runs a command of Gureum's on the cloud: ``gureum("verify", "policy.yaml").returncode``."""
    return gureum_cloud.run


@pytest.fixture(scope="session")
def reaches(gureum_cloud: Cloud) -> Claim:
    """Fails unless an exchange works from every client port, and explains why it does not:
    ``reaches("web", "db", "3306")``.  Places and services are those of ``gureum explain``."""
    from gureum.pytest_plugin.claims import Reaches

    return Reaches(gureum_cloud)


@pytest.fixture(scope="session")
def cannot_reach(gureum_cloud: Cloud) -> Claim:
    """Fails if an exchange works from any client port, and explains how it gets through:
    ``cannot_reach("internet", "db", "3306")``."""
    from gureum.pytest_plugin.claims import CannotReach

    return CannotReach(gureum_cloud)
