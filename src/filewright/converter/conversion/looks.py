"""Where products are opened to be looked at: in a child of the sandbox for each, or in one that opens several of the
same party, one after the other, which saves the most of what a look at a small file costs.

A reader that a product has taken over could speak well of those that come after it. So such a helper sees files of one
party only, and is not believed when it finds fault: a child that has seen nothing yet is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.helpers import HelperFailed, Helpers, Terms
from filewright.chassis.sandbox.port import Ending, Limits, PythonCall, Sandbox, SandboxUnavailable

_PROBE = "filewright.converter.conversion.inside.probe"
WARM = (
    _PROBE,
    "filewright.converter.conversion.inside.rehearsal",
    "filewright.converter.conversion.inside.fidelity.measure",
    "filewright.converter.conversion.inside.fidelity.pages",
    "pypdfium2",
    "pymediainfo",
    # A reader of pictures that is not there yet makes Pillow import all that it has.
    *(f"PIL.{kind}ImagePlugin" for kind in ("Bmp", "Gif", "Jpeg", "Png", "Ppm", "WebP", "Avif", "Tiff", "Ico")),
)
_SERVE = "filewright.chassis.sandbox.helping:serve"
_LARGEST = 16 << 20
_MOST_FILES = 64
_IDLE_SECONDS = 5.0
_IDLE = 8

See = Callable[[Path], str]
"""How whoever opens a file gets to it."""


@dataclass(frozen=True)
class Look:
    """A function of `inside/probe` and what it is to open."""

    function: str
    files: Sequence[Path]
    arguments: Callable[[See], Mapping[str, Any]]
    warm: tuple[str, ...] = WARM
    workspace: Path = field(kw_only=True)
    """Where the files lie, and nothing runs."""
    limits: Limits = field(kw_only=True)
    party: str = field(default="", kw_only=True)
    """Whose they are; nobody in particular has a child for each."""


class Looks:
    """One for all conversions of a process."""

    def __init__(self, sandbox: Sandbox, jobs_dir: Path | None = None, *, products: int = 1) -> None:
        """`products`: so many a child opens that has `jobs_dir` for its own; 1: each has its child."""
        self._sandbox = sandbox
        self._place = None if jobs_dir is None or products == 1 else jobs_dir.resolve()
        self._terms = Terms(calls=products, seconds=600, idle_seconds=_IDLE_SECONDS, idle=_IDLE)
        self._helpers: dict[tuple[str, ...], Helpers] = {}
        """By what they have warm."""

    async def look(self, look: Look) -> Any:
        """What the function gives; None when it refused, or did not come to its end."""
        if self._place is not None and look.party and _is_small(look.files):
            value = await self._helped(self._helpers_with(look.warm, self._place), look)
            if value is not None:
                return value
        return await self._fresh(look)

    async def close(self) -> None:
        """End what lasts longer than a look; before the sandbox is closed."""
        for helpers in self._helpers.values():
            await helpers.close()

    def _helpers_with(self, warm: tuple[str, ...], place: Path) -> Helpers:
        if warm not in self._helpers:
            serve = PythonCall(_SERVE, {}, warm)
            self._helpers[warm] = Helpers(self._sandbox, place, lambda: serve, self._terms)
        return self._helpers[warm]

    async def _helped(self, helpers: Helpers, look: Look) -> Any:
        names = {path: f"{number}{path.suffix}" for number, path in enumerate(look.files)}
        order = {
            "function": f"{_PROBE}:{look.function}",
            "arguments": look.arguments(lambda path: f"in/{names[path]}"),
        }
        try:
            async with helpers.lent(look.party) as helper:
                given = {name: path for path, name in names.items()}
                said = await helper.ask(order, given, seconds=look.limits.wall_seconds)
        except (HelperFailed, SandboxUnavailable):
            return None
        return said.get("value")

    async def _fresh(self, look: Look) -> Any:
        arguments = look.arguments(lambda path: str(path.relative_to(look.workspace)))
        call = PythonCall(f"{_PROBE}:{look.function}", arguments, look.warm)
        outcome = await self._sandbox.run(call, workspace=look.workspace, limits=look.limits)
        return outcome.untrusted_value if outcome.ending is Ending.COMPLETED else None


def _is_small(files: Sequence[Path]) -> bool:
    return len(files) <= _MOST_FILES and sum(path.lstat().st_size for path in files) <= _LARGEST
