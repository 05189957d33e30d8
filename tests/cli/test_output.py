"""What commands print."""

from __future__ import annotations

import pytest

from gureum.cli.output import clean, print_rows


def test_control_characters_do_not_get_through() -> None:
    assert clean("a\x1b[31mb\x9b2J\n\x7f") == "a�[31mb�2J��"
    assert clean("한글 ✓") == "한글 ✓"


def test_rows_of_any_form_become_a_table_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [
        {"address": "10.0.0.4", "port": "eni-1", "age": 0, "note": ""},
        {"address": "10.0.0.5", "port": "eni-2", "state": "[red]", "note": ""},
    ]
    print_rows(rows, {"eni-1": "web"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["address", "port", "age", "state"]
    assert lines[2].split() == ["10.0.0.4", "eni-1", "(web)", "0"]
    assert lines[3].split() == ["10.0.0.5", "eni-2", "[red]"]


def test_nothing_is_folded_or_cut_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"long": "x" * 500}], {})
    assert "x" * 500 in capsys.readouterr().out
