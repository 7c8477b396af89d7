"""Runs in the sandbox: subtitles from one format to another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pysubs2 import SSAEvent, SSAFile

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.captions import ebu_stl, scc, substation, ttml
from filewright.converter.engines.inside.captions.cue import Cue
from filewright.converter.engines.inside.text import decode

_NAMES: Mapping[str, str] = {
    "srt": "srt",
    "vtt": "vtt",
    "ass": "ass",
    "ssa": "ssa",
    "ttml": "ttml",
    "sub": "microdvd",
    "smi": "sami",
}
"""Our formats in the library's words."""
_MAX_CUES = 200_000
_SAYS_ITS_RATE = re.compile(r"\s*\{ *1 *\} *\{ *1 *\} *[1-9]\d*(\.\d+)?\s*$", re.MULTILINE)
"""The first line of a file that counts frames and says how many make a second, which the library then reads."""


def convert(
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    report: Report,
    password: str | None = None,
) -> list[str]:
    """Write `out/output.<ext>`. Refuses what is not subtitles, or holds none."""
    fps = float(options.get("fps", 25))
    file = _read(Path(source).read_bytes(), source_format, fps)
    cues = [event for event in file.events if not event.is_comment]
    if not cues:
        raise Refusal("corrupt_input")
    if len(cues) > _MAX_CUES:
        raise Refusal("resource_limit")
    report(0.5)
    Path(f"out/output.{target}").write_text(_written(file, cues, target, fps), encoding="utf-8", newline="")
    return [f"output.{target}"]


def _read(data: bytes, source_format: str, fps: float) -> SSAFile:
    if source_format == "ebu-stl":
        return _file_of(ebu_stl.read(data))
    text = decode(data)
    if source_format == "scc":
        return _file_of(scc.read(text))
    if source_format == "ttml":
        return _file_of(ttml.read(text))
    if source_format == "vtt" and not text.lstrip("\ufeff").startswith("WEBVTT"):
        raise Refusal("corrupt_input")
    if source_format in {"ass", "ssa"}:
        text = substation.in_usual_order(text, source_format)
    text = text.lstrip("\ufeff")
    rate = None if source_format == "sub" and _SAYS_ITS_RATE.match(text) else fps
    try:
        file = SSAFile.from_string(text, format_=_NAMES[source_format], fps=rate)
    except Exception as error:  # the library's readers fail in many ways over broken files
        raise Refusal("corrupt_input") from error
    if source_format == "smi":
        _end_with_the_next(file)
    return file


def _end_with_the_next(file: SSAFile) -> None:
    """What SAMI shows stands until something else does, if only a blank; the library guesses how long it is read."""
    following = dict(pairwise(sorted({event.start for event in file.events})))
    for event in file.events:
        event.end = following.get(event.start, event.end)
    file.events = [event for event in file.events if event.plaintext.strip()]


def _file_of(cues: Sequence[Cue]) -> SSAFile:
    file = SSAFile()
    for cue in cues:
        event = SSAEvent(start=cue.start, end=cue.end)
        event.plaintext = cue.text
        file.append(event)
    return file


def _written(file: SSAFile, cues: Sequence[SSAEvent], target: str, fps: float) -> str:
    if target == "txt":
        return "\n".join(cue.plaintext for cue in cues) + "\n"
    if target == "json":
        rows = [{"start": cue.start / 1000, "end": cue.end / 1000, "text": cue.plaintext} for cue in cues]
        return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
    written: str = file.to_string(_NAMES[target], fps=fps)
    return written
