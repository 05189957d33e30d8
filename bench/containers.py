"""``python -m bench.containers``: containers inside an instance, beside the bare OCI runtime.

Root; nothing else should run.  A start is the API's call on the instance's socket until its answer:
the container's program runs then, with its network.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from bench import by_hand
from bench.cloud import Site, daemon
from gureum.images import ImageStore

IMAGE, REPEATS, MANY = "gureum-base", 21, 200


class Engine:
    """The container engine of one instance."""

    def __init__(self, socket: Path) -> None:
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://engine", timeout=60
        )

    def create(self, network: str = "bridge") -> str:
        """A container that sleeps; its id."""
        body = {
            "Image": IMAGE,
            "Cmd": ["sleep", "1000"],
            "HostConfig": {"NetworkMode": network},
        }
        return str(self._post("/containers/create", body).json()["Id"])

    def start(self, key: str) -> float:
        """Start it; the seconds that this took."""
        begun = time.monotonic()
        self._post(f"/containers/{key}/start")
        return time.monotonic() - begun

    def remove(self, key: str) -> None:
        """End it at once."""
        answer = self._http.delete(f"/containers/{key}", params={"force": "1"})
        answer.raise_for_status()

    def _post(self, path: str, body: object = None) -> httpx.Response:
        answer = self._http.post(path, json=body)
        answer.raise_for_status()
        return answer


def started(engine: Engine, network: str) -> float:
    """Seconds of one start."""
    key = engine.create(network)
    seconds = engine.start(key)
    engine.remove(key)
    return seconds


def bare() -> float:
    """Seconds of the runtime's own ``run --detach`` of the same image, read-only and without a
    network: the least that a start costs."""
    with by_hand.bundled(ImageStore().ensure(IMAGE)) as bundle:
        begun = time.monotonic()
        by_hand.start("crun", bundle)
        seconds = time.monotonic() - begun
        by_hand.remove()
    return seconds


def memory() -> int:
    """Proportional memory of all processes there are, in bytes (proc(5), smaps_rollup)."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            rows = (process / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Pss:"))
    return total


def _median(measure: Callable[[], float]) -> float:
    measure()
    return statistics.median(measure() for _ in range(REPEATS))


def main() -> None:
    """Measure and print."""
    with daemon() as cloud:
        site = Site(cloud)
        (made,) = site.launch(1, "t3.medium")
        site.answers(made)
        engine = Engine(cloud.state / "instances" / made["InstanceId"] / "docker" / "docker.sock")
        ours, alone, own = (
            _median(act)
            for act in (
                lambda: started(engine, "bridge"),
                lambda: started(engine, "none"),
                bare,
            )
        )
        print(f"start of a container on docker0: {ours * 1000:.0f} ms")
        print(f"start of a container without a network: {alone * 1000:.0f} ms")
        print(
            f"the runtime's own run: {own * 1000:.0f} ms; beyond it: {(ours - own) * 1000:.0f} ms"
        )
        before, begun = memory(), time.monotonic()
        for key in [engine.create() for _ in range(MANY)]:
            engine.start(key)
        print(f"{MANY} containers one after another: {time.monotonic() - begun:.1f} s")
        grown = (memory() - before) / 2**20
        print(f"memory of {MANY} idle containers, engine included: {grown:.0f} MiB")


if __name__ == "__main__":
    main()
