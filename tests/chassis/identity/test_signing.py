"""Signing keys follow one another while tokens are made and checked everywhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from filewright.chassis.identity.access import BELIEVED, LIFE, Access, TokenRefused
from filewright.chassis.identity.signing import FOLLOWED_AFTER, SIGNS_AFTER
from filewright.chassis.ids import RandomIds


@pytest.fixture
def access(clock):
    return lambda: Access(
        "usr_1", RandomIds(clock).new("ses"), frozenset(), clock.now(), {"tier": "free", "role": "user"}
    )


@pytest.mark.requirement("S6")
async def test_a_key_follows_another_twice_and_no_token_is_refused_before_its_time(
    make_keys, make_tokens, access, clock
):
    here, there = make_keys(), make_keys()
    await here.open()
    await there.open()
    one, other = make_tokens(here), make_tokens(there)
    first = await one.make(access())
    for _ in range(2):
        before = await one.make(access())
        await here.follow()
        for _ in range(int(SIGNS_AFTER.total_seconds()) + 2):
            # Both go on signing, whichever has learnt of the new key, and each believes the other's.
            assert await other.check(await one.make(access()))
            assert await one.check(await other.make(access()))
            await clock.advance(1)
        await there.refresh_once()
        assert await other.check(before)
    assert (await here.signer()).kid == (await there.signer()).kid
    await clock.advance(BELIEVED.total_seconds() + 1)
    for tokens in (one, other):
        with pytest.raises(TokenRefused):
            await tokens.check(first)


@pytest.mark.requirement("S6")
async def test_a_key_that_was_followed_is_refused_after_its_last_token_has_run_out(
    keys, make_keys, make_tokens, access, clock, database
):
    old = await keys.signer()
    kept = make_tokens(keys)
    await keys.follow()
    await clock.advance((SIGNS_AFTER + BELIEVED).total_seconds() + 1)
    from joserfc import jwt

    now = int(clock.now().timestamp())
    claims = {
        "iss": "urn:tests:accounts", "aud": "urn:tests:api", "sub": "usr_1", "sid": RandomIds(clock).new("ses"),
        "jti": "j", "iat": now, "nbf": now, "exp": now + 60, "auth_time": now, "scope": "", "tier": "", "role": "",
    }  # fmt: skip
    with pytest.raises(TokenRefused):
        await kept.check(jwt.encode(old.header, claims, old.key))
    newest = await keys.signer()
    assert await kept.check(jwt.encode(newest.header, claims, newest.key))


@pytest.mark.requirement("S6")
async def test_after_a_leak_no_older_token_is_believed(keys, tokens, access, clock):
    before = await tokens.make(access())
    assert await tokens.check(before)
    await keys.follow(distrust=True)
    with pytest.raises(TokenRefused):
        await tokens.check(before)
    assert await tokens.check(await tokens.make(access()))


async def test_upkeep_makes_the_next_key_in_time_and_forgets_the_past(keys, clock):
    first = (await keys.signer()).kid
    assert await keys.rotate_once() == 0
    await clock.advance(FOLLOWED_AFTER.total_seconds() + 1)
    assert await keys.rotate_once() == 1
    assert await keys.rotate_once() == 0
    await clock.advance(timedelta(hours=1).total_seconds())
    await keys.rotate_once()
    await keys.refresh_once()
    assert (await keys.signer()).kid != first
    assert len(keys._keys) == 1


async def test_a_token_lasts_as_long_as_is_said_and_no_longer_than_fifteen_minutes(tokens, access, clock):
    token = await tokens.make(access())
    await clock.advance(LIFE.total_seconds())
    assert await tokens.check(token)
    await clock.advance((BELIEVED - LIFE).total_seconds())
    with pytest.raises(TokenRefused):
        await tokens.check(token)
    assert timedelta(minutes=15) >= BELIEVED


async def test_processes_that_start_together_have_one_key_between_them(make_keys, make_tokens, access):
    crowd = [make_keys() for _ in range(6)]
    await asyncio.gather(*(keys.open() for keys in crowd))
    assert len({(await keys.signer()).kid for keys in crowd}) == 1
    token = await make_tokens(crowd[0]).make(access())
    for keys in crowd:
        assert await make_tokens(keys).check(token)


async def test_keys_sealed_under_another_secret_are_not_used(keys, database, clock, audit):
    from filewright.chassis.identity.signing import SigningKeys
    from filewright.chassis.sealing import Box

    other = SigningKeys(
        database,
        Box(b"another secret of thirty-two bytes or so", "signing"),
        RandomIds(clock),
        clock,
        audit,
        token_life=BELIEVED,
    )
    await other.open()
    assert (await other.signer()).kid != (await keys.signer()).kid
