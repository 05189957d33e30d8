"""The texts of the lessons, and their list."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import gureum

ROOT = Path(gureum.__file__).parents[2]
LESSONS = ROOT / "examples" / "lessons"
NAMES = sorted(path.name for path in LESSONS.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_has_a_script_and_both_texts(name: str) -> None:
    script = LESSONS / name / "lesson.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    english = (LESSONS / name / "README.md").read_text(encoding="utf-8")
    korean = (LESSONS / name / "README.ko.md").read_text(encoding="utf-8")
    assert re.search("[가-힣]", korean)
    for text in (english, korean):
        assert text.startswith("# ")
        assert f"sudo -E examples/lessons/{name}/lesson.sh" in text
    assert english.count("\n## ") == korean.count("\n## ")


def test_the_list_names_the_lessons_that_there_are() -> None:
    listed = re.findall(
        r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "lessons.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == NAMES
