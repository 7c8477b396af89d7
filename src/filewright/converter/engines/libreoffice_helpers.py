"""LibreOffices that convert several documents each: helpers of the sandbox, asked in LibreOffice's own words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from filewright.chassis.sandbox.helpers import Helper, HelperFailed, Helpers, Terms
from filewright.chassis.sandbox.port import Limits, Program, Sandbox
from filewright.converter.engines.libreoffice_office import Answer, Order
from filewright.converter.engines.port import Work, raise_for
from filewright.converter.errors import EngineCrashed


class Offices:
    """Those of one kind in one sandbox; an `Office`."""

    def __init__(self, sandbox: Sandbox, jobs_dir: Path, program: Callable[[], Program], *, documents: int) -> None:
        """`documents`: so many each converts before another takes its place."""
        self._helpers = Helpers(sandbox, jobs_dir, program, Terms(calls=documents, idle=max(2, os.cpu_count() or 1)))

    @asynccontextmanager
    async def lent(self, party: str | None) -> AsyncIterator[Helper]:
        """As of `Helpers`."""
        async with self._helpers.lent(party) as helper:
            yield helper

    async def convert(self, work: Work, order: Order) -> Answer:
        async with self._helpers.lent(work.party) as helper:
            return await converted(helper, order, work.out, work.limits, work.cancel)

    async def close(self) -> None:
        """As of `Helpers`."""
        await self._helpers.close()


async def converted(
    helper: Helper, order: Order, out: Path, limits: Limits, cancel: asyncio.Event | None = None
) -> Answer:
    """One conversion, its products into `out`. Raises as `Work.run`; the helper is to be stopped after any error."""
    document = order.document.name
    asked = {
        "document": f"in/{document}",
        "import_filter": order.import_filter,
        "product": f"out/{order.document.stem}.{order.export.extension}",
        "export_filter": order.export.filter,
        "options": order.export.options,
    }
    given = {document: order.document}
    try:
        said = await helper.ask(
            asked, given, seconds=limits.wall_seconds, cancel=cancel, out=out, most_bytes=limits.write_bytes
        )
    except HelperFailed as failure:
        raise_for(failure.ending)
        raise EngineCrashed from failure
    return Answer(said.get("opened") is True)
