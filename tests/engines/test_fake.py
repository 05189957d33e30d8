"""The engine that only remembers."""

from __future__ import annotations

import pytest

from gureum.engines import Engine, EngineError
from gureum.engines.fake import FakeEngine
from gureum.program import Router

ONE, TWO = Router("vpc-1"), Router("vpc-2")


def test_it_remembers() -> None:
    engine = FakeEngine()
    same: Engine = engine
    same.sync([ONE])
    same.apply([TWO], [ONE])
    assert engine.statements == {TWO}
    assert engine.calls == [("sync", 1, 0), ("apply", 1, 1)]
    assert same.tables("arp", "vpc-2") == []
    same.close()
    assert engine.closed


def test_it_fails_half_done_when_told() -> None:
    engine = FakeEngine()
    engine.sync([ONE])
    engine.fail_next = 1
    with pytest.raises(EngineError, match="told to fail"):
        engine.apply([TWO], [ONE])
    assert engine.statements == frozenset()


def test_an_error_names_a_few_of_many_failures() -> None:
    error = EngineError([f"step {n}" for n in range(9)])
    assert str(error) == "step 0; step 1; step 2 (and 6 more)"
    assert len(error.failures) == 9
