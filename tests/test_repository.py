"""The repository keeps its own rules: sizes, docstrings, layers, names, versions."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gureum
from gureum.model import Resource
from gureum.resources import REGISTRY
from tests.wiring import service_model

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "gureum"
MOST_LINES = 500


def files(*folders: str, suffixes: tuple[str, ...] = (".py", ".sh")) -> Iterator[Path]:
    """The files of some folders of the repository, without what Python caches."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            kept = path.is_file() and "__pycache__" not in path.parts
            if kept and (not suffixes or path.suffix in suffixes):
                yield path


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def first_paragraph(path: Path) -> str:
    return " ".join(docstring(path).split("\n\n")[0].split())


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# --- files --------------------------------------------------------------------------------------
def test_no_file_is_long() -> None:
    lengths = {
        named(path): len(path.read_text().splitlines())
        for path in files("src", "tests", "bench", "demo", "scripts", suffixes=())
        if path.suffix in (".py", ".sh", "")
    }
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}


def test_a_package_says_what_it_is_for_in_one_sentence() -> None:
    """One sentence first; details may follow in paragraphs of their own."""
    wrong = []
    for path in files("src"):
        if path.name != "__init__.py":
            continue
        text = first_paragraph(path)
        sentences = re.findall(r"[.!?](?=\s|$)", text)
        if len(text) < 20 or not text.endswith(".") or len(sentences) != 1 or "TODO" in text:
            wrong.append((named(path), text))
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    assert [
        named(path) for path in files("src") if path.suffix == ".py" and len(docstring(path)) < 10
    ] == []


def test_every_test_file_says_what_it_is_about() -> None:
    assert [
        named(path) for path in files("tests") if path.suffix == ".py" and len(docstring(path)) < 10
    ] == []


def test_no_test_is_skipped_or_mocks() -> None:
    """A test that does not run is no test.  (Terraform's are left out where the program is missing,
    and say so.)"""
    forbidden = re.compile(r"pytest\.skip\(|mark\.skip|unittest\.mock")
    found = [
        (named(path), match.group())
        for path in files("tests")
        if path != Path(__file__) and "terraform" not in path.parts
        for match in forbidden.finditer(path.read_text())
    ]
    assert found == []


# --- layers -------------------------------------------------------------------------------------
def contracts() -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in project()["tool"]["importlinter"]["contracts"]}


