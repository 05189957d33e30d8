"""Every folder of ``examples/terraform`` against a real daemon: apply, no drift, what the topic is
about, change, no drift, destroy.

Terraform mostly waits: all folders are worked on at the same time, each in an account of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.terraform.program import EXAMPLES, KNOWN, Terraform
from tests.terraform.topics import TOPICS, Seen

pytestmark = [pytest.mark.terraform, pytest.mark.kernel, pytest.mark.timeout(600)]

AT_ONCE = 4
"""How many are worked on at the same time: each takes some 800 MB of memory."""

topics = pytest.mark.parametrize("name", TOPICS)


class Work:
    """What is being done in each folder: the steps of one follow each other, each once the test of
    the one before has seen what it made."""

    def __init__(self, daemon: Daemon, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.daemon, self.pool = daemon, pool
        self.accounts = {name: str(100000000001 + n) for n, name in enumerate(TOPICS)}
        self.programs = {
            name: Terraform(
                EXAMPLES / name,
                folder / name,
                {
                    "AWS_ENDPOINT_URL": daemon.endpoint,
                    "AWS_ACCESS_KEY_ID": account,
                    "AWS_SECRET_ACCESS_KEY": "test",
                },
            )
            for name, account in self.accounts.items()
        }
        self.steps: dict[str, Future[Any]] = {}

    def begin(self, name: str) -> None:
        self.steps[name] = self.pool.submit(self.programs[name].apply)

    def change(self, name: str) -> None:
        self.steps[name] = self.pool.submit(self.programs[name].apply, KNOWN, *TOPICS[name].change)

    def destroy(self, name: str) -> None:
        self.steps[name] = self.pool.submit(self.programs[name].destroy, *TOPICS[name].change)

    def seen(self, name: str) -> Seen:
        """What the last step of a folder made, once it is done."""
        return Seen(self.daemon, self.accounts[name], self.steps[name].result() or {})


@pytest.fixture(scope="module")
def work(request: Any, tmp_path_factory: Any) -> Iterator[Work]:
    folder = tmp_path_factory.mktemp("terraform")
    daemon = Daemon(folder / "state", "--no-host-link")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = Work(daemon, folder, pool)
        daemon.start()
        try:
            chosen = {item.callspec.params["name"] for item in request.session.items if _ours(item)}
            for name in TOPICS:
                if name in chosen:
                    made.begin(name)
            yield made
        finally:
            pool.shutdown(cancel_futures=True)
            daemon.close()


def _ours(item: Any) -> bool:
    return bool(item.path == Path(__file__) and hasattr(item, "callspec"))


def test_every_example_is_a_topic() -> None:
    folders = {path.parent.name for path in EXAMPLES.glob("*/main.tf")}
    assert folders == set(TOPICS)
    assert folders == {path.parent.name for path in EXAMPLES.glob("*/README.md")}


@topics
def test_apply_leaves_no_drift(work: Work, name: str) -> None:
    try:
        TOPICS[name].applied(work.seen(name))
    finally:
        work.change(name)


@topics
def test_a_change_leaves_no_drift(work: Work, name: str) -> None:
    try:
        TOPICS[name].changed(work.seen(name))
    finally:
        work.destroy(name)


@topics
def test_destroy_leaves_nothing(work: Work, name: str) -> None:
    seen = work.seen(name)
    blocks = [vpc["CidrBlock"] for vpc in seen.ec2().describe_vpcs()["Vpcs"]]
    assert blocks == ["172.31.0.0/16"]
    assert seen.ec2().describe_addresses()["Addresses"] == []
    TOPICS[name].destroyed(seen)
