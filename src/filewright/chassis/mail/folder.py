"""Letters as files, for a service that has no mail server: one `.eml` each, whole or not at all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from filewright.chassis.mail.port import Letter, MailRefused, MailUnavailable


class FolderMail:
    """The folder is made when there is a first letter; only its owner can read it."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, letter: Letter, message_id: str) -> None:
        """As the port says. The name of the file is the letter's id."""
        try:
            content = letter.as_message(self._sender, message_id).as_bytes()
        except ValueError as error:
            raise MailRefused("the letter is not one") from error
        try:
            await asyncio.to_thread(self._write, f"{message_id}.eml", content)
        except OSError as error:
            raise MailUnavailable(error.strerror) from error

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self._folder / f".{name}"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._folder / name)
