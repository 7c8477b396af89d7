"""Walk the chain from its beginning to its head, and name every row at which it is not what it was.

    edited      a row does not have the hash that it says
    deleted     rows are missing between two others, or at the beginning, where no month was dropped
    inserted    there are two rows at one place
    reordered   a row is earlier than the one before it
    truncated   rows are missing at the end: the head, or a signed copy of it, knows of more
    forged      the head, an anchor or a copy is not what was signed; or the chain does not lead through it

Whoever rewrites rows and all hashes after them, the head too, has a chain without a flaw: only the copies elsewhere
contradict it, which is what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from filewright.chassis.audit.log import BEGINNING, link
from filewright.chassis.audit.models import CHAIN, AuditAnchorRow, AuditHeadRow, AuditLogRow
from filewright.chassis.audit.seals import Head, Seals
from filewright.chassis.db.database import Database

_AT_A_TIME = 1_000


@dataclass(frozen=True)
class Finding:
    """Something is wrong, at or from this row on."""

    kind: str
    row: int
    detail: str


@dataclass(frozen=True)
class Verdict:
    """What the walk came to."""

    rows: int
    first: int | None
    last: int | None
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        return not self.findings


class Walk:
    """One walk. `marks` are the places whose hashes are asked for later."""

    def __init__(self, marks: frozenset[int], anchors: Mapping[int, str]) -> None:
        self._marks = marks
        self._anchors = anchors
        self.rows = 0
        self.first: int | None = None
        self.last: int | None = None
        self.hash: str | None = BEGINNING
        """Of the last row; None when it cannot be known what stood there."""
        self._at: datetime | None = None
        self.seen: dict[int, str] = {}
        self.findings: list[Finding] = []

    def begin(self, row: AuditLogRow) -> None:
        self.first = row.id
        if row.id > 1:
            self.hash = self._anchors.get(row.id - 1)
            if self.hash is None:
                self._find("deleted", 1, f"the rows 1 to {row.id - 1} are missing, and no month ended there")

    def step(self, row: AuditLogRow) -> None:
        self.rows += 1
        if self.last is None:
            self.begin(row)
        elif row.id == self.last:
            self._find("inserted", row.id, f"there are two rows at this place; one is of {row.at.isoformat()}")
            return
        elif row.id > self.last + 1:
            self._find("deleted", self.last + 1, f"the rows {self.last + 1} to {row.id - 1} are missing")
            self.hash = None
        if self._at is not None and row.at < self._at:
            self._find("reordered", row.id, "it is earlier than the row before it")
        if row.hash is None or (self.hash is not None and link(self.hash, row) != row.hash):
            self._find("edited", row.id, "it, or the row before it, is not what was written")
        self.last, self.hash, self._at = row.id, row.hash, row.at
        if row.id in self._marks and row.hash is not None:
            self.seen[row.id] = row.hash

    def compare(self, head: Head, what: str) -> None:
        """Whether the chain leads through a head that was known once."""
        last = self.last or 0
        if head.seq > last:
            self._find("truncated", last + 1, f"{what} knows of the rows up to {head.seq}; they are missing")
        elif head.seq in self.seen and self.seen[head.seq] != head.hash:
            self._find("forged", head.seq, f"{what} has another hash of this row: it was rewritten, or one before it")

    def _find(self, kind: str, row: int, detail: str) -> None:
        self.findings.append(Finding(kind, row, detail))


async def verify(database: Database, seals: Seals, copies: Sequence[tuple[str, Head | None]] = ()) -> Verdict:
    """Walk through all there is. `copies` are the signed heads from elsewhere (`Copies.all`)."""
    async with database.read() as session:
        anchors = (await session.scalars(select(AuditAnchorRow).order_by(AuditAnchorRow.seq))).all()
    known = {row.seq: Head(row.seq, row.hash, row.at) for row in anchors}
    signed = {row.seq: row.hash for row in anchors if seals.is_good(known[row.seq], row.signature)}
    walk = Walk(frozenset({*known, *(copy.seq for _, copy in copies if copy)}), signed)
    head = await _walk_to_the_head(database, walk)
    findings = [Finding("forged", seq, "the anchor here was not signed by us") for seq in known if seq not in signed]
    if head is None:
        findings.append(Finding("forged", walk.last or 0, "the head is missing"))
    else:
        _compare_head(walk, head)
    for seq in signed:
        if walk.first is None or seq >= walk.first:
            walk.compare(known[seq], "the anchor of its month")
    for key, copy in copies:
        if copy is None:
            findings.append(Finding("forged", 0, f"the copy {key} was not signed by us"))
        elif walk.first is None or copy.seq >= walk.first:
            walk.compare(copy, f"the copy of {copy.at:%Y-%m-%d %H:%M}")
    return Verdict(walk.rows, walk.first, walk.last, _once((*walk.findings, *findings)))


def _compare_head(walk: Walk, head: Head) -> None:
    if head.seq < (walk.last or 0):
        walk.findings.append(Finding("forged", head.seq + 1, f"the head knows of the rows up to {head.seq} only"))
    elif head.seq == walk.last and walk.hash != head.hash:
        walk.findings.append(Finding("forged", head.seq, "the head has another hash of this row"))
    else:
        walk.compare(head, "the head")


async def _walk_to_the_head(database: Database, walk: Walk) -> Head | None:
    """Walk to where the chain ends by now. The head is asked after the rows, so it is never behind an honest one."""
    after: tuple[int, datetime] | None = None
    while True:
        page = await _page(database, after)
        for row in page:
            walk.step(row)
        if page:
            after = (page[-1].id, page[-1].at)
            continue
        async with database.read() as session:
            found = await session.get(AuditHeadRow, CHAIN)
        if found is None or found.seq <= (walk.last or 0) or not await _page(database, after):
            return None if found is None else Head(found.seq, found.hash, found.at)


async def _page(database: Database, after: tuple[int, datetime] | None) -> Sequence[AuditLogRow]:
    ordered = select(AuditLogRow).order_by(AuditLogRow.id, AuditLogRow.at).limit(_AT_A_TIME)
    if after is not None:
        number, at = after
        same = and_(AuditLogRow.id == number, AuditLogRow.at > at)
        ordered = ordered.where(or_(AuditLogRow.id > number, same))
    async with database.read() as session:
        return (await session.scalars(ordered)).all()


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """In the order of rows, and of several of one kind at one row, the first."""
    first = {(finding.row, finding.kind): finding for finding in reversed(findings)}
    return tuple(sorted(first.values(), key=lambda finding: finding.row))
