"""A network between us and the bucket that fails in every way; what is handed out is right, or nothing is."""

import asyncio
import random

import pytest

from filewright.chassis.storage.port import ObjectDamaged, StoreUnavailable
from filewright.chassis.testing.conformance.storage import keys, read
from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy
from filewright.chassis.testing.fixtures import s3_store

pytestmark = pytest.mark.s3
MIB = 1 << 20
CONTENT = random.Random(7).randbytes(3 * MIB)


@pytest.fixture
def proxy(s3_server):
    with FaultyProxy(s3_server.port) as between:
        yield between


@pytest.fixture
def store(s3_server, proxy):
    return s3_store(s3_server, endpoint=proxy.endpoint)


@pytest.mark.requirement("F15")
async def test_a_server_that_refuses_for_a_while_is_asked_again(store, proxy, tmp_path):
    times = 2
    calls = [
        lambda: store.put("one", CONTENT[:1000]),
        lambda: store.head("one"),
        lambda: read(store, "one"),
        lambda: store.fetch("one", tmp_path / "copy"),
        lambda: store.copy("one", "two"),
        lambda: keys(store),
        lambda: store.delete("one"),
    ]
    for call in calls:
        proxy.arm(Fault(status=503), times=times)
        await call()
        assert proxy.met == times
    proxy.heal()
    assert await keys(store) == {"two"}
    assert await read(store, "two") == CONTENT[:1000]


async def test_a_delete_whose_answer_is_lost_is_said_again(store, proxy):
    await store.put("one", CONTENT[:1000])
    proxy.arm(Fault(cut_down_after=0), times=1)
    await store.delete("one")
    proxy.heal()
    assert await keys(store) == set()


@pytest.mark.requirement("F15")
async def test_a_server_that_refuses_for_good_is_unavailable(store, proxy):
    proxy.arm(Fault(status=503))
    with pytest.raises(StoreUnavailable):
        await store.put("one", b"x")
    assert proxy.met == 5
    proxy.heal()
    assert await keys(store) == set()


@pytest.mark.requirement("F16")
async def test_a_server_that_is_away_is_unavailable_and_then_there_again(store, proxy):
    await store.put("one", b"before")
    proxy.cut_off()
    with pytest.raises(StoreUnavailable):
        await read(store, "one")
    proxy.reconnect()
    assert await read(store, "one") == b"before"


@pytest.mark.requirement("F17")
@pytest.mark.parametrize("fault", [Fault(cut_down_after=2 * MIB), Fault(end_down_after=2 * MIB)], ids=["reset", "end"])
async def test_an_answer_that_breaks_off_is_gone_on_with(store, proxy, tmp_path, fault):
    stored = await store.put("one", CONTENT)
    proxy.arm(fault, times=1)
    assert await read(store, "one") == CONTENT
    assert proxy.met == 1
    proxy.arm(fault, times=1)
    assert await store.fetch("one", tmp_path / "copy", sha256=stored.sha256) == len(CONTENT)
    assert (tmp_path / "copy").read_bytes() == CONTENT
    proxy.arm(fault, times=1)
    assert await read(store, "one", 100, 3 * MIB - 7) == CONTENT[100 : 3 * MIB - 7]


@pytest.mark.requirement("F17")
async def test_answers_that_always_break_off_are_never_taken_for_the_object(store, proxy, tmp_path):
    stored = await store.put("one", CONTENT)
    proxy.arm(Fault(cut_down_after=300))
    with pytest.raises(StoreUnavailable):
        await read(store, "one")
    with pytest.raises(StoreUnavailable):
        await store.fetch("one", tmp_path / "copy", sha256=stored.sha256)
    assert not (tmp_path / "copy").exists()


@pytest.mark.requirement("F17")
async def test_a_bit_that_flips_on_the_way_here_is_found(store, proxy, tmp_path):
    stored = await store.put("one", CONTENT)
    proxy.arm(Fault(flip_down_at=MIB))
    assert await read(store, "one") != CONTENT  # so the fault is real
    proxy.arm(Fault(flip_down_at=MIB))
    with pytest.raises(ObjectDamaged):
        await store.fetch("one", tmp_path / "copy", sha256=stored.sha256)
    assert not (tmp_path / "copy").exists()


@pytest.mark.requirement("F17")
@pytest.mark.parametrize("size", [MIB, 7 * MIB])
async def test_a_bit_that_flips_on_the_way_there_is_refused_by_the_server(store, proxy, size):
    proxy.arm(Fault(flip_up_at=MIB // 2))
    with pytest.raises(StoreUnavailable):
        await store.put("one", random.Random(8).randbytes(size))
    proxy.heal()
    assert await keys(store) == set()


@pytest.mark.requirement("F18")
@pytest.mark.parametrize("size", [1000, 7 * MIB])
async def test_a_put_whose_answer_is_lost_is_made_again_and_is_one_object(store, proxy, size):
    content = random.Random(9).randbytes(size)
    proxy.arm(Fault(cut_down_after=0), times=1)
    stored = await store.put("one", content)
    assert proxy.met == 1
    assert stored.bytes == size
    assert await keys(store) == {"one"}
    assert await read(store, "one") == content


@pytest.mark.requirement("F18")
async def test_a_put_that_is_cut_in_the_middle_is_made_again_or_told(store, proxy):
    proxy.arm(Fault(cut_up_after=MIB), times=1)
    await store.put("one", CONTENT)
    assert proxy.met == 1
    assert await read(store, "one") == CONTENT
    proxy.arm(Fault(cut_up_after=MIB))
    with pytest.raises(StoreUnavailable):
        await store.put("two", CONTENT)
    proxy.heal()
    assert await keys(store) == {"one"}


async def test_a_slow_way_is_only_slow(store, proxy):
    proxy.arm(Fault(delay=0.01))
    await asyncio.gather(*(store.put(f"{n}", CONTENT[: MIB // 4]) for n in range(3)))
    assert await read(store, "1") == CONTENT[: MIB // 4]
