"""The sixteen checks of the workshop, each on real packets."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import tools, workshop
from demo.tools import GUREUM, Ssh, fetch, inside, port, until
from demo.workshop import PREFIX, SUBNETS, WEB, Workshop, refused

CLIENTS = 50
MIRROR = "198.19.0.20"


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    number: int
    check: str
    expected: str
    observed: str
    passed: bool


Outcome = tuple[str, bool]
Check = Callable[["Run"], Outcome]


@dataclass
class Run:
    """What the checks work on: the cloud, a key, and the mirror that is being served."""

    made: Workshop
    ssh: Ssh
    nat_address: str = ""

    def public(self, name: str) -> str:
        """An instance's public address, or empty."""
        return str(self.made.instance(name).get("PublicIpAddress", ""))

    def private(self, name: str) -> str:
        """An instance's private address."""
        return str(self.made.instance(name)["PrivateIpAddress"])


def named(name: str) -> str:
    """The Name tag of an instance or subnet of the workshop."""
    return f"{PREFIX}-{name}"


def ready(run: Run) -> None:
    """Wait until the services of the first boot answer: sshd, web, database.

    Raises:
        RuntimeError: they do not.
    """
    for what, probe in (
        ("web", lambda: fetch("me", f"http://{run.public('web')}:8080/")[0] == 200),
        ("ssh", lambda: port("me", named("bastion"), 22) == "open"),
        ("db", lambda: port(named("web"), named("db"), 3306) == "open"),
    ):
        if not until(probe):
            raise RuntimeError(f"{what} did not come up")


# --- from the internet --------------------------------------------------------------------------
def web_is_served(run: Run) -> Outcome:
    status, body = fetch("me", f"http://{run.public('web')}:8080/")
    return f"{status}, {body!r}", status == 200 and body == f"web sees {workshop.MY_ADDRESS}"


def ssh_to_bastion(run: Run) -> Outcome:
    code, text = run.ssh.run(named("bastion"), "hostname; bash -lc 'echo TMOUT=$TMOUT'")
    return text.replace("\n", " "), code == 0 and "TMOUT=600" in text


def stranger_to_bastion(run: Run) -> Outcome:
    seen = port("stranger", named("bastion"), 22)
    return seen, seen == "filtered"


def me_to_web_ssh(run: Run) -> Outcome:
    seen = port("me", named("web"), 22)
    return seen, seen == "filtered"


def ssh_through_bastion(run: Run) -> Outcome:
    answers = [run.ssh.run(named(name), "hostname", via=named("bastion")) for name in ("web", "db")]
    wanted = [f"ip-{run.private(name).replace('.', '-')}" for name in ("web", "db")]
    names = [text for _, text in answers]
    return ", ".join(names), names == wanted and all(code == 0 for code, _ in answers)


# --- inside -------------------------------------------------------------------------------------
def many_clients(run: Run) -> Outcome:
    seen = tools.facts("port", named("web"), named("db"), "3306", "--count", str(CLIENTS))
    tuples = {tuple(each) for each in seen["connections"]}
    ok = seen["state"] == "open" and len(tuples) == CLIENTS
    return f"{seen['state']}, {len(tuples)} distinct 4-tuples", ok


def bastion_to_db(run: Run) -> Outcome:
    seen = port(named("bastion"), named("db"), 3306)
    return seen, seen == "filtered"


def db_is_private(run: Run) -> Outcome:
    seen = port("me", run.private("db"), 3306)
    public = run.public("db") or "no public IP"
    return f"{seen}; db has {public}", seen != "open" and not run.public("db")


def db_cannot_leave(run: Run) -> Outcome:
    status, _ = fetch(named("db"), f"http://{MIRROR}/")
    return f"curl: {status or 'no answer'}", status == 0


def nat_gateway(run: Run) -> Outcome:
    run.nat_address = workshop.add_nat(run.made)
    status, body = fetch(named("db"), f"http://{MIRROR}/")
    back = port("me", run.nat_address, 3306)
    ok = status == 200 and body == f"mirror sees {run.nat_address}" and back == "filtered"
    return f"{status}, {body!r}; me -> NAT gateway: {back}", ok


def trace(run: Run) -> Outcome:
    far = _hops(named("web"), run.private("db"))
    near = _hops(named("web"), run.private("neighbour"))
    router = SUBNETS["external-a"][0].replace("0/26", "1")
    ok = far == [router, run.private("db")] and near == [run.private("neighbour")]
    return f"{' -> '.join(far)}; in the subnet {' -> '.join(near)}", ok


def _hops(source: str, target: str) -> list[str]:
    done = inside(source, "traceroute", "-I", "-n", "-q1", "-w1", "-m8", target)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return [row[1] for row in rows if len(row) > 1]


