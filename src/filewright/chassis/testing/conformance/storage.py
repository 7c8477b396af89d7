"""What every `ObjectStore` does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filewright.chassis.clock import SystemClock
from filewright.chassis.storage.port import (
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    SeenFile,
    SignedRequest,
    StoredObject,
    TooManyBytes,
)

MIB = 1 << 20
HOUR = timedelta(hours=1)
shared_store = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def in_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    """A sender's stream."""
    for chunk in chunks:
        yield chunk


async def read(store: ObjectStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    """All of it at once; for tests only."""
    return b"".join([chunk async for chunk in store.get(key, start, end)])


async def ask(signed: SignedRequest, content: bytes | None = None) -> httpx.Response:
    """Send a signed request as a plain HTTP client does."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(signed.method, signed.url, headers=dict(signed.headers), content=content)


def now() -> datetime:
    """The servers that check signatures know no fake clock."""
    return SystemClock().now()


def written(path: Path, content: bytes) -> SeenFile:
    """A new file with this content, as whoever reads it sees it."""
    path.write_bytes(content)
    return SeenFile(len(content), hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)


async def keys(store: ObjectStore, prefix: str = "") -> set[str]:
    return {info.key async for info in store.list(prefix)}


class ObjectStoreSuite:
    """Subclass it and give a `store` fixture: an empty store for each test."""

    @shared_store
    @given(chunks=st.lists(st.binary(max_size=2000), max_size=5))
    async def test_a_store_returns_the_bytes_it_was_given(self, store: ObjectStore, chunks: list[bytes]) -> None:
        key = uuid.uuid4().hex
        content = b"".join(chunks)
        stored = await store.put(key, in_chunks(*chunks))
        assert (stored.key, stored.bytes, stored.sha256) == (key, len(content), hashlib.sha256(content).hexdigest())
        assert await read(store, key) == content
        assert (await store.head(key)).bytes == len(content)

    @shared_store
    @given(content=st.binary(max_size=300), start=st.integers(0, 400), length=st.integers(0, 400) | st.none())
    @example(content=b"", start=0, length=None)
    @example(content=b"abc", start=3, length=None)
    async def test_a_range_of_an_object_is_the_slice_of_its_bytes(
        self, store: ObjectStore, content: bytes, start: int, length: int | None
    ) -> None:
        end = None if length is None else start + length
        await store.put("one", content)
        assert await read(store, "one", start, end) == content[start:end]

    async def test_an_object_of_many_parts_comes_back_whole_and_in_order(self, store: ObjectStore) -> None:
        # Not a multiple of any block or part size, and chunks both smaller and larger than those.
        content = random.Random(1).randbytes(13_600_001)
        stored = await store.put("big", in_chunks(content[:100], content[100 : 9 * MIB], content[9 * MIB :]))
        assert stored.sha256 == hashlib.sha256(content).hexdigest()
        assert await read(store, "big") == content
        assert await read(store, "big", 5 * MIB - 1, 11 * MIB) == content[5 * MIB - 1 : 11 * MIB]

    async def test_reading_comes_in_pieces_and_not_all_at_once(self, store: ObjectStore) -> None:
        await store.put("big", bytes(12 * MIB))
        assert max([len(chunk) async for chunk in store.get("big")]) <= 4 * MIB

    async def test_what_is_not_there_is_missing(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.head("nothing/here")
        for bounds in [(0, None), (3, 5), (2, 2)]:
            with pytest.raises(ObjectMissing):
                await read(store, "nothing/here", *bounds)

    async def test_a_folder_of_objects_is_no_object(self, store: ObjectStore) -> None:
        await store.put("a/b/one", b"x")
        with pytest.raises(ObjectMissing):
            await store.head("a/b")
        with pytest.raises(ObjectMissing):
            await read(store, "a/b")
        await store.delete("a/b")
        assert await keys(store) == {"a/b/one"}

    async def test_a_long_list_is_complete(self, store: ObjectStore) -> None:
        names = {f"many/{number % 7}/{number}" for number in range(1100)}
        for at in range(0, len(names), 100):
            await asyncio.gather(*(store.put(name, b"x") for name in sorted(names)[at : at + 100]))
        assert await keys(store, "many") == names

    async def test_a_range_that_counts_from_the_end_is_refused(self, store: ObjectStore) -> None:
        await store.put("one", b"abc")
        with pytest.raises(ValueError, match="counts from 0"):
            store.get("one", -2)
        with pytest.raises(ValueError, match="counts from 0"):
            store.get("one", 0, -1)

    async def test_many_are_deleted_at_once_and_those_that_are_not_there_do_not_matter(
        self, store: ObjectStore
    ) -> None:
        for n in range(5):
            await store.put(f"many/{n}", b"x")
        await store.delete_many(["none/0", *(f"many/{n}" for n in range(4)), "none/1"])
        assert [info.key async for info in store.list("many")] == ["many/4"]
        await store.delete_many([])

    async def test_deleting_is_done_once_and_may_be_asked_for_twice(self, store: ObjectStore) -> None:
        await store.put("a/b", b"x")
        await store.delete("a/b")
        await store.delete("a/b")
        await store.delete("never/was")
        with pytest.raises(ObjectMissing):
            await store.head("a/b")
        assert await keys(store) == set()

    async def test_writing_a_key_again_replaces_all_of_it(self, store: ObjectStore) -> None:
        await store.put("one", b"a long first version")
        await store.put("one", b"short")
        assert await read(store, "one") == b"short"

    async def test_a_list_has_what_lies_below_a_folder_and_no_neighbours(self, store: ObjectStore) -> None:
        for key in ("a/1", "a/b/2", "ab/3", "c"):
            await store.put(key, b"x")
        assert await keys(store) == {"a/1", "a/b/2", "ab/3", "c"}
        assert await keys(store, "a") == {"a/1", "a/b/2"}
        assert await keys(store, "a/") == {"a/1", "a/b/2"}
        assert await keys(store, "nowhere") == set()
        assert {info.bytes async for info in store.list("a")} == {1}

    @pytest.mark.parametrize("size", [11, 7 * MIB])
    async def test_too_many_bytes_leave_nothing_behind(self, store: ObjectStore, size: int) -> None:
        with pytest.raises(TooManyBytes) as refused:
            await store.put("big", in_chunks(bytes(size - 1), b"!"), max_bytes=size - 1)
        assert refused.value.max_bytes == size - 1
        assert await keys(store) == set()
        assert (await store.put("big", in_chunks(bytes(size - 1), b"!"), max_bytes=size)).bytes == size

    async def test_no_more_is_read_from_the_sender_than_shows_that_it_is_too_much(self, store: ObjectStore) -> None:
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 65536
                yield bytes(65536)

        with pytest.raises(TooManyBytes):
            await store.put("big", endless(), max_bytes=8 * MIB)
        assert taken <= 8 * MIB + 65536

    @pytest.mark.parametrize("size", [10, 7 * MIB])
    async def test_a_sender_that_breaks_off_leaves_what_was_there_before(self, store: ObjectStore, size: int) -> None:
        class Gone(Exception):
            pass

        async def breaking() -> AsyncIterator[bytes]:
            yield bytes(size)
            raise Gone

        await store.put("one", b"before")
        with pytest.raises(Gone):
            await store.put("one", breaking())
        assert await read(store, "one") == b"before"
        assert await keys(store) == {"one"}

    @pytest.mark.parametrize("size", [10, 7 * MIB])
    async def test_a_cancelled_put_leaves_nothing(self, store: ObjectStore, size: int) -> None:
        sent = asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            yield bytes(size)
            sent.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(store.put("one", stalling()))
        await sent.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert await keys(store) == set()

    async def test_of_two_that_write_one_key_at_once_one_wins_whole(self, store: ObjectStore) -> None:
        versions = [bytes([n]) * (6 * MIB) for n in range(3)]
        await asyncio.gather(*(store.put("one", in_chunks(version)) for version in versions))
        assert await read(store, "one") in versions

    @pytest.mark.parametrize(
        "key",
        ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.hidden", "a\\b", "a b", "ä", "a\n", "a%2fb", "a" * 600],
    )
    async def test_a_key_that_could_mean_something_else_is_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(ValueError, match="object key"):
            await store.put(key, b"x")
        with pytest.raises(ValueError, match="object key"):
            await read(store, key)
        with pytest.raises(ValueError, match="object key"):
            await store.delete(key)
        with pytest.raises(ValueError, match="object key"):
            store.local_path(key)

    @pytest.mark.parametrize("size", [0, 5, 6 * MIB])
    async def test_a_copy_is_an_object_of_its_own(self, store: ObjectStore, size: int) -> None:
        content = random.Random(2).randbytes(size)
        await store.put("a/one", content)
        await store.put("two", b"something else")
        await store.copy("a/one", "two")
        await store.put("a/one", b"changed")
        await store.delete("a/one")
        assert await read(store, "two") == content
        assert await keys(store) == {"two"}

    async def test_copying_what_is_missing_leaves_what_was_there(self, store: ObjectStore) -> None:
        await store.put("two", b"before")
        with pytest.raises(ObjectMissing):
            await store.copy("one", "two")
        assert await read(store, "two") == b"before"

    async def test_a_signed_put_stores_the_bytes_for_one_without_keys(self, store: ObjectStore) -> None:
        content = b"sent by a stranger"
        digest = hashlib.sha256(content).hexdigest()
        for key, said in (("plain", None), ("checked", digest)):
            signed = store.sign_put(key, size=len(content), at=now(), lifetime=HOUR, sha256=said)
            if signed is None:
                assert store.sign_get(key, at=now(), media_type="text/plain", disposition="attachment") is None
                return
            answer = await ask(signed, content)
            assert answer.status_code == 200, answer.text
            assert await read(store, key) == content

    async def test_a_signed_get_gives_the_bytes_as_what_it_was_signed_for(self, store: ObjectStore) -> None:
        await store.put("one", b"bytes")
        signed = store.sign_get("one", at=now(), media_type="text/csv", disposition='attachment; filename="a b.csv"')
        if signed is None:
            return
        answer = await ask(signed)
        assert (answer.status_code, answer.content) == (200, b"bytes")
        assert answer.headers["content-type"] == "text/csv"
        assert answer.headers["content-disposition"] == 'attachment; filename="a b.csv"'

    async def test_a_file_is_put_as_its_bytes_are(self, store: ObjectStore, tmp_path: Path) -> None:
        content = bytes(range(256)) * 4097 * 17  # more than is copied at once
        (tmp_path / "made").write_bytes(content)
        stored = await store.put_file("a/one", tmp_path / "made", max_bytes=len(content))
        assert (stored.bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert await read(store, "a/one") == content
        assert (tmp_path / "made").read_bytes() == content

    async def test_a_file_that_was_seen_is_put_as_it_was(self, store: ObjectStore, tmp_path: Path) -> None:
        seen = written(tmp_path / "made", b"what was seen")
        kept = await store.put_file("a/one", tmp_path / "made", max_bytes=seen.bytes, seen=seen)
        assert kept == StoredObject("a/one", seen.bytes, seen.sha256)
        (tmp_path / "made").unlink()
        assert await read(store, "a/one") == b"what was seen"
        assert (await store.head("a/one")).bytes == seen.bytes
        await store.delete("a/one")
        assert await keys(store) == set()

    async def test_a_file_that_changed_since_has_another_digest(self, store: ObjectStore, tmp_path: Path) -> None:
        seen = written(tmp_path / "made", b"what was seen")
        (tmp_path / "made").write_bytes(b"what came now")
        os.utime(tmp_path / "made", ns=(seen.modified_ns, seen.modified_ns + 1))
        kept = await store.put_file("one", tmp_path / "made", seen=seen)
        assert kept.sha256 == hashlib.sha256(b"what came now").hexdigest()
        assert await read(store, "one") == b"what came now"

    async def test_a_seen_file_of_too_many_bytes_leaves_what_was_there(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        await store.put("one", b"before")
        seen = written(tmp_path / "made", bytes(1001))
        with pytest.raises(TooManyBytes):
            await store.put_file("one", tmp_path / "made", max_bytes=1000, seen=seen)
        assert await read(store, "one") == b"before"
        assert [item.key async for item in store.list()] == ["one"]

    async def test_a_file_of_too_many_bytes_leaves_what_was_there(self, store: ObjectStore, tmp_path: Path) -> None:
        await store.put("one", b"before")
        (tmp_path / "made").write_bytes(bytes(1001))
        with pytest.raises(TooManyBytes):
            await store.put_file("one", tmp_path / "made", max_bytes=1000)
        assert await read(store, "one") == b"before"
        assert [item.key async for item in store.list()] == ["one"]

    async def test_a_file_that_is_not_there_cannot_be_put(self, store: ObjectStore, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await store.put_file("one", tmp_path / "nothing")
        assert await keys(store) == set()

    async def test_a_fetched_object_is_a_file_with_the_same_bytes(self, store: ObjectStore, tmp_path: Path) -> None:
        stored = await store.put("one", bytes(range(256)) * 5000)
        assert await store.fetch("one", tmp_path / "copy", sha256=stored.sha256) == 1_280_000
        assert (tmp_path / "copy").read_bytes() == bytes(range(256)) * 5000
        with pytest.raises(FileExistsError):
            await store.fetch("one", tmp_path / "copy")

    async def test_an_object_with_another_digest_is_not_handed_out(self, store: ObjectStore, tmp_path: Path) -> None:
        await store.put("one", b"what is stored")
        with pytest.raises(ObjectDamaged):
            await store.fetch("one", tmp_path / "copy", sha256=hashlib.sha256(b"what was sent").hexdigest())
        assert not (tmp_path / "copy").exists()

    async def test_fetching_what_is_missing_makes_no_file(self, store: ObjectStore, tmp_path: Path) -> None:
        with pytest.raises(ObjectMissing):
            await store.fetch("nothing", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    async def test_a_local_path_when_there_is_one_holds_the_bytes(self, store: ObjectStore) -> None:
        await store.put("a/one", b"bytes")
        path = store.local_path("a/one")
        assert path is None or path.read_bytes() == b"bytes"

    async def test_sweeping_takes_nothing_that_is_stored_or_being_written(self, store: ObjectStore) -> None:
        await store.put("kept", b"x")
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield bytes(2 * MIB)
            begun.set()
            await go_on.wait()
            yield b"end"

        putting = asyncio.create_task(store.put("slow", slow()))
        await begun.wait()
        assert await store.sweep() == 0
        go_on.set()
        await putting
        assert await keys(store) == {"kept", "slow"}
