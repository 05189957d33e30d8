"""The reconciler: commits become packets and processes, and what happened is written back."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from gureum.compile import Compiler, compile_all
from gureum.engines import EngineError
from gureum.engines.fake import FakeEngine
from gureum.machines import FakeMachines, MachineError
from gureum.model import Changes, View
from gureum.program import Host, Machine, Router, Statement
from gureum.reconcile import MachineTasks, Reconciler
from gureum.resources import REGISTRY
from gureum.resources.instance import Instance
from gureum.server.dispatch import Dispatcher, utc_now
from gureum.store import Entry, MemoryStore, Remembered, Store
from tests.kernel.packets import eventually
from tests.wiring import request_for, through_wire

ACCOUNT, REGION = "123456789012", "ap-northeast-2"


class Running:
    """A cloud with an engine and a machine room in memory, reconciled for real."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or MemoryStore()
        self.engine = FakeEngine()
        self.machines = FakeMachines()
        self.dispatch = Dispatcher(self.store, REGISTRY)
        self.reconciler = Reconciler(self.store, REGISTRY, self.engine, self.machines, utc_now)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        request = request_for(action, params)
        answer = self.dispatch(request, ACCOUNT, REGION)
        if action not in REGISTRY.reads:
            self.reconciler.wait(self.store.view.revision, 5)
        return through_wire(request, answer)

    def launch(self, count: int = 1, **params: Any) -> list[str]:
        images = self.call("DescribeImages", Owners=["amazon"])["Images"]
        answer = self.call(
            "RunInstances",
            ImageId=images[0]["ImageId"],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=count,
            **params,
        )
        return [item["InstanceId"] for item in answer["Instances"]]

    def row(self, key: str) -> Instance:
        row = self.store.view.find(Instance, key)
        assert row is not None
        return row

    def reaches(self, key: str, state: str) -> bool:
        return eventually(lambda: self.row(key).state == state)


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    made.reconciler.start()
    yield made
    made.reconciler.stop()


def of(statements: frozenset[Statement], kind: type) -> set[str]:
    return {str(getattr(s, "id", "")) for s in statements if isinstance(s, kind)}


def test_a_call_returns_when_the_network_has_it(running: Running) -> None:
    vpc = running.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert Router(vpc) in running.engine.statements
    assert running.reconciler.health.in_force == running.store.view.revision


def test_the_engine_is_never_given_machines(running: Running) -> None:
    (key,) = running.launch()
    assert running.reaches(key, "running")
    assert not of(running.engine.statements, Machine)


def test_an_instance_runs_in_its_namespace_and_ends(running: Running) -> None:
    (key,) = running.launch()
    assert running.reaches(key, "running")
    assert running.machines.netns[key] == running.engine.netns(key)
    running.call("StopInstances", InstanceIds=[key])
    assert running.reaches(key, "stopped")
    assert eventually(lambda: key not in of(running.engine.statements, Host))
    running.call("StartInstances", InstanceIds=[key])
    assert running.reaches(key, "running")
    running.call("TerminateInstances", InstanceIds=[key])
    assert running.reaches(key, "terminated")
    assert running.machines.calls == [
        f"start {key} boot=1",
        f"stop {key}",
        f"start {key} boot=2",
        f"stop {key}",
        f"delete {key}",
    ]


def test_the_network_outlives_the_processes(running: Running) -> None:
    """An instance that shuts down may still say goodbye: its host goes after its machine."""
    (key,) = running.launch()
    assert running.reaches(key, "running")
    there: list[bool] = []
    stop = running.machines.stop

    def watching(id: str, grace: float) -> None:  # noqa: A002 - the machine room's name
        there.append(id in of(running.engine.statements, Host))
        stop(id, grace)

    running.machines.stop = watching  # type: ignore[method-assign]
    running.call("StopInstances", InstanceIds=[key])
    assert running.reaches(key, "stopped")
    assert there == [True]


def test_a_machine_waits_for_its_network(running: Running) -> None:
    """Also if somebody asks after it while the network is being made."""
    (key,) = running.launch()
    assert running.reaches(key, "running")
    running.call("StopInstances", InstanceIds=[key])
    assert running.reaches(key, "stopped")
    assert eventually(lambda: key not in of(running.engine.statements, Host))
    early: list[bool] = []
    apply = running.engine.apply

    def asking(add: Collection[Statement], remove: Collection[Statement]) -> None:
        if key in of(frozenset(add), Host):
            running.machines.exits(key)
            started = f"start {key} boot=2"
            early.append(eventually(lambda: started in running.machines.calls, 0.3))
        apply(add, remove)

    running.engine.apply = asking  # type: ignore[method-assign]
    running.call("StartInstances", InstanceIds=[key])
    assert running.reaches(key, "running")
    assert early == [False]


def test_many_instances_all_run(running: Running) -> None:
    keys = running.launch(count=40)
    assert all(running.reaches(key, "running") for key in keys)
    assert len(running.machines.observe()) == 40


