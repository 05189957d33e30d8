"""The labs' files: strictly read, complete in both languages, and their solutions up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gureum.labs import LANGUAGES, LabError, Language, catalogue, names, read, texts
from gureum.labs.catalogue import folder
from gureum.labs.commands import commands
from gureum.labs.lab import account_of
from gureum.labs.texts import FILES, read_texts

LAB = """
title: T
level: 1
topics: [routes]
question: {from: a, to: b, service: '443'}
expect: [CANNOT_ROUTE]
build: [{do: CreateVpc, with: {CidrBlock: 10.0.0.0/16}, as: {vpc: Vpc.VpcId}}]
fix: [{do: DeleteVpc, with: {VpcId: $vpc}}]
"""

HANGUL = re.compile("[가-힣]")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labs of a test's own."""
    monkeypatch.setattr(catalogue, "_FOLDERS", (tmp_path / "none", tmp_path))
    monkeypatch.setattr(catalogue, "names", catalogue.names.__wrapped__)
    return tmp_path


def written(folder: Path, text: str) -> Any:
    """A lab with that text."""
    (folder / "mine").mkdir()
    (folder / "mine" / "lab.yaml").write_text(text)
    return catalogue.read.__wrapped__("mine")


def test_a_lab_is_read(folders: Path) -> None:
    lab = written(folders, LAB)
    assert (lab.question.protocol, lab.question.port) == ("tcp", 443)
    assert lab.build[0].keep == {"vpc": "Vpc.VpcId"}
    assert lab.fix[0].params == {"VpcId": "$vpc"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: T", "title: T\nauthor: me"),
        ("title: T", "title: T\ntitle: U"),
        ("title: T", ""),
        ("level: 1", "level: 4"),
        ("level: 1", "level: '1'"),
        ("topics: [routes]", "topics: []"),
        ("from: a", "source: a"),
        ("'443'", "443"),
        ("'443'", "https"),
        ("'443'", "'65536'"),
        ("'443'", "sctp/80"),
        ("CANNOT_ROUTE", "CANNOT"),
        ("[CANNOT_ROUTE]", "[]"),
        ("as: {vpc", "to: {vpc"),
        ("fix: [{do", "fix: [{go"),
        ("fix: [", "fix: ["[:-1]),
    ],
)
def test_what_no_lab_says_is_an_error(folders: Path, old: str, new: str) -> None:
    assert old in LAB
    with pytest.raises(LabError, match=r"mine/lab\.yaml: "):
        written(folders, LAB.replace(old, new))


def test_labs_that_were_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalogue, "_FOLDERS", (tmp_path / "none",))
    with pytest.raises(LabError, match="not installed"):
        folder()


# --- texts --------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_a_lab_is_told_in_both_languages(name: str, language: Language) -> None:
    told = texts(name, language)
    assert len(told.hints) == 3
    assert all(bool(HANGUL.search(each)) == (language == "ko") for each in told.hints)
    assert bool(HANGUL.search(told.story + told.concept + told.said)) == (language == "ko")
    if language == "en":
        assert told.title == read(name).title


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_a_solution_shows_the_fix(name: str, language: Language) -> None:
    """As commands in which ids stand as variables."""
    lab = read(name)
    known = {key: f"${key}" for call in lab.build for key in call.keep}
    block = texts(name, language).solution.partition("```sh\n")[2].partition("\n```")[0]
    assert block.splitlines() == commands(lab.fix, known)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_a_readme_asks_what_the_lab_asks(name: str, language: Language) -> None:
    text = (folder() / name / FILES[language]).read_text()
    lab = read(name)
    asked = f"gureum explain {lab.question.source} {lab.question.target} {lab.question.service}"
    assert f"gureum lab start {name}\n" in text
    assert f"export AWS_ACCESS_KEY_ID={account_of(name)}\n" in text
    assert asked.replace("$address_ip", "ADDRESS").replace("$api_ip", "ADDRESS") in text


@pytest.mark.parametrize("name", names())
def test_what_a_text_names_is_there(name: str) -> None:
    """Words in code are names of the cloud, commands, or attributes that AWS names."""
    lab = read(name)
    known = {key for call in (*lab.build, *lab.fix) for key in call.keep}
    known |= {"stranger", "mirror", "blackhole", "back", "in", "out", "*", "net.ipv4.ip_forward"}
    known |= {"pending-acceptance"}
    for language in LANGUAGES:
        told = texts(name, language)
        parts = (told.story, *told.hints, told.concept, told.said)
        words = {word for part in parts for word in re.findall(r"`([^`]+)`", part)}
        assert {word for word in words if not word.startswith(("gureum ", "aws "))} <= known


def test_a_readme_that_lacks_a_part() -> None:
    text = (folder() / "asleep" / "README.md").read_text()
    assert read_texts(text, "en").title
    for broken in (
        text.replace("## The concept", "## Concept"),
        text.replace("# A hotel", "A hotel"),
        text.replace("1. ", "- ").replace("2. ", "- ").replace("3. ", "- "),
        text.partition("## The solution")[0],
    ):
        with pytest.raises(ValueError, match=r"section|needed"):
            read_texts(broken, "en")
