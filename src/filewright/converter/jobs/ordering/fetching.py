"""What an order says of the outside: files at addresses are fetched, and addresses to be told are looked at, before any
of it is accepted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from filewright.chassis.egress.client import Egress
from filewright.chassis.flags.service import Flags
from filewright.chassis.web.problems import Forbidden, invalid
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.tiers import Caller
from filewright.converter.uploads.imports import Imports
from filewright.converter.uploads.service import Uploads

MAX_FETCHED = 20
"""Files of one order, or of one batch, that are fetched, one after the other, before it is accepted."""
FLAG = "import-by-url"
"""Whether files are fetched from addresses; they are, as long as no operator says otherwise."""


@dataclass(frozen=True)
class Fetching:
    """Brings in what an order wants fetched."""

    imports: Imports
    uploads: Uploads
    egress: Egress
    flags: Flags

    @asynccontextmanager
    async def brought(self, caller: Caller, order: JobOrder) -> AsyncIterator[JobOrder]:
        """The order with all its files here. When the block raises, what was fetched for it is taken away again."""
        if order.webhook_url is not None:
            self.egress.check(order.webhook_url, secure_only=True)
        fetched: list[str] = []
        try:
            await self._check_allowed(caller, order)
            inputs = [await self._brought(caller, item, fetched) for item in order.inputs]
            yield replace(order, inputs=tuple(inputs))
        except BaseException:
            for upload_id in fetched:
                await self.uploads.terminate(caller, upload_id)
            raise

    async def _check_allowed(self, caller: Caller, order: JobOrder) -> None:
        fetches = sum(item.url is not None for item in order.inputs)
        if fetches > MAX_FETCHED:
            raise invalid("/inputs", f"At most {MAX_FETCHED} files are fetched at once; upload the others.")
        if fetches and not await self.flags.on(FLAG, caller.tenant, default=True):
            raise Forbidden("Files are not fetched from addresses at the moment; upload the file instead.")

    async def _brought(self, caller: Caller, item: JobInput, fetched: list[str]) -> JobInput:
        if item.url is None:
            return item
        arrived = (await self.imports.fetch(caller, item.url)).upload.id
        fetched.append(arrived)
        return replace(item, url=None, upload=arrived)
