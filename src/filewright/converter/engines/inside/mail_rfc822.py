"""Read RFC 5322 messages, mailboxes of them, and web pages saved as MHTML. Runs in the sandbox."""

from __future__ import annotations

import email
import mailbox
from collections.abc import Iterable, Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.mail_message import Attachment, Message
from filewright.converter.engines.inside.text import decode

_MAX_PARTS = 10_000


def read_eml(path: Path) -> list[Message]:
    """The one message of a `.eml` file."""
    return [_message(path.read_bytes())]


def read_mbox(path: Path) -> list[Message]:
    """All messages of a mailbox, in order."""
    box = mailbox.mbox(path, create=False)
    try:
        return [_message(box.get_bytes(key)) for key in box.iterkeys()]
    finally:
        box.close()


def parse(data: bytes) -> EmailMessage:
    """A parsed message, with its parts. Refuses what has no header at all."""
    try:
        parsed = email.message_from_bytes(data, policy=policy.default)
    except RecursionError as error:  # parts within parts, some hundred deep: no mail program writes that
        raise Refusal("corrupt_input") from error
    if not parsed.keys():
        raise Refusal("corrupt_input")
    return parsed


def leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """Every part that holds content, outermost first; a message inside counts as one part."""
    waiting, seen = [message], 0
    while waiting:
        part = waiting.pop(0)
        seen += 1
        if seen > _MAX_PARTS:
            raise Refusal("resource_limit")
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            waiting[:0] = [child for child in part.get_payload() if isinstance(child, EmailMessage)]
        else:
            yield part


def content(part: EmailMessage) -> bytes:
    """The decoded bytes of a part."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], EmailMessage) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def text_of(part: EmailMessage) -> str:
    """The text of a text part, by its declared encoding when that holds, else by guess."""
    data = content(part)
    declared = part.get_content_charset() or "utf-8"
    try:
        return data.decode(declared)
    except (LookupError, UnicodeDecodeError):
        return decode(data) if data else ""


def name_of(part: EmailMessage, number: int) -> str:
    """What the sender called the part."""
    try:
        given = part.get_filename()
    except (ValueError, TypeError, IndexError, AttributeError):
        given = None
    return given or f"part-{number}"


def header(message: EmailMessage, name: str) -> str:
    """A header as text; an unreadable one as it stands."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, TypeError, IndexError, AttributeError, KeyError):
        raw = dict(message.raw_items()).get(name, "")
        return " ".join(str(raw).split())


def _message(data: bytes) -> Message:
    parsed = parse(data)
    texts, pages, attachments = [], [], []
    for number, part in enumerate(leaves(parsed), 1):
        kind = part.get_content_type()
        attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
        if kind == "text/plain" and not attached:
            texts.append(text_of(part))
        elif kind == "text/html" and not attached:
            pages.append(text_of(part))
        else:
            cid = str(part.get("Content-ID", "")).strip("<> ")
            attachments.append(Attachment(name_of(part, number), kind, content(part), cid))
    return Message(
        subject=header(parsed, "Subject"),
        sender=header(parsed, "From"),
        to=header(parsed, "To"),
        cc=header(parsed, "Cc"),
        date=header(parsed, "Date"),
        text="\n".join(texts),
        html=_one(pages),
        attachments=tuple(attachments),
        original=data,
    )


def _one(pages: Iterable[str]) -> str:
    return "\n<hr>\n".join(pages)
