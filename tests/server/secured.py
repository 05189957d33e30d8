"""An API over HTTP that checks signatures: for tests of who may do what."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import uvicorn
from botocore.config import Config
from starlette.applications import Starlette

from gureum.iam.vault import new_vault
from gureum.resources import REGISTRY
from gureum.server.app import Api, application
from gureum.server.authentication import Authenticator, Mode
from gureum.server.console_accounts import Accounts
from gureum.server.dispatch import Dispatcher
from gureum.server.quiet import quiet_config
from gureum.server.rates import Rates
from gureum.server.recorder import Which
from gureum.store import MemoryStore, Store

REGION = "ap-northeast-2"
Keys = tuple[str, str] | tuple[str, str, str]


class Secured:
    """A cloud in memory, served on a free port; ``late`` sets its clock."""

    def __init__(
        self,
        mode: Mode = "verify",
        audit: Which = "writes",
        rates: Rates | None = None,
        store: Store | None = None,
    ) -> None:
        self.store = store or MemoryStore()
        self.vault = new_vault()
        self.late = timedelta()
        self.accounts = Accounts(self.store, self.vault)
        self.auth = Authenticator(self.store, self.vault, mode, self._clock)
        self.api = Api(
            Dispatcher(self.store, REGISTRY),
            lambda revision, seconds: True,
            auth=self.auth,
            audit=audit,
            rates=rates,
        )
        # asyncio switches Nagle's algorithm off for sockets that say they are TCP only.
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen(64)
        self.server = uvicorn.Server(quiet_config(application(self.api, Starlette()), 3))
        self.endpoint = f"http://127.0.0.1:{self.tcp.getsockname()[1]}"
        self.thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self.thread.start()

    def _clock(self) -> datetime:
        return datetime.now(UTC) + self.late

    async def _serve(self) -> None:
        await self.server.serve(sockets=[self.tcp])

    def account(self, name: str) -> tuple[str, str]:
        """The root keys of a new account."""
        made = self.accounts.create(name, None)
        return made["access_key_id"], made["secret_access_key"]

    def client(self, keys: Keys, service: str = "ec2", region: str = REGION) -> Any:
        """An unmodified client of AWS's."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2] if len(keys) == 3 else None,
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )

    def aws(self, keys: Keys, *args: str) -> subprocess.CompletedProcess[str]:
        """The AWS CLI."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_PAGER": "",
            **({"AWS_SESSION_TOKEN": keys[2]} if len(keys) == 3 else {}),
        }
        program = str(Path(sys.executable).with_name("aws"))
        return subprocess.run(
            [sys.executable, program, *args],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def post(self, body: str, **headers: str) -> httpx.Response:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return httpx.post(self.endpoint, content=body, headers=kind | headers, timeout=30)

    def get(self, url: str) -> httpx.Response:
        return httpx.get(url, timeout=30)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.tcp.close()


class Lines(logging.Handler):
    """Every line that is logged, at any level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
