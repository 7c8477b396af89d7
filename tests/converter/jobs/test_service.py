"""What callers may do with jobs, on both databases."""

import asyncio

import pytest
from sqlalchemy import func, select, text

from filewright.chassis.errors import ProblemError
from filewright.chassis.queue.outbox import OutboxRow
from filewright.chassis.web.problems import Conflict, InvalidRequest, NotFound
from filewright.converter.errors import Cancelled, CorruptInput, EmptyInput, Expired
from filewright.converter.jobs.errors import ConcurrencyLimited
from filewright.converter.jobs.models import JobEventRow, JobInputRow, JobRow, JobSecretRow, UsageRow
from filewright.converter.jobs.orders import JobInput, JobOrder, OrderedStep
from filewright.converter.jobs.states import PublicStatus

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""


async def count(shop, table) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


async def fail(assignment, cancel):
    raise CorruptInput("The file is torn in two.")


# --- ordering --------------------------------------------------------------------------------------------------------


async def test_an_accepted_job_waits_and_shows_what_was_ordered(shop, alice):
    job = await shop.order(b"hello", tag="monday", options={"b": 1, "a": 2})
    assert (job.status, job.progress, job.attempt, job.tag) == ("queued", 0, 0, "monday")
    assert (job.source_format, job.target_format) == ("txt", "md")
    assert [step.model_dump(by_alias=True) for step in job.route] == [
        {"engine": "shouter", "engine_version": "1.0", "from": "txt", "to": "md", "lossy": False}
    ]
    assert (job.inputs[0].name, job.inputs[0].bytes) == ("text.txt", 5)
    assert job.queue_position == 1
    assert job.estimated_seconds == 0.5
    assert await shop.jobs.get(alice, job.id) == job


@on_sqlite
async def test_a_job_on_the_wire_has_the_fields_of_the_contract(shop):
    wire = (await shop.order()).model_dump(mode="json", by_alias=True)
    always = (
        "id status stage progress operation source_format target_format route inputs outputs attempt cache tag "
        "created_at started_at finished_at expires_at links"
    )
    assert set(wire) == {*always.split(), "queue_position", "estimated_seconds"}
    assert wire["created_at"].endswith("Z")


@pytest.mark.requirement("F1")
async def test_job_inputs_event_and_hint_are_one_commit(shop, alice):
    upload = await shop.upload()

    async def die(session, job):
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"), within=die)
    for table in (JobRow, JobInputRow, JobEventRow, OutboxRow):
        assert await count(shop, table) == 0


async def test_what_runs_within_the_commit_sees_the_job(shop, alice):
    seen = []

    async def keep(session, job):
        seen.append((job, await session.get(JobRow, job.id) is not None))

    job = await shop.jobs.submit(alice, JobOrder((JobInput(upload=await shop.upload()),), to="md"), within=keep)
    assert seen == [(job, True)]


@pytest.mark.parametrize(
    ("order", "error", "where"),
    [
        (JobOrder((), to="md"), InvalidRequest, "/inputs"),
        (JobOrder((JobInput(upload="u"), JobInput(upload="v")), to="md"), InvalidRequest, "/inputs"),
        (JobOrder((JobInput(upload="u"),)), InvalidRequest, "/to"),
        (JobOrder((JobInput(),), to="md"), InvalidRequest, "/inputs/0"),
        (JobOrder((JobInput(upload="u", job="j"),), to="md"), InvalidRequest, "/inputs/0"),
        (JobOrder((JobInput(upload="u"),), to="md", tag="x" * 201), InvalidRequest, "/tag"),
        (JobOrder((JobInput(upload="u"),), to="md", operation="destroy"), InvalidRequest, "/operation"),
        (JobOrder((JobInput(upload="u"),), steps=(OrderedStep("destroy"),)), InvalidRequest, "/steps/0/operation"),
        (JobOrder((JobInput(upload="u"),), to="md"), NotFound, None),
        (JobOrder((JobInput(job="job_nonsense"),), to="md"), NotFound, None),
    ],
    ids=["none", "two", "no-target", "no-source", "two-sources", "tag", "operation", "steps", "upload", "job"],
)
@on_sqlite
async def test_an_order_that_makes_no_sense_is_refused_and_leaves_nothing(shop, alice, order, error, where):
    with pytest.raises(error) as refusal:
        await shop.jobs.submit(alice, order)
    assert [item.pointer for item in refusal.value.errors] == ([where] if where else [])
    assert await count(shop, JobRow) == 0


