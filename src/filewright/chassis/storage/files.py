"""An object's bytes into a file of the caller's, for engines that want a path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from filewright.chassis.storage.port import ObjectDamaged
from filewright.chassis.storage.threads import in_thread


async def write_new_file(path: Path, chunks: AsyncIterator[bytes], *, sha256: str | None) -> int:
    """Write the chunks to a file that does not exist yet; returns its size. On any failure the file is gone again.

    Not synced: it is a copy, and the object it came from is safe.
    """
    first = await anext(chunks, b"")  # so that a missing object makes no file
    descriptor = await in_thread(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    digest = hashlib.sha256()
    size = 0

    def take(block: bytes) -> None:
        if sha256 is not None:
            digest.update(block)
        write_all(descriptor, block)

    try:
        block = first
        while block:
            await in_thread(take, block)
            size += len(block)
            block = await anext(chunks, b"")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise ObjectDamaged("the object's digest is not the one it was stored with")
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - an instant, and nobody may cancel it
        raise
    finally:
        os.close(descriptor)
    return size


def write_all(descriptor: int, block: bytes) -> None:
    """All of the block, however little the system takes at a time."""
    remaining = memoryview(block)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]
