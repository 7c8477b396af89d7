"""What a request header asks for: `Prefer` (RFC 7240), conditions on entity tags and content codings (RFC 9110)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?", re.IGNORECASE)
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0*)?\s*$", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True)
class Preference:
    """`Prefer: wait=N` and `respond-async`. A preference that makes no sense is no preference (RFC 7240, 2)."""

    wait: float | None
    respond_async: bool


def preference(request: Request) -> Preference:
    """What all `Prefer` headers together say; the first `wait` counts."""
    said = [item.strip() for value in request.headers.getlist("prefer") for item in value.split(",")]
    waits = [float(match[1]) for item in said if (match := _WAIT.fullmatch(item.partition(";")[0].strip()))]
    return Preference(
        wait=waits[0] if waits else None,
        respond_async=any(item.partition(";")[0].strip().lower() == "respond-async" for item in said),
    )


def accepts_gzip(header: str | None) -> bool:
    """Whether an `Accept-Encoding` list takes gzip."""
    return accepts_coding(header, "gzip")


def accepts_coding(header: str | None, wanted: str) -> bool:
    """Whether an `Accept-Encoding` list takes this content coding."""
    weights = {}
    for item in (header or "").split(","):
        coding, _, parameters = item.partition(";")
        weights[coding.strip().lower()] = _NO_WEIGHT.search(parameters) is None
    return weights.get(wanted, weights.get("*", False))


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` list names this tag, by weak comparison; `*` names any."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return opaque(etag) in {match[1] for match in _TAG.finditer(header)}


def opaque(etag: str) -> str:
    """The tag without quotes and weakness."""
    return etag.removeprefix("W/").strip('"')
