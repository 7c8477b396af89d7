"""What one tenant uploads twice lies in the store once, for exactly as long as somebody has a right to it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.converter.artifacts.models import ArtifactRow, FileHashRow
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.models import UploadState
from filewright.converter.uploads.repeats import MOST_BYTES
from filewright.converter.uploads.service import Uploads

ME, OTHER = Caller("me", LOCAL), Caller("other", LOCAL)
TIMES = dict.fromkeys(("created_at", "expires_at"), datetime(2026, 1, 1, tzinfo=UTC))


class Room:
    def __init__(self, database, folder):
        (folder / "scratch").mkdir()
        self.database = database
        self.store = LocalStore(folder / "objects")
        self.saved = 0
        ids = RandomIds(SystemClock())
        self.artifacts = Artifacts(database, self.store, ids)
        self.uploads = Uploads(
            database=database,
            store=self.store,
            artifacts=self.artifacts,
            ids=ids,
            scratch=folder / "scratch",
            spared=self._save,
            segment_bytes=4,
        )

    def _save(self, size):
        self.saved += size

    async def put(self, caller, content):
        async def body():
            yield content

        return await self.uploads.receive(caller, "a.txt", body())

    async def append(self, caller, content):
        """As one who announces a file first: its bytes are stored before anybody knows what they are."""

        async def body():
            yield content

        upload = await self.uploads.create(caller, filename="b.txt", length=len(content))
        await self.uploads.append(caller, upload.id, 0, body())
        return (await self.uploads.look(caller, upload.id))[1]

    async def keys(self):
        return sorted([item.key async for item in self.store.list()])

    async def read(self, artifact):
        return b"".join([chunk async for chunk in self.artifacts.read(artifact)])

    async def hashes(self):
        async with self.database.read() as session:
            rows = (await session.scalars(select(FileHashRow))).all()
        return {(row.tenant, row.bytes): row.uses for row in rows}

    async def prune(self):
        while await self.artifacts.prune_once() + await self.uploads.prune_once():
            pass


@pytest.fixture
def room(database, tmp_path):
    return Room(database, tmp_path)


@pytest.mark.requirement("E2", "H6")
async def test_the_same_content_is_stored_once_and_counted_twice(room):
    one, two = await room.put(ME, b"hello"), await room.put(ME, b"hello")
    assert one.artifact.id != two.artifact.id
    assert len(await room.keys()) == 1
    assert await room.hashes() == {("me", 5): 2}
    assert room.saved == 5
    assert await room.read(one.artifact) == await room.read(two.artifact) == b"hello"


async def test_what_is_there_already_is_an_artifact_at_once_and_not_stored_for_a_moment(room, monkeypatch):
    one = await room.put(ME, b"hello")
    monkeypatch.delattr(LocalStore, "put")
    two = await room.put(ME, b"hello")
    found, artifact = await room.uploads.look(ME, two.upload.id)
    assert (found, artifact) == (two.upload, two.artifact)
    assert (found.state, found.length, found.received) == (UploadState.COMPLETE, 5, 5)
    assert replace(artifact, id=one.artifact.id, **TIMES) == replace(one.artifact, **TIMES)
    assert await room.artifacts.is_sound(artifact)


async def test_a_long_file_is_not_held_in_memory_to_find_out(room):
    long = b"x" * (MOST_BYTES + 1)
    for _ in range(2):
        assert await room.read((await room.put(ME, long)).artifact) == long
    assert (await room.hashes(), len(await room.keys())) == ({("me", len(long)): 2}, 1)


@pytest.mark.requirement("S20")
async def test_two_tenants_never_share(room):
    one, other = await room.put(ME, b"hello"), await room.put(OTHER, b"hello")
    assert len(await room.keys()) == 2
    assert await room.hashes() == {("me", 5): 1, ("other", 5): 1}
    await room.artifacts.erase([one.artifact.id])
    assert await room.read(other.artifact) == b"hello"


@pytest.mark.requirement("H6")
@pytest.mark.parametrize("first", [0, 1])
async def test_the_object_goes_with_the_last_who_uses_it(room, first):
    made = [await room.put(ME, b"hello") for _ in range(2)]
    await room.uploads.terminate(ME, made[first].upload.id)
    await room.prune()
    assert await room.hashes() == {("me", 5): 1}
    assert await room.read(made[1 - first].artifact) == b"hello"
    await room.uploads.terminate(ME, made[1 - first].upload.id)
    await room.prune()
    assert (await room.hashes(), await room.keys()) == ({}, [])


async def test_erasing_twice_counts_once(room):
    one, two = await room.put(ME, b"hello"), await room.put(ME, b"hello")
    await room.artifacts.erase([one.artifact.id])
    await room.artifacts.erase([one.artifact.id, one.artifact.id])
    assert await room.read(two.artifact) == b"hello"
    await room.artifacts.erase([two.artifact.id, one.artifact.id])
    assert (await room.hashes(), await room.keys()) == ({}, [])


async def test_all_at_once_erased_leave_nothing(room):
    made = [await room.put(ME, content) for content in (b"one", b"two!", b"one", b"two!", b"one")]
    await room.artifacts.erase([done.artifact.id for done in made])
    assert (await room.hashes(), await room.keys()) == ({}, [])


async def test_a_file_in_segments_is_shared_with_one_in_one_piece(room):
    whole = await room.put(ME, b"0123456789")
    artifact = await room.append(ME, b"0123456789")
    assert artifact.parts == whole.artifact.parts
    assert len(await room.keys()) == 1
    await room.artifacts.erase([whole.artifact.id])
    assert await room.read(artifact) == b"0123456789"


async def test_a_content_whose_object_was_lost_is_healed_by_the_next_upload(room):
    one = await room.put(ME, b"hello")
    await room.store.delete(one.artifact.parts[0].key)
    two = await room.put(ME, b"hello")
    async with room.database.read() as session:
        healed = [await room.artifacts.get(session, "me", done.artifact.id) for done in (one, two)]
    assert [await room.read(artifact) for artifact in healed] == [b"hello", b"hello"]
    assert (await room.hashes(), len(await room.keys())) == ({("me", 5): 2}, 1)
    await room.artifacts.erase([one.artifact.id])
    await room.prune()
    assert await room.read(healed[1]) == b"hello"


@pytest.mark.requirement("F18")
async def test_a_crash_before_the_copy_is_dropped_leaves_it_to_the_pruner(room):
    one = await room.put(ME, b"hello")
    failpoints.arm("uploads.complete.shared=raise:EIO")
    try:
        with pytest.raises(OSError):
            await room.append(ME, b"hello")
    finally:
        failpoints.arm("")
    assert len(await room.keys()) == 1 + 2, "two segments"
    async with room.database.read() as session:
        ids = list(await session.scalars(select(ArtifactRow.id)))
    await room.artifacts.erase([one.artifact.id])
    await room.prune()
    assert await room.hashes() == {("me", 5): 1}
    await room.artifacts.erase(ids)
    await room.prune()
    assert (await room.hashes(), await room.keys()) == ({}, [])


@pytest.mark.requirement("E2", "H6")
@pytest.mark.slow(4)
async def test_uploads_and_deletes_that_race_lose_nothing_and_leave_nothing(room):
    """What can still be read is always whole; when the last is gone, so is every object."""
    chance, contents = random.Random(7), [b"alpha", b"beta", b"gamma!"]
    living: list = []

    async def one():
        for _ in range(8):
            if living and chance.random() < 0.45:
                done, _ = living.pop(chance.randrange(len(living)))
                await room.uploads.terminate(ME, done.upload.id)
            else:
                content = chance.choice(contents)
                living.append((await room.put(ME, content), content))

    await asyncio.gather(*(one() for _ in range(8)))
    await room.prune()
    counted = {("me", len(content)): sum(kept == content for _, kept in living) for content in contents}
    assert await room.hashes() == {key: uses for key, uses in counted.items() if uses}
    for done, content in living:
        async with room.database.read() as session:
            artifact = await room.artifacts.get(session, "me", done.artifact.id)
        assert await room.read(artifact) == content
    assert len(await room.keys()) == sum(uses > 0 for uses in counted.values())
    await room.artifacts.erase([done.artifact.id for done, _ in living])
    await room.prune()
    assert (await room.hashes(), await room.keys()) == ({}, [])
