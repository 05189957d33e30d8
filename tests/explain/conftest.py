"""A cloud in memory that both Gureum's commands and the AWS CLI can ask."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gureum.server.app import Api
from tests.cli.clouds import Served, until


class Site(Served):
    """The small workshop with an API on a free port of this machine."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tcp = socket.create_server(("127.0.0.1", 0))
        reconciler = self.parts.reconciler
        app = Api(self.api.dispatch, reconciler.wait)
        config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
        self._api_server = uvicorn.Server(config)
        self._api_thread = threading.Thread(target=self._run)
        self._api_thread.start()
        until(lambda: self._api_server.started)

    def _run(self) -> None:
        asyncio.run(self._api_server.serve(sockets=[self._tcp]))

    def close(self) -> None:
        self._api_server.should_exit = True
        self._api_thread.join()
        super().close()

    def shell(self, lines: list[str]) -> None:
        """Run lines in one shell that has the AWS CLI; each must succeed."""
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.state),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._tcp.getsockname()[1]}",
            "AWS_DEFAULT_REGION": self.api.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        script = "\n".join(("set -eu", *lines))
        done = subprocess.run(
            ["bash", "-c", script], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    def explain(self, *question: str) -> dict[str, Any]:
        """An explanation as JSON."""
        result = self.cli("explain", "--json", *question)
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    try:
        made.build()
        yield made
    finally:
        made.close()
