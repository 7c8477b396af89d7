"""Waking up whoever waits for news, without holding the news.

A notification says "look again", never what changed: the database has that. It may come twice or too often, and a
process that dies takes its notifications with it, so a waiter always looks again after its timeout as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Hear = Callable[[str | None], None]
"""Is told the topic; None when announcements may have been missed, so that any topic may have been among them."""


class Listener(Protocol):
    """Hears everything announced on its topic since it was opened."""

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109
        """True as soon as the topic was announced after the last `wait` began to return (or since opening).

        An announcement between two waits makes the second return at once: look first, then wait, and nothing is
        missed. Several announcements in a row count as one. False after `timeout` seconds without any.
        """
        ...


class Notifier(Protocol):
    """Announces topics to every listener, in this process or in all of them, as the adapter can."""

    async def notify(self, topic: str) -> None:
        """Wake all who listen to the topic. Never blocks on a slow listener and never fails for want of one."""
        ...

    def listen(self, topic: str) -> AbstractAsyncContextManager[Listener]:
        """Open a listener; it hears everything announced from the moment the block is entered."""
        ...

    def follow(self, family: str, hear: Hear) -> AbstractAsyncContextManager[None]:
        """While in the block, call `hear` with each topic announced that is `family:` and anything.

        For those who care about more topics than they could listen to one by one. `hear` is called on the event loop
        and must be quick; what it raises is logged and lost.
        """
        ...

    def listened(self, family: str) -> Collection[str]:
        """The topics `family:` and anything to which somebody in this process listens."""
        ...

    def wake(self, topic: str) -> bool:
        """Wake those in this process who listen to the topic, and nobody else; whether there was one."""
        ...

    async def wait(self, topic: str, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait once, for what is announced from now on. Who has to look before waiting uses `listen`."""
        ...

    async def close(self) -> None:
        """Wake everybody and let go of connections."""
        ...
