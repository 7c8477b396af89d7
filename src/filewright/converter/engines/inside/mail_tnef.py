"""Read TNEF, the `winmail.dat` of Outlook: a signature, then attributes of level, id, length, data and checksum
([MS-OXTNEF]). Runs in the sandbox.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.mail_message import Attachment, Message
from filewright.converter.engines.inside.text import decode

_SIGNATURE = 0x223E9F78
_FROM, _SUBJECT, _BODY = 0x8000, 0x8004, 0x800C
_ATTACH_BEGIN, _ATTACH_TITLE, _ATTACH_DATA = 0x9002, 0x8010, 0x800F


def read_tnef(path: Path) -> list[Message]:
    """The message of a `winmail.dat`, mostly its attachments."""
    fields: dict[int, bytes] = {}
    attachments: list[dict[int, bytes]] = []
    for name, value in _attributes(path.read_bytes()):
        if name == _ATTACH_BEGIN:
            attachments.append({})
        elif name in {_ATTACH_TITLE, _ATTACH_DATA} and attachments:
            attachments[-1][name] = value
        else:
            fields[name] = value
    return [
        Message(
            subject=_text(fields.get(_SUBJECT, b"")),
            text=_text(fields.get(_BODY, b"")),
            attachments=tuple(_attachment(parts, number) for number, parts in enumerate(attachments, 1)),
        )
    ]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise Refusal("corrupt_input")
    position = 6
    while position + 9 <= len(data):
        _level, name, _kind, length = struct.unpack_from("<BHHI", data, position)
        start, position = position + 9, position + 9 + length + 2
        if start + length > len(data):
            raise Refusal("corrupt_input")
        yield name, data[start : start + length]


def _attachment(parts: dict[int, bytes], number: int) -> Attachment:
    name = _text(parts.get(_ATTACH_TITLE, b"")) or f"part-{number}"
    return Attachment(name, "application/octet-stream", parts.get(_ATTACH_DATA, b""))


def _text(value: bytes) -> str:
    value = value.rstrip(b"\0")
    return decode(value) if value else ""
