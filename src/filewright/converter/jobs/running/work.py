"""The work of one attempt: from files in the store to products in the store.

    fetch ─▶ scan ─▶ convert (engines, operators, checks) ─▶ scan ─▶ store

It knows nothing of leases and ends: those are the runner's, which calls this under a lease and writes down what comes
of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.sealing import CannotOpen
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.tasks import ended
from filewright.converter.artifacts.models import Artifact, artifact_of
from filewright.converter.conversion.orders import Assignment, Converted, Hop
from filewright.converter.conversion.orders import Stage as ConversionStage
from filewright.converter.engines.font_packs import FontPack
from filewright.converter.errors import Expired, Infected, PasswordRequired, Timeout
from filewright.converter.jobs import repository
from filewright.converter.jobs.policy import Counters
from filewright.converter.jobs.ports import Converter, Files, Fonts, Operations
from filewright.converter.jobs.repository import Lease
from filewright.converter.jobs.running.lease import LeaseKeeper
from filewright.converter.jobs.running.results import StoredProduct, store_products
from filewright.converter.jobs.running.scanning import require_clean
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.states import Stage
from filewright.converter.operations.orders import Given, OrderedStep, Task
from filewright.converter.tiers import Tier

FETCHING = failpoints.declare("jobs.fetch.before", "the workspace is there, the input not yet in it")
FETCHED = failpoints.declare("jobs.fetch.after", "the input lies in the workspace")
CONVERTING = failpoints.declare("jobs.convert.before", "the converter is about to be called")
CONVERTED = failpoints.declare("jobs.convert.after", "the products lie in the workspace, checked, and nowhere else")
STORED = failpoints.declare("jobs.store.after", "the products are stored and the job does not know them")

_GRACE_SECONDS = 30.0
OnConverted = Callable[[], None]
"""Told when the engines are done with a job and only its products are to be stored."""


@dataclass(frozen=True)
class Claimed:
    """A job that is this worker's for as long as the lease is renewed, with all that the work needs."""

    lease: Lease
    lane: str
    tenant: str
    operation: str
    source_format: str | None
    target_format: str
    options: dict[str, object]
    tier: Tier
    counters: Counters
    artifact: Artifact | None
    """Its first input; None when that is forgotten."""
    sealed: bytes | None
    """The password of its inputs."""
    steps: tuple[OrderedStep, ...] = ()
    """None for a conversion of its one input."""
    planned: tuple[Mapping[str, Any], ...] = ()
    """The route, as it was when the job was accepted."""
    waited: float = 0.0
    """Seconds until it was claimed, from when it could have been."""

    def route_of(self, taken: Sequence[Hop]) -> list[dict[str, Any]]:
        """As a job shows it: a hop says which version was planned where the engine is another one by now."""
        versions = {(hop["engine"], hop["from"], hop["to"]): hop["engine_version"] for hop in self.planned}
        hops = [hop.as_json() for hop in taken]
        for hop in hops:
            before = versions.get((hop["engine"], hop["from"], hop["to"]), hop["engine_version"])
            if before != hop["engine_version"]:
                hop["planned_version"] = before
        return hops


def claimed_of(row: Any) -> Claimed:
    """What `repository.claim` gave."""
    return Claimed(
        lease=Lease(row.id, row.attempt, row.lease_token),
        lane=row.lane,
        tenant=row.tenant,
        operation=row.operation,
        source_format=row.source_format,
        target_format=row.target_format or "",
        options=row.options,
        tier=Tier.from_job(row.limits),
        counters=repository.counters_of(row),
        artifact=None if row.input_id is None else artifact_of(row, "input_"),
        sealed=row.sealed,
        steps=tuple(OrderedStep.from_json(step) for step in row.steps or ()),
        planned=tuple(row.route),
        waited=max(0.0, (row.at - row.not_before).total_seconds()),
    )


@dataclass(frozen=True)
class Fetched:
    """An input in the workspace. `said`: the caller's word on its format."""

    artifact: Artifact
    path: Path
    said: str | None = None


@dataclass(frozen=True)
class Done:
    """What an attempt that went well leaves to be written down."""

    converted: Converted
    stored: Sequence[StoredProduct]
    read_bytes: int
    """Of all inputs."""
    load: int
    """Of all inputs, as far as they tell it."""


