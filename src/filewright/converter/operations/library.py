"""An operator that is one function of ours driving Python libraries, as `engines.library.LibraryEngine` is an engine.

The function lives in `operations.inside` and is called with an `inside.order.Order`, with the workspace as working
directory. It writes into `out/` and returns what it wrote there, in order: the name of the file (`"output.pdf"`), or,
where a caller is to see another name, both (`["output-0001", "minutes/May.docx"]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filewright.converter.engines.library import check_packages, products
from filewright.converter.engines.port import Availability, FormatId
from filewright.converter.errors import OutputInvalid
from filewright.converter.operations.port import Ability, Errand, Made

_CARRY_OUT = "filewright.converter.operations.inside.order:carry_out"
_LONGEST_NAME = 4_000


@dataclass(frozen=True)
class LibraryOperator:
    """`packages` are the distributions it needs; the first is the one whose version is shown."""

    name: str
    packages: tuple[str, ...]
    function: str
    abilities: Sequence[Ability]
    warm: tuple[str, ...] = ()

    def check(self) -> Availability:
        """Look for the packages' metadata; nothing is imported."""
        return check_packages(*self.packages)

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Call the function in the sandbox and take the files it names."""
        return await carried_out(work, self.function, work.sources, warm=self.warm)


async def carried_out(
    work: Errand,
    function: str,
    sources: Sequence[Path],
    *,
    warm: tuple[str, ...] = (),
    source_format: FormatId | None = None,
) -> Sequence[Made]:
    """Call the function in the sandbox on these files, and take what it says it made.

    `source_format`: what they are, where another program made them of the errand's; no password opens those.
    """
    untrusted = await work.python(
        _CARRY_OUT,
        warm=warm,
        called=function,
        operation=work.ability.operation,
        sources=[work.inside(source) for source in sources],
        names=list(work.names),
        source_format=source_format or work.conversion.source,
        target=work.conversion.target,
        options=dict(work.options),
        password=work.password if source_format is None else None,
        max_pixels=work.max_pixels,
        max_pages=work.max_pages,
    )
    return made(work, untrusted)


def made(work: Errand, untrusted: Any) -> Sequence[Made]:
    """The products that a function in the sandbox says it made; what makes no sense is not believed."""
    if not isinstance(untrusted, list):
        raise OutputInvalid
    pairs = [_file_and_name(item) for item in untrusted]
    paths = products(work, [file for file, _ in pairs])
    return [Made(path, name) for path, (_, name) in zip(paths, pairs, strict=True)]


def _file_and_name(item: Any) -> tuple[Any, str | None]:
    """`products` checks the name of the file; what a caller sees is made harmless where it is shown."""
    if not isinstance(item, list):
        return item, None
    if len(item) != 2 or not isinstance(item[1], str) or len(item[1]) > _LONGEST_NAME:
        raise OutputInvalid
    return item[0], item[1]
