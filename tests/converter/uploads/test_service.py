"""Uploads and artifacts below HTTP: what is kept, what is cleared away, and what a killed process leaves."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import update

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.base import Base
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.web.problems import Conflict, InvalidRequest, NotFound
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.errors import Expired, TooLarge
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.models import UploadRow, UploadState
from filewright.converter.uploads.service import Uploads

ME, OTHER = Caller("me", LOCAL), Caller("other", LOCAL)


class Room:
    def __init__(self, folder):
        clock = SystemClock()
        (folder / "scratch").mkdir()
        self.database = Database(f"sqlite:///{folder / 'state.db'}")
        self.store = LocalStore(folder / "objects")
        ids = RandomIds(clock)
        self.artifacts = Artifacts(self.database, self.store, ids)
        self.uploads = Uploads(
            database=self.database,
            store=self.store,
            artifacts=self.artifacts,
            ids=ids,
            scratch=folder / "scratch",
            segment_bytes=4,
        )

    async def keys(self):
        return sorted([item.key async for item in self.store.list()])

    async def age(self, row, **values):
        async with self.database.write() as session:
            await session.execute(update(row).values(values))

    async def past(self):
        async with self.database.read() as session:
            return await self.database.now(session) - timedelta(days=2)

    async def read(self, artifact, start=0, end=None):
        return b"".join([chunk async for chunk in self.artifacts.read(artifact, start, end)])


@pytest.fixture
async def room(tmp_path):
    made = Room(tmp_path)
    async with made.database._writer.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.database.close()


async def pieces(*parts):
    for part in parts:
        yield part


async def breaking(*parts):
    for part in parts:
        yield part
    raise OSError("the line went dead")


async def test_a_file_received_at_once_is_an_artifact(room, tmp_path):
    done = await room.uploads.receive(ME, "a.txt", pieces(b"hel", b"lo"))
    assert (done.artifact.bytes, done.artifact.format) == (5, "txt")
    assert await room.read(done.artifact) == b"hello"
    await room.artifacts.fetch(done.artifact, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"hello"


async def test_a_long_body_is_stored_in_segments_and_read_as_one(room, tmp_path):
    upload = await room.uploads.create(ME, filename="a.txt", length=10)
    done = await room.uploads.append(ME, upload.id, 0, pieces(b"0123456789"))
    assert done.state is UploadState.COMPLETE
    assert [part.bytes for part in done.parts] == [4, 4, 2]
    _, artifact = await room.uploads.look(ME, upload.id)
    for start in range(11):
        for end in range(start, 11):
            assert await room.read(artifact, start, end) == b"0123456789"[start:end]
    await room.artifacts.fetch(artifact, tmp_path / "copy")
    assert hashlib.sha256((tmp_path / "copy").read_bytes()).hexdigest() == artifact.sha256


@pytest.mark.requirement("F24")
async def test_whole_segments_before_a_failure_are_kept(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=10)
    with pytest.raises(OSError, match="dead"):
        await room.uploads.append(ME, upload.id, 0, breaking(b"012345"))
    assert (await room.uploads.get(ME, upload.id)).received == 4
    done = await room.uploads.append(ME, upload.id, 4, pieces(b"456789"))
    assert done.state is UploadState.COMPLETE


@pytest.mark.requirement("S15")
async def test_a_file_over_the_limit_leaves_nothing(room):
    small = Caller("me", LOCAL.__class__(**{**LOCAL.__dict__, "max_input_bytes": 8}))
    with pytest.raises(TooLarge):
        await room.uploads.receive(small, "a.txt", pieces(b"0123", b"4567", b"8"))
    assert await room.keys() == []


async def test_a_body_that_fails_leaves_nothing(room):
    with pytest.raises(OSError, match="dead"):
        await room.uploads.receive(ME, "a.txt", breaking(b"0123"))
    assert await room.keys() == []


@pytest.mark.requirement("S2")
async def test_another_tenant_sees_nothing(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=4)
    for attempt in (
        room.uploads.get(OTHER, upload.id),
        room.uploads.append(OTHER, upload.id, 0, pieces(b"x")),
        room.uploads.replace(OTHER, upload.id, pieces(b"xxxx")),
        room.uploads.complete(OTHER, upload.id),
        room.uploads.terminate(OTHER, upload.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    async with room.database.read() as session:
        assert await room.uploads.artifact_of_upload(session, "other", upload.id) is None


async def test_an_upload_past_its_time_is_refused_and_then_cleared_away(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=10)
    await room.uploads.append(ME, upload.id, 0, pieces(b"0123"))
    assert await room.uploads.prune_once() == 0
    await room.age(UploadRow, expires_at=await room.past())
    with pytest.raises(Expired):
        await room.uploads.append(ME, upload.id, 4, pieces(b"456789"))
    assert await room.uploads.prune_once() == 1
    assert await room.keys() == []
    with pytest.raises(NotFound):
        await room.uploads.get(ME, upload.id)


async def test_an_artifact_past_its_time_is_cleared_away(room):
    done = await room.uploads.receive(ME, "a.txt", pieces(b"hello"))
    assert await room.artifacts.prune_once() == 0
    await room.age(ArtifactRow, expires_at=await room.past())
    assert await room.artifacts.prune_once() == 1
    assert await room.keys() == []
    with pytest.raises(Expired):
        await room.uploads.look(ME, done.upload.id)
    assert await room.artifacts.prune_once() == 0


@pytest.mark.requirement("F4")
async def test_an_erase_that_was_cut_off_is_finished_by_the_pruner(room):
    done = await room.uploads.receive(ME, "a.txt", pieces(b"hello"))
    failpoints.arm("artifacts.erase.marked=raise:EIO")
    try:
        with pytest.raises(OSError):
            await room.artifacts.erase([done.artifact.id])
    finally:
        failpoints.arm("")
    assert len(await room.keys()) == 1
    assert await room.artifacts.prune_once() == 1
    assert await room.keys() == []


@pytest.mark.requirement("F1")
@pytest.mark.parametrize("point", ["uploads.create.committed", "uploads.segment.stored", "uploads.complete.before"])
async def test_what_a_dead_process_stored_is_found_from_the_row(room, point):
    """The failpoint stands for the death; nothing after it runs."""
    failpoints.arm(f"{point}=raise:EIO")
    try:
        with pytest.raises(OSError):
            upload = await room.uploads.create(ME, filename="a.txt", length=4)
            await room.uploads.append(ME, upload.id, 0, pieces(b"0123"))
    finally:
        failpoints.arm("")
    await room.age(UploadRow, expires_at=await room.past())
    assert await room.uploads.prune_once() == 1
    assert await room.keys() == []


async def test_a_digest_that_does_not_match_keeps_the_upload_open(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=4)
    await room.uploads.replace(ME, upload.id, pieces(b"0123"))
    with pytest.raises(InvalidRequest):
        await room.uploads.complete(ME, upload.id, "0" * 64)
    done = await room.uploads.complete(ME, upload.id, hashlib.sha256(b"0123").hexdigest().upper())
    assert done.upload.state is UploadState.COMPLETE
    with pytest.raises(Conflict):
        await room.uploads.replace(ME, upload.id, pieces(b"abcd"))


async def test_two_who_complete_an_upload_at_once_get_the_same_file(room, monkeypatch):
    """As a client does that lost the answer to its first request, which is still at work."""
    upload = await room.uploads.create(ME, filename="a.txt", length=4)
    await room.uploads.replace(ME, upload.id, pieces(b"0123"))
    completing = room.uploads._completing
    examine, faster = completing._examine, []

    async def overtaken(*arguments):
        seen = await examine(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(completing, "_examine", examine)
            faster.append(await room.uploads.complete(ME, upload.id))
        return seen

    monkeypatch.setattr(completing, "_examine", overtaken)
    done = await room.uploads.complete(ME, upload.id)
    assert done == faster[0]
    assert await room.read(done.artifact) == b"0123"


@pytest.mark.requirement("F1")
@pytest.mark.parametrize(("slow", "ends_well"), [(b"0123", True), (b"abcd", False)], ids=["same", "other"])
async def test_a_client_that_sends_all_again_while_its_first_request_still_runs_is_served(room, slow, ends_well):
    upload = await room.uploads.create(ME, filename="a.txt", length=4)

    async def overtaken():
        yield slow[:2]
        await room.uploads.replace(ME, upload.id, pieces(b"0123"))
        yield slow[2:]

    if ends_well:
        assert (await room.uploads.replace(ME, upload.id, overtaken())).received == 4
    else:
        with pytest.raises(Conflict):
            await room.uploads.replace(ME, upload.id, overtaken())
    assert len(await room.keys()) == 1
    done = await room.uploads.complete(ME, upload.id)
    assert await room.read(done.artifact) == b"0123"


async def test_sending_again_replaces_what_was_sent(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=4)
    for data in (b"0123", b"abcd"):
        await room.uploads.replace(ME, upload.id, pieces(data))
    assert len(await room.keys()) == 1
    done = await room.uploads.complete(ME, upload.id)
    assert await room.read(done.artifact) == b"abcd"


async def test_a_terminated_upload_spares_what_a_job_uses(room):
    async def used(_session, _artifact_id):
        return True

    done = await room.uploads.receive(ME, "a.txt", pieces(b"hello"))
    room.uploads._in_use = used
    await room.uploads.terminate(ME, done.upload.id)
    assert await room.read(done.artifact) == b"hello"


@pytest.mark.requirement("F1")
async def test_an_upload_killed_before_its_completion_is_completed_when_somebody_asks_where_it_stands(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=5)
    failpoints.arm("uploads.complete.before=raise:EIO")
    try:
        with pytest.raises(OSError, match="Input/output"):
            await room.uploads.append(ME, upload.id, 0, pieces(b"hello"))
    finally:
        failpoints.arm("")
    assert (await room.uploads.get(ME, upload.id)).state is UploadState.RECEIVING
    assert (await room.uploads.standing(ME, upload.id)).state is UploadState.COMPLETE
    _, artifact = await room.uploads.look(ME, upload.id)
    assert await room.read(artifact) == b"hello"


@pytest.mark.requirement("F1", "F27")
async def test_what_a_killed_request_stored_beside_a_complete_upload_goes_when_its_file_is_erased(room):
    upload = await room.uploads.create(ME, filename="a.txt", length=5)
    failpoints.arm("uploads.segment.stored=raise:EIO@1-1")
    try:
        with pytest.raises(OSError, match="Input/output"):
            await room.uploads.append(ME, upload.id, 0, pieces(b"hello"))
    finally:
        failpoints.arm("")
    await room.uploads.append(ME, upload.id, 0, pieces(b"hello"))
    assert len(await room.keys()) > len((await room.uploads.get(ME, upload.id)).parts)
    assert await room.uploads.prune_once() == 0
    await room.uploads.terminate(ME, upload.id)
    assert await room.uploads.prune_once() == 1
    assert await room.keys() == []
    assert await room.uploads.prune_once() == 0
