"""A lab's README as the parts that the commands print: its story, its hints, the solution."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

FILES: dict[Language, str] = {"en": "README.md", "ko": "README.ko.md"}
HEADINGS: dict[Language, tuple[str, str, str, str]] = {
    "en": ("The question", "What to look at", "The concept", "The solution"),
    "ko": ("질문", "살펴볼 것", "개념", "풀이"),
}
"""The sections of a README, in order."""

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_HINT = re.compile(r"^\d+\. ", re.MULTILINE)
_FOLD = re.compile(r"</?details>\n?|<summary>.*?</summary>\n?")


@dataclass(frozen=True)
class Texts:
    """``story`` is what happened, ``hints`` are given away one by one, ``concept`` is what there is
    to learn and ``solution`` what was wrong and what mends it."""

    title: str
    story: str
    hints: tuple[str, ...]
    concept: str
    solution: str

    @property
    def said(self) -> str:
        """The solution without its commands."""
        return self.solution.partition("\n```")[0].strip()


def read_texts(text: str, language: Language) -> Texts:
    """The parts of a README.

    Raises:
        ValueError: a part is missing, or there is one too many.
    """
    begin, *rest = _SECTION.split(text)
    headings, bodies = tuple(rest[::2]), [body.strip() for body in rest[1::2]]
    if headings != HEADINGS[language]:
        raise ValueError(f"the sections are {headings}, not {HEADINGS[language]}")
    title, _, story = begin.strip().partition("\n")
    _, hints, concept, solution = bodies
    first, *numbered = (_line(each) for each in _HINT.split(hints))
    parts = (title.removeprefix("# "), story.strip(), concept, _FOLD.sub("", solution).strip())
    if not title.startswith("# ") or not all(parts) or first or not numbered:
        raise ValueError("a title, story, numbered hints, concept and solution are needed")
    return Texts(parts[0], parts[1], tuple(numbered), parts[2], parts[3])


def _line(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())
