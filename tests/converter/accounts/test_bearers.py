"""Who a token or key speaks for, and how little is asked to know it."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from sqlalchemy import select

from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.identity.access import BELIEVED, Access, AccessTokens
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.ids import RandomIds
from filewright.chassis.sealing import Box, derived
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.converter.accounts.api_keys import ApiKeys, KeyOrder
from filewright.converter.accounts.bearers import Bearers
from filewright.converter.accounts.places import Places
from filewright.converter.accounts.signing_in import FACTS
from filewright.converter.tiers import EVERYBODYS_SCOPES, SCOPES, Caller, Tiers
from tablekit import migrated

SECRET = b"a secret of the tests, of thirty-two bytes and more"
HERE = ipaddress.ip_address("203.0.113.7")


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock():
    return FakeClock()


class World:
    """One process."""

    def __init__(self, database, clock):
        self.database, self.clock, self.ids = database, clock, RandomIds(clock)
        self.audit = audit = Audit(database, Seals(SECRET))
        self.watch = Watch(database, audit, Alarms(clock, Metrics()), clock, Metrics())
        signing = SigningKeys(database, Box(SECRET, "signing"), self.ids, clock, audit, token_life=BELIEVED)
        self.access = AccessTokens(signing, self.ids, clock, service="tests", facts=FACTS)
        notifier = MemoryNotifier()
        sessions = Sessions(database, RefreshTokens(derived(SECRET, "r")), self.ids, clock, notifier, audit)
        self.keys = ApiKeys(database, MemoryCache(clock, notifier=notifier), self.ids, clock, audit)
        self.bearers = Bearers(self.access, sessions, self.keys, Tiers().named, self.watch)

    async def person(self, role="user"):
        from filewright.chassis.identity.models import UserRow

        user = self.ids.new("usr")
        async with self.database.write() as session:
            now = await self.database.now(session)
            session.add(
                UserRow(id=user, tenant=user, email=f"{user}@example.com", tier="anonymous", role=role,
                        created_at=now, updated_at=now)
            )  # fmt: skip
        scopes = SCOPES if role == "admin" else EVERYBODYS_SCOPES
        return Caller(user, Tiers().named("anonymous"), scopes, user=user)

    async def token(self, user, role="user", scopes=EVERYBODYS_SCOPES):
        access = Access(user, self.ids.new("ses"), scopes, self.clock.now(), {"tier": "anonymous", "role": role})
        return await self.access.make(access)


@pytest.fixture
def world(database, database_clock):
    return World(database, database_clock)


@pytest.fixture
def silence(database, monkeypatch):
    """From now on the database answers nobody."""

    def fall():
        def nothing():
            raise AssertionError("the database was asked")

        monkeypatch.setattr(database, "read", nothing)
        monkeypatch.setattr(database, "write", nothing)

    return fall


async def test_a_token_is_believed_without_a_question_to_the_database(world, silence):
    token = await world.token("usr_1")
    silence()
    for _ in range(3):
        caller = await world.bearers.identify(token, HERE)
        assert (caller.tenant, caller.user, caller.key) == ("usr_1", "usr_1", None)
        assert caller.scopes == EVERYBODYS_SCOPES


@pytest.mark.requirement("S7")
async def test_a_key_is_asked_for_once_and_what_is_no_key_never(world, silence):
    _, made = await world.keys.create(await world.person(), KeyOrder("k", frozenset({"jobs:read"})))
    first = await world.bearers.identify(made.text, HERE)
    silence()
    assert await world.bearers.identify(made.text, HERE) == first
    assert first.scopes == {"jobs:read"}
    other = "y" if made.text[10] == "x" else "x"
    for broken in (made.text[:-1], made.text[:-1] + "!", made.text[:10] + other + made.text[11:], "fw_live_"):
        with pytest.raises(Unauthenticated):
            await world.bearers.identify(broken, HERE)


@pytest.mark.requirement("S7")
async def test_a_revoked_key_is_refused_by_a_process_that_heard_nothing_after_its_next_look(
    world, database, database_clock
):
    owner = await world.person()
    row, made = await world.keys.create(owner, KeyOrder("k", frozenset({"jobs:read"})))
    deaf = World(database, database_clock)
    assert await deaf.bearers.identify(made.text, HERE)
    await world.keys.revoke(owner, row.id)
    with pytest.raises(Unauthenticated):
        await world.bearers.identify(made.text, HERE)
    await deaf.keys.look_once()
    with pytest.raises(Unauthenticated):
        await deaf.bearers.identify(made.text, HERE)


@pytest.mark.requirement("S7")
async def test_a_key_ends_when_it_was_said_to_although_it_is_remembered(world):
    ends = world.clock.now() + timedelta(seconds=10)
    _, made = await world.keys.create(await world.person(), KeyOrder("k", frozenset({"jobs:read"}), expires_at=ends))
    assert await world.bearers.identify(made.text, HERE)
    await world.clock.advance(11)
    with pytest.raises(Unauthenticated):
        await world.bearers.identify(made.text, HERE)


@pytest.mark.requirement("S7", "S14")
async def test_a_key_is_good_in_its_networks_only(world):
    order = KeyOrder("k", frozenset({"jobs:read"}), networks=("203.0.113.0/24", "2001:db8::/32"))
    _, made = await world.keys.create(await world.person(), order)
    for good in ("203.0.113.255", "2001:db8::1"):
        assert await world.bearers.identify(made.text, ipaddress.ip_address(good))
    for bad in (ipaddress.ip_address("203.0.114.1"), ipaddress.ip_address("2001:db9::1"), None):
        with pytest.raises(Forbidden):
            await world.bearers.identify(made.text, bad)


async def test_nobody_is_an_admin_by_what_a_token_or_key_says_alone(world):
    caller = await world.bearers.identify(await world.token("usr_1", "user", SCOPES), HERE)
    assert "admin" not in caller.scopes
    _, made = await world.keys.create(await world.person("admin"), KeyOrder("k", frozenset({"admin"})))
    assert (await world.bearers.identify(made.text, HERE)).scopes == {"admin"}


@pytest.mark.requirement("S7")
async def test_when_a_key_was_last_used_is_written_down_in_batches(world):
    owner = await world.person()
    _, made = await world.keys.create(owner, KeyOrder("k", frozenset({"jobs:read"})))
    await world.clock.advance(5)
    for _ in range(3):
        await world.bearers.identify(made.text, HERE)
    (listed,) = await world.keys.list_page(owner, after=None, limit=10)
    assert listed.last_used_at is None
    assert await world.keys.write_uses_once() == 1
    assert await world.keys.write_uses_once() == 0
    (listed,) = await world.keys.list_page(owner, after=None, limit=10)
    assert listed.last_used_at == world.clock.now()


@pytest.mark.requirement("S29")
async def test_a_network_that_a_key_comes_from_for_the_first_time_is_written_down_once(world):
    owner = await world.person()
    row, made = await world.keys.create(owner, KeyOrder("k", frozenset({"jobs:read"})))
    for _ in range(2):
        for address in ("203.0.113.7", "198.51.100.9", "203.0.113.7"):
            await world.bearers.identify(made.text, ipaddress.ip_address(address))
        await world.keys.write_uses_once()
        world.keys._places = Places(world.audit)  # another process, which has seen nothing
    async with world.database.read() as session:
        found = (await session.scalars(select(AuditLogRow).where(AuditLogRow.action == "key.new_network"))).all()
    assert [(act.subject, act.actor) for act in found] == [
        (row.id, world.audit.mark(f"ip:{address}")) for address in ("203.0.113.7", "198.51.100.9")
    ]