def test_a_reboot_stops_and_starts(running: Running) -> None:
    (key,) = running.launch()
    assert running.reaches(key, "running")
    running.call("RebootInstances", InstanceIds=[key])
    assert eventually(lambda: running.machines.calls[-1] == f"start {key} boot=2")
    assert running.row(key).state == "running"


def test_a_machine_that_ends_by_itself_is_told(running: Running) -> None:
    (key,) = running.launch()
    assert running.reaches(key, "running")
    running.machines.exits(key)
    assert running.reaches(key, "stopped")
    assert running.machines.calls == [f"start {key} boot=1"], "it is not started again"


def test_a_start_that_fails_is_tried_again(running: Running) -> None:
    images = running.call("DescribeImages")["Images"]
    assert images
    failures = running.machines.failures

    class Two(dict[str, int]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().setdefault(key, 2)

    running.machines.failures = Two(failures)
    (key,) = running.launch()
    assert running.reaches(key, "running")
    assert running.machines.calls == [f"start {key} boot=1"] * 3
    assert running.reconciler.health.machines == {}


def test_a_start_that_always_fails_ends_the_instance(running: Running) -> None:
    class Always(dict[str, int]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().setdefault(key, 99)

    running.machines.failures = Always()
    (key,) = running.launch()
    assert running.reaches(key, "terminated")
    reason = running.row(key).reason
    assert reason is not None
    assert reason.code == "Server.InternalError"


def test_a_failed_change_is_reported_and_mended(running: Running) -> None:
    running.engine.fail_next = 1
    vpc = running.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert eventually(lambda: Router(vpc) in running.engine.statements)
    assert eventually(lambda: running.reconciler.health.error is None)
    assert "sync" in [name for name, _, _ in running.engine.calls[1:]]


@pytest.mark.parametrize("failing", range(1, 6))
def test_whichever_change_fails_the_network_converges(failing: int) -> None:
    """Fail the n-th application for every n; the whole must come out the same."""
    made = Running()
    made.reconciler.start()
    apply = made.engine.apply
    calls = [0]

    def failing_once(add: Any, remove: Any) -> None:
        calls[0] += 1
        if calls[0] == failing:
            made.engine.fail_next = 1
        apply(add, remove)

    made.engine.apply = failing_once  # type: ignore[method-assign]
    vpc = made.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = made.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    (key,) = made.launch(SubnetId=subnet)
    assert made.reaches(key, "running")
    program = compile_all(REGISTRY, made.store.view).statements
    wanted = frozenset(s for s in program if not isinstance(s, Machine))
    assert eventually(lambda: made.engine.statements == wanted)
    made.reconciler.stop()


def test_a_nat_gateway_is_available_when_the_network_has_it(running: Running) -> None:
    (subnet, *_) = running.call("DescribeSubnets")["Subnets"]
    address = running.call("AllocateAddress")
    made = running.call(
        "CreateNatGateway", SubnetId=subnet["SubnetId"], AllocationId=address["AllocationId"]
    )["NatGateway"]
    assert made["State"] == "pending"

    def state() -> str:
        answer = running.call("DescribeNatGateways", NatGatewayIds=[made["NatGatewayId"]])
        return str(answer["NatGateways"][0]["State"])

    assert eventually(lambda: state() == "available")
    running.call("DeleteNatGateway", NatGatewayId=made["NatGatewayId"])
    assert eventually(lambda: state() == "deleted")


def test_a_new_daemon_adopts_what_runs() -> None:
    first = Running()
    first.reconciler.start()
    keys = first.launch(count=3)
    assert all(first.reaches(key, "running") for key in keys)
    first.reconciler.stop()
    second = Running(first.store)
    second.engine, second.machines = first.engine, first.machines
    second.machines.exits(keys[0])  # while nobody looked
    second.reconciler = Reconciler(first.store, REGISTRY, second.engine, second.machines, utc_now)
    before = list(second.machines.calls)
    second.reconciler.start()
    assert second.reaches(keys[0], "stopped")
    assert [second.row(key).state for key in keys[1:]] == ["running", "running"]
    assert second.machines.calls == before
    second.reconciler.stop()


def test_tear_down_leaves_nothing_running_and_loses_no_row() -> None:
    made = Running()
    made.reconciler.start()
    (key,) = made.launch()
    assert made.reaches(key, "running")
    made.reconciler.stop()
    made.reconciler.tear_down()
    assert made.engine.statements == frozenset()
    status = made.machines.observe_one(key)
    assert status is not None
    assert status.state == "exited"
    assert made.row(key).state == "running"


class FullDisk(MemoryStore):
    """Refuses to write while it is told to, as a full disk does."""

    full = False

    def _save(
        self,
        revision: int,
        changes: Changes,
        record: Remembered | None,
        told: tuple[Entry, ...],
    ) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


def test_a_full_disk_stops_nothing_for_good() -> None:
    """What happened cannot be written down for a while; later it is, and commits are followed."""
    store = FullDisk()
    made = Running(store)
    made.reconciler.start()
    (subnet, *_) = made.call("DescribeSubnets")["Subnets"]
    address = made.call("AllocateAddress")["AllocationId"]
    apply = made.engine.apply

    def fills(add: Any, remove: Any) -> None:
        store.full = True
        apply(add, remove)

    made.engine.apply = fills  # type: ignore[method-assign]
    made.call("CreateNatGateway", SubnetId=subnet["SubnetId"], AllocationId=address)
    assert eventually(lambda: made.reconciler.health.error is not None)
    made.engine.apply = apply  # type: ignore[method-assign]
    store.full = False
    vpc = made.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert Router(vpc) in made.engine.statements

    def state() -> str:
        return str(made.call("DescribeNatGateways")["NatGateways"][0]["State"])

    assert eventually(lambda: state() == "available")
    assert eventually(lambda: made.reconciler.health.error is None)
    made.reconciler.stop()


def test_what_could_not_be_compiled_is_compiled_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, refusals = Compiler.update, [1]

    def stumbles(self: Compiler, view: View, changes: Changes) -> Any:
        if refusals:
            refusals.pop()
            raise MemoryError
        return update(self, view, changes)

    monkeypatch.setattr(Compiler, "update", stumbles)
    (key,) = running.launch()
    assert not refusals
    assert running.reaches(key, "running")
    assert eventually(lambda: running.reconciler.health.error is None)


def test_an_instance_whose_end_was_not_written_down_is_seen_to_again(running: Running) -> None:
    (key,) = running.launch()
    assert running.reaches(key, "running")
    delete, refusals = running.machines.delete, [1]

    def refuses(id: str) -> None:  # noqa: A002 - the machine room's name
        if refusals:
            refusals.pop()
            raise OSError(28, "No space left on device")
        delete(id)

    running.machines.delete = refuses  # type: ignore[method-assign]
    running.call("TerminateInstances", InstanceIds=[key])
    assert eventually(lambda: not refusals)
    running.engine.fail_next = 1  # brings the next full pass forward
    running.call("CreateVpc", CidrBlock="10.0.0.0/16")
    assert running.reaches(key, "terminated")


def test_a_later_change_does_not_hide_an_earlier_failure(running: Running) -> None:
    """When a call returns in force, all revisions before it are in force as well."""
    sync = running.engine.sync

    def refuses(wanted: Any) -> None:
        raise EngineError(["told to fail"])

    running.engine.sync = refuses  # type: ignore[method-assign]
    running.engine.fail_next = 1
    first = running.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    running.call("CreateInternetGateway")
    revision = running.store.view.revision
    assert not running.reconciler.wait(revision, 5)
    assert Router(first) not in running.engine.statements
    running.engine.sync = sync  # type: ignore[method-assign]
    running.call("CreateInternetGateway")
    assert Router(first) in running.engine.statements


def test_failures_are_forgotten_with_their_instance(running: Running) -> None:
    class Always(dict[str, int]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().setdefault(key, 99)

    running.machines.failures = Always()
    (key,) = running.launch()
    assert running.reaches(key, "terminated")
    assert set(running.reconciler.health.machines) == {key}
    with running.store.transaction(ACCOUNT, REGION) as txn:
        txn.delete(running.row(key))
    assert eventually(lambda: running.reconciler.health.machines == {})


def test_tear_down_goes_on_where_one_machine_resists() -> None:
    made = Running()
    made.reconciler.start()
    keys = made.launch(count=3)
    assert all(made.reaches(key, "running") for key in keys)
    made.reconciler.stop()
    stop = made.machines.stop

    def resists(id: str, grace: float) -> None:  # noqa: A002 - the machine room's name
        if id == keys[0]:
            raise MachineError(f"{id} does not end")
        stop(id, grace)

    made.machines.stop = resists  # type: ignore[method-assign]
    with pytest.raises(MachineError, match=keys[0]):
        made.reconciler.tear_down()
    assert made.engine.statements == frozenset()
    states = {key: status.state for key, status in made.machines.observe().items()}
    assert [states[key] for key in keys] == ["running", "exited", "exited"]


def test_tasks_never_run_twice_at_once_and_the_last_wish_wins() -> None:
    active: list[int] = [0]
    most: list[int] = [0]
    runs: list[int] = [0]
    lock = threading.Lock()

    def converge(key: str) -> None:
        with lock:
            active[0] += 1
            runs[0] += 1
            most[0] = max(most[0], active[0])
        threading.Event().wait(0.002)
        with lock:
            active[0] -= 1

    tasks = MachineTasks(converge, 4)
    for _ in range(50):
        tasks.wake("i-1")
    assert eventually(lambda: not tasks.busy())
    assert most[0] == 1
    assert 2 <= runs[0] <= 50
    tasks.close()
