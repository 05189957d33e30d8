"""The acceptance scenario: the demo's own code, all sixteen checks, twice in a row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon import Daemon

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("run", ["first", "again"])
def test_all_sixteen_checks_pass(daemon: Daemon, run: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--json"],
        cwd=ROOT,
        env=os.environ | {"GUREUM_STATE": str(daemon.state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr[-4000:]
    results = json.loads(done.stdout)
    failed = [each for each in results if not each["passed"]]
    assert failed == []
    assert [each["number"] for each in results] == list(range(1, 17))
    assert done.returncode == 0


def test_a_failing_check_fails_the_demo(daemon: Daemon, tmp_path: Path) -> None:
    """The demo must be able to fail: here the web server never comes up."""
    code = (
        "import sys, demo.workshop as w; "
        "w.SERVE = '#!/bin/sh\\n'; import demo.tools as t; u = t.until; "
        "t.until = lambda f, seconds=20: u(f, 2); import demo.checks as c; c.until = t.until; "
        "import demo.__main__ as m; sys.exit(m.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"GUREUM_STATE": str(daemon.state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 2
    assert "web did not come up" in done.stderr
