"""Commands to Redis over a connection of their own.

The client takes a connection from its pool for each command and gives it back, and packs each argument by itself: that
costs this process several times what is between. Who speaks to Redis all the time keeps a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import NoScriptError

Word = str | bytes | int


class KeptConnection:
    """One of the client's. Who asks meanwhile waits for the answer before. Close it before the client: a command that
    is under way then would take its end for a broken connection and open it again, for nobody to close.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def __call__(self, *command: Word) -> Any:
        """The answer. As with the client, a broken connection is tried once more. Raises RedisError, OSError."""
        packed = pack_command(command)  # type: ignore[arg-type] # its stub means one word
        async with self._turn:
            try:
                return await self._ask(packed)
            except BrokenConnection:
                return await self._ask(packed)

    async def close(self) -> None:
        """Let go of it after the command that is under way; what asks after that fails as if Redis were away."""
        async with self._turn:
            self._closed = True
            if self._connection is not None:
                await self._connection.disconnect()

    async def _ask(self, packed: bytes) -> Any:
        if self._closed:
            raise BrokenConnection("closed by its owner")
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        elif not connection.is_connected:
            await connection.connect()  # type: ignore[no-untyped-call] # sentinels are asked again who the master is
        await connection.send_packed_command(packed)
        return await connection.read_response()


class KeptScript:
    """A script that is run there."""

    def __init__(self, client: Redis, text: str) -> None:
        self._ask = KeptConnection(client)
        self._text = text
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def close(self) -> None:
        """As the connection does."""
        await self._ask.close()

    async def __call__(self, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        """What it gives. Raises as the connection does."""
        given = (len(keys), *keys, *arguments)
        try:
            return await self._ask("EVALSHA", self._digest, *given)
        except NoScriptError:
            return await self._ask("EVAL", self._text, *given)  # from now on it is known there
