"""Bring a text in any encoding to UTF-8 before an engine reads it."""

from __future__ import annotations

from pathlib import Path

from filewright.converter.engines.port import Work

_LOOK_AT = 64 << 20


async def as_utf8(work: Work) -> Path:
    """The source itself when it is UTF-8 without a byte order mark, else a copy in `tmp/` that is.

    The check is a strict decode, which is safe on any bytes; guessing an encoding happens in the sandbox.
    """
    if _is_plain_utf8(work.source):
        return work.source
    copy = work.workspace / "tmp" / f"utf8{work.source.suffix}"
    await work.python(
        "filewright.converter.engines.inside.text:to_utf8",
        warm=("filewright.converter.engines.inside.text",),
        source=work.inside(work.source),
        target=work.inside(copy),
    )
    return copy


def _is_plain_utf8(path: Path) -> bool:
    if path.stat().st_size > _LOOK_AT:
        return False
    data = path.read_bytes()
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
