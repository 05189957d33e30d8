"""A registry on loopback for one test: Debian's docker-registry; and a wire to it that breaks."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.machines.rooms import until

USER, PASSWORD = "ali", "open sesame"
# bcrypt, the only kind that docker-registry takes; of PASSWORD.
HTPASSWD = "ali:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"


class Registry:
    """One that runs: ``host`` is ``127.0.0.1:port``, ``folder`` has what is stored in it."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = host
        self.folder = folder

    def push(self, layout: Path, name: str, *options: str) -> None:
        """Put the image of an OCI layout there."""
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", *options,
             f"oci:{layout}", f"docker://{self.host}/{name}"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip

    def blob(self, digest: str) -> Path:
        """The file of a blob."""
        key = digest.removeprefix("sha256:")
        return self.folder / f"docker/registry/v2/blobs/sha256/{key[:2]}/{key}/data"


@contextmanager
def registry(folder: Path, *, locked: bool = False) -> Iterator[Registry]:
    """Start one; ``locked`` ones want :data:`USER` and :data:`PASSWORD`."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    passwords = folder / "htpasswd"
    passwords.write_text(HTPASSWD)
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(passwords)}}} if locked else {}
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": host},
        **auth,
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or _answers(host), "the registry")
        assert process.poll() is None, (folder / "log").read_text()
        yield Registry(host, folder)
    finally:
        process.kill()
        process.wait()


def _answers(host: str) -> bool:
    try:
        with urlopen(f"http://{host}/", timeout=5):
            return True
    except URLError:
        return False


@contextmanager
def cutting(host: str, after: int) -> Iterator[str]:
    """A proxy to ``host`` that cuts each connection when ``after`` bytes of an answer have gone
    through; its address."""
    name, _, port = host.partition(":")
    with ExitStack() as ends, socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    near, _ = server.accept()
                    far = socket.create_connection((name, int(port)))
                    for pipe in ((near, far, 1 << 60), (far, near, after)):
                        ends.enter_context(pipe[0])
                        pump = threading.Thread(target=_pump, args=pipe)
                        pump.start()
                        ends.callback(pump.join)

        serving = threading.Thread(target=serve)
        serving.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        serving.join()


def _pump(source: socket.socket, target: socket.socket, most: int) -> None:
    with suppress(OSError):
        while most and (data := source.recv(min(most, 65536))):
            target.sendall(data)
            most -= len(data)
    for side in (source, target):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
