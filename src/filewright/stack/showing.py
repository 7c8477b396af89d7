"""How a stack is, as lines that a person reads at a glance: what is not well stands out, what is well is brief."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from filewright.stack.status import Row, Status

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def describe(status: Status) -> Iterator[str]:
    """All lines."""
    if status.url is None:
        yield "The stack is down."
        return
    yield from _aligned([("NAME", "PID", "ADDRESS", "HEALTH", "FOR", "RESTARTS", ""), *map(_cells, status.rows)])
    if queue := _queue(status.rows):
        yield queue
    if status.supervisor_pid is None:
        yield "Nobody supervises it; `filewright stack up` takes it over, `filewright stack down` ends it."
    if status.halted:
        yield f"The last change stopped half-way: {status.halted}"
    unwell = [row.name for row in status.rows if not row.healthy]
    if unwell:
        yield f"Not well: {', '.join(unwell)}. What they wrote: filewright stack logs {unwell[0]}"
    yield f"Filewright is serving on {status.url}"
    if status.secure_url:
        yield f"  and over TLS and HTTP/2 on {status.secure_url} (certificate: {status.certificate})"


def _cells(row: Row) -> tuple[str, ...]:
    health = "well" if row.healthy else row.stage if row.stage != "ready" else "unwell"
    since = _ago(time.time() - row.since) if row.since else "-"
    return row.name, str(row.pid or "-"), row.address or "-", health, since, str(row.restarts), _doing(row)


def _doing(row: Row) -> str:
    """What is wrong, or else what it is busy with."""
    if row.detail:
        return row.detail
    facts = row.facts
    if "slots" in facts:
        return f"{facts.get('busy', 0)} of {facts['slots']} slots busy ({', '.join(facts.get('lanes', ()))})"
    if "leads" in facts:
        return "leads" if facts["leads"] else "stands by"
    return ""


def _queue(rows: Sequence[Row]) -> str:
    """What waits and what runs, as the beat that leads counted it last."""
    found: Mapping[str, Any] | None = next((row.facts["queue"] for row in rows if "queue" in row.facts), None)
    if found is None:
        return ""
    waiting = ", ".join(f"{count} {lane}" for lane, count in sorted(found["waiting"].items())) or "none"
    oldest = f" (the first for {_ago(found['oldest_seconds'])})" if found["oldest_seconds"] else ""
    slots = sum(row.facts.get("slots", 0) for row in rows)
    return f"Jobs waiting: {waiting}{oldest}; running: {found['running']}, in {slots} slots"


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
