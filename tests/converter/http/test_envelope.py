"""What every answer has in common: ids, problems, headers, who is believed about whom, and who may see what."""

from __future__ import annotations

import re

import httpx
import pytest

PATHS = ["/v1/jobs/nope", "/nope", "/v1", "/v1/jobs/", "/v1/flocks", "/v1/auth",
    "/v1/me/nope", "//"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_an_address_without_anything_is_a_problem(http, path):
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["status"], body["retryable"], body["errors"]) == ("not_found", 404, False, [])
    assert body["request_id"] == answer.headers["x-request-id"]


def test_an_address_that_climbs_is_a_problem(http, live):
    answer = http.get("/%2e%2e/etc/passwd")
    assert answer.status_code == (400 if live.has_front else 404), "a front takes it for malformed"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.requirement("S33")
@pytest.mark.parametrize(
    ("method", "path"),
    [("TRACE", "/v1/jobs"), ("DELETE", "/v1/jobs"), ("PUT", "/v1/convert"), ("GET", "/v1/convert"),
     ("PATCH", "/livez"), ("BREW", "/v1/jobs")],
)  # fmt: skip
def test_another_method_is_a_problem_that_names_the_right_ones(http, live, method, path):
    answer = http.request(method, path)
    if method == "BREW":
        assert answer.status_code in {400, 405}
        return
    assert answer.status_code == 405
    assert answer.json()["code"] == "invalid_request"
    assert answer.headers.get("allow") or (live.has_front and method == "TRACE"), "a front lets nobody trace"


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "1.2:3/4+5=6@7_8"])
def test_a_request_id_is_echoed(http, given):
    assert http.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.requirement("S30")
@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "<script>", "é".encode(), b"a\tb", "{}"])
def test_a_request_id_that_is_none_is_replaced(http, given):
    made = http.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert re.fullmatch(r"req_[0-9a-f]{32}", made)


def test_a_trace_is_echoed_when_it_is_one(http):
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert http.get("/livez", headers={"traceparent": good}).headers["traceparent"] == good
    for bad in ("", "00-0-0-0", good.upper(), good.replace("0af", "xyz"), "ff" + good[2:], good + "\tx"):
        assert "traceparent" not in http.get("/livez", headers={"traceparent": bad}).headers


@pytest.mark.requirement("S18")
@pytest.mark.parametrize("path", ["/v1/jobs", "/nope", "/livez", "/v1/formats", "/openapi.json", "/docs"])
def test_every_answer_is_safe_to_open(http, live, path):
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    named = "nginx" if live.has_front else None
    assert headers.get("server") == named, "at most a front's name, and no version"
    assert "access-control-allow-origin" not in headers


@pytest.mark.requirement("S31")
def test_a_defect_is_answered_without_a_word_about_itself(live, http, monkeypatch):
    async def broken(*_args, **_more):
        raise RuntimeError("secret /path/to/code.py line 7")

    monkeypatch.setattr(live.world.jobs, "list_page", broken)
    answer = http.get("/v1/jobs", headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500
    body = answer.json()
    assert (body["code"], body["request_id"]) == ("internal", "find-me")
    assert "secret" not in answer.text
    assert ".py" not in answer.text


def test_a_page_of_another_site_may_change_nothing(http):
    headers = {"Sec-Fetch-Site": "cross-site"}
    for call in (http.post, http.put, http.delete, http.patch):
        answer = call("/v1/uploads", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert http.get("/livez", headers=headers).status_code == 200


@pytest.mark.parametrize("token", ["Bearer abc", "Bearer", "Basic dTpw", "fw_live_x", "", "Bearer " + "a" * 5000])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/uploads/upl_x"])
def test_a_token_that_nobody_knows_is_refused_and_not_ignored(http, path, token):
    answer = http.get(path, headers={"Authorization": token})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_where_strangers_are_not_wanted_they_are_refused(serve, tmp_path):
    with serve(tmp_path, local=False, anonymous=False) as live, live.client() as http:
        for path in ("/v1/jobs", "/v1/jobs/x", "/v1/uploads/x"):
            assert http.get(path).status_code == 401
        assert http.post("/v1/convert", files={"file": b"x"}).status_code == 401
        assert http.get("/livez").status_code == 200


def as_its_proxy(live):
    """Speaks to a process that answers, as whatever is trusted to stand in front of it does."""
    return httpx.Client(base_url=live.replicas[0], timeout=30)


def ordered(http, **headers):
    answer = http.post("/v1/convert", files={"file": ("a.txt", b"x")}, data={"to": "md"}, headers=headers)
    return answer.raise_for_status().headers["link"][1:].partition(">")[0]


@pytest.fixture(scope="module")
def strangers(serve, tmp_path_factory):
    """A service for whoever comes, told apart by address."""
    with serve(tmp_path_factory.mktemp("strangers"), local=False) as live:
        yield live


@pytest.fixture(scope="module")
def trusting(serve, tmp_path_factory):
    """The same behind something that it believes."""
    trusted = ("127.0.0.1/32", "10.0.0.0/8")
    with serve(tmp_path_factory.mktemp("trusting"), local=False, trusted=trusted) as live:
        yield live


@pytest.mark.requirement("S12")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "True-Client-IP"])
def test_nobody_is_believed_about_another_address(strangers, header):
    value = "for=9.9.9.9" if header == "Forwarded" else "9.9.9.9"
    with strangers.client() as http:
        job = ordered(http, **{header: value})
        assert http.get(job).status_code == 200


