"""Every lab on the real kernel: no packet is answered before its fix, and the same one after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.compile import compile_all
from gureum.labs import names, read
from gureum.program import Host, InternetHost, Machine, Statement
from gureum.resources.instance import Instance
from tests.agreement.answerers import CLIENT_PATIENCE, Answerers, ask
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.labs.conftest import LabCloud

SOURCE_PORT = 45678

ROUTER = "guard"
"""An instance whose user data, which does not run here, makes it pass packets on."""

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Lab]:
    made = Lab("auto")
    yield made
    assert made.close() == []


@pytest.mark.parametrize("name", names())
def test_a_packet_is_answered_when_the_lab_is_mended(
    cloud: LabCloud, kernel: Lab, name: str
) -> None:
    cloud.labs.start(name)
    assert not answered(cloud, kernel, name)
    cloud.labs.solve(name)
    assert answered(cloud, kernel, name)


def answered(cloud: LabCloud, kernel: Lab, name: str) -> bool:
    """Whether a real packet of the lab's question is, in the network as it is now."""
    question, asked = read(name).question, cloud.labs.asked(name)
    statements = network(cloud)
    kernel.build(statements)
    hosts = [each.id for each in statements if isinstance(each, Host) and each.kind == "instance"]
    outside = [each.name for each in statements if isinstance(each, InternetHost)]
    for row in cloud.parts.store.view.all(Instance):
        if row.tag("Name") == ROUTER:
            forward(kernel.ns(row.id))
    sender = kernel.ns(asked.source.host)
    # Not "works": nobody listens in the engine in memory, but somebody does here.
    patience = packets.SHORT if asked.answer.reach == "none" else CLIENT_PATIENCE
    if question.port is None:
        return packets.ping(sender, asked.address, patience=patience) == "reply"
    with Answerers([kernel.ns(host) for host in (*hosts, *outside)], [question.port]):
        port, protocol = question.port, question.protocol
        return ask(sender, protocol, asked.address, port, SOURCE_PORT, patience) is not None


def network(cloud: LabCloud) -> set[Statement]:
    """What an engine is given."""
    program = compile_all(cloud.parts.registry, cloud.parts.store.view)
    return {each for each in program.statements if not isinstance(each, Machine)}


def forward(ns: Path) -> None:
    """Do what the user data of a router does."""
    with packets.inside(ns):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
