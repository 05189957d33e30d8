"""The model of shared Ethernet at the command line."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import gureum
from tests.cli.clouds import run

HERE = Path(gureum.__file__).parents[2]
OFFICE = str(HERE / "examples" / "medium" / "office.yaml")
QUICK = ("--ms", "20", "--runs", "2")


def test_a_run_says_what_was_measured_with_intervals(tmp_path: Path) -> None:
    args = ("medium", "run", "--hub", "10", "--load", "1.2", "--frame", "64", *QUICK)
    (found,) = json.loads(run(tmp_path, *args, "--json").output)
    assert found["case"] == "load 1.2"
    assert 0.3 < found["utilisation"][0]["mean"] < 1
    assert found["utilisation"][0]["half"] > 0
    shown = run(tmp_path, *args).output
    assert f"{found['utilisation'][0]['mean']:.4f} ± " in shown
    assert "tries for a frame" in shown


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    found = [
        run(tmp_path, "medium", "run", *QUICK, "--seed", seed, "--json").output
        for seed in ("1", "1", "2")
    ]
    assert found[0] == found[1] != found[2]


def test_several_loads_are_drawn_with_a_panel_a_measure(tmp_path: Path) -> None:
    drawn = tmp_path / "load.svg"
    args = ("--load", "0.1,0.3,0.6,max", "--svg", str(drawn))
    result = run(tmp_path, "medium", "run", *args, *QUICK)
    assert result.exit_code == 0
    assert "always a frame" in result.output
    texts = [
        each.text for each in ElementTree.parse(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {"utilisation", "delay, ms", "offered load"} <= set(texts)


def test_a_switch_has_no_collisions_and_a_line_for_each_domain(tmp_path: Path) -> None:
    shown = run(tmp_path, "medium", "run", "--switch", "3", "--load", "2", *QUICK).output
    assert shown.count("full duplex") == 3
    assert "tries for a frame" not in shown


def test_a_topology_is_run_as_it_is(tmp_path: Path) -> None:
    result = run(tmp_path, "medium", "run", "--topology", OFFICE, "--frame", "64:7,1518:1", *QUICK)
    assert result.exit_code == 0
    assert "ann, bob, cho, core" in result.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "--hub", "2", "--switch", "2"), "--hub and --switch exclude each other"),
        (("run", "--hub", "2,3", "--load", "1,2"), "not both"),
        (("run", "--hub", "many"), "'many' is no number"),
        (("run", "--hub", "1"), "1 is not from 2 to 1024"),
        (("run", "--switch", "max"), "is no number"),
        (("run", "--load", "0"), "0 is not from 0.001 to 1000"),
        (("run", "--load", "nan"), "nan is not from 0.001 to 1000"),
        (("run", "--frame", "63"), "frames have 64 to 1518 bytes"),
        (("run", "--frame", "big"), "neither BYTES nor BYTES:SHARE"),
        (("run", "--frame", "64:0"), "shares are"),
        (("run", "--topology", "/nowhere"), "does not exist"),
        (("domains", "/nowhere"), "cannot be read"),
        (("step", "--load", "1,2"), "one load"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    result = run(tmp_path, "medium", *args)
    assert result.exit_code == 2
    assert says in result.stderr.replace("\n", " ")


def test_nobody_to_talk_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("stations: [a]")
    result = run(tmp_path, "medium", "run", "--topology", str(tmp_path / "one.yaml"))
    assert result.exit_code == 1
    assert "no two stations" in result.stderr


def test_domains_are_listed_and_drawn(tmp_path: Path) -> None:
    drawn = tmp_path / "office.svg"
    result = run(tmp_path, "medium", "domains", OFFICE, "--svg", str(drawn))
    assert result.exit_code == 0
    assert "2 broadcast domains, 7 collision domains" in result.output
    assert "collision domain 3: fay, core; full duplex, nothing collides" in result.output
    assert ElementTree.parse(drawn).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    found = json.loads(run(tmp_path, "medium", "domains", OFFICE, "--json").output)
    assert [each["full_duplex"] for each in found["collision"]].count(False) == 3
    assert found["broadcast"][1] == {"nodes": ["hal", "far", "gate"], "collision": [6, 7]}


def test_a_domain_that_is_too_large_ends_with_one(tmp_path: Path) -> None:
    far = tmp_path / "far.yaml"
    far.write_text("stations: [a, b]\nhubs: [h]\nlinks: [[a, h, 3000], [b, h, 3000]]")
    result = run(tmp_path, "medium", "domains", str(far))
    assert result.exit_code == 1
    assert "TOO LARGE" in result.output


def test_a_topology_that_is_none_is_refused_with_its_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("hubs: [h, i]\nlinks: [[h, i], [i, h]]")
    result = run(tmp_path, "medium", "domains", str(bad))
    assert result.exit_code == 2
    assert f"{bad}: the link i - h closes a loop" in result.stderr


def test_what_happens_is_stepped_through_event_by_event(tmp_path: Path) -> None:
    args = ("medium", "step", "--hub", "3", "--load", "max", "--count", "8")
    found = json.loads(run(tmp_path, *args, "--json").output)
    assert [each["what"] for each in found][:4] == ["start"] * 3 + ["collision"]
    assert found[2]["states"] == {"s1": "sends", "s2": "sends", "s3": "sends"}
    shown = run(tmp_path, *args).output.splitlines()
    assert len(shown) == 1 + 8 + 1  # the heading, the events, the letters
    assert "begins to send, try 1" in shown[1]


def test_keys_show_the_next_event_and_q_ends(tmp_path: Path) -> None:
    """On a real terminal.  A key that is pressed before it is waited for is thrown away, so keys
    are pressed until they do something."""
    ours, theirs = os.openpty()
    args = [sys.executable, "-m", "gureum", "--state", str(tmp_path), "medium", "step"]
    args += ["--hub", "3", "--load", "max", "--count", "5000"]
    with subprocess.Popen(args, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        for key, text in ((b"", b"s1   S"), (b" ", b"s2   S"), (b" ", b"s3   S")):
            while text not in said:
                os.write(ours, key)
                if select.select([ours], [], [], 0.2)[0]:
                    said += os.read(ours, 1000)
        assert b"idle, S sends" not in said
        while process.poll() is None:
            os.write(ours, b"q")
            select.select([], [], [], 0.1)
        assert process.returncode == 0
    os.close(ours)


def test_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text('stations: ["a\\e[31m", b]\nhubs: [h]\nlinks: [["a\\e[31m", h], [b, h]]')
    for args in (("domains", str(odd)), ("step", "--topology", str(odd), "--load", "max")):
        assert "\x1b" not in run(tmp_path, "medium", *args).output


def test_the_table_holds_the_model_against_what_was_published(tmp_path: Path) -> None:
    """With few frames; tests/medium does so with more."""
    result = run(tmp_path, "medium", "table", "--frames", "100", "--json")
    found = json.loads(result.stdout)
    within = [
        abs(each["ours"]["mean"] - each["paper"]) <= each["ours"]["half"] + each["slack"]
        for each in found["checks"]
    ]
    assert [each["holds"] for each in found["checks"]] == within
    falls = all(
        each["fall"] is None or each["fall"]["mean"] > each["fall"]["half"]
        for each in found["hosts"]
    )
    assert found["holds"] == (all(within) and falls)
    assert result.exit_code == (0 if found["holds"] else 1)
    assert len(found["hosts"]) == 6


@pytest.mark.parametrize(
    "args",
    [
        "medium run --hub 10 --load 1.2 --frame 64",
        "medium domains examples/medium/office.yaml",
        "medium step --hub 3 --load max --count 16",
    ],
)
def test_the_documentation_shows_what_is_printed(
    tmp_path: Path, args: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE)
    text = (HERE / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = text.partition(f"$ gureum {args}\n")[2].partition("```")[0]
    assert shown == run(tmp_path, *args.split()).output
