"""Start `python -m filewright serve` again and again without paying for its imports each time.

The new process is nobody's child but the test's (a subreaper), which can kill it and bury it as its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from filewright.chassis.testing.warm import WarmPython

_IMPORTED = (
    "filewright.cli",
    "filewright.converter.bootstrap",
    "filewright.converter.site.serving",
    "filewright.chassis.web.server",
)


class Launcher(WarmPython):
    """Use as a context manager, inside a `Subreaper`."""

    def __init__(self) -> None:
        super().__init__(*_IMPORTED)

    def launch(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """The pid of a new `filewright` with these arguments."""
        with log.open("ab") as output:
            return self.orphan(["-m", "filewright", *arguments], environment=environment, output=output)
