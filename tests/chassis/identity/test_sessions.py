"""Sessions: refresh tokens are good once, a copy is noticed, and an end is known everywhere soon."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.identity.access import BELIEVED
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import IDLE, NEWS, OLDEST, End, Origin, RefreshRefused, UserSessionRow

ORIGIN = Origin("203.0.113.7", "a browser")


@pytest.fixture
def sessions(make_sessions):
    return make_sessions()


@pytest.fixture
def begin(sessions, database):
    async def begun(user="usr_1"):
        async with database.write() as session:
            return await sessions.begin(session, user=user, tenant=user, origin=ORIGIN)

    return begun


async def ended(database, sessions, token, why=End.LOGGED_OUT):
    async with database.write() as session:
        await sessions.end(session, UserSessionRow.id == token.session, why=why)


@pytest.mark.requirement("S5")
async def test_each_token_brings_the_next_and_only_the_newest_is_good(sessions, begin, database):
    token = await begin()
    chain = [token]
    for _ in range(5):
        row, following = await sessions.carry_on(chain[-1].text)
        assert (row.id, row.user_id) == (token.session, "usr_1")
        chain.append(following)
    assert len({link.text for link in chain}) == 6
    with pytest.raises(RefreshRefused):
        await sessions.carry_on(chain[2].text)
    with pytest.raises(RefreshRefused):
        await sessions.carry_on(chain[-1].text)
    assert sessions.is_over(token.session)
    async with database.read() as session:
        row = (await session.scalars(select(UserSessionRow))).one()
        acts = (await session.scalars(select(AuditLogRow.action).order_by(AuditLogRow.id))).all()
    assert row.end_reason == "reused"
    assert acts == ["session.refreshed"] * 5 + ["session.reused"]


@pytest.mark.requirement("S5")
async def test_of_many_who_exchange_one_token_at_once_at_most_one_succeeds(make_sessions, begin):
    token = await begin()
    replicas = [make_sessions() for _ in range(8)]
    outcomes = await asyncio.gather(*(one.carry_on(token.text) for one in replicas), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) <= 1
    assert all(isinstance(outcome, tuple | RefreshRefused) for outcome in outcomes)
    assert any(one.is_over(token.session) for one in replicas)


@pytest.mark.requirement("S5")
async def test_an_end_is_known_at_once_where_news_is_heard_and_soon_where_it_is_not(make_sessions, begin, database):
    notifier = MemoryNotifier()
    here, hears, deaf = make_sessions(notifier), make_sessions(), make_sessions()
    token = await begin()
    async with notifier.follow(NEWS, hears.hear):
        await ended(database, here, token)
    assert here.is_over(token.session)
    assert hears.is_over(token.session)
    assert not deaf.is_over(token.session)
    await deaf.look_once()
    assert deaf.is_over(token.session)


async def test_an_end_is_remembered_as_long_as_a_token_may_be_believed(sessions, begin, database, clock):
    token = await begin()
    await ended(database, sessions, token)
    await clock.advance(BELIEVED.total_seconds() - 1)
    await sessions.look_once()
    assert sessions.is_over(token.session)
    await clock.advance(BELIEVED.total_seconds() + 2)
    await sessions.look_once()
    assert not sessions.is_over(token.session)


async def test_a_session_that_is_not_used_is_over_after_a_month_and_each_after_three(sessions, begin, clock):
    idle = await begin()
    token = await begin()
    day = 86_400
    for _ in range(int(IDLE.total_seconds() // day) - 1):
        await clock.advance(day)
    _, token = await sessions.carry_on(token.text)
    await clock.advance(2 * day)
    with pytest.raises(RefreshRefused):
        await sessions.carry_on(idle.text)
    while True:
        try:
            _, token = await sessions.carry_on(token.text)
        except RefreshRefused:
            break
        await clock.advance(20 * day)
    assert (clock.now() - clock._start) < OLDEST + IDLE


def test_only_what_was_given_to_somebody_is_known():
    ours, theirs = RefreshTokens(b"k" * 32), RefreshTokens(b"x" * 32)
    token = ours.make("ses_" + "0" * 26)
    assert ours.known(token.text) == token
    assert theirs.known(token.text) is None
    for place in range(len(token.text)):
        other = "A" if token.text[place] != "A" else "B"
        changed = token.text[:place] + other + token.text[place + 1 :]
        assert ours.known(changed) is None or changed[:-1] == token.text[:-1]
    for text in ("", "fwr_", token.text + "A", token.text[:-1], token.text.upper(), "é" * 95, token.text + "\n"):
        assert ours.known(text) is None
