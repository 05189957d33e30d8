"""Conversations with those who need not be friendly."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from gureum.engines.linux import exchange
from gureum.engines.linux.exchange import Talk
from gureum.engines.linux.namespaces import Namespaces
from tests.kernel import packets
from tests.kernel.lab import Lab
from tests.kernel.networks import Net, allow, internet
from tests.kernel.test_tracing import in_a_thread

pytestmark = pytest.mark.kernel

NEAR, FAR = "10.0.1.10", "10.0.1.20"
PATIENCE = 2.0
LIMIT = PATIENCE + packets.LONG


def test_who_never_stops_answering_is_not_heard_for_ever(one_lab: Lab) -> None:
    net = Net()
    net.group("sg", [allow()])
    segment = net.segment("a", "10.0.1.0/24")
    net.instance("near", segment, NEAR, "sg")
    net.instance("far", segment, FAR, "sg")
    one_lab.build(net.statements, internet())
    over = threading.Event()

    def connect() -> Talk:
        spaces = Namespaces(one_lab.tag)
        try:
            return exchange.connect(spaces, "i-near", (NEAR, FAR), 80, b"?", PATIENCE)
        finally:
            spaces.close()

    with packets.listening(one_lab.ns("i-far"), 80) as listener:

        def drip() -> None:
            asker, _ = listener.accept()
            with asker, contextlib.suppress(OSError):
                until = time.monotonic() + 2 * LIMIT  # should the exchange hear it to the end
                while not over.wait(0.1) and time.monotonic() < until:
                    asker.sendall(b"x")

        hostile = threading.Thread(target=drip)
        hostile.start()
        begun = time.monotonic()
        try:
            talk = in_a_thread(connect)
        finally:
            over.set()
            hostile.join()
    assert talk.said == "the answer is 'x'"
    assert time.monotonic() - begun < LIMIT
