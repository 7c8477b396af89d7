"""Many files into one archive, and archives into their files.

RAR is read by bsdtar into a tar, which is then taken apart as any other; no free program writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filewright.converter.engines.archives import BSDTAR, rar_as_tar
from filewright.converter.engines.port import Availability, Loss
from filewright.converter.operations.library import LibraryOperator, carried_out
from filewright.converter.operations.port import ANY, MAX_INPUTS, Ability, Errand, Made

_FUNCTION = "filewright.converter.operations.inside.archives:operate"
_WARM = ("filewright.converter.engines.inside.archives.convert",)
_WRITTEN = ("zip", "tar.gz", "7z", "tar", "tar.bz2", "tar.xz", "tar.zst")
_READ = ("zip", "7z", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "tar.z", "gz", "bz2", "xz", "zst", "z")

_MEMBERS: Mapping[str, Any] = {
    "type": "array", "minItems": 1, "maxItems": 1000,
    "items": {"type": "string", "minLength": 1, "maxLength": 1024},
    "description": "Names of the members that are wanted, or patterns such as `docs/*.txt`",
}  # fmt: skip


def _out_of(source: str, cost: int) -> tuple[Ability, ...]:
    """`unarchive` gives everything, or what `members` names; `extract` is the same with names."""
    wanted = {"members": _MEMBERS}
    said = {"what": {"const": "members", "default": "members", "description": "Members of an archive"}, **wanted}
    return (
        Ability(source, ANY, cost, Loss.NONE, many=True, operation="unarchive", options=wanted),
        Ability(source, ANY, cost, Loss.NONE, many=True, operation="extract", options=said),
    )


ARCHIVES = LibraryOperator(
    name="archives",
    packages=("py7zr", "pycryptodomex"),
    function=_FUNCTION,
    abilities=(
        *(Ability(ANY, target, 60, Loss.NONE, operation="archive", inputs=(1, MAX_INPUTS)) for target in _WRITTEN),
        *(ability for source in _READ for ability in _out_of(source, 60)),
    ),
    warm=_WARM,
)


class Rar:
    """Members of a RAR, by bsdtar."""

    name = "bsdtar"
    abilities: Sequence[Ability] = _out_of("rar", 70)

    def check(self) -> Availability:
        """That of the engine of the same program."""
        return BSDTAR.check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """To a tar, and then as any tar."""
        tar = await rar_as_tar(work)
        return await carried_out(work, _FUNCTION, [tar], warm=_WARM, source_format="tar")


RAR = Rar()
