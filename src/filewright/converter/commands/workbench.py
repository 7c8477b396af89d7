"""What is needed to convert files without a server: engines and a sandbox. The command line's own composition root.

Beside `bootstrap`, which wires the service, so that a conversion on the command line does not wait for a database
layer to be imported.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.runner import LocalSandbox, open_sandbox
from filewright.chassis.sandbox.verdicts import Verdicts
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.font_packs import with_fonts
from filewright.converter.engines.port import Engine
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.operations.chains import Operations
from filewright.converter.operations.registry import Operators
from filewright.converter.operations.standard import standard_operators


@dataclass(frozen=True)
class Workbench:
    """Everything wired."""

    registry: Registry
    sandbox: LocalSandbox
    converter: Converter
    operations: Operations


@asynccontextmanager
async def open_workbench(
    jobs_dir: Path,
    minimum: SandboxLevel,
    *,
    verdicts: Verdicts | None = None,
    fonts: Path | None = None,
    engines: Sequence[Engine] | None = None,
) -> AsyncIterator[Workbench]:
    """For as long as the context lasts; every workspace must lie below `jobs_dir`.

    With `verdicts`, the sandbox need not prove itself again when it did lately. `fonts` is a folder of more fonts.
    Without `engines`: those that Filewright brings. Raises SandboxUnavailable when this machine gives less than
    `minimum`.
    """
    registry = Registry(standard_engines() if engines is None else engines)
    common = with_fonts(fonts, jobs_dir)
    sandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=minimum, verdicts=verdicts, common=common)
    try:
        converter = Converter(registry, sandbox)
        operations = Operations(Operators(standard_operators()), converter, sandbox)
        yield Workbench(registry, sandbox, converter, operations)
    finally:
        await sandbox.close()