@on_sqlite
async def test_an_empty_file_is_refused_at_once(shop):
    with pytest.raises(EmptyInput):
        await shop.order(b"")


@pytest.mark.requirement("S36")
async def test_fifty_orders_at_once_get_exactly_as_many_places_as_there_are(shop, small_alice):
    upload = await shop.upload()
    order = JobOrder((JobInput(upload=upload),), to="md")
    answers = await asyncio.gather(*(shop.jobs.submit(small_alice, order) for _ in range(50)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ProblemError)]
    assert len(answers) - len(refused) == 2
    assert {type(answer) for answer in refused} == {ConcurrencyLimited}
    assert (refused[0].status, refused[0].retryable) == (429, True)


async def test_a_place_is_free_again_when_a_job_is_over(shop, small_alice):
    for _ in range(2):
        await shop.order(caller=small_alice)
    await shop.work()
    await shop.order(caller=small_alice)


@on_sqlite
async def test_a_dry_run_says_what_would_be_and_stores_nothing(shop, alice):
    quote = await shop.jobs.dry_run(alice, JobOrder((JobInput(upload=await shop.upload()),), to="md"))
    assert (quote.engine, quote.estimated_seconds, quote.cost) == ("shouter", 0.5, 0)
    assert quote.limits.max_input_bytes == alice.tier.max_input_bytes
    assert await count(shop, JobRow) == 0


@on_sqlite
async def test_the_output_of_a_job_can_be_the_input_of_the_next(shop, alice):
    first = await shop.order(b"hello")
    await shop.work()
    second = await shop.jobs.submit(alice, JobOrder((JobInput(job=first.id, output=0, source_format="txt"),), to="md"))
    await shop.work()
    assert await shop.read(second) == b"HELLO"
    assert (await shop.jobs.get(alice, second.id)).inputs[0].job == first.id


# --- tenants ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("S2")
async def test_the_job_of_another_tenant_is_as_unknown_as_one_that_never_was(shop, alice, bob):
    job = await shop.order(b"hello")
    await shop.work()
    unknown = "job_" + "0" * 26
    jobs = shop.jobs
    for act in (
        jobs.get,
        jobs.wait,
        jobs.events,
        jobs.cancel,
        jobs.retry,
        jobs.delete,
        lambda caller, id_: jobs.rate(caller, id_, 5),
        lambda caller, id_: jobs.open_output(caller, id_, 0),
        jobs.open_outputs,
        lambda caller, id_: jobs.submit(caller, JobOrder((JobInput(job=id_),), to="md")),
    ):
        details = set()
        for id_ in (job.id, unknown, "job_' OR 1=1", ""):
            with pytest.raises(NotFound) as refusal:
                await act(bob, id_)
            details.add(refusal.value.detail)
        assert len(details) == 1
    assert (await jobs.list_page(bob)).data == ()
    assert await shop.read(job) == b"HELLO"


# --- lists -----------------------------------------------------------------------------------------------------------


