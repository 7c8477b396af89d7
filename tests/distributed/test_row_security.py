"""Row security as `filewright stack up` leaves it: its role, its pooler, and statements that name no tenant."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from distkit.shape import Shape, eventually

from filewright.chassis.db import acting
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.records import tables_of_tenants

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.redis]

ADDRESSES = ("127.9.1.1", "127.9.2.1")
TABLES = [table.name for table in tables_of_tenants(metadata)]
FILLED = {"artifacts", "attempts", "job_events", "job_inputs", "job_outputs", "jobs", "usage"}
"""By a conversion; other tests may fill more."""


@pytest.fixture
def pooled(shape: Shape) -> Iterator[psycopg.Connection]:
    """As the program is connected: in its role, through PgBouncer, where a connection is everybody's."""
    url = shape.settings["FILEWRIGHT_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


def converted(shape: Shape, address: str) -> str:
    """A stranger at this address has a file converted; whose tenant that is."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=shape.url, transport=transport, timeout=60) as http:
        files = {"file": ("numbers.csv", f"number\n{address}\n".encode(), "text/csv")}
        order = http.post("/v1/convert", files=files, data={"to": "json"}, headers={"Prefer": "respond-async"})
        job = order.raise_for_status().json()["id"]
        eventually(lambda: http.get(f"/v1/jobs/{job}").raise_for_status().json()["status"] == "succeeded")
    return str(shape.rows("SELECT tenant FROM jobs WHERE id = %s", job)[0]["tenant"])


def seen(pooled: psycopg.Connection, table: str, acting_for: str) -> set[str]:
    """Whose rows a statement without any filter finds."""
    with pooled.transaction():
        pooled.execute(acting.declaration(acting_for).encode())
        return {tenant for (tenant,) in pooled.execute(f"SELECT DISTINCT tenant FROM {table}".encode())}


@pytest.mark.requirement("S2")
def test_without_the_programs_filters_the_pooler_still_shows_each_tenant_its_own(
    shape: Shape, pooled: psycopg.Connection
) -> None:
    one, other = (converted(shape, address) for address in ADDRESSES)
    assert one != other
    bound = pooled.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
    assert bound == (False, False)
    for table in TABLES:
        for tenant in (one, other):
            own = seen(pooled, table, tenant)
            assert own <= {tenant}, table
            assert own or table not in FILLED, table
        assert seen(pooled, table, acting.NOBODY) == set(), table
    assert {one, other} <= seen(pooled, "jobs", acting.SYSTEM)
    with pooled.transaction():
        pooled.execute(acting.declaration(one).encode())
        assert pooled.execute("UPDATE jobs SET tag = 'mine' WHERE tenant = %s", [other]).rowcount == 0
        assert pooled.execute("DELETE FROM job_outputs WHERE tenant = %s", [other]).rowcount == 0
