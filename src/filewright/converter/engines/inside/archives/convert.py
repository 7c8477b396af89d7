"""The door to archives: repack one into another, bounded and with harmless names, or list what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.archives import pack, streams
from filewright.converter.engines.inside.archives.bounds import meter_for
from filewright.converter.engines.inside.archives.member import CHUNK, Member, Members
from filewright.converter.engines.inside.archives.names import harmless
from filewright.converter.engines.inside.archives.unpack import DAMAGE, members
from filewright.converter.engines.inside.refusals import refusing


def convert(
    report: Report, source: str, source_format: str, target: str, options: Mapping[str, Any], password: str | None
) -> list[str]:
    """One archive, one compressed file, or one list."""
    name = f"output.{'Z' if target == 'z' else target}"
    out = Path("out") / name
    meter = meter_for(Path(source), report)
    with refusing("corrupt_input", *DAMAGE):
        found = meter.members(members(Path(source), source_format, meter, password))
        if target in streams.STREAMS:
            pack.compress(found, out, target)
        elif target in {"txt", "json"}:
            _list(harmless(found), out, target)
        else:
            pack.pack(_at_least_one(harmless(_named(found))), out, target)
    return [name]


def _named(found: Members) -> Members:
    """A compressed single file has no name in it that we would trust."""
    return (replace(member, name=member.name or "file") for member in found)


def _at_least_one(found: Members) -> Members:
    """Refuses an archive of which nothing may be kept."""
    first = next(found, None)
    if first is None:
        raise Refusal("corrupt_input")
    yield first
    yield from found


def _list(found: Members, out: Path, target: str) -> None:
    rows = [_row(member) for member in found]
    if target == "json":
        out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    lines = [f"{row['bytes']:>12}  {row['modified']}  {row['name']}\n" for row in rows]
    out.write_text("".join(lines) or "\n", encoding="utf-8")


def _row(member: Member) -> dict[str, Any]:
    """Reading the content to its end shows that it is whole."""
    count = 0
    while member.content is not None and (chunk := member.content.read(CHUNK)):
        count += len(chunk)
    modified = datetime.fromtimestamp(min(max(member.modified, 0), 4e9), UTC).isoformat(timespec="seconds")
    return {"name": member.name + "/" * (member.content is None), "bytes": count, "modified": modified}
