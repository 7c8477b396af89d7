"""Runs in the sandbox: Typst source to PDF."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import typst

from filewright.chassis.sandbox.child import Refusal, Report

_DRAWABLE = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"})


def compile_pdf(source: str, target: str, media: str | None, report: Report) -> None:
    """Typeset `source`. With `media`, pictures come from that folder only, and one that is not there or cannot be drawn
    is left out, as browsers do.
    """
    text = Path(source).read_text(encoding="utf-8")
    attempts = [text] if media is None else [_pictures(_drawable(Path(media))) + text, _pictures(()) + text]
    for attempt in attempts:
        Path(source).write_text(attempt, encoding="utf-8")
        pdf = _compile(source)
        if pdf is not None:
            Path(target).write_bytes(pdf)
            return
    raise Refusal("corrupt_input")


def _compile(source: str) -> bytes | None:
    try:
        made = typst.compile(source, root=".", format="pdf")
    except RuntimeError:
        return None
    return bytes(made)


def _drawable(folder: Path) -> Iterable[str]:
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() in _DRAWABLE]


def _pictures(names: Iterable[str]) -> str:
    """A definition of `image` that draws these files and puts nothing in the place of all others."""
    known = "".join(f"{json.dumps(name, ensure_ascii=False)}, " for name in names)
    return f'#let image(name, ..more) = if name in ({known}) {{ std.image("/" + name, ..more) }}\n'
