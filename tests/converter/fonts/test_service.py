"""Fonts of tenants: kept for good, capped, each owner's own, and gone when they are taken away or their owner is."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

import pytest
from fontTools.ttLib import TTFont
from sqlalchemy import select

from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.sandbox.absent import NoSandbox
from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.several import ClamdPool
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.servers.clamd import EICAR
from filewright.chassis.web.problems import Conflict, Forbidden, NotFound
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.errors import CorruptInput, Infected, ScanUnavailable, Timeout, TooLarge
from filewright.converter.fonts import packs as packs_module
from filewright.converter.fonts.packs import Packs
from filewright.converter.fonts.service import Fonts
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures
from filewright.converter.tiers import LOCAL
from fontkit import font, made, wrapped

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
QUILLMARK, INKHORN = font("Quillmark", postscript="QM"), font("Inkhorn")


def packs_in(shop, folder=None, *, sandbox=None, scanner=None, **more):
    machine = (sandbox or NoSandbox(), scanner or NoScanner(), folder or shop.folder)
    return Packs(shop.database, shop.artifacts, *machine, operators=False, **more)


@pytest.fixture
def alice(alice):
    return replace(alice, tier=LOCAL)


@pytest.fixture
def bob(bob):
    return replace(bob, tier=LOCAL)


@pytest.fixture
def fonts(shop):
    return Fonts(shop.database, shop.artifacts, NoScanner(), shop.ids, shop.audit, shop.folder / "scratch")


@pytest.fixture
async def sandbox(jobs_dir):
    """In the loop of the test, as the shop is."""
    opened = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED)
    yield opened
    await opened.close()


@pytest.fixture
def scanning(clock):
    """The service's part that looks at files first."""
    return lambda url: ClamdPool(parse_addresses(url), clock, Metrics())


@pytest.fixture
def add(shop, fonts):
    async def adding(data, caller, fonts=fonts):
        async def chunks():
            yield data

        done = await shop.uploads.receive(caller, "font.ttf", chunks())
        return await fonts.add(caller, done.artifact)

    return adding


@pytest.fixture
async def packs(shop):
    opened = packs_in(shop, shop.folder / "work")
    (shop.folder / "work").mkdir(exist_ok=True)
    yield opened
    await opened.close()


async def test_a_font_is_kept_longer_than_files_are(shop, fonts, add, alice, clock):
    row = await add(QUILLMARK, alice)
    await clock.advance(10 * alice.tier.retention_seconds)
    assert await shop.artifacts.prune_once() == 0
    assert await shop.uploads.prune_once() == 0
    assert (await fonts.get(alice, row.id)).faces[0]["family"] == "Quillmark"


async def test_the_same_bytes_again_are_the_same_font(fonts, add, alice):
    assert (await add(QUILLMARK, alice)).id == (await add(QUILLMARK, alice)).id
    _, room = await fonts.page(alice)
    assert (room.fonts, room.bytes) == (1, len(QUILLMARK))


async def test_caps_hold_for_fonts_that_come_at_once(fonts, add, alice):
    few = replace(alice, tier=replace(alice.tier, max_fonts=1))
    outcomes = await asyncio.gather(add(QUILLMARK, few), add(INKHORN, few), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "FontRow"]
    with pytest.raises(Conflict):
        await add(font("Third"), few)
    with pytest.raises(TooLarge):
        await add(font("Third"), replace(alice, tier=replace(alice.tier, max_fonts_bytes=2 * len(QUILLMARK) - 1)))
    with pytest.raises(Forbidden):
        await add(font("Third"), replace(alice, tier=replace(alice.tier, max_fonts=0)))


@pytest.mark.requirement("S2")
async def test_each_has_their_own(fonts, add, packs, alice, bob):
    row = await add(QUILLMARK, alice)
    for asked in (fonts.get(bob, row.id), fonts.delete(bob, row.id)):
        with pytest.raises(NotFound):
            await asked
    assert (await fonts.page(bob))[0] == []
    async with packs.lent("bob") as his, packs.lent("alice") as hers:
        assert his is None
        assert [path.read_bytes() for path in hers.files.iterdir()] == [QUILLMARK]
        assert hers.names["Quillmark"] == ("QM", "Quillmark")


async def test_a_pack_is_laid_down_once_and_is_another_when_the_fonts_are(shop, fonts, add, alice):
    row = await add(QUILLMARK, alice)
    packs = packs_in(shop)
    async with packs.lent("alice") as one, packs.lent("alice") as same:
        assert one is same
        await fonts.delete(alice, row.id)
        await add(INKHORN, alice)
        async with packs.lent("alice") as other:
            assert [path.read_bytes() for path in one.files.iterdir()] == [QUILLMARK]
            assert [path.read_bytes() for path in other.files.iterdir()] == [INKHORN]
    await packs.close()
    assert not one.place.exists()
    assert not other.place.exists()


async def test_an_unused_pack_is_removed(shop, add, alice):
    await add(QUILLMARK, alice)
    packs = packs_in(shop, idle_seconds=0)
    async with packs.lent("alice") as pack:
        assert pack.place.exists()
    async with asyncio.timeout(30):
        while pack.place.exists():
            await asyncio.sleep(0.01)
    await packs.close()


