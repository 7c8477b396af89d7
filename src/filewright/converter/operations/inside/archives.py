"""Many files into one archive, and an archive into its files. Runs in the sandbox.

Names are made harmless in both directions and told apart; what an archive says of its size is not believed, so a bomb
ends while it unpacks. Each member is written to a numbered file of ours: no name of a member ever names a path.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.archives import pack
from filewright.converter.engines.inside.archives.bounds import meter_for
from filewright.converter.engines.inside.archives.member import CHUNK, Member, Members
from filewright.converter.engines.inside.archives.names import harmless
from filewright.converter.engines.inside.archives.unpack import DAMAGE, members
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.operations.inside.order import Order

_MOST = 10_000
"""Files that one job may make."""
_LONG_AGO = 315_532_800.0
"""1980, which every kind of archive can say. When a file reached us is nobody's business."""


def operate(order: Order) -> list[str] | list[list[str]]:
    """`archive` makes one file of many; `unarchive` and `extract` give the members."""
    if order.operation == "archive":
        return put_together(order.report, order.sources, order.names, order.target)
    return take_apart(order.report, order.source, order.source_format, order.options.get("members"), order.password)


def put_together(report: Report, sources: Sequence[str], names: Sequence[str], target: str) -> list[str]:
    """Write `out/output.<target>` with those files, called by those names as far as they do no harm."""
    out = f"output.{target}"
    total = sum(Path(source).stat().st_size for source in sources) or 1
    with ExitStack() as opened:
        pack.pack(harmless(_files(sources, names, opened, total, report)), Path("out") / out, target)
    return [out]


def _files(sources: Sequence[str], names: Sequence[str], opened: ExitStack, total: int, report: Report) -> Members:
    done = 0
    for source, name in zip(sources, names, strict=True):
        path = Path(source)
        size = path.stat().st_size
        with path.open("rb") as content:
            yield Member(name or "file", size, _LONG_AGO, content)
        done += size
        report(done / total)


def take_apart(
    report: Report, source: str, source_format: str, wanted: Sequence[str] | None, password: str | None
) -> list[list[str]]:
    """Write each member that is wanted into `out/`, numbered; gives file and name of each, in order.

    `wanted` are names or patterns such as `docs/*.txt`; None is all.
    """
    meter = meter_for(Path(source), report)
    made: list[list[str]] = []
    with refusing("corrupt_input", *DAMAGE):
        for member in harmless(_named(meter.members(members(Path(source), source_format, meter, password)))):
            if member.content is None or not _is_wanted(member.name, wanted):
                continue
            if len(made) >= _MOST:
                raise Refusal("resource_limit")
            file = f"output-{len(made) + 1:05}.bin"
            _write(member, Path("out") / file)
            made.append([file, member.name])
    if not made:
        # An archive of nothing but folders is sound, but there is nothing to give; a name that is not in it is wrong.
        raise Refusal("unsupported_conversion" if wanted is None else "option_members")
    return made


def _named(found: Members) -> Members:
    """What a compressed single file is called is not in it."""
    return (replace(member, name=member.name or "file") for member in found)


def _is_wanted(name: str, wanted: Sequence[str] | None) -> bool:
    return wanted is None or any(name == pattern or fnmatchcase(name, pattern) for pattern in wanted)


def _write(member: Member, path: Path) -> None:
    assert member.content is not None
    with path.open("xb") as file:
        shutil.copyfileobj(member.content, file, CHUNK)
