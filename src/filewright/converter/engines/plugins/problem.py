"""What is wrong with a plug-in, told so that whoever wrote it can mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake. A plug-in with any is left out; everything else works on."""

    where: str
    """The file, or the package and its entry point."""
    what: str
    """What is wrong, and what would be right."""
    line: int | None = None

    def __str__(self) -> str:
        place = self.where if self.line is None else f"{self.where}, line {self.line}"
        return f"{place}: {self.what}"


class PluginError(Exception):
    """Everything that is wrong with one plug-in."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
