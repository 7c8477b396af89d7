"""What a bucket has to get right beyond the port: parts that are left over, outages, memory."""

import os

import pytest

from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectMissing, StoreUnavailable, TooManyBytes
from filewright.chassis.testing.conformance.storage import in_chunks, read
from filewright.chassis.testing.fixtures import s3_store
from filewright.chassis.testing.memory import PeakMemory
from filewright.chassis.testing.servers.process import free_port

pytestmark = pytest.mark.s3
MIB = 1 << 20


@pytest.fixture
def store(s3_server):
    return s3_store(s3_server)


async def test_a_refused_upload_of_many_parts_leaves_no_object_behind(store):
    """Parts that were on their way when the rest was refused are the bucket's lifecycle rule's to remove."""

    async def breaking():
        yield bytes(12 * MIB)
        raise ZeroDivisionError

    with pytest.raises(TooManyBytes):
        await store.put("one", in_chunks(bytes(12 * MIB), b"x"), max_bytes=12 * MIB)
    with pytest.raises(ZeroDivisionError):
        await store.put("one", breaking())
    with pytest.raises(ObjectMissing):
        await store.head("one")
    assert [listed async for listed in store.list()] == []


async def test_a_service_that_does_not_answer_is_unavailable(s3_server):
    nobody = open_store(
        f"s3://bucket?endpoint=http://127.0.0.1:{free_port()}", access_key_id="x", secret_access_key="y"
    )
    with pytest.raises(StoreUnavailable):
        await nobody.put("one", b"x")
    with pytest.raises(StoreUnavailable):
        await nobody.head("one")


async def test_a_wrong_key_is_refused_and_told_without_secrets(s3_server):
    stranger = open_store(s3_server.url("filewright-tests"), access_key_id="tester", secret_access_key="wrong")
    with pytest.raises(StoreUnavailable) as refused:
        await stranger.put("one", b"x")
    assert "wrong" not in refused.value.detail


@pytest.mark.slow
@pytest.mark.long
async def test_a_large_upload_needs_little_memory(store):
    chunk = os.urandom(65536)

    async def sender(megabytes):
        for _ in range(megabytes * 16):
            yield chunk

    await store.put("warm-up", sender(32))
    with PeakMemory() as peak:
        assert (await store.put("big", sender(192))).bytes == 192 * MIB
    await store.delete("big")
    assert peak.grown_bytes < 32 * MIB
    assert await read(store, "warm-up", 0, 10) == chunk[:10]
