"""The coverage page is true, and what is not built only gets less."""

from __future__ import annotations

from gureum.resources import REGISTRY
from tests.coverage.page import FAMILIES, PAGE, RECORDS, missing, operations, page

NOT_BUILT = 0
"""Operations of the families that are not built.  This number is only ever made smaller."""


def test_the_page_is_what_is_built() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.coverage"


def test_what_is_not_built_only_gets_less() -> None:
    assert len(missing()) == NOT_BUILT


def test_families_and_records_name_what_there_is() -> None:
    known = set(operations())
    assert {name for names in FAMILIES.values() for name in names} <= known
    assert REGISTRY.actions.keys() - REGISTRY.reads >= RECORDS