async def test_what_is_taken_away_is_gone_from_the_store(shop, fonts, add, alice):
    row = await add(QUILLMARK, alice)
    await fonts.delete(alice, row.id)
    assert await shop.objects() == []
    with pytest.raises(NotFound):
        await fonts.get(alice, row.id)
    async with shop.database.read() as session:
        acts = (await session.scalars(select(AuditLogRow).order_by(AuditLogRow.id))).all()
    assert [(act.action, act.subject) for act in acts] == [("font.added", row.id), ("font.deleted", row.id)]


@pytest.mark.parametrize("flavour", ["woff", "woff2"])
async def test_what_is_wrapped_for_the_web_is_a_plain_font_where_jobs_run(shop, add, alice, sandbox, jobs_dir, flavour):
    row = await add(wrapped(made("Quillmark", postscript="QM"), flavour), alice)
    assert row.format == flavour
    packs = packs_in(shop, jobs_dir, sandbox=sandbox)
    async with packs.lent("alice") as pack:
        [path] = pack.files.iterdir()
        assert path.suffix == ".ttf"
        with TTFont(path) as plain:
            assert (plain.flavor, plain["name"].getDebugName(1)) == (None, "Quillmark")
            assert plain["glyf"]["u0041"].numberOfContours == 1
        assert pack.names["Quillmark"] == ("QM", "Quillmark")
    await packs.close()


async def test_one_that_can_not_be_unwrapped_is_left_out_and_the_others_are_there(shop, add, alice, sandbox, jobs_dir):
    await add(a_font_of_noise(), alice)
    await add(INKHORN, alice)
    packs = packs_in(shop, jobs_dir, sandbox=sandbox)
    async with packs.lent("alice") as pack:
        assert [path.read_bytes() for path in pack.files.iterdir()] == [INKHORN]
    await packs.close()


async def test_one_that_took_too_long_once_is_tried_again(shop, add, alice, monkeypatch):
    await add(INKHORN, alice)
    calls, really = [], packs_module.laid_down

    async def slow_once(path, *given):
        calls.append(path)
        if len(calls) == 1:
            raise Timeout
        return await really(path, *given)

    monkeypatch.setattr(packs_module, "laid_down", slow_once)
    packs = packs_in(shop, idle_seconds=0.0)
    for found in ([], [INKHORN]):
        async with packs.lent("alice") as pack:
            assert [path.read_bytes() for path in pack.files.iterdir()] == found
        await asyncio.sleep(0)  # the loop's next turn takes the pack away
        await asyncio.sleep(0)
    await packs.close()


def a_font_of_noise():
    """A WOFF whose names are sound and whose outlines are not."""
    whole = bytearray(wrapped(made("Quillmark"), "woff"))
    at = whole.index(b"glyf")
    offset, length = struct.unpack(">2L", whole[at + 4 : at + 12])
    whole[offset : offset + length] = b"\xff" * length
    return bytes(whole)


@pytest.mark.requirement("S17")
async def test_a_font_with_malware_is_not_taken(shop, add, alice, clamd_server, scanning):
    scanner = scanning(clamd_server.url)
    guarded = Fonts(shop.database, shop.artifacts, scanner, shop.ids, shop.audit, shop.folder / "scratch")
    with pytest.raises(Infected):
        await add(QUILLMARK + EICAR, alice, guarded)
    assert (await add(QUILLMARK, alice, guarded)).format == "ttf"
    assert (await guarded.page(alice))[1].fonts == 1
    unheard = Fonts(shop.database, shop.artifacts, scanning("unix:///nowhere"), shop.ids, shop.audit, shop.folder)
    with pytest.raises(ScanUnavailable):
        await add(INKHORN, alice, unheard)


@pytest.mark.requirement("S17")
async def test_a_font_that_was_not_scanned_when_it_came_is_before_any_job_has_it(
    shop, add, alice, clamd_server, scanning, sandbox, jobs_dir
):
    await add(QUILLMARK + EICAR, alice)
    await add(wrapped(with_comment(EICAR), "woff2"), alice)
    await add(INKHORN, alice)
    packs = packs_in(shop, jobs_dir, sandbox=sandbox, scanner=scanning(clamd_server.url))
    async with packs.lent("alice") as pack:
        assert [path.read_bytes() for path in pack.files.iterdir()] == [INKHORN]
    await packs.close()
    unheard = packs_in(shop, jobs_dir, scanner=scanning("unix:///nowhere"))
    with pytest.raises(ScanUnavailable):
        async with unheard.lent("alice"):
            raise AssertionError
    await unheard.close()


def with_comment(data):
    """A font in which these bytes are not to be seen before it is unwrapped."""
    one = made("Quillmark")
    one["name"].setName(data.decode("ascii"), 10, 1, 0, 0)
    return one


async def test_what_is_no_font_is_not_kept(fonts, add, alice):
    with pytest.raises(CorruptInput):
        await add(QUILLMARK[:3000], alice)
    assert (await fonts.page(alice))[0] == []


@pytest.mark.requirement("S26")
async def test_an_erased_tenant_has_no_fonts_and_the_neighbour_does(shop, fonts, add, alice, bob):
    await add(QUILLMARK, alice)
    kept = await add(INKHORN, bob)
    erasures = Erasures(
        shop.database, shop.store, shop.ids, Signer(b"s" * 32), shop.notifier, metadata, audit=shop.audit
    )
    await erasures.order("alice")
    assert await erasures.run_once() == 1
    assert (await fonts.page(alice))[0] == []
    assert (await fonts.get(bob, kept.id)).id == kept.id
    async with shop.database.read() as session:
        [left] = (await session.scalars(select(ArtifactRow))).all()
    assert await shop.objects() == [part["key"] for part in left.parts]
