"""What a letter is, and what whoever carries it promises."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A text to one person. It may hold a secret of theirs: it is never logged."""

    to: str
    subject: str
    text: str

    def as_message(self, sender: str, message_id: str) -> EmailMessage:
        """The letter in the form that mail has. Raises ValueError for an address or subject that breaks its line."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text, cte="8bit" if self.text.isascii() else "quoted-printable")
        return message


class MailError(Exception):
    """A letter was not handed on."""


class MailUnavailable(MailError):
    """Nobody takes letters right now; the same one may go later."""


class MailRefused(MailError):
    """This letter will never go: its address is refused for good."""


class Mail(Protocol):
    """Carries letters. A letter with the same id may be carried twice; its reader's program can tell by the id."""

    async def send(self, letter: Letter, message_id: str) -> None:
        """Hand it on for good. Raises MailUnavailable or MailRefused."""
        ...
