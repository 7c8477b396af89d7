"""Orders that name addresses, turned into orders that name uploads, before any of it is accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.tiers import Caller
from filewright.converter.uploads.imports import Imports
from filewright.converter.uploads.service import Uploads


@dataclass(frozen=True)
class Fetching:
    """Brings in what an order wants fetched."""

    imports: Imports
    uploads: Uploads

    @asynccontextmanager
    async def brought(self, caller: Caller, order: JobOrder) -> AsyncIterator[JobOrder]:
        """The order with all its files here. When the block raises, what was fetched for it is taken away again."""
        fetched: list[str] = []
        try:
            inputs = [await self._brought(caller, item, fetched) for item in order.inputs]
            yield replace(order, inputs=tuple(inputs))
        except BaseException:
            for upload_id in fetched:
                await self.uploads.terminate(caller, upload_id)
            raise

    async def _brought(self, caller: Caller, item: JobInput, fetched: list[str]) -> JobInput:
        if item.url is None:
            return item
        arrived = (await self.imports.fetch(caller, item.url)).upload.id
        fetched.append(arrived)
        return replace(item, url=None, upload=arrived)