async def test_a_list_is_newest_first_and_its_pages_join_without_gap(shop, alice, clock):
    made = []
    for _ in range(5):
        made.append((await shop.order()).id)
        clock.move(1)
    found, cursor = [], None
    while True:
        page = await shop.jobs.list_page(alice, limit=2, cursor=cursor)
        found += [job.id for job in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == made[::-1]


async def test_a_list_can_be_narrowed_by_status_and_tag(shop, alice):
    done = await shop.order(tag="a")
    await shop.work()
    waiting = await shop.order(tag="b")
    by_status = await shop.jobs.list_page(alice, status=PublicStatus.SUCCEEDED)
    by_tag = await shop.jobs.list_page(alice, tag="b")
    assert [job.id for job in by_status.data] == [done.id]
    assert [job.id for job in by_tag.data] == [waiting.id]


async def test_the_place_in_the_queue_counts_who_comes_first(shop, alice, clock):
    first = await shop.order()
    clock.move(1)
    second = await shop.order()
    assert [(await shop.jobs.get(alice, job.id)).queue_position for job in (first, second)] == [1, 2]
    assert (await shop.jobs.get(alice, second.id)).estimated_seconds == 1.0


# --- waiting and listening -------------------------------------------------------------------------------------------


@on_sqlite
async def test_a_wait_ends_as_soon_as_the_status_changes(shop, alice):
    job = await shop.order()
    waiting = asyncio.create_task(shop.jobs.wait(alice, job.id, job.revision, timeout=30))
    await shop.runner().claim("standard")
    assert (await waiting).status == "running"


@pytest.mark.requirement("F8")
async def test_a_wait_ends_although_nobody_announced_the_change(shop, alice, monkeypatch):
    async def lost(topic):
        return None

    monkeypatch.setattr(shop.notifier, "notify", lost)
    job = await shop.order()
    waiting = asyncio.create_task(shop.jobs.wait_until_over(alice, job.id, timeout=30))
    await shop.work()
    assert (await waiting).status == "succeeded"


@on_sqlite
async def test_a_wait_from_an_old_revision_is_answered_at_once(shop, alice):
    job = await shop.order()
    await shop.runner().claim("standard")
    assert (await shop.jobs.wait(alice, job.id, job.revision, timeout=0.01)).status == "running"


@on_sqlite
async def test_a_wait_gives_the_job_unchanged_when_its_time_is_over(shop, alice):
    job = await shop.order()
    assert await shop.jobs.wait(alice, job.id, job.revision, timeout=0.02) == job


async def test_a_stream_tells_every_move_and_ends_with_the_whole_job(shop, alice):
    job = await shop.order()
    stream = await shop.jobs.events(alice, job.id)
    first = await anext(stream)
    await shop.work()
    rest = [event async for event in stream]
    assert (first.event, first.data["status"]) == ("state", "queued")
    states = [event.data["status"] for event in [first, *rest] if event.event == "state"]
    assert states == ["queued", "running", "succeeded"]
    assert rest[-1].event == "done"
    assert rest[-1].data["outputs"][0]["name"] == "text.md"
    ids = [event.id for event in [first, *rest]]
    assert ids == sorted(ids)
    progress = [event.data["progress"] for event in rest if event.event != "done"]
    assert progress == sorted(progress)


async def test_a_stream_resumes_after_the_last_event_that_was_seen(shop, alice):
    job = await shop.order()
    await shop.work()
    whole = [event async for event in await shop.jobs.events(alice, job.id)]
    resumed = [event async for event in await shop.jobs.events(alice, job.id, whole[1].id)]
    assert resumed == whole[2:]


# --- steering --------------------------------------------------------------------------------------------------------


async def test_a_waiting_job_is_cancelled_at_once_and_nobody_runs_it(shop, alice):
    job = await shop.jobs.cancel(alice, (await shop.order()).id)
    assert (job.status, job.error.code) == ("cancelled", "cancelled")
    assert await shop.work() is None
    for opening in (shop.jobs.open_output(alice, job.id, 0), shop.jobs.open_outputs(alice, job.id)):
        with pytest.raises(Cancelled):
            await opening


async def test_what_is_over_cannot_be_cancelled(shop, alice):
    job = await shop.order()
    await shop.work()
    with pytest.raises(Conflict):
        await shop.jobs.cancel(alice, job.id)


@on_sqlite
async def test_cancelling_a_running_job_twice_is_cancelling_it_once(shop, alice):
    job = await shop.order()
    await shop.runner().claim("standard")
    assert [(await shop.jobs.cancel(alice, job.id)).status for _ in range(2)] == ["running", "running"]


async def test_a_failed_job_can_be_tried_again_under_its_id(shop, alice):
    job = await shop.order()
    shop.converter.before = fail
    await shop.work()
    failed = await shop.jobs.get(alice, job.id)
    assert (failed.status, failed.error.code, failed.error.detail) == (
        "failed",
        "corrupt_input",
        "The file is torn in two.",
    )
    assert failed.error.instance == f"/v1/jobs/{job.id}"
    shop.converter.before = None
    again = await shop.jobs.retry(alice, job.id)
    assert (again.id, again.status, again.error, again.progress) == (job.id, "queued", None, 0)
    await shop.work()
    assert await shop.read(job) == b"HELLO"
    assert (await shop.jobs.get(alice, job.id)).attempt == 2


@pytest.mark.parametrize("when", ["waiting", "running", "succeeded", "deleted"])
@on_sqlite
async def test_only_what_failed_or_was_cancelled_can_be_tried_again(shop, alice, when):
    job = await shop.order()
    if when == "running":
        await shop.runner().claim("standard")
    if when == "succeeded":
        await shop.work()
    if when == "deleted":
        await shop.jobs.delete(alice, job.id)
    with pytest.raises(Conflict):
        await shop.jobs.retry(alice, job.id)


@on_sqlite
async def test_a_result_is_rated_once_it_is_there(shop, alice):
    job = await shop.order()
    with pytest.raises(Conflict):
        await shop.jobs.rate(alice, job.id, 5)
    await shop.work()
    await shop.jobs.rate(alice, job.id, 5, "fine")
    await shop.jobs.rate(alice, job.id, 4)
    for stars in (0, 6):
        with pytest.raises(InvalidRequest):
            await shop.jobs.rate(alice, job.id, stars)
    async with shop.database.read() as session:
        assert (await session.get(JobRow, job.id)).rating == 4


# --- deleting --------------------------------------------------------------------------------------------------------


async def test_deleting_a_job_erases_every_byte_of_it(shop, alice):
    job = await shop.order(b"hello")
    await shop.work()
    assert len(await shop.objects()) == 2
    await shop.jobs.delete(alice, job.id)
    assert await shop.objects() == []
    gone = await shop.jobs.get(alice, job.id)
    assert (gone.status, gone.outputs) == ("expired", ())
    for opening in (shop.jobs.open_output(alice, job.id, 0), shop.jobs.open_outputs(alice, job.id)):
        with pytest.raises(Expired):
            await opening
    await shop.jobs.delete(alice, job.id)


@pytest.mark.requirement("F27")
async def test_a_job_that_is_deleted_while_it_runs_stops_and_leaves_nothing(shop, alice):
    job = await shop.order(b"hello")
    working = asyncio.Event()

    async def dawdle(assignment, cancel):
        working.set()
        await cancel.wait()

    shop.converter.before = dawdle
    work = asyncio.create_task(shop.work())
    await working.wait()
    await shop.jobs.delete(alice, job.id)
    assert await work == "stale"
    assert await shop.objects() == []
    assert await shop.status(job) == "expired"
    assert await count(shop, UsageRow) == 0


async def test_an_input_that_another_job_still_has_to_read_is_not_deleted(shop, alice):
    upload = await shop.upload(b"hello")
    order = JobOrder((JobInput(upload=upload),), to="md")
    first, second = [await shop.jobs.submit(alice, order) for _ in range(2)]
    await shop.jobs.delete(alice, first.id)
    await shop.work()
    assert await shop.read(second) == b"HELLO"


async def test_deleting_a_job_leaves_the_result_of_the_job_before_it(shop, alice):
    first = await shop.order(b"hello")
    await shop.work()
    second = await shop.jobs.submit(alice, JobOrder((JobInput(job=first.id, source_format="txt"),), to="md"))
    await shop.jobs.delete(alice, second.id)
    assert await shop.read(first) == b"HELLO"


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["succeeds", "fails", "is cancelled", "is deleted"])
@on_sqlite
async def test_a_password_is_sealed_while_the_job_lives_and_gone_when_it_ends(shop, alice, end):
    job = await shop.order(password="sesame")
    async with shop.database.read() as session:
        sealed = (await session.scalars(select(JobSecretRow.sealed))).one()
    assert b"sesame" not in sealed
    if end == "is cancelled":
        await shop.jobs.cancel(alice, job.id)
    elif end == "is deleted":
        await shop.jobs.delete(alice, job.id)
    else:
        shop.converter.before = fail if end == "fails" else None
        await shop.work()
        assert shop.converter.seen[0].password == "sesame"
    assert await count(shop, JobSecretRow) == 0


@on_sqlite
async def test_a_password_is_in_no_table_and_in_no_log(shop, caplog):
    job = await shop.order(password="sesame-open")
    await shop.work()
    async with shop.database.read() as session:
        for table in ("jobs", "attempts", "job_events", "job_inputs", "outbox"):
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()
            assert "sesame-open" not in repr(rows)
    assert "sesame-open" not in caplog.text
    assert "sesame-open" not in repr(shop.converter.seen[0])
    assert job.status == "queued"