def test_every_module_has_a_layer() -> None:
    contract = contracts()["Imports go down only"]
    assert contract["containers"] == ["gureum"]
    assert contract["exhaustive"] is True
    layers = {name.strip() for line in contract["layers"] for name in line.split("|")}
    found = {
        path.stem
        for path in SOURCE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert layers == found - {"__init__"}


def test_every_module_but_the_wire_is_kept_from_botocore() -> None:
    layers = contracts()["Imports go down only"]["layers"]
    rooms = {f"gureum.{name.strip()}" for line in layers for name in line.split("|")}
    kept = set(contracts()["Only wire knows botocore"]["source_modules"])
    assert rooms - kept == {"gureum.wire", "gureum.__main__"}


# --- texts --------------------------------------------------------------------------------------
TEXTS = ("src", "tests", "docs", "scripts", "bench", "demo")
INSIDE_INSTANCES = {"machines", "images", "cloud"}
"""Folders in which ``/root`` and ``/home`` are folders of an instance."""


def texts() -> Iterator[tuple[str, str]]:
    single = [path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name[0] != "."]
    for path in (*files(*TEXTS, suffixes=()), *single):
        if path != Path(__file__):
            yield named(path), path.read_text(errors="replace")


def test_no_path_of_one_machine() -> None:
    everywhere, outside = r"(?<![\w./…-])/work\b", r"(?<![\w./…-])/(?:root|home)\b(?!:)"
    found: list[tuple[str, int, str]] = []
    for name, text in texts():
        inside = INSIDE_INSTANCES & set(Path(name).parts)
        pattern = everywhere if inside else f"{everywhere}|{outside}"
        for number, line in enumerate(text.splitlines(), start=1):
            found += [(name, number, match) for match in re.findall(pattern, line)]
    assert found == []


KNOWN_HOSTS = re.compile(
    r"""(?:
        localhost | [\d.]+ | \[[\da-f:]+\] |     # addresses
        [a-z0-9-]+ |                             # a name within a virtual network
        (?:[a-z0-9-]+\.)*example(?:\.com|\.org)? |
        (?:[a-z0-9-]+\.)*(?:amazonaws\.com|amazon\.com|
           debian\.org|python\.org|pypi\.org|github\.com|rfc-editor\.org|iana\.org|kernel\.org|
           opencontainers\.org|netfilter\.org|apache\.org|json\.org|w3\.org|keepachangelog\.com)
    )""",
    re.VERBOSE,
)


def test_no_host_of_one_site() -> None:
    """Links lead to examples, to AWS, or to public homes of standards and projects: never to the
    mirrors of packages that one site happens to have."""
    link = re.compile(
        r"\b(?:https?|ftp|git\+ssh|ssh)://(?:[^\s/@\"'`]*@)?([A-Za-z0-9.-]+|\[[^\]]+\])"
    )
    found = [
        (name, host)
        for name, text in texts()
        for host in link.findall(text)
        if not KNOWN_HOSTS.fullmatch(host.rstrip(".").lower())
    ]
    assert found == []


@pytest.mark.parametrize("name", ["requirements.lock", "tests/clients/ansible/requirements.lock"])
def test_a_lock_file_names_no_index(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|\bfile:|://", lock)
    assert "--hash=sha256:" in lock


def test_the_lock_file_of_javascript_names_no_registry() -> None:
    lock = json.loads((ROOT / "tests/clients/javascript/package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert [each for each in packages if "resolved" in each or "integrity" not in each] == []


# --- resources ----------------------------------------------------------------------------------
def kinds(cls: type[Resource] = Resource) -> Iterator[type[Resource]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from kinds(sub)


def ours() -> list[type[Resource]]:
    return [cls for cls in kinds() if cls.__module__.startswith("gureum.")]


def test_every_kind_is_unique() -> None:
    names = [cls.kind for cls in ours()]
    assert sorted(names) == sorted(set(names))
    assert all(Resource.by_kind[cls.kind] is cls for cls in ours())


def test_every_prefix_tells_one_kind() -> None:
    """A missing reference is named by the prefix of its id, so it must not be ambiguous."""
    prefixes = [cls.prefix for cls in ours()]
    assert sorted(prefixes) == sorted(set(prefixes))


def test_every_resource_is_registered() -> None:
    outside = {cls.__name__ for cls in ours() if cls.__module__.startswith("gureum.resources")} - {
        cls.__name__ for cls in REGISTRY.by_row
    }
    assert outside == set()


def test_every_action_is_part_of_the_api() -> None:
    model = service_model("ec2")
    names = {*REGISTRY.actions, *REGISTRY.listings}
    assert names - set(model.operation_names) == set()
    assert REGISTRY.reads <= names


@pytest.mark.parametrize("action", sorted(REGISTRY.listings))
def test_a_listing_names_members_of_the_api(action: str) -> None:
    kind, listing = REGISTRY.listings[action]
    operation = service_model("ec2").operation_model(action)
    asked, shown = operation.input_shape.members, operation.output_shape.members
    assert shown[listing.result].type_name == "list"
    assert {*listing.selectors, *([listing.ids] if listing.ids else [])} <= set(asked)
    assert kind in REGISTRY.kinds


# --- the version --------------------------------------------------------------------------------
def test_one_version_everywhere() -> None:
    version = project()["project"]["version"]
    assert gureum.__version__ == version
    heading = re.search(r"^## \[?([^\s\]]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == version
