"""A LibreOffice that listens, for where the warm parent does not prove itself: `soffice.bin` that is called by UNO.

It costs what a fork costs, and rests on nothing but LibreOffice's promised interfaces. Its isolation is weaker: one
process converts documents one after the other, if only of one party, and a hang or a crash is noticed by a watch from
outside. So it is the second choice. It needs a sandbox in which a program may call another one: namespaces of its own.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from filewright.chassis.sandbox.helpers import Helper
from filewright.chassis.sandbox.port import Command, Limits, Sandbox, SandboxLevel, SandboxUnavailable
from filewright.chassis.sandbox.system import python_argv
from filewright.converter.engines.inside.office.samples import SAMPLES
from filewright.converter.engines.libreoffice_filters import Export
from filewright.converter.engines.libreoffice_helpers import Offices, converted
from filewright.converter.engines.libreoffice_installation import Installation, interpreter_of
from filewright.converter.engines.libreoffice_office import Order
from filewright.converter.errors import ConversionError

_MAIN = "filewright.converter.engines.inside.office.helper"
_SOCKETS = "OSL_PIPE_*SingleOfficeIPC_*"
_TRIAL = Limits(wall_seconds=60, write_bytes=64 << 20)
_DOCUMENTS = 200


def daemons(installed: Installation, sandbox: Sandbox, jobs_dir: Path) -> Offices:
    """Those of this sandbox; one for each document that is converted at the same time. Raises SandboxUnavailable."""
    found = interpreter_of(installed)
    if found is None:
        raise SandboxUnavailable("Python's uno is missing (on Debian: apt-get install python3-uno)")
    if sandbox.level is SandboxLevel.CONFINED:
        raise SandboxUnavailable("in this sandbox no program may call another")
    interpreter, modules = found

    def program() -> Command:
        # Named so that what a killed one leaves in the system's /tmp is found; where it has its own, nobody sees it.
        name = f"SingleOfficeIPC_{secrets.token_hex(16)}"
        line = python_argv(_MAIN, str(installed.root), name, interpreter=str(interpreter), path=(str(modules),))
        return Command(line, readable=installed.readable, socket_names=_SOCKETS)

    return Offices(sandbox, jobs_dir, program, documents=_DOCUMENTS)


async def trouble_with(offices: Offices, scratch: Path) -> str:
    """What is wrong with the words that it makes of our own documents; empty when nothing is."""
    place = scratch / "trial"
    place.mkdir()
    try:
        async with offices.lent(None) as helper:
            for sample in SAMPLES:
                said = await _words(helper, place, sample.name, sample.document, sample.flat, *sample.words)
                if sample.says not in said:
                    return f"{sample.name}: what came out is not what went in"
    except (SandboxUnavailable, ConversionError) as error:
        return str(error) or type(error).__name__
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return ""


async def _words(
    helper: Helper, place: Path, name: str, document: str, import_filter: str, export_filter: str, options: str
) -> str:
    source = place / f"{name}.xml"
    source.write_text(document, encoding="utf-8")
    order = Order(source, import_filter, Export("words", export_filter, options))
    await converted(helper, order, place, _TRIAL)
    product = place / f"{name}.words"
    return product.read_text(encoding="utf-8", errors="replace") if product.is_file() else ""
