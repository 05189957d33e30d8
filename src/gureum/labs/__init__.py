"""Labs: broken clouds that a learner mends, read from their files."""

from gureum.labs.catalogue import LabError, names, read, texts
from gureum.labs.lab import Call, Lab, Question, Unknown, kept, meant
from gureum.labs.texts import LANGUAGES, Language, Texts

__all__ = [
    "LANGUAGES",
    "Call",
    "Lab",
    "LabError",
    "Language",
    "Question",
    "Texts",
    "Unknown",
    "kept",
    "meant",
    "names",
    "read",
    "texts",
]