@dataclass(frozen=True)
class JobWork:
    """One instance serves all slots of a worker."""

    database: Database
    store: ObjectStore
    files: Files
    converter: Converter
    operations: Operations
    sealer: Sealer
    scanner: Scanner
    fonts: Fonts

    async def do(self, job: Claimed, workspace: Workspace, keeper: LeaseKeeper, converted: OnConverted) -> Done:
        """All of it. Raises what `policy.after` sorts."""
        password = self._password(job)
        failpoints.hit(FETCHING)
        inputs = await self._fetch(job, workspace, keeper)
        failpoints.hit(FETCHED)
        if self.scanner.active:
            keeper.note(Stage.SCANNING)
            await self._require_clean_inputs(inputs, workspace)
        await keeper.enter(Stage.CONVERTING)
        failpoints.hit(CONVERTING)
        async with self.fonts.lent(job.tenant) as fonts:
            made = await self._convert(job, inputs, password, fonts, workspace, keeper)
        failpoints.hit(CONVERTED)
        if self.scanner.active:
            products = [item.path for item in made.products]
            await require_clean(self.scanner, products, folder=workspace.path, what="what came out of it")
        converted()
        stored = await self._store(job, made, keeper)
        failpoints.hit(STORED)
        files = [item.artifact for item in inputs]
        return Done(made, stored, sum(file.bytes for file in files), sum(file.to_read for file in files))

    async def _store(self, job: Claimed, made: Converted, keeper: LeaseKeeper) -> Sequence[StoredProduct]:
        """The database hears of the stage meanwhile: who dies in that moment is only taken for one that converts."""

        async def store() -> Sequence[StoredProduct]:
            return await store_products(
                self.store, job.lease, made.products, tenant=job.tenant, max_bytes=job.tier.max_output_bytes
            )

        entering = asyncio.create_task(keeper.enter(Stage.STORING))
        try:
            stored = await keeper.outlast(store)
            await entering
        finally:
            await ended([entering])
            if not entering.cancelled():
                entering.exception()  # of the two the store's trouble is told, if both have any
        return stored

    async def infected(self, job: Claimed, error: Exception) -> Sequence[str]:
        """What is to be deleted: the input that malware was found in, or all, if it came to light in what they made."""
        if isinstance(error, _InfectedInput):
            return [error.artifact_id]
        if not isinstance(error, Infected):
            return []
        return [artifact.id for artifact, _ in await self._inputs(job) if artifact is not None]

    async def _fetch(self, job: Claimed, workspace: Workspace, keeper: LeaseKeeper) -> Sequence[Fetched]:
        """All inputs, in their order. Raises Expired when one is gone."""
        inputs: list[Fetched] = []
        for artifact, said in await keeper.outlast(lambda: self._inputs(job)):
            if artifact is None or artifact.erased:
                raise Expired("The input was deleted before the job could read it")
            path = workspace.inputs / ("input" if not inputs else f"input-{len(inputs)}")
            await keeper.outlast(partial(self.files.fetch, artifact, path))
            inputs.append(Fetched(artifact, path, said))
        return inputs

    async def _inputs(self, job: Claimed) -> Sequence[tuple[Artifact | None, str | None]]:
        """A conversion has one, which came with the claim."""
        if not job.steps:
            return [(job.artifact, job.source_format)]
        async with self.database.read() as session:
            found = await repository.inputs_of(session, [job.lease.job_id])
            return [(artifact_of(row) if row is not None else None, item.source_format) for item, row in found]

    async def _require_clean_inputs(self, inputs: Sequence[Fetched], workspace: Workspace) -> None:
        for item in inputs:
            try:
                await require_clean(self.scanner, [item.path], folder=workspace.path, what="the file")
            except Infected as error:
                raise _InfectedInput(error.detail, item.artifact.id) from None

    async def _convert(
        self,
        job: Claimed,
        inputs: Sequence[Fetched],
        password: str | None,
        fonts: FontPack | None,
        workspace: Workspace,
        keeper: LeaseKeeper,
    ) -> Converted:
        """The sandbox keeps the tier's time; this outer limit is for a converter that does not."""
        hooks: _Hooks = {"on_stage": keeper.note, "on_progress": keeper.progress, "cancel": keeper.cancel}
        try:
            async with asyncio.timeout(job.tier.max_wall_seconds + _GRACE_SECONDS):
                if job.steps:
                    given = tuple(Given(item.path, item.artifact.filename, item.said) for item in inputs)
                    task = Task(given, job.steps, job.tier, password, job.tenant, fonts)
                    return await self.operations.carry_out(task, workspace=workspace.path, **hooks)
                assignment = _assignment(job, inputs[0], password, fonts)
                return await self.converter.convert(assignment, workspace=workspace.path, **hooks)
        except TimeoutError:
            raise Timeout from None

    def _password(self, job: Claimed) -> str | None:
        try:
            return None if job.sealed is None else self.sealer.open(job.sealed, context=job.lease.job_id)
        except CannotOpen:
            raise PasswordRequired("The password cannot be read any more; order the job again with it") from None


class _InfectedInput(Infected):
    """It is this one of them."""

    def __init__(self, detail: str, artifact_id: str) -> None:
        super().__init__(detail)
        self.artifact_id = artifact_id


class _Hooks(TypedDict):
    """What ties a piece of work to its attempt."""

    on_stage: Callable[[ConversionStage], None]
    on_progress: Callable[[float], None]
    cancel: asyncio.Event | None


def _assignment(job: Claimed, item: Fetched, password: str | None, fonts: FontPack | None) -> Assignment:
    return Assignment(
        source=item.path,
        filename=item.artifact.filename,
        source_format=job.source_format,
        target_format=job.target_format,
        options=job.options,
        tier=job.tier,
        password=password,
        party=job.tenant,
        fonts=fonts,
    )
