"""End the unpacking of a bomb while it happens: what an archive says of itself is not believed.

A ratio is judged only past a size that anything may have, because small files of zeros are common and harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.archives.member import Content, Members

MAX_MEMBERS = 100_000
_ANY_SIZE = 128 << 20
_MAX_RATIO = 250


class Meter:
    """Counts the members and bytes that come out of an archive of `packed` bytes."""

    def __init__(self, packed: int, report: Report) -> None:
        self._allowed = max(_ANY_SIZE, packed * _MAX_RATIO)
        self._report = report
        self._bytes = 0
        self._members = 0
        self._expected = 1

    def expect(self, members: int, size: int) -> None:
        """What the archive claims: refused at once when the claim alone is too much."""
        if members > MAX_MEMBERS or size > self._allowed:
            raise Refusal("archive_bomb")
        self._expected = max(1, size)

    def produced(self, count: int) -> None:
        """So many more bytes came out."""
        self._bytes += count
        if self._bytes > self._allowed:
            raise Refusal("archive_bomb")
        self._report(min(1.0, self._bytes / self._expected))

    def members(self, members: Members) -> Members:
        """The same members, counted, with content that is counted."""
        for member in members:
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise Refusal("archive_bomb")
            content = Metered(member.content, self) if member.content is not None else None
            yield replace(member, content=content)


@dataclass(frozen=True)
class Metered:
    """Content that tells the meter what is read of it."""

    content: Content
    meter: Meter

    def read(self, size: int = -1, /) -> bytes:
        """As `Content.read`."""
        data = self.content.read(size)
        self.meter.produced(len(data))
        return data


def meter_for(source: Path, report: Report) -> Meter:
    """A meter for the archive in that file."""
    return Meter(source.stat().st_size, report)
