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
    """One of the client's, which is closed with the client. Who asks meanwhile waits for the answer before."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, *command: Word) -> Any:
        """The answer. As with the client, a broken connection is tried once more. Raises RedisError, OSError."""
        packed = pack_command(command)  # type: ignore[arg-type] # its stub means one word
        async with self._turn:
            try:
                return await self._ask(packed)
            except BrokenConnection:
                return await self._ask(packed)

    async def _ask(self, packed: bytes) -> Any:
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

    async def __call__(self, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        """What it gives. Raises as the connection does."""
        given = (len(keys), *keys, *arguments)
        try:
            return await self._ask("EVALSHA", self._digest, *given)
        except NoScriptError:
            return await self._ask("EVAL", self._text, *given)  # from now on it is known there