def switch(run: Run) -> Outcome:
    """A ping from an empty ARP cache, watched at a third port of the switch."""
    target = run.private("neighbour")
    watch = [
        "exec",
        "--net-only",
        named("onlooker"),
        "--",
        "timeout",
        "60",
        "tcpdump",
        "--immediate-mode",
        "-lnei",
        "eth0",
    ]
    with subprocess.Popen(
        [*GUREUM, *watch, f"arp or (icmp and host {target})"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as sniffer:
        assert sniffer.stderr is not None
        for line in sniffer.stderr:
            if "listening on" in line:
                break
        # In one go: what neighbours ask of web meanwhile would fill its ARP cache again.
        words = f"ip neigh flush all && ping -c3 -i0.2 -W1 {target}"
        ping = inside(named("web"), "sh", "-c", words)
        sniffer.terminate()  # not before: a busy machine takes its time to begin
        frames, _ = sniffer.communicate()
    asked = frames.count(f"who-has {target}")
    echoes = frames.count("ICMP echo")
    mac = run.made.instance("neighbour")["NetworkInterfaces"][0]["MacAddress"]
    learned = mac in _table("mac", named("external-a")) and mac in _table("arp", named("web"))
    ok = ping.returncode == 0 and asked > 0 and echoes == 0 and learned
    seen = f"third port saw {asked} ARP request, {echoes} echoes"
    return f"{seen}; {mac} in both tables: {'yes' if learned else 'no'}", ok


def _table(kind: str, place: str) -> str:
    return str(tools.facts("table", kind, place))


def refused_at_once(run: Run) -> Outcome:
    seen = port(named("web"), named("neighbour"), 8080)
    return seen, seen == "refused"


# --- changes ------------------------------------------------------------------------------------
def revoke_and_authorize(run: Run) -> Outcome:
    group, url = run.made.groups["external"], f"http://{run.public('web')}:8080/"
    run.made.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[WEB])
    closed, _ = fetch("me", url)
    run.made.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[WEB])
    opened, _ = fetch("me", url)
    shown = "timed out" if closed == 0 else str(closed)
    return f"revoked: {shown}; authorized: {opened}", (closed, opened) == (0, 200)


def stop_and_start(run: Run) -> Outcome:
    made, before = run.made, run.made.instance("web")
    made.ec2.stop_instances(InstanceIds=[before["InstanceId"]])
    made.wait("instance_stopped", "web")
    stopped = made.instance("web")
    made.ec2.start_instances(InstanceIds=[before["InstanceId"]])
    made.wait("instance_running", "web")
    after = made.instance("web")
    serves = until(lambda: fetch("me", f"http://{run.public('web')}:8080/")[0] == 200)
    kept = before["PrivateIpAddress"] == after["PrivateIpAddress"] and serves
    changed = before["PublicIpAddress"] != after["PublicIpAddress"]
    ok = kept and changed and "PublicIpAddress" not in stopped
    moved = f"{before['PublicIpAddress']} -> {after['PublicIpAddress']}"
    return f"{stopped['State']['Name']}, {after['State']['Name']}; public {moved}", ok


def delete_all(run: Run) -> Outcome:
    made = run.made
    with refused() as first:
        made.ec2.delete_vpc(VpcId=made.vpc)
    with refused() as second:
        made.ec2.detach_internet_gateway(InternetGatewayId=made.gateway, VpcId=made.vpc)
    workshop.destroy(made)
    rest = sorted(remains(made))
    codes = [seen[0] if seen else "deleted!" for seen in (first, second)]
    ok = codes == ["DependencyViolation"] * 2 and not rest
    return f"{codes[0]} twice; left: {', '.join(rest) or 'nothing'}", ok


def remains(made: Workshop) -> Iterator[str]:
    """What the machine still has of the cloud: namespaces, cgroups, mounts, processes, by name."""
    ids = [made.vpc, made.gateway, made.nat, *made.instances.values()]
    places: list[tuple[str, str]] = [("mount", Path("/proc/mounts").read_text())]
    folders = [Path("/run/netns"), *Path("/sys/fs/cgroup").glob("*"), Path("/sys/fs/cgroup")]
    for folder in folders:
        if folder.is_dir():
            places += [(str(folder), path.name) for path in folder.iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places.append((f"process {process.name}", (process / "cmdline").read_text()))
        except OSError:  # it ended meanwhile
            continue
    for key in filter(None, ids):
        yield from (f"{key} in {name}" for name, text in places if key in text)


CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("me -> web:8080, curl", "200, web sees my public address", web_is_served),
    ("me -> bastion:22, ssh with the key", "shell, TMOUT=600", ssh_to_bastion),
    ("stranger -> bastion:22", "filtered (dropped, not refused)", stranger_to_bastion),
    ("me -> web:22", "filtered", me_to_web_ssh),
    ("bastion -> web:22 and db:22, ssh -J", "a shell on each", ssh_through_bastion),
    ("web -> db:3306, many clients", f"open, {CLIENTS} distinct 4-tuples", many_clients),
    ("bastion -> db:3306", "filtered", bastion_to_db),
    ("me -> db's private address", "unreachable, no public IP", db_is_private),
    ("db -> internet, curl", "fails: no route", db_cannot_leave),
    ("db -> internet by NAT gateway", "200, mirror sees its EIP; inbound closed", nat_gateway),
    ("web -> db, traceroute", "router, db; in the subnet one hop", trace),
    ("web -> neighbour, ping; tables", "first frame flooded, later forwarded", switch),
    ("web -> neighbour:8080, no listener", "refused at once", refused_at_once),
    ("revoke 8080, then authorize", "times out, then works", revoke_and_authorize),
    ("stop and start web", "private IP kept, public IP changes", stop_and_start),
    ("delete in the wrong, then right order", "DependencyViolation; nothing left", delete_all),
)


def carry_out(run: Run, tell: Callable[[Result], Any], *, keep: bool) -> list[Result]:
    """All checks in order; a check that breaks has failed.  ``keep`` leaves the last one out."""
    results = []
    for number, (check, expected, function) in enumerate(CHECKS, 1):
        if keep and function is delete_all:
            break
        try:
            observed, passed = function(run)
        except Exception as error:
            observed, passed = f"{type(error).__name__}: {error}", False
        results.append(Result(number, check, expected, observed, passed))
        tell(results[-1])
    return results
