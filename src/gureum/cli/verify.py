"""``gureum verify``: policies held against the cloud, as tests are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from gureum.cli.client import Daemon
from gureum.cli.explain_show import ways
from gureum.cli.failure import FAILED, USAGE, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json
from gureum.cli.reach import end_named, headers


@click.command(short_help="Hold policies against the cloud.")
@click.argument(
    "files", metavar="POLICY...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit report too.")
@json_option
@where_options
@pass_base
def verify(
    base: Base,
    files: tuple[Path, ...],
    junit: Path | None,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Hold policies (YAML) against the cloud as it is: who must reach whom, on which ports, and who
    must not.  Sends nothing.

    Ends with 0 if all statements hold, 1 if some do not, 2 if a policy cannot be read.

    \b
    gureum verify policy.yaml --junit report.xml
    """
    daemon = Daemon(base.state, Where(account, region))
    found = {str(path): _checked(daemon, path) for path in files}
    if junit is not None:
        junit.write_text(report(found), encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            click.echo(line)
        for line in dict.fromkeys(line for each in found.values() for line in each["notes"]):
            note(line)
    if not all(each["holds"] for each in found.values()):
        raise click.exceptions.Exit(FAILED)


def _checked(daemon: Daemon, path: Path) -> dict[str, Any]:
    """What a daemon finds of a file.

    Raises:
        Failure: it cannot be read, or is no policy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", USAGE) from None
    try:
        found: dict[str, Any] = daemon.post("/verify", {"text": text})
    except Failure as failure:
        if failure.code == "BadPolicy":
            raise Failure(f"{path}, {failure.message}", USAGE) from None
        raise
    return found


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for path, policy in found.items():
        for each in policy["statements"]:
            mark = (
                click.style("ok  ", fg="green") if each["holds"] else click.style("FAIL", fg="red")
            )
            yield f"{mark}  {clean(each['name'])}"
            yield from (f"      {clean(line)}" for line in problems(path, each))


def problems(path: str, statement: dict[str, Any]) -> Iterator[str]:
    """What does not hold of a statement, a line each."""
    where = f"({path}:{statement['line']})"
    for selector in statement["empty"]:
        yield f"nobody is meant by {selector}, so this says nothing {where}"
    for each in statement["findings"]:
        yield _finding(each)
        yield from (f"  {line}" for line in _path(each))
    more = statement["count"] - len(statement["findings"])
    if more:
        yield f"and {more} more {where}"


def _finding(it: dict[str, Any]) -> str:
    return _said(it) + (" over IPv6" if it["version"] == 6 else "")


def _said(it: dict[str, Any]) -> str:
    if it["what"] == "leaves":
        own = f" ({it['name']})" if it["name"] != it["subnet"] else ""
        return f"{it['subnet']}{own} leaves by {it['by']}"
    ends = [end_named(it[end]) for end in ("source", "target")]
    by = f" by {' '.join(it['by'])}" if it["by"] else ""
    return f"{ends[0]} {it['what']} {ends[1]} on {it['protocol']} {headers(it)}{by}"


def _path(it: dict[str, Any]) -> Iterator[str]:
    """The steps of one packet that shows a finding: those that decide, or that block."""
    found = it.get("explanation")
    for title, trace in ways(found) if found else ():
        for step in trace["steps"]:
            blocks = not step["passed"] and step["kind"] != "listen"
            if blocks or (it["what"] == "reaches" and title == "forth" and step["by"]):
                code = f" [{step['code']}]" if blocks and step["code"] else ""
                yield f"{title}: {step['place']} {step['said']}{code}"


def report(found: dict[str, Any]) -> str:
    """A JUnit report: a suite a policy, a case a statement."""
    root = ElementTree.Element("testsuites")
    for path, policy in found.items():
        statements = policy["statements"]
        failed = sum(not each["holds"] for each in statements)
        suite = ElementTree.SubElement(
            root, "testsuite", name=path, tests=str(len(statements)), failures=str(failed)
        )
        for each in statements:
            case = ElementTree.SubElement(
                suite, "testcase", classname=path, name=clean(each["name"])
            )
            if not each["holds"]:
                lines = [clean(line) for line in problems(path, each)]
                failure = ElementTree.SubElement(case, "failure", message=lines[0])
                failure.text = "\n".join(lines)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
