"""Calendars (RFC 5545) and contacts (RFC 6350, and vCard 2.1 and 3.0): components of content lines.

    {"component": "VEVENT", "summary": "Lunch", "dtstart": "2026-11-22T12:00:00Z", "components": [...]}

A property's value is text; one that repeats is a list. Parameters are left out, except the type of an address,
telephone or e-mail, which stays in the key: `tel_home`.
"""

from __future__ import annotations

import quopri
import re
from typing import Any

from filewright.chassis.sandbox.child import Refusal

_LINE = re.compile(r'^(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;(?:[^":;]|"[^"]*")*)*):(?P<value>.*)$', re.DOTALL)
_PARAMETER = re.compile(r';([\w-]+)(?:=((?:"[^"]*"|[^";])*))?')
_FOLD = re.compile(r"\r?\n[ \t]")
_QUOTED = "QUOTED-PRINTABLE"
_TIME = re.compile(r"^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$")
_TYPED = {"tel", "email", "adr", "url", "impp"}
_KINDS = {"home", "work", "cell", "fax", "pager", "mobile", "other"}
_STRUCTURED = {"n", "adr", "org"}
_MAX_DEPTH = 32


def parse(text: str) -> list[dict[str, Any]]:
    """The components at the top: calendars or cards. Without any, or with one left open, the file is damaged."""
    top: dict[str, Any] = {"components": []}
    stack = [top]
    for line in _content_lines(text):
        found = _LINE.match(line)
        if found is None:
            continue
        name, value = found["name"].lower(), found["value"]
        if name == "begin":
            component: dict[str, Any] = {"component": value.strip().upper(), "components": []}
            stack[-1]["components"].append(component)
            stack.append(component)
        elif name == "end":
            stack.pop()
        else:
            _add(stack[-1], *_property(name, found["parameters"], value))
        if not 1 <= len(stack) <= _MAX_DEPTH:
            raise Refusal("corrupt_input")
    if len(stack) != 1 or not top["components"]:
        raise Refusal("corrupt_input")
    return [_tidy(component) for component in top["components"]]


def rows(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a table of them has a row for: events, to-dos and journal entries, or cards."""
    entries = [part for component in components for part in component.get("components", []) if _is_entry(part)]
    cards = [component for component in components if component["component"] == "VCARD"]
    return [
        {key: value for key, value in entry.items() if key not in {"components", "component"}}
        for entry in entries or cards
    ]


def _is_entry(component: dict[str, Any]) -> bool:
    return component["component"] in {"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"}


def _content_lines(text: str) -> list[str]:
    """Unfolded; a quoted-printable line that ends in `=` goes on in the next one, however many those are."""
    lines: list[str] = []
    pieces: list[str] = []
    for line in re.split(r"\r?\n|\r", _FOLD.sub("", text)):
        goes_on = line.endswith("=") and (bool(pieces) or _QUOTED in line.upper())
        pieces.append(line[:-1] if goes_on else line)
        if not goes_on:
            lines.append("".join(pieces))
            pieces = []
    lines.append("".join(pieces))
    return [line for line in lines if line.strip()]


def _property(name: str, parameters: str, value: str) -> tuple[str, str]:
    given = {key.upper(): (word or "").strip('"') for key, word in _PARAMETER.findall(parameters)}
    if given.get("ENCODING", "").upper() == _QUOTED or _QUOTED in given:
        value = quopri.decodestring(value.encode()).decode(_charset(given), "replace")
    kinds = [kind for kind in _kinds(given) if kind in _KINDS] if name in _TYPED else []
    return "_".join([name, *kinds[:1]]), _plain(name, value)


def _charset(given: dict[str, str]) -> str:
    named = given.get("CHARSET", "utf-8").lower()
    return (
        named
        if re.fullmatch(r"(utf-8|iso-8859-\d+|windows-125\d|shift_jis|gb2312|gbk|big5|euc-kr)", named)
        else "utf-8"
    )


def _kinds(given: dict[str, str]) -> list[str]:
    return [word.lower() for word in [*given.get("TYPE", "").split(","), *given]]


def _plain(name: str, value: str) -> str:
    """Escapes undone; the parts of a structured value joined; a date or time in ISO 8601."""
    if name in _STRUCTURED:
        parts = [_unescaped(part).strip() for part in re.split(r"(?<!\\);", value)]
        return (" " if name == "n" else ", ").join(part for part in parts if part)
    found = _TIME.match(value.strip())
    if found is None:
        return _unescaped(value)
    year, month, day, hour, minute, second, utc = found.groups()
    return f"{year}-{month}-{day}" + (f"T{hour}:{minute}:{second}{utc}" if hour else "")


def _unescaped(value: str) -> str:
    return re.sub(r"\\([nN,;:\\])", lambda found: "\n" if found[1] in "nN" else found[1], value)


def _add(component: dict[str, Any], name: str, value: str) -> None:
    before = component.get(name)
    if before is None:
        component[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        component[name] = [before, value]


def _tidy(component: dict[str, Any]) -> dict[str, Any]:
    inner = [_tidy(part) for part in component["components"]]
    rest = {key: value for key, value in component.items() if key != "components"}
    return {**rest, "components": inner} if inner else rest
