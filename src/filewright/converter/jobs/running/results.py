"""Put an attempt's products into the store, under keys of that attempt alone, and take them out again.

No key is ever written by two attempts, so a worker that was given up for dead can at most leave orphans, and the
attempt's row says where to look for them (`attempt_folder`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from filewright.chassis.ids import IdSource
from filewright.chassis.storage.port import ObjectDamaged, ObjectStore, TooManyBytes
from filewright.chassis.tasks import together
from filewright.converter.artifacts.models import ARTIFACT_PREFIX, ArtifactRow
from filewright.converter.conversion.orders import Product
from filewright.converter.errors import TooLarge
from filewright.converter.jobs.models import JobOutputRow
from filewright.converter.jobs.repository import Lease

_AT_ONCE = 4


@dataclass(frozen=True)
class StoredProduct:
    """A product whose bytes are safe."""

    product: Product
    key: str
    bytes: int
    sha256: str


def attempt_folder(job_id: str, attempt: int) -> str:
    """Below this key lies everything that the attempt stored, and nothing else."""
    return f"results/{job_id}/{attempt}"


async def store_products(
    store: ObjectStore, lease: Lease, products: Sequence[Product], *, tenant: str, max_bytes: int
) -> tuple[StoredProduct, ...]:
    """Store all of them, some at once, and look that they are there. Raises TooLarge past `max_bytes` together.
    Whatever it raises, none is still being stored by then.
    """
    if sum(product.bytes for product in products) > max_bytes:
        raise TooLarge("The result is larger than is allowed here; choose a smaller file or another target")
    turn = asyncio.Semaphore(_AT_ONCE)

    async def keep(n: int, product: Product) -> StoredProduct:
        key = f"{attempt_folder(lease.job_id, lease.attempt)}/{n}"
        async with turn:
            return await _store(store, key, product, tenant)

    return tuple(await together(keep(n, product) for n, product in enumerate(products)))


async def _store(store: ObjectStore, key: str, product: Product, tenant: str) -> StoredProduct:
    try:
        kept = await store.put_file(key, product.path, max_bytes=product.bytes, owner=tenant, seen=product.seen)
    except TooManyBytes:
        raise ObjectDamaged("more was to be stored than was made") from None
    if kept.sha256 != product.sha256 or (await store.head(key)).bytes != product.bytes:
        raise ObjectDamaged("what was stored is not what was made")
    return StoredProduct(product, key, kept.bytes, kept.sha256)


async def drop_products(store: ObjectStore, job_id: str, attempt: int) -> int:
    """Delete everything that the attempt stored; how many objects. Safe to repeat."""
    keys = [item.key async for item in store.list(attempt_folder(job_id, attempt))]
    for key in keys:
        await store.delete(key)
    return len(keys)


def rows_of(
    stored: Sequence[StoredProduct], lease: Lease, *, tenant: str, ids: IdSource
) -> list[tuple[ArtifactRow, JobOutputRow]]:
    """The rows that make stored products the outputs of the job; the commit gives them their times."""
    return [_rows(n, item, lease, tenant, ids.new(ARTIFACT_PREFIX)) for n, item in enumerate(stored)]


def _rows(n: int, item: StoredProduct, lease: Lease, tenant: str, artifact_id: str) -> tuple[ArtifactRow, JobOutputRow]:
    artifact = ArtifactRow(
        id=artifact_id,
        tenant=tenant,
        filename=item.product.name,
        media_type=item.product.media_type,
        format=item.product.format,
        bytes=item.bytes,
        sha256=item.sha256,
        parts=[{"key": item.key, "bytes": item.bytes}],
    )
    output = JobOutputRow(
        job_id=lease.job_id,
        n=n,
        tenant=tenant,
        artifact_id=artifact_id,
        pages=item.product.pages,
        width=item.product.width,
        height=item.product.height,
        duration=item.product.duration,
    )
    return artifact, output
