"""The document says what the service does: checked by hand for what is promised, and by machine against the service."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

PROMISED = {
    ("post", "/v1/convert"), ("post", "/v1/uploads"), ("get", "/v1/uploads/{upload_id}"),
    ("put", "/v1/uploads/{upload_id}"),
    ("delete", "/v1/uploads/{upload_id}"), ("post", "/v1/uploads/{upload_id}/complete"),
    ("post", "/v1/jobs"), ("get", "/v1/jobs"), ("get", "/v1/jobs/{job_id}"), ("delete", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/events"), ("get", "/v1/me/limits"), ("post", "/v1/batches"), ("get", "/v1/batches/{batch_id}"),
    ("get", "/v1/jobs/{job_id}/events"), ("post", "/v1/jobs/{job_id}/cancel"), ("post", "/v1/jobs/{job_id}/retry"),
    ("post", "/v1/jobs/{job_id}/rating"), ("get", "/v1/jobs/{job_id}/outputs"),
    ("get", "/v1/jobs/{job_id}/outputs/{n}"),
    ("head", "/v1/jobs/{job_id}/outputs/{n}"), ("get", "/v1/formats"), ("get", "/v1/routes"), ("get", "/v1/operations"),
    ("get", "/livez"), ("get", "/readyz"), ("get", "/health"), ("get", "/metrics"),
    ("post", "/v1/auth/register"), ("post", "/v1/auth/login"), ("post", "/v1/auth/refresh"),
    ("post", "/v1/auth/logout"), ("post", "/v1/auth/cookie"), ("post", "/v1/auth/verify"),
    ("post", "/v1/auth/verify/resend"),
    ("post", "/v1/auth/oidc"), ("post", "/v1/auth/oidc/finish"),
    ("post", "/v1/auth/password/forgot"), ("post", "/v1/auth/password/reset"),
    ("get", "/v1/me/export"), ("delete", "/v1/me"), ("get", "/v1/erasures/{erasure_id}"),
    ("get", "/v1/me"), ("post", "/v1/me/password"), ("get", "/v1/me/sessions"),
    ("delete", "/v1/me/sessions/{session_id}"),
    ("post", "/v1/api-keys"), ("get", "/v1/api-keys"), ("delete", "/v1/api-keys/{key_id}"),
    ("get", "/reports/conversions"), ("get", "/reports/usage"), ("get", "/v1/me/usage"), ("get", "/v1/me/invoices"),
    ("get", "/v1/me/invoices/{invoice_id}"), ("get", "/v1/me/invoices/{invoice_id}/pdf"),
    ("get", "/v1/admin/flags"), ("put", "/v1/admin/flags/{name}"), ("delete", "/v1/admin/flags/{name}"),
    ("get", "/v1/admin/tiers"), ("get", "/v1/admin/quarantine"), ("post", "/v1/admin/quarantine/{job_id}/release"),
    ("get", "/v1/admin/users"), ("patch", "/v1/admin/users/{user_id}"), ("get", "/v1/admin/audit"),
    ("get", "/v1/admin/ratings"), ("get", "/v1/admin/figures"), ("get", "/v1/admin/alarms"),
    ("delete", "/v1/admin/quarantine/{job_id}"), ("post", "/v1/admin/users/{user_id}/credits"),
    ("get", "/v1/admin/networks"), ("post", "/v1/admin/networks"), ("delete", "/v1/admin/networks/{network_id}"),
    ("post", "/v1/fonts"), ("get", "/v1/fonts"), ("get", "/v1/fonts/{font_id}"), ("delete", "/v1/fonts/{font_id}"),
    ("post", "/v1/webhooks"), ("get", "/v1/webhooks"), ("get", "/v1/webhooks/jobs/secret"),
    ("get", "/v1/webhooks/{webhook_id}"), ("patch", "/v1/webhooks/{webhook_id}"),
    ("delete", "/v1/webhooks/{webhook_id}"), ("post", "/v1/webhooks/{webhook_id}/rotate"),
    ("get", "/v1/webhooks/{webhook_id}/deliveries"),
    ("post", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay"),
}  # fmt: skip


@pytest.fixture(scope="module")
def document(live):
    with live.client() as http:
        return http.get("/openapi.json").raise_for_status().json()


def operations(document):
    return {(method, path): item for path, methods in document["paths"].items() for method, item in methods.items()}


def test_every_promised_call_is_described(document):
    assert set(operations(document)) == PROMISED


def test_every_operation_has_a_name_a_sentence_and_its_problems(document):
    found = operations(document)
    names = [item["operationId"] for item in found.values()]
    assert len(set(names)) == len(names)
    for item in found.values():
        assert item["summary"]
        for status in ("400", "404", "500", "503"):
            assert "application/problem+json" in item["responses"][status]["content"]


def test_every_reference_leads_somewhere(document):
    import json

    text = json.dumps(document)
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in document["components"]["schemas"]
    assert "HTTPValidationError" not in text


def test_the_reference_page_needs_nobody_else(live):
    with live.client() as http:
        answer = http.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert "<script" not in answer.text
    assert "create_job" in answer.text


@pytest.mark.slow
@pytest.mark.requirement("S42", "S31")
@pytest.mark.parametrize(
    ("phases", "examples"),
    [("examples,fuzzing", 2), pytest.param("examples,coverage,fuzzing", 8, marks=pytest.mark.long)],
)
def test_a_fuzzer_that_reads_the_document_finds_no_contradiction(live, tmp_path, phases, examples):
    """schemathesis against the running server, all its checks but one: that whatever the schema allows is accepted.

    No schema can say which formats have a way between them, or which cursor was ours. A stream without an end is no
    answer to wait for.
    """
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{live.url}/openapi.json",
        "--checks", "all", "--exclude-checks", "positive_data_acceptance",
        "--max-examples", str(examples), "--phases", phases, "--seed", "1",
        "--exclude-path-regex", "/metrics|/v1/jobs/events", "--request-timeout", "20", "--continue-on-failure",
        "--generation-database", "none", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
