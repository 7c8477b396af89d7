"""What a caller sees of its limits, its use and its invoices."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from httpkit.live import IN_ONE_ANSWER

from filewright.converter.billing.models import InvoiceRow

MONTH_LONG = """
cost_per_second: 0.5
tiers:
  anonymous:
    conversions_per_minute: 600
    requests_per_minute: 6000
    monthly_conversions: 2
"""
LINE = {"description": "Premium", "quantity": 1, "unit_price": "19", "amount": 1900}


@pytest.fixture(scope="module")
def metered(tmp_path_factory, serve):
    folder = tmp_path_factory.mktemp("metered")
    (folder / "tiers.yaml").write_text(MONTH_LONG)
    settings = {"tiers_file": str(folder / "tiers.yaml"), "trusted_proxies": ("127.0.0.0/8",)}
    with serve(folder / "data", as_set=True, settings=settings) as live:
        yield live


@pytest.fixture
def client_at(metered):
    opened = []

    def at(address):
        opened.append(metered.client_inside(headers={"X-Forwarded-For": address}))
        return opened[-1]

    yield at
    for http in opened:
        http.close()


def convert(http, text=b"hello"):
    files = {"file": ("note.txt", text)}
    return http.post("/v1/convert", files=files, data={"to": "md"}, headers=IN_ONE_ANSWER)


@pytest.mark.requirement("J1", "Q16")
def test_a_month_that_is_spent_is_refused_with_402_before_the_file_is_stored(client_at, metered):
    http = client_at("203.0.113.1")
    assert [convert(http).status_code for _ in range(2)] == [200, 200]
    before = metered.files()
    refusal = convert(http, b"x" * 1000)
    assert (refusal.status_code, refusal.json()["code"], refusal.json()["retryable"]) == (402, "quota_exceeded", False)
    assert metered.files() == before
    by_address = {"inputs": [{"url": "http://127.0.0.1:1/note.txt"}], "to": "md"}
    assert http.post("/v1/jobs", json=by_address).json()["code"] == "quota_exceeded", "nor is a file fetched"
    assert convert(client_at("203.0.113.2")).status_code == 200


def test_limits_tell_what_is_left(client_at):
    http = client_at("203.0.113.3")
    convert(http)
    shown = http.get("/v1/me/limits").raise_for_status().json()
    assert shown["tier"] == "anonymous"
    assert shown["month"] == {"included": 2, "used": 1, "remaining": 1, "credits": 0}
    budget = shown["budgets"]["conversions"]
    assert (budget["limit"], budget["window_seconds"], budget["at_once"]) == (600, 60, 600)
    assert budget["remaining"] <= 599 + 1
    assert http.get("/v1/me/limits").json()["budgets"]["conversions"]["remaining"] >= budget["remaining"]


@pytest.mark.requirement("J1")
def test_use_is_shown_by_month_and_only_ones_own(client_at):
    http = client_at("203.0.113.4")
    convert(http, b"12345")
    shown = http.get("/v1/me/usage").raise_for_status().json()
    (month,) = shown["data"]
    assert month["month"] == f"{datetime.now(UTC):%Y-%m}"
    assert (month["conversions"], month["input_bytes"], month["included"], month["closed"]) == (1, 5, 2, False)
    assert shown["next_cursor"] is None
    assert client_at("203.0.113.5").get("/v1/me/usage").json()["data"] == []


def test_a_page_of_use_is_followed_by_the_next(client_at, metered):
    from filewright.converter.jobs.models import UsageMonthRow

    tenant = "ip:203.0.113.6"
    sums = {"conversions": 1, "credits": 0, "seconds": 1.0, "input_bytes": 1, "output_bytes": 1, "tier": "anonymous"}

    async def plant():
        async with metered.world.database.write() as session:
            session.add_all([UsageMonthRow(tenant=tenant, month=f"2025-{n:02d}", **sums) for n in range(1, 6)])

    metered.call(plant)
    http, seen, cursor = client_at("203.0.113.6"), [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = http.get("/v1/me/usage", params=query).raise_for_status().json()
        seen += [item["month"] for item in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"2025-{n:02d}" for n in (5, 4, 3, 2, 1)]


@pytest.mark.requirement("S2")
def test_invoices_are_their_tenants_alone(client_at, metered):
    ids = metered.world.ids

    async def plant():
        made = []
        async with metered.world.database.write() as session:
            for n, month in enumerate(("2025-01", "2025-02"), start=1):
                row = InvoiceRow(
                    id=ids.new("inv"), tenant="ip:203.0.113.7", month=month, number=n, currency="EUR", lines=[LINE],
                    total=1900, status="made", created_at=datetime(2025, 3, n, tzinfo=UTC),
                )  # fmt: skip
                session.add(row)
                made.append(row.id)
        return made

    first, second = sorted(metered.call(plant))
    mine, theirs = client_at("203.0.113.7"), client_at("203.0.113.8")
    listed = mine.get("/v1/me/invoices", params={"limit": 1}).json()
    assert [item["id"] for item in listed["data"]] == [second]
    rest = mine.get("/v1/me/invoices", params={"cursor": listed["next_cursor"]}).json()
    assert [(item["id"], item["total"]) for item in rest["data"]] == [(first, 1900)]
    assert {item["number"] for item in (*listed["data"], *rest["data"])} == {"FW-000001", "FW-000002"}
    assert theirs.get("/v1/me/invoices").json() == {"data": [], "next_cursor": None}
    unknown = ids.new("inv")
    for path in ("/v1/me/invoices/{}", "/v1/me/invoices/{}/pdf"):
        answers = [theirs.get(path.format(name)) for name in (first, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        bodies = [{**answer.json(), "instance": "", "request_id": ""} for answer in answers]
        assert bodies[0] == bodies[1]


@pytest.mark.requirement("N3")
def test_the_operator_sees_what_a_conversion_cost(metered, client_at):
    http = client_at("203.0.113.9")
    convert(http)
    report = http.get("/reports/usage")
    assert report.status_code == 403, "a stranger's address is not the operator's"
    with metered.client() as operator:
        report = operator.get("/reports/usage").raise_for_status().json()
    (line,) = [item for item in report["data"] if item["month"] == f"{datetime.now(UTC):%Y-%m}"]
    assert (report["currency"], report["cost_per_second"]) == ("EUR", 0.5)
    assert line["cost"] == pytest.approx(line["seconds"] * 0.5, abs=1e-5)
    assert line["cost_per_conversion"] == pytest.approx(line["cost"] / line["conversions"], abs=1e-5)
