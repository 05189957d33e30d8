"""``make demo``: builds the workshop cloud, runs its checks, prints one table.

Exit status 0 if all checks pass, 1 if any fails, 2 if the cloud cannot be built.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo import checks, workshop
from demo.checks import Result, Run
from demo.tools import GUREUM, Ssh, facts, gureum, said, until

ECHO = Path(__file__).with_name("echo.py")


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cloud standing at the end")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    options = parser.parse_args()
    out = Console(stderr=options.json, emoji=False)
    begun = time.monotonic()
    try:
        up = subprocess.run([*GUREUM, "up"], check=False, stdout=sys.stderr)
        if up.returncode != 0:
            return 2
        results = demo(out, keep=options.keep)
    except (RuntimeError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    failed = sum(1 for result in results if not result.passed)
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        out.print(table(results))
        seconds = time.monotonic() - begun
        out.print(f"{len(results) - failed} of {len(results)} checks passed in {seconds:.0f} s.")
        tail = "look at it with 'gureum map'" if options.keep else "'gureum down' ends it"
        out.print(f"The cloud is still running: {tail}.")
    return 1 if failed else 0


def demo(out: Console, *, keep: bool) -> list[Result]:
    """Build, check, and (unless ``keep``) delete the workshop cloud."""
    ec2 = workshop.client(facts("status")["endpoint"])
    with tempfile.TemporaryDirectory(prefix="gureum-demo-") as folder:
        for vpc in workshop.leftovers(ec2):
            out.print(f"removing what an earlier run left in {vpc}")
            workshop.destroy(workshop.adopt(ec2, vpc, Path(folder)))
        out.print("building the workshop cloud ...")
        with mirror():
            made = workshop.build(ec2, Path(folder))
            run = Run(made, Ssh(made.key_file))
            checks.ready(run)
            out.print(said("map"), markup=False, highlight=False)
            return checks.carry_out(run, lambda each: tell(out, each), keep=keep)


def tell(out: Console, result: Result) -> None:
    """One line as soon as a check is done."""
    mark = "[green]pass[/]" if result.passed else "[red]FAIL[/]"
    out.print(f"{mark} {result.number:2} {result.check}", highlight=False)


def table(results: list[Result]) -> Table:
    """The results as a table."""
    grid = Table("#", "check", "expected", "observed", "result", title="The workshop cloud")
    for each in results:
        mark = "[green]pass[/]" if each.passed else "[red]FAIL[/]"
        grid.add_row(str(each.number), each.check, each.expected, each.observed, mark)
    return grid


@contextmanager
def mirror() -> Iterator[None]:
    """A web server on the internet host ``mirror`` that tells its clients who they are."""
    serve = ["exec", "mirror", "--", sys.executable, str(ECHO), "80", "mirror"]
    with subprocess.Popen([*GUREUM, *serve], stdin=subprocess.DEVNULL) as server:
        try:
            url = f"http://{checks.MIRROR}/"
            if not until(lambda: gureum("exec", "me", "--", "curl", "-sf", url).returncode == 0):
                raise RuntimeError("the mirror does not answer")
            yield
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
