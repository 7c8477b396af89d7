"""What holds for every operation of the document, whatever it does; so for one that is added, too."""

from __future__ import annotations

import re
from itertools import product

import fastapi.routing
import pytest

STRANGE = ("tenant_id", "tier", "state", "attempt", "quota")
TELLS = re.compile(r"Traceback|\.py\b|line \d|/usr/|site-packages|sqlalchemy|SELECT |secret:|\d+\.\d+\.\d+")
IDS = {"n": "0", "name": "a-flag"}


@pytest.fixture(scope="module")
def operations(live):
    with live.client() as http:
        document = http.get("/openapi.json").raise_for_status().json()
    return document, [(method, path) for path, methods in document["paths"].items() for method in methods]


def address_of(document, method, path):
    """With the examples that the document gives for what it is about."""
    for parameter in document["paths"][path][method].get("parameters", []):
        if parameter["in"] == "path":
            example = (parameter.get("schema", {}).get("examples") or [parameter.get("example", "")])[0]
            path = path.replace(f"{{{parameter['name']}}}", str(example or IDS.get(parameter["name"], "x")))
    return path


def example_of(document, method, path):
    """A body that the operation takes, by its own example."""
    content = document["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    for reference in [schema, *schema.get("anyOf", [])]:
        if "$ref" in reference:
            schema = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    return next(iter(schema.get("examples", [])), None)


@pytest.mark.requirement("S31")
def test_a_defect_in_any_operation_is_answered_without_a_word_about_itself(http, operations, monkeypatch):
    async def broken(**_):
        raise RuntimeError("secret: SELECT * FROM users at /usr/lib/python3/site-packages/x.py, line 7, version 1.2.3")

    document, found = operations
    monkeypatch.setattr(fastapi.routing, "solve_dependencies", broken)
    failed = 0
    for method, path in found:
        body = example_of(document, method, path)
        answer = http.request(method, address_of(document, method, path), json=body)
        if answer.status_code == 404:
            continue  # said before anything of the operation's own was asked for
        failed += 1
        assert answer.status_code == 500, f"{method} {path}: {answer.status_code}"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
        if method == "head":
            continue
        problem = answer.json()
        assert (problem["code"], answer.headers["content-type"]) == ("internal", "application/problem+json")
        assert not TELLS.search(answer.text), answer.text
    assert failed >= len(found) - 3


@pytest.mark.requirement("S33")
def test_no_address_takes_a_method_that_the_document_does_not_have(http, operations):
    document, _ = operations
    for path, methods in document["paths"].items():
        address = address_of(document, next(iter(methods)), path)
        for method in {"TRACE", "CONNECT", "TRACK", "PROPFIND", "PATCH"} - {name.upper() for name in methods}:
            if method == "PATCH" and path.startswith("/v1/uploads"):
                continue  # tus, which the document leaves to its own standard
            if method != "CONNECT":  # which a client sends to proxies only
                assert http.request(method, address).status_code in {400, 405, 501}, f"{method} {path}"


@pytest.mark.requirement("S3")
def test_a_field_that_nobody_may_set_is_refused_in_every_body(http, operations):
    document, found = operations
    asked = 0
    for method, path in found:
        body = example_of(document, method, path)
        if not isinstance(body, dict):
            continue
        for field in STRANGE:
            answer = http.request(method, address_of(document, method, path), json={**body, field: "admin"})
            assert answer.status_code in {400, 401, 403, 404, 422}, f"{method} {path} took {field}: {answer.text}"
            if answer.status_code == 400 and field not in body:
                assert f"/{field}" in {error["pointer"] for error in answer.json()["errors"]}, f"{method} {path}"
                asked += 1
    assert asked >= 10 * len(STRANGE)


@pytest.mark.requirement("S18")
def test_whatever_a_download_answers_no_browser_runs_it(http, finished):
    job = finished(b"<script>alert(1)</script>")
    headers = [{}, {"Range": "bytes=1-2"}, {"Range": "bytes=900-"}, {"If-None-Match": "*"}]
    for method, sent, number in product(("GET", "HEAD"), headers, (0, 7)):
        answer = http.request(method, f"/v1/jobs/{job['id']}/outputs/{number}", headers=sent)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert re.search(r"sandbox|default-src 'none'", answer.headers["content-security-policy"])
        assert "access-control-allow-origin" not in answer.headers
        if answer.status_code in {200, 206}:
            assert answer.headers["content-disposition"].startswith("attachment")
            assert "no-store" in answer.headers["cache-control"]
            assert answer.headers["content-type"] == "text/markdown"
