"""Letters by SMTP: one connection each, encrypted unless the server is on this machine.

The standard library's client does the talking, in a thread: letters are rare and nobody waits for one.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl

from filewright.chassis.mail.port import Letter, MailRefused, MailUnavailable
from filewright.chassis.mail.smtp_address import SmtpServer

SECONDS = 20.0


class SmtpMail:
    """Hands letters to one server, which is believed about whom it refuses."""

    def __init__(self, server: SmtpServer, sender: str, *, trust: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._sender = sender
        self._trust = trust or ssl.create_default_context()

    async def send(self, letter: Letter, message_id: str) -> None:
        """As the port says."""
        await asyncio.to_thread(self._send, letter, message_id)

    def _send(self, letter: Letter, message_id: str) -> None:
        try:
            message = letter.as_message(self._sender, message_id)
        except ValueError as error:
            raise MailRefused("the letter is not one") from error
        try:
            with self._connected() as connection:
                if self._server.user is not None and self._server.password is not None:
                    connection.login(self._server.user, self._server.password)
                connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise (MailRefused if all(code >= 500 for code in codes) else MailUnavailable)(
                f"refused: {codes}"
            ) from None
        except smtplib.SMTPDataError as error:
            raise (MailRefused if error.smtp_code >= 500 else MailUnavailable)(f"refused: {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise MailUnavailable(type(error).__name__) from error

    def _connected(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        if self._server.encryption == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=self._trust)
        connection = smtplib.SMTP(host, port, timeout=SECONDS)
        try:
            if self._server.encryption == "starttls":
                connection.starttls(context=self._trust)
        except BaseException:
            connection.close()
            raise
        return connection
