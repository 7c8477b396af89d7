"""Products on their way into the store, several at once."""

import asyncio
import os

import pytest

from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import ObjectDamaged, StoreUnavailable
from filewright.converter.conversion import checks
from filewright.converter.conversion.orders import Product
from filewright.converter.errors import TooLarge
from filewright.converter.jobs.repository import Lease
from filewright.converter.jobs.running.results import store_products

LEASE = Lease("job_1", 1, "token")


class Watched(LocalStore):
    """Counts how many files it takes at once."""

    def __init__(self, root) -> None:
        super().__init__(root)
        self.now = self.most = 0

    async def put_file(self, *given, **named):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.01)
            return await super().put_file(*given, **named)
        finally:
            self.now -= 1


@pytest.fixture
def store(tmp_path):
    return Watched(tmp_path / "store")


@pytest.fixture
def pages(tmp_path):
    made = []
    for n in range(10):
        content = b"page %d" % n
        path = tmp_path / f"page-{n}.txt"
        path.write_bytes(content)
        made.append(Product(path, path.name, "txt", "text/plain", checks.seen(path)))
    return made


async def kept(store):
    return sorted([item.key async for item in store.list()])


async def test_many_products_are_stored_a_few_at_a_time_and_told_in_order(store, pages):
    stored = await store_products(store, LEASE, pages, tenant="alice", max_bytes=1000)
    assert [item.key for item in stored] == [f"results/job_1/1/{n}" for n in range(10)]
    assert [item.product for item in stored] == pages
    assert [b"".join([block async for block in store.get(item.key)]) for item in stored] == [
        page.path.read_bytes() for page in pages
    ]
    assert 1 < store.most <= 4


async def test_all_of_them_count_towards_what_is_allowed(store, pages):
    with pytest.raises(TooLarge):
        await store_products(store, LEASE, pages, tenant="alice", max_bytes=59)
    assert await kept(store) == []


@pytest.mark.parametrize("content", [b"Page 7", b"page 7 and more"])
async def test_a_product_that_is_another_by_now_is_not_a_result(store, pages, content):
    pages[7].path.write_bytes(content)
    os.utime(pages[7].path, ns=(0, pages[7].seen.modified_ns + 1))  # as a clock of fine steps would have it
    with pytest.raises(ObjectDamaged):
        await store_products(store, LEASE, pages, tenant="alice", max_bytes=1000)
    assert store.now == 0


async def test_when_one_cannot_be_stored_none_is_still_on_its_way(store, pages, monkeypatch):
    async def unreachable(key):
        raise StoreUnavailable

    monkeypatch.setattr(store, "head", unreachable)
    with pytest.raises(StoreUnavailable):
        await store_products(store, LEASE, pages, tenant="alice", max_bytes=1000)
    assert store.now == 0
    before = await kept(store)
    await asyncio.sleep(0.05)
    assert await kept(store) == before
