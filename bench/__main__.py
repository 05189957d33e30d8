"""``make bench``: prints the figures of docs/benchmarks.md.  Root; nothing else should run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.daemon import Daemon

from bench import accounts, by_hand, containers, images, medium, packets, reach
from bench.cloud import Site, daemon

REPEATS = 7
MANY = 100


def median(measure: Callable[[], float], repeats: int = REPEATS) -> float:
    """The median of several runs, after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(repeats))


def first_ping(site: Site) -> float:
    """Seconds from the RunInstances call to the first ping answered, for one instance."""
    begun = time.monotonic()
    made = site.launch(1)
    site.answers(made[0])
    seconds = time.monotonic() - begun
    site.terminate(made)
    return seconds


def rule_change(site: Site) -> float:
    """Seconds of an authorize call: it returns when the rule is in force."""
    rule = {"GroupId": site.group, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    begun = time.monotonic()
    site.ec2.authorize_security_group_ingress(**rule, CidrIp="10.0.0.0/8")
    seconds = time.monotonic() - begun
    site.ec2.revoke_security_group_ingress(**rule, CidrIp="10.0.0.0/8")
    return seconds


def pss(pids: Sequence[int]) -> int:
    """Proportional memory of processes in bytes (proc(5), smaps_rollup)."""
    total = 0
    for pid in pids:
        try:
            rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Pss:"))
    return total


def helpers(cloud: Daemon) -> list[int]:
    """The processes outside the instances that serve them: those with the state folder in their
    command line (console writers) and the daemon."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if str(cloud.state) in command:
            found.append(int(process.name))
    return found


def many(cloud: Daemon, site: Site) -> None:
    """A hundred instances in one call: time until all answer, memory, then a rule change."""
    before = pss(helpers(cloud))
    begun = time.monotonic()
    made = site.launch(MANY)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(site.answers, made))
    print(f"{MANY} instances in one call, all answer: {time.monotonic() - begun:.1f} s")
    grown = (pss(helpers(cloud)) - before) / MANY / 2**20
    print(f"memory per idle instance beyond its processes: {grown:.2f} MiB")
    few = median(lambda: rule_change(site))
    print(f"rule change in force with {MANY} instances: {few * 1000:.1f} ms")
    site.terminate(made)


def main() -> None:
    """Measure and print."""
    with daemon() as cloud, by_hand.router() as place:
        site = Site(cloud)
        ours = median(lambda: first_ping(site))
        hand = median(lambda: by_hand.once(place))
        print(f"RunInstances to first ping: {ours * 1000:.0f} ms")
        print(f"the same by hand (iproute2, OCI runtime): {hand * 1000:.0f} ms")
        print(f"ratio: {ours / hand:.2f}")
        alone = median(lambda: rule_change(site))
        print(f"rule change in force with no instance: {alone * 1000:.1f} ms")
        many(cloud, site)
    packets.main()
    containers.main()
    accounts.main()
    images.main()
    reach.main()
    medium.main()


if __name__ == "__main__":
    main()
