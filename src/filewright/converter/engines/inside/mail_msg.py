"""Read Outlook's MSG: a compound file with one stream per MAPI property ([MS-OXMSG]). Runs in the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import olefile

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.mail_message import Attachment, Message
from filewright.converter.engines.inside.text import decode

_SUBJECT, _SENDER_NAME, _SENDER_ADDRESS, _SMTP_ADDRESS = "0037", "0C1A", "0C1F", "5D01"
_TO, _CC, _BODY, _HTML = "0E04", "0E03", "1000", "1013"
_DATA, _LONG_NAME, _SHORT_NAME, _MEDIA_TYPE, _CONTENT_ID = "3701", "3707", "3704", "370E", "3712"
_SUBMIT_TIME, _DELIVERY_TIME = 0x0039, 0x0E06
_MAX_PART = 256 << 20
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def read_msg(path: Path) -> list[Message]:
    """The message of a `.msg` file."""
    try:
        with olefile.OleFileIO(str(path)) as compound:
            return [_message(_Properties(compound, ()))]
    except (OSError, ValueError, IndexError, RecursionError) as error:
        raise Refusal("corrupt_input") from error


class _Properties:
    """The properties below one storage of the compound file."""

    def __init__(self, compound: olefile.OleFileIO, storage: tuple[str, ...]) -> None:
        self._compound = compound
        self._storage = storage

    def raw(self, tag: str, kind: str) -> bytes:
        """The bytes of a property, empty when there is none."""
        name = [*self._storage, f"__substg1.0_{tag}{kind}"]
        if not self._compound.exists(name) or self._compound.get_size(name) > _MAX_PART:
            return b""
        data: bytes = self._compound.openstream(name).read()
        return data

    def text(self, tag: str) -> str:
        """A text property, whichever of the two kinds it is stored as."""
        wide = self.raw(tag, "001F")
        if wide:
            return wide.decode("utf-16-le", errors="replace").rstrip("\0")
        narrow = self.raw(tag, "001E").rstrip(b"\0")
        return decode(narrow) if narrow else ""

    def moment(self) -> str:
        """When it was sent, from the fixed-size properties: 16-byte rows of type, tag, flags and value."""
        name = [*self._storage, "__properties_version1.0"]
        table: bytes = self._compound.openstream(name).read() if self._compound.exists(name) else b""
        for start in range(32, len(table) - 15, 16):
            tag = int.from_bytes(table[start + 2 : start + 4], "little")
            if tag in {_SUBMIT_TIME, _DELIVERY_TIME}:
                ticks = int.from_bytes(table[start + 8 : start + 16], "little")
                return _rfc5322(ticks)
        return ""

    def below(self, prefix: str) -> list[_Properties]:
        """The storages of attachments or recipients, in order."""
        depth = len(self._storage)
        names = {
            entry[depth]
            for entry in self._compound.listdir(streams=False, storages=True)
            if len(entry) == depth + 1 and tuple(entry[:depth]) == self._storage and entry[depth].startswith(prefix)
        }
        return [_Properties(self._compound, (*self._storage, name)) for name in sorted(names)]


def _rfc5322(ticks: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=ticks // 10)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    except OverflowError:
        return ""


def _message(properties: _Properties) -> Message:
    name = properties.text(_SENDER_NAME)
    address = properties.text(_SMTP_ADDRESS) or properties.text(_SENDER_ADDRESS)
    page = properties.raw(_HTML, "0102")
    return Message(
        subject=properties.text(_SUBJECT),
        sender=f"{name} <{address}>" if "@" in address and name != address else name or address,
        to=properties.text(_TO),
        cc=properties.text(_CC),
        date=properties.moment(),
        text=properties.text(_BODY),
        html=decode(page) if page else properties.text(_HTML),
        attachments=tuple(
            _attachment(part, number) for number, part in enumerate(properties.below("__attach_version1.0_"), 1)
        ),
    )


def _attachment(properties: _Properties, number: int) -> Attachment:
    return Attachment(
        name=properties.text(_LONG_NAME) or properties.text(_SHORT_NAME) or f"part-{number}",
        media_type=properties.text(_MEDIA_TYPE) or "application/octet-stream",
        content=properties.raw(_DATA, "0102"),
        content_id=properties.text(_CONTENT_ID),
    )
