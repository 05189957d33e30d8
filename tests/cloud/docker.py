"""The stock Docker client, against an instance's own socket."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.installed import installed
from tests.cloud.site import Guest
from tests.kernel import packets
from tests.kernel.packets import eventually

PATIENCE = 60.0


class Docker:
    """``docker`` for an instance."""

    def __init__(self, guest: Guest, home: Path) -> None:
        folder = guest.site.daemon.state / "instances" / guest.id
        self.program = installed("docker") / "docker"
        self.socket = folder / "docker" / "docker.sock"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DOCKER_HOST": f"unix://{self.socket}",
        }
        assert eventually(self.socket.exists)

    def run(
        self, *words: str, stdin: str | None = None, patience: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run the client; it may fail."""
        return subprocess.run(
            [str(self.program), *words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
            env=self.environment,
        )

    def __call__(self, *words: str, stdin: str | None = None, patience: float = PATIENCE) -> str:
        """Run the client, which must succeed; what it printed."""
        done = self.run(*words, stdin=stdin, patience=patience)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def fails(self, *words: str) -> str:
        """Run the client, which must fail; its complaint."""
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def state(self, name: str) -> Any:
        """``State.Status`` of a container."""
        return self("inspect", "-f", "{{.State.Status}}", name)


def ask(ns: Path, ip: str, port: int, words: str = "", patience: float = 5) -> str:
    """What a TCP server says until it closes, or why nobody does: ``timeout``, ``refused``."""
    with packets.make(ns) as connection:
        connection.settimeout(patience)
        try:
            connection.connect((ip, port))
            connection.sendall(words.encode())
            said = b""
            while data := connection.recv(65536):
                said += data
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return "refused" if isinstance(error, ConnectionRefusedError) else str(error)
    return said.decode(errors="replace")


def get(ns: Path, ip: str, port: int, patience: float = 5) -> str:
    """The status line and body of a page."""
    return ask(ns, ip, port, f"GET / HTTP/1.0\r\nHost: {ip}\r\n\r\n", patience)
