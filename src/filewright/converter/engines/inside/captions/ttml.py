"""Timed text (TTML, also as DFXP): XML with times on bodies, divisions, paragraphs and spans.

pysubs2 writes it well and reads only one way of writing times; files in the wild have all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.captions.cue import Cue

_CLOCK = re.compile(r"(\d{1,4}):(\d\d):(\d\d)(?:[.,](\d{1,9})|[:;](\d{1,3})(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d{1,12}(?:[.,]\d{1,9})?)(h|ms|m|s|f|t)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_TIMED = frozenset({"p", "span"})


@dataclass(frozen=True)
class _Rates:
    """How many frames and ticks make a second."""

    frames: float
    ticks: float


def read(text: str) -> list[Cue]:
    """All captions in order of time. Refuses what is not timed text, or has no caption."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", text).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise Refusal("corrupt_input") from error
    if _name(root) != "tt":
        raise Refusal("corrupt_input")
    rates = _rates({etree.QName(key).localname: str(value) for key, value in root.attrib.items()})
    cues = [cue for body in root if _name(body) == "body" for cue in _cues(body, 0, None, rates)]
    return sorted(cues, key=lambda cue: cue.start)


def _cues(element: etree._Element, start: int, end: int | None, rates: _Rates) -> Iterator[Cue]:
    begin, until = _interval(element, start, end, rates)
    if _name(element) == "p" and not any(_has_time(child) for child in element.iter() if child is not element):
        text = _text(element)
        if text and until is not None:
            yield Cue(begin, until, text)
        return
    if _name(element) == "span" and _has_time(element):
        text = _text(element)
        if text and until is not None:
            yield Cue(begin, until, text)
        return
    for child in element:
        if isinstance(child.tag, str):
            yield from _cues(child, begin, until, rates)


def _interval(element: etree._Element, start: int, end: int | None, rates: _Rates) -> tuple[int, int | None]:
    """When the element is shown; its times count from its parent's beginning."""
    begin = start + (_milliseconds(element.get("begin"), rates) or 0)
    until, lasting = _milliseconds(element.get("end"), rates), _milliseconds(element.get("dur"), rates)
    if until is not None:
        return begin, start + until
    return begin, begin + lasting if lasting is not None else end


def _milliseconds(expression: str | None, rates: _Rates) -> int | None:
    if expression is None:
        return None
    found = _CLOCK.fullmatch(expression.strip())
    if found:
        hours, minutes, seconds, fraction, frames = found.groups()
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
        rest = float(f"0.{fraction}") if fraction else int(frames or 0) / rates.frames
        return round((whole + rest) * 1000)
    found = _OFFSET.fullmatch(expression.strip())
    if not found:
        raise Refusal("corrupt_input")
    number, unit = float(found[1].replace(",", ".")), found[2]
    per = {"f": 1 / rates.frames, "t": 1 / rates.ticks}
    return round(number * {**_SECONDS, **per}[unit] * 1000)


def _rates(attributes: Mapping[str, str]) -> _Rates:
    frames = _number(attributes.get("frameRate"), 30.0)
    multiplier = attributes.get("frameRateMultiplier", "1 1").replace(":", " ").split()
    if len(multiplier) == 2:
        frames *= _number(multiplier[0], 1.0) / _number(multiplier[1], 1.0)
    return _Rates(frames, _number(attributes.get("tickRate"), frames))


def _number(text: str | None, otherwise: float) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return otherwise
    return number if 0 < number < 1e12 else otherwise


def _text(element: etree._Element) -> str:
    """Line ends in the file are spaces; `<br/>` is a line end."""
    parts = [_flat(element.text)]
    for child in element:
        if isinstance(child.tag, str):
            parts.append("\n" if _name(child) == "br" else _text(child) if _name(child) in _TIMED else "")
        parts.append(_flat(child.tail))
    lines = [" ".join(line.split()) for line in "".join(parts).split("\n")]
    return "\n".join(line for line in lines if line)


def _flat(text: str | None) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text or "")


def _has_time(element: etree._Element) -> bool:
    return element.get("begin") is not None


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
