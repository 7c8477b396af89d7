"""Databases with the program's tables, and everything that keeps people apart, on a clock that tests move."""

from __future__ import annotations

import pytest

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.identity.access import BELIEVED, AccessTokens
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.ids import RandomIds
from filewright.chassis.sealing import Box, derived
from filewright.chassis.testing.clock import FakeClock
from tablekit import database_schema

__all__ = ["database_schema"]

SECRET = b"a secret of the tests, of thirty-two bytes and more"


@pytest.fixture
def database_clock():
    return FakeClock()


@pytest.fixture
def clock(database_clock):
    return database_clock


@pytest.fixture
def audit(database):
    return Audit(database, Seals(SECRET))


@pytest.fixture
def make_keys(database, clock, audit):
    """Another process's signing keys, on the same database."""
    return lambda: SigningKeys(database, Box(SECRET, "signing"), RandomIds(clock), clock, audit, token_life=BELIEVED)


@pytest.fixture
async def keys(make_keys):
    found = make_keys()
    await found.open()
    return found


@pytest.fixture
def make_tokens(clock):
    return lambda keys: AccessTokens(keys, RandomIds(clock), clock, service="tests", facts=("tier", "role"))


@pytest.fixture
def tokens(make_tokens, keys):
    return make_tokens(keys)


@pytest.fixture
def make_sessions(database, clock, audit):
    return lambda notifier=None: Sessions(
        database,
        RefreshTokens(derived(SECRET, "refresh")),
        RandomIds(clock),
        clock,
        notifier or MemoryNotifier(),
        audit,
    )