@pytest.mark.requirement("S12", "S2")
def test_a_believed_proxy_makes_different_addresses_different_tenants(trusting):
    with as_its_proxy(trusting) as http:
        job = ordered(http, **{"X-Forwarded-For": "9.9.9.9"})
        mine = {"X-Forwarded-For": "6.6.6.6, 9.9.9.9, 10.1.2.3"}
        assert http.get(job, headers=mine).status_code == 200
        for theirs in ("8.8.8.8", "9.9.9.9, 8.8.8.8", "nonsense, 8.8.8.8", "::ffff:8.8.8.8"):
            other = {"X-Forwarded-For": theirs}
            unknown = http.get("/v1/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m5", headers=other).json()
            for call, path in (
                (http.get, job),
                (http.delete, job),
                (http.get, f"{job}/outputs/0"),
                (http.get, f"{job}/outputs"),
                (http.get, f"{job}/events"),
                (http.post, f"{job}/cancel"),
            ):
                answer = call(path, headers=other)
                assert answer.status_code == 404
                assert answer.json()["detail"] == unknown["detail"]
        assert http.get("/v1/jobs", headers={"X-Forwarded-For": "8.8.8.8"}).json()["data"] == []


def test_health_lists_what_it_depends_on(http, live):
    wanted = {"database", "storage"} if live.has_front else {"database", "storage", "sandbox"}  # an api runs no engines
    assert http.get("/livez").json() == {"status": "alive"}
    for path in ("/readyz", "/health"):
        answer = http.get(path)
        assert answer.status_code == 200
        body = answer.json()
        assert body["status"] == "ready"
        assert wanted <= set(body["checks"])
        assert all(check["ok"] for check in body["checks"].values())
        assert body["engines"] == [{"name": "obedient", "available": True, "version": "1.0", "conversions": 4}]
        assert http.head(path).status_code == 200


def test_a_dependency_that_is_down_makes_it_not_ready(live, http, monkeypatch):
    async def down():
        raise OSError("disk on fire at /dev/sda")

    monkeypatch.setattr(live.world.database, "ping", down)
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False}
    assert "fire" not in answer.text
    assert http.get("/livez").status_code == 200


def test_metrics_count_requests_by_route_and_not_by_address(live):
    with as_its_proxy(live) as http:
        http.get("/v1/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m5")
        http.get("/something/made/up")
        text = http.get("/metrics").text
    assert 'filewright_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="404"}' in text
    assert "made/up" not in text
    assert "job_01jd6" not in text


@pytest.mark.requirement("S33")
def test_metrics_are_for_the_operators_networks(trusting):
    with as_its_proxy(trusting) as http:
        assert http.get("/metrics", headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 403
        assert http.get("/metrics").status_code == 200
