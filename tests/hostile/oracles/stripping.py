"""Engines with their own protections taken away, so that it shows what the sandbox holds back by itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Command, Limits, Outcome, Program, PythonCall, Sandbox, SandboxLevel

_FFMPEG_LIMITS = frozenset({"-protocol_whitelist", "-format_whitelist", "-f"})
_EVERY_PROTOCOL = (
    "-protocol_whitelist",
    "file,pipe,http,tcp,udp,concat,subfile,data,crypto",
    "-safe",
    "0",
    "-f",
    "concat",
)
_PRINTING = "import weasyprint; weasyprint.HTML({source!r}).write_pdf({target!r})"
_TYPESETTING = "import typst; open({target!r}, 'wb').write(typst.compile({source!r}, root='/', format='pdf'))"


@dataclass
class Stripped:
    """A sandbox in which every engine that it knows runs as it comes from its makers, or worse."""

    inner: Sandbox
    stripped: int = 0
    """How many runs lost a protection: none at all would prove nothing."""

    @property
    def level(self) -> SandboxLevel:
        return self.inner.level

    async def run(self, program: Program, *, workspace: Path, limits: Limits, **more: Any) -> Outcome:
        bare = without_protection(program, workspace)
        self.stripped += bare != program
        return await self.inner.run(bare, workspace=workspace, limits=limits, **more)

    async def close(self) -> None:
        await self.inner.close()


def without_protection(program: Program, workspace: Path) -> Program:
    """The same work, done by a program that trusts its input."""
    if isinstance(program, PythonCall):
        return _bare_library(program)
    name = Path(program.argv[0]).name
    if name == "pandoc":
        return replace(program, argv=tuple(part for part in program.argv if part != "--sandbox"))
    if name == "gs":
        return replace(program, argv=tuple(part.replace("-dSAFER", "-dNOSAFER") for part in program.argv))
    if name.startswith("ffmpeg"):
        return replace(program, argv=_trusting(program.argv))
    if name == "soffice.bin":
        (workspace / "tmp" / "profile" / "user" / "registrymodifications.xcu").unlink(missing_ok=True)
        return replace(program, env={**program.env, "STOCK_PROFILE": "1"})
    return program


def _bare_library(call: PythonCall) -> Program:
    script = {"print_page": _PRINTING, "compile_pdf": _TYPESETTING}.get(call.function.partition(":")[2])
    if script is None:
        return call
    return Command((sys.executable, "-I", "-c", script.format(**call.arguments)))


def _trusting(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Input options stand before `-i`, with a value each; those of the output stay."""
    made: list[str] = []
    parts = iter(argv[: argv.index("-i")])
    for part in parts:
        if part in _FFMPEG_LIMITS:
            next(parts)
        else:
            made.append(part)
    return (*made, *_EVERY_PROTOCOL, *argv[argv.index("-i") :])
