"""Fonts for work on this machine (`--fonts`): laid down as those of a tenant are where a service works."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.commands.exits import UsageProblem, complain, described
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.errors import ConversionError
from filewright.converter.fonts.laying import laid_down, names_of
from filewright.converter.fonts.reading import Face, read_font

ENDINGS = frozenset({".ttf", ".otf", ".ttc", ".woff", ".woff2"})


async def own_pack(given: Sequence[Path], sandbox: Sandbox, jobs_dir: Path, shared: Path | None) -> FontPack:
    """All of them, below `jobs_dir`. One that cannot be taken is refused when it was named itself; of a folder it is
    said, and left out.

    Raises UsageProblem, OSError, or what `read_font` does. `shared`: the configuration of the operator's folder.
    """
    place = await asyncio.to_thread(_place, jobs_dir)
    files = FontPack(place).files
    faces: list[Face] = []
    for number, (path, named) in enumerate(_found(given)):
        try:
            faces += await _laid(path, files / str(number), sandbox, jobs_dir)
        except ConversionError as error:
            if named:
                raise type(error)(f"The font {path} cannot be used. {error.detail}") from None
            code, detail, _ = described(error)
            complain(str(path), f"Left out. {detail}", code)
    if not faces:
        raise UsageProblem(f"There is no font in {', '.join(map(str, given))}.")
    pack = FontPack(place, names_of(faces))
    await asyncio.to_thread(pack.write_configuration, shared)
    return pack


def _place(jobs_dir: Path) -> Path:
    place = jobs_dir.resolve() / ".fonts"
    FontPack(place).files.mkdir(mode=0o700, parents=True)
    return place


async def _laid(path: Path, place: Path, sandbox: Sandbox, jobs_dir: Path) -> Sequence[Face]:
    found = await asyncio.to_thread(read_font, path)
    own = place.with_suffix(f".{found.format}")
    await asyncio.to_thread(shutil.copyfile, path, own)
    await laid_down(own, sandbox, jobs_dir)
    return found.faces


def _found(given: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each font, and whether it was named itself."""
    for path in given:
        if not path.exists():
            raise UsageProblem(f"--fonts: there is no {path}.")
        if not path.is_dir():
            yield path, True
            continue
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                if Path(name).suffix.lower() in ENDINGS:
                    yield Path(folder) / name, False
