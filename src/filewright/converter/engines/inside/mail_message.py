"""What every mail reader gives and every mail writer takes. Runs in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attachment:
    """A part with bytes of its own. `content_id` is set where the HTML body shows it by `cid:`."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True)
class Message:
    """A message as a person sees it; what is not there is empty."""

    subject: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    date: str = ""
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    original: bytes = b""
    """The message in RFC 5322 form, where it came in that form."""
