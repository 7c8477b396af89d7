"""What clients were told, in order: one side of the account that the judge compares with what is on disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Accepted:
    """A 202 was seen for this key. `good`: the file can be converted."""

    key: str
    job: str
    good: bool


@dataclass(frozen=True)
class Seen:
    """A client looked at a job."""

    job: str
    status: str
    progress: int


@dataclass(frozen=True)
class Fetched:
    """A client read the whole result, and it hashed to this."""

    job: str
    sha256: str


@dataclass(frozen=True)
class CancelAsked:
    """A client wanted the job to stop; whether it did is for the job to say."""

    job: str


@dataclass(frozen=True)
class Deleted:
    """A 204 was seen."""

    job: str


@dataclass(frozen=True)
class Refused:
    """An answer that told the client to try again, or worse."""

    request: str
    status: int
    code: str


@dataclass(frozen=True)
class Unknown:
    """No answer came; whether it was done, nobody told."""

    request: str


Entry = Accepted | Seen | Fetched | CancelAsked | Deleted | Refused | Unknown


@dataclass
class Journal:
    """Written by many threads; what one client writes stays in its order."""

    entries: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)

    def all(self, kind: type[T]) -> list[T]:
        with self._lock:
            return [entry for entry in self.entries if isinstance(entry, kind)]
