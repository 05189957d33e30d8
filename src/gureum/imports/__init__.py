"""Accounts as answers of describe calls: read into rows of this cloud, and written the same way."""

from gureum.imports.answers import Answers, gather
from gureum.imports.build import Options, build
from gureum.imports.export import Exported, export
from gureum.imports.report import Report

__all__ = ["Answers", "Exported", "Options", "Report", "build", "export", "gather"]
