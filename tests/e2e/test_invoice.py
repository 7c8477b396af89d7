"""An invoice's document is made by the product itself: asked for like any customer would, opened by another program."""

from __future__ import annotations

import json
import sqlite3
import subprocess

import httpx
import pytest

from shapekit.service import EmbeddedService

LINES = [
    {"description": "Premium <b>2026-01</b>: 20000 conversions", "quantity": 1, "unit_price": "19", "amount": 1900},
    {"description": "Credits bought", "quantity": 1000, "unit_price": "0.008", "amount": 800},
]


@pytest.mark.slow(20)
@pytest.mark.engine("weasyprint")
@pytest.mark.requirement("J1")
def test_the_document_of_an_invoice_says_what_the_invoice_says(tmp_path):
    with EmbeddedService.started(tmp_path) as service, httpx.Client(base_url=service.url, timeout=120) as http:
        with sqlite3.connect(tmp_path / "data" / "filewright.db", timeout=30) as books:
            books.execute(
                "INSERT INTO invoices (id, tenant, month, number, currency, lines, total, status, created_at) "
                "VALUES ('inv_01jd6qx2v7c8e9f0g1h2j3k4m5', 'local', '2026-01', 7, 'EUR', ?, 2700, 'made', "
                "'2026-02-01 02:00:00.000000')",
                [json.dumps(LINES)],
            )
        books.close()
        (listed,) = http.get("/v1/me/invoices").raise_for_status().json()["data"]
        document = http.get(listed["links"]["pdf"]).raise_for_status()
        again = http.get(listed["links"]["pdf"]).raise_for_status()
        assert http.get("/v1/jobs").json()["data"] == [], "it is not among the customer's jobs"
        assert http.get("/v1/me/usage").json()["data"] == [], "and costs it nothing"
    assert document.headers["content-type"] == "application/pdf"
    assert "FW-000007" in document.headers["content-disposition"]
    assert again.content == document.content, "it is made once"
    path = tmp_path / "invoice.pdf"
    path.write_bytes(document.content)
    text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    for said in ("Invoice FW-000007", "2026-02-01", "Premium <b>2026-01</b>", "1,000", "0.008 EUR", "8.00 EUR"):
        assert said in text
    assert text.split("Total")[1].split() == ["27.00", "EUR"]
