"""Requests are written down beside their path: all of them, once, and nothing of what they carried."""

import asyncio

import pytest
from sqlalchemy import select

from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.request_log import BATCH, Answered, Recorded, RequestLog
from filewright.chassis.web.request_log_model import ApiRequestRow


class Route:
    path = "/v1/jobs/{job_id}"


async def app(scope, receive, send):
    scope["state"] = {"tenant": "me", "request_id": "req_1"}
    if scope["path"] == "/v1/broken":
        raise ZeroDivisionError
    if scope["path"] != "/v1/nowhere":
        scope["route"] = Route
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


def scope(path, method="GET", headers=()):
    return {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b"secret=1"}


async def nothing(*_):
    return None


@pytest.fixture
async def kept(database: Database):
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(ApiRequestRow.__table__.create)
        if database.dialect == "postgresql":
            await connection.exec_driver_sql("CREATE TABLE api_requests_default PARTITION OF api_requests DEFAULT")
    return RequestLog(database, SystemClock(), Metrics(), most=BATCH + 100)


@pytest.fixture
def database_schema():
    return nothing


async def rows(database):
    async with database.read() as session:
        return (await session.scalars(select(ApiRequestRow).order_by(ApiRequestRow.at))).all()


@pytest.mark.requirement("S30")
async def test_a_request_is_kept_with_its_pattern_and_without_its_words(database, kept):
    recorded = Recorded(app, kept)
    await recorded(scope("/v1/jobs/job_secret", "GET", [(b"content-length", b"17")]), nothing, nothing)
    assert await kept.write_once() == 1
    row = (await rows(database))[0]
    assert (row.tenant, row.method, row.route, row.status) == ("me", "GET", "/v1/jobs/{job_id}", 200)
    assert (row.bytes_in, row.bytes_out, row.request_id) == (17, 8, "req_1")
    assert row.seconds >= 0
    assert "secret" not in repr(vars(row))


async def test_pages_and_probes_are_not_kept_and_strange_requests_are_bounded(database, kept):
    recorded = Recorded(app, kept)
    for path in ("/livez", "/", "/static/app.js"):
        await recorded(scope(path), nothing, nothing)
    await recorded(scope("/v1/nowhere", "X" * 5000, [(b"content-length", b"9" * 40)]), nothing, nothing)
    with pytest.raises(ZeroDivisionError):
        await recorded(scope("/v1/broken"), nothing, nothing)
    assert await kept.write_once() == 2
    found = [(row.method, row.route, row.status, row.bytes_in) for row in await rows(database)]
    assert sorted(found) == [("GET", "unmatched", 0, 0), ("other", "unmatched", 200, 0)]


async def test_an_outage_loses_no_more_than_there_is_no_room_for(database, kept, monkeypatch):
    recorded = Recorded(app, kept)
    for _ in range(BATCH + 150):
        await recorded(scope("/v1/jobs/1"), nothing, nothing)

    def unreachable(self, *_):
        raise DatabaseUnavailable

    with monkeypatch.context() as away:
        away.setattr(Database, "append", unreachable)
        with pytest.raises(DatabaseUnavailable):
            await kept.write_once()
    assert [await kept.write_once(), await kept.write_once(), await kept.write_once()] == [BATCH, 100, 0]
    assert len(await rows(database)) == BATCH + 100


async def test_what_waits_is_written_when_the_process_ends(database, kept):
    recorded = Recorded(app, kept)
    await asyncio.gather(*(recorded(scope("/v1/jobs/1"), nothing, nothing) for _ in range(30)))
    await kept.close()
    assert len(await rows(database)) == 30


def test_the_fields_of_a_request_are_the_columns_of_the_table():
    assert list(Answered._fields) == [column.name for column in ApiRequestRow.__table__.columns]
