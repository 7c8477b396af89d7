"""A client of the whole API that sends its token back is answered by a replica, and never sees less than before."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from filewright.chassis.testing.fixtures import _private
from filewright.chassis.testing.servers.postgres import PrivatePostgres, PrivateReplica
from filewright.chassis.web.drain import Drain
from filewright.converter.bootstrap import build
from filewright.converter.settings import SettingsError, load
from filewright.converter.site.serving import application

pytestmark = [pytest.mark.postgres, pytest.mark.slow(8)]
TOKEN = "Consistency-Token"


@pytest.fixture(scope="module")
def primary(request: pytest.FixtureRequest) -> Iterator[PrivatePostgres]:
    yield from _private(request, PrivatePostgres)


@pytest.fixture(scope="module")
def replica(request: pytest.FixtureRequest, primary: PrivatePostgres) -> Iterator[PrivateReplica]:
    yield from _private(request, lambda: PrivateReplica(primary))


@pytest_asyncio.fixture
async def http(primary: PrivatePostgres, replica: PrivateReplica, tmp_path) -> AsyncIterator[httpx.AsyncClient]:
    settings = load(
        {
            "FILEWRIGHT_DATA_DIR": str(tmp_path / "data"),
            "FILEWRIGHT_DATABASE_URL": primary.url("postgres"),
            "FILEWRIGHT_DATABASE_REPLICA_URLS": replica.url("postgres"),
            "FILEWRIGHT_SANDBOX": "limited",
            "FILEWRIGHT_REQUEST_LOG_DAYS": "7",
        }
    )
    async with build(settings) as services:
        app = application(services, settings, local=True, drain=Drain())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
        assert services.requests is not None
        assert await services.requests.write_once() > 0


async def reads_of_replicas(http: httpx.AsyncClient) -> dict[str, int]:
    answer = (await http.get("/readyz")).json()
    found: dict[str, int] = answer["checks"]["database"]["replicas"][0]
    return found


@pytest.mark.requirement("E5")
async def test_an_upload_and_its_job_are_seen_through_a_replica_that_stops_and_goes_on(http, replica):
    ticket = await http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5})
    await http.put(ticket.json()["url"], content=b"hello")
    await http.post(f"/v1/uploads/{ticket.json()['id']}/complete")
    replica.pause()
    accepted = await http.post("/v1/jobs", json={"inputs": [{"upload": ticket.json()["id"]}], "to": "html"})
    assert accepted.status_code == 202, accepted.text
    token, job = accepted.headers[TOKEN], f"/v1/jobs/{accepted.json()['id']}"
    assert (await http.get(job)).status_code == 200, "without a token, the primary answers"
    seen = await http.get(job, headers={TOKEN: token})
    assert seen.json()["status"] == "queued"
    assert (await reads_of_replicas(http))["answered"] == 0
    assert [item["id"] for item in (await http.get("/v1/jobs", headers={TOKEN: token})).json()["data"]] == [
        accepted.json()["id"]
    ]
    replica.resume()
    async with asyncio.timeout(30):
        while (await reads_of_replicas(http))["answered"] == 0:
            seen = await http.get(job, headers={TOKEN: token})
            assert seen.json()["status"] == "queued"
            token = max(token, seen.headers[TOKEN])
    replica.pause()
    cancelled = await http.post(f"{job}/cancel")
    assert cancelled.headers[TOKEN] > token
    seen = await http.get(job, headers={TOKEN: cancelled.headers[TOKEN]})
    assert seen.json()["status"] == "cancelled"
    replica.resume()


async def test_what_a_replica_does_not_find_is_asked_of_the_primary(http, replica):
    answer = await http.get("/v1/jobs")
    token = answer.headers[TOKEN]
    replica.pause()
    ticket = await http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 1})
    await http.put(ticket.json()["url"], content=b"x")
    await http.post(f"/v1/uploads/{ticket.json()['id']}/complete")
    job = (await http.post("/v1/jobs", json={"inputs": [{"upload": ticket.json()["id"]}], "to": "html"})).json()
    found = await http.get(f"/v1/jobs/{job['id']}", headers={TOKEN: token})
    assert found.status_code == 200
    missing = await http.get("/v1/jobs/job_00000000000000000000000000", headers={TOKEN: token})
    assert missing.status_code == 404
    replica.resume()


async def test_a_token_that_is_made_up_does_no_harm(http):
    for wrong in ("nonsense", "f" * 16, "-1", "0" * 400):
        assert (await http.get("/v1/jobs", headers={TOKEN: wrong})).status_code == 200


async def test_pages_and_static_files_carry_no_token(http):
    for path in ("/livez", "/", "/v1/formats"):
        answer = await http.get(path, headers={"Accept": "text/html"})
        assert TOKEN not in answer.headers, path


async def test_a_sum_of_connections_that_does_not_fit_is_refused_before_anything_starts(primary, tmp_path):
    settings = load(
        {
            "FILEWRIGHT_DATA_DIR": str(tmp_path / "data"),
            "FILEWRIGHT_DATABASE_URL": primary.url("postgres"),
            "FILEWRIGHT_SANDBOX": "limited",
            "FILEWRIGHT_PROCESSES": "serve=8",
        }
    )
    with pytest.raises(SettingsError, match=r"FILEWRIGHT_DATABASE_POOL_SIZE.*may open 64.*set the pool size to 6"):
        async with build(settings):
            pass


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_REPLICA_URLS", "mysql://x", "use postgresql://"),
        ("DATABASE_REPLICA_URLS", "postgresql://x/y", "only a database in PostgreSQL has replicas"),
        ("DATABASE_POOLER", "clients=many", "name=3,other=5"),
        ("DATABASE_POOLER", "clients=5", "Field required"),
        ("PROCESSES", "api", "name=3,other=5"),
        ("DATABASE_POOL_SIZE", "1", "greater than or equal to 2"),
    ],
)
def test_a_setting_of_the_data_tier_that_is_wrong_is_told(name, value, said):
    with pytest.raises(SettingsError, match=f"FILEWRIGHT_{name}.*{said}"):
        load({f"FILEWRIGHT_{name}": value})
