"""What came of one source, and of all of them, in the shape of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filewright.converter.commands.exits import Exit


@dataclass(frozen=True)
class Output:
    """One file that is there now."""

    path: str
    media_type: str
    bytes: int
    sha256: str
    facts: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "media_type": self.media_type, "bytes": self.bytes, "sha256": self.sha256} | dict(
            self.facts
        )


@dataclass(frozen=True)
class Result:
    """What came of one source."""

    source: str
    exit_code: int = Exit.DONE
    code: str | None = None
    detail: str | None = None
    route: Sequence[Mapping[str, Any]] = ()
    outputs: Sequence[Output] = ()
    seconds: float = 0.0
    fidelity: Mapping[str, Any] | None = None
    """How true the output is to the source, where that was measured."""

    def as_json(self) -> dict[str, Any]:
        """The object of the contract; `code` and `detail` only when it failed."""
        shown: dict[str, Any] = {"status": "succeeded" if self.code is None else "failed"}
        if self.code is not None:
            shown |= {"code": self.code, "detail": self.detail}
        shown["route"] = list(self.route)
        shown["outputs"] = [output.as_json() for output in self.outputs]
        if self.fidelity is not None:
            shown["fidelity"] = dict(self.fidelity)
        return {**shown, "seconds": round(self.seconds, 3), "source": self.source}


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """One object for all sources: a single one as it is, several with the worst failure and each in `results`."""
    if len(results) == 1:
        return results[0].as_json()
    worst = max(results, key=lambda result: result.exit_code)
    shown = worst.as_json()
    shown["outputs"] = [output.as_json() for result in results for output in result.outputs]
    shown["seconds"] = round(sum(result.seconds for result in results), 3)
    shown.pop("source")
    shown.pop("fidelity", None)
    shown["results"] = [result.as_json() for result in results]
    return shown
