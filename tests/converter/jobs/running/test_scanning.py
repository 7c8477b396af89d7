"""No file is converted without a scanner's word, and none is handed out."""

import asyncio

import pytest
from sqlalchemy import select

from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.clock import SystemClock
from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.scanning.clamd import REST_SECONDS
from filewright.chassis.scanning.line import Patience
from filewright.chassis.scanning.several import ClamdPool
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.servers.clamd import EICAR
from filewright.converter.conversion import checks
from filewright.converter.conversion.orders import Converted, Product
from filewright.converter.errors import Expired
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.policy import MAX_TRANSIENT
from filewright.converter.jobs.running.readiness import Readiness
from scankit import liar as manners
from scankit.dressed import DRESSINGS, harmless, infected
from scankit.liar import lying

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
QUICK = Patience(answer=1.5, scan=60.0)


@pytest.fixture
def scanner(clock):
    def make(url: str, patience: Patience = QUICK) -> ClamdPool:
        return ClamdPool(parse_addresses(url), clock, Metrics(), patience)

    return make


async def order(shop, alice, name, content):
    """A job on a file of that name."""
    upload = await shop.upload(content, name=name)
    return await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"))


@pytest.mark.requirement("B30", "S17", "J3")
@pytest.mark.parametrize("dressing", DRESSINGS)
async def test_malware_is_never_converted_in_whatever_it_is_packed(shop, alice, clamd_server, scanner, dressing):
    job = await order(shop, alice, *infected(dressing))
    guarded = shop.runner(scanner=scanner(clamd_server.url, Patience()))
    assert await shop.work(guarded) == "infected"
    assert shop.converter.seen == []
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code, ended.outputs) == ("failed", "infected", ())
    async with shop.database.read() as session:
        [act] = (await session.scalars(select(AuditLogRow))).all()
    assert (act.action, act.subject, act.tenant) == ("scan.infected", job.id, "alice")
    assert "Eicar-Test-Signature" in ended.error.detail
    assert await shop.objects() == []
    await order(shop, alice, *harmless(dressing))
    assert await shop.work(guarded) == "succeeded"


@pytest.mark.requirement("S17")
async def test_malware_that_comes_out_of_a_conversion_is_never_stored(shop, alice, clamd_server, scanner):
    job = await shop.order(b"harmless")
    convert = shop.converter.convert

    async def unpacking(assignment, **more) -> Converted:
        converted = await convert(assignment, **more)
        path = converted.products[0].path.with_name("inner.md")
        path.write_bytes(EICAR)
        inner = Product(path, "inner.md", "md", "text/markdown", checks.seen(path))
        return Converted("txt", "md", converted.route, (*converted.products, inner), 0.01)

    shop.converter.convert = unpacking
    assert await shop.work(shop.runner(scanner=scanner(clamd_server.url, Patience()))) == "infected"
    assert (await shop.jobs.get(alice, job.id)).error.code == "infected"
    assert await shop.objects() == []


async def test_an_infected_file_cannot_be_ordered_again(shop, alice, clamd_server, scanner):
    upload = await shop.upload(EICAR)
    order = JobOrder((JobInput(upload=upload),), to="md")
    await shop.jobs.submit(alice, order)
    await shop.work(shop.runner(scanner=scanner(clamd_server.url, Patience())))
    with pytest.raises(Expired):
        await shop.jobs.submit(alice, order)


@pytest.mark.requirement("S17")
async def test_what_a_scanner_cannot_look_into_is_not_converted(shop, alice, scanner):
    async with lying() as liar:
        guard = scanner(str(liar.address))
        await guard.usable()
        liar.manner = manners.says(b"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND\0")
        job = await shop.order(b"hello")
        assert await shop.work(shop.runner(scanner=guard)) == "failed"
    assert (await shop.jobs.get(alice, job.id)).error.code == "not_scannable"
    assert shop.converter.seen == []


@pytest.mark.requirement("F20", "S17")
@pytest.mark.parametrize("trouble", ["killed", "frozen"])
async def test_a_scanner_that_goes_away_while_it_scans_makes_the_job_late(
    shop, alice, own_clamd, scanner, clock, trouble
):
    guard = scanner(own_clamd.url)
    assert await guard.usable()
    job = await shop.order(b"hello")
    own_clamd.freeze()
    work = asyncio.create_task(shop.work(shop.runner(scanner=guard)))
    while (await shop.jobs.get(alice, job.id)).stage != "scanning":
        await asyncio.sleep(0.01)
    if trouble == "killed":
        own_clamd.kill()
    assert await work == "retry_wait"
    assert shop.converter.seen == []
    assert await shop.status(job) == "queued"
    if trouble == "killed":
        own_clamd.restart()
    own_clamd.thaw()
    clock.move(400)
    await shop.rescuer.run_once()
    assert await shop.work(shop.runner(scanner=guard)) == "succeeded"
    assert await shop.read(job) == b"HELLO"


@pytest.mark.requirement("F20", "S17")
async def test_a_scanner_that_lies_converts_nothing_and_the_job_says_so_in_the_end(shop, alice, scanner, clock):
    async with lying() as liar:
        guard = scanner(str(liar.address))
        job = await shop.order(b"hello")
        liar.manner = manners.says(manners.HONEST)  # to everything
        for _ in range(MAX_TRANSIENT):
            await shop.work(shop.runner(scanner=guard))
            clock.move(400)
            await shop.rescuer.run_once()
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code, ended.error.retryable) == ("failed", "scan_unavailable", True)
    assert shop.converter.seen == []


@pytest.mark.requirement("F20")
async def test_no_job_is_claimed_while_no_scanner_answers(shop, own_clamd, scanner, clock):
    guard = scanner(own_clamd.url)
    may_claim = Readiness(shop.store, shop.folder, clock, scanner=guard)
    assert await may_claim()
    own_clamd.freeze()
    clock.move(61)  # what it said before is too old
    assert not await may_claim()
    own_clamd.thaw()
    clock.move(REST_SECONDS + 1)
    assert await may_claim()


async def test_without_a_scanner_nothing_is_asked_and_nothing_is_different(shop, alice):
    job = await shop.order(EICAR)
    assert await shop.work() == "succeeded"
    stages = []

    class Watching(ClamdPool):
        active = False

        async def scan(self, path):
            stages.append(path)

    await shop.order(b"hello")
    addresses = parse_addresses("tcp://127.0.0.1:9")
    await shop.work(shop.runner(scanner=Watching(addresses, SystemClock(), Metrics())))
    assert stages == []
    assert (await shop.jobs.get(alice, job.id)).status == "succeeded"
