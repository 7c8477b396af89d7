"""Is this ZIP file (or anything that is one inside) a bomb? Answered from its directory, without unpacking it.

What counts: declared sizes and their ratio, the number of members, members that share bytes, archives within archives,
and members that unpack to more than they declare. All of it in some tens of milliseconds, because the same file would
otherwise cost somebody minutes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from filewright.converter.errors import ArchiveBomb, CorruptInput
from filewright.converter.formats.sample import Sample
from filewright.converter.formats.zips import DEFLATED, STORED, Entry, data_offset, entries, find_end

MAX_ENTRIES = 65_535
MAX_DEPTH = 5
"""Archives within archives. Nobody packs deeper by hand; bombs do."""
MAX_RATIO = 150
"""Text packs 10:1, machine-made sheets 50:1; only emptiness packs better than this."""
_RATIO_MATTERS_FROM = 64 << 20
_LIE_MATTERS_FROM = 1 << 20
_STREAMED_BYTES = 8 << 20
"""How much is really unpacked to see whether declared sizes are true, all members together."""
_NESTED_BYTES = 2 << 20
_LOCAL_HEADER = 30
_ARCHIVE_NAMES = (".zip", ".jar", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".gz")


@dataclass
class _Budget:
    streamed: int = _STREAMED_BYTES
    seen: dict[tuple[int, int], int] = field(default_factory=dict)
    """Unpacked size of nested archives by (CRC, size): copies of one are looked into once."""


def check_zip(sample: Sample, *, max_unpacked: int) -> None:
    """Raise ArchiveBomb for what would explode, CorruptInput for members that are not all there."""
    end = find_end(sample)
    if end is None:
        raise CorruptInput("The file ends too early: its table of contents is missing. Make or download it again.")
    if end.count > MAX_ENTRIES:
        raise _bomb(f"it says that it holds {end.count:,} files; {MAX_ENTRIES:,} are allowed")
    members: list[Entry] = []
    total = 0
    for entry in entries(sample, end):
        if members and members[-1].offset <= entry.offset < members[-1].offset + members[-1].packed + _LOCAL_HEADER:
            raise _bomb("its members share the same bytes")
        members.append(entry)
        total += entry.unpacked
        if len(members) > MAX_ENTRIES:
            raise _bomb(f"it holds more than {MAX_ENTRIES:,} files")
        if total > max_unpacked:
            raise _bomb(f"it would unpack to more than {_size(max_unpacked)}")
    if total > _RATIO_MATTERS_FROM and total > MAX_RATIO * sample.size:
        raise _bomb(f"it would unpack to {_size(total)}, {total // max(1, sample.size):,} times its size")
    if len(members) != end.count & 0xFFFF and len(members) != end.count:
        raise CorruptInput("The table of contents of the file is damaged. Make or download it again.")
    _check_overlap(members, sample.size)
    budget = _Budget()
    unpacked = total + _nested(sample, members, budget, depth=1)
    if unpacked > max_unpacked:
        raise _bomb(f"with the archives inside it would unpack to {_size(unpacked)}")
    _check_honesty(sample, members, budget)


def _check_overlap(members: Sequence[Entry], size: int) -> None:
    """Members that share bytes: one kernel of data counted many times, the densest bombs there are."""
    places = sorted((entry.offset, entry.offset + _LOCAL_HEADER + entry.packed) for entry in members)
    before = 0
    for start, end in places:
        if start < before:
            raise _bomb("its members share the same bytes")
        if end > size:
            raise CorruptInput("The file ends too early: some of its members are missing. Make or download it again.")
        before = end


def _check_honesty(sample: Sample, members: Sequence[Entry], budget: _Budget) -> None:
    """Unpack the most packed members, as far as the budget goes, and see whether they end where they say."""
    suspects = sorted((entry for entry in members if not entry.encrypted), key=lambda entry: -entry.packed)
    for entry in suspects[:64]:
        if entry.method == STORED and entry.packed != entry.unpacked:
            raise CorruptInput("A member of the file has two different sizes. Make or download it again.")
        if entry.method == DEFLATED and entry.packed > entry.unpacked + entry.unpacked // 100 + 1024:
            raise CorruptInput("A member of the file is longer than it declares. Make or download it again.")
        if entry.method != DEFLATED or entry.unpacked > budget.streamed:
            continue
        excess = _excess(sample, entry, budget)
        if excess > _LIE_MATTERS_FROM:
            raise _bomb("a member unpacks to more than it declares")
        if excess:
            raise CorruptInput("A member of the file is longer than it declares. Make or download it again.")


def _excess(sample: Sample, entry: Entry, budget: _Budget) -> int:
    """Bytes beyond the declared size, looking a little further than where a lie starts to matter."""
    start = data_offset(sample, entry)
    if start is None:
        raise CorruptInput("A member of the file is not where it should be. Make or download it again.")
    ceiling = entry.unpacked + _LIE_MATTERS_FROM + 1
    try:
        produced = len(zlib.decompressobj(-15).decompress(sample.read(start, entry.packed), ceiling))
    except zlib.error:
        return 0  # damaged: whoever needs this member says so
    budget.streamed -= produced
    return max(0, produced - entry.unpacked)


def _nested(sample: Sample, members: Sequence[Entry], budget: _Budget, depth: int) -> int:
    """What archives inside would unpack to. Looks into small ones only; a big one is as big as it is."""
    total = 0
    for entry in members:
        if entry.name.lower().endswith(_ARCHIVE_NAMES) and 0 < entry.unpacked <= _NESTED_BYTES and not entry.encrypted:
            total += _unpacked_within(sample, entry, budget, depth)
    return total


def _unpacked_within(sample: Sample, entry: Entry, budget: _Budget, depth: int) -> int:
    key = (entry.crc, entry.unpacked)
    if key not in budget.seen:
        if budget.streamed < entry.unpacked:
            return 0
        budget.seen[key] = 0
        data = _member(sample, entry, budget)
        if data.startswith(b"PK"):
            budget.seen[key] = _inside(data, budget, depth)
    return budget.seen[key]


def _inside(data: bytes, budget: _Budget, depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise _bomb(f"it holds archives within archives, more than {MAX_DEPTH} deep")
    inner = _Memory(data)
    end = find_end(inner)
    if end is None:
        return 0
    members = [entry for entry, _ in zip(entries(inner, end), range(4096), strict=False)]
    return sum(entry.unpacked for entry in members) + _nested(inner, members, budget, depth + 1)


def _member(sample: Sample, entry: Entry, budget: _Budget) -> bytes:
    start = data_offset(sample, entry)
    if start is None:
        return b""
    packed = sample.read(start, entry.packed)
    budget.streamed -= entry.unpacked
    if entry.method == STORED:
        return packed
    try:
        return zlib.decompressobj(-15).decompress(packed, _NESTED_BYTES)
    except zlib.error:
        return b""


class _Memory(Sample):
    """A sample of bytes that are at hand."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.head = self.tail = data

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length] if offset >= 0 else b""


def _bomb(reason: str) -> ArchiveBomb:
    return ArchiveBomb(f"The file was refused because {reason}. Send its parts in smaller files.")


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
