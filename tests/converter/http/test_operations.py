"""Operations over HTTP: several inputs, chains, many outputs, and everything that is wrong with an order."""

from __future__ import annotations

import io
import subprocess
import time
import zipfile
from pathlib import Path

import pikepdf
import pytest


def pdf(*texts: str) -> bytes:
    """A PDF with a line of text on each page."""
    made = io.BytesIO()
    with pikepdf.new() as document:
        font = document.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        )
        for text in texts:
            page = document.add_blank_page(page_size=(300, 200))
            page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            page.obj.Contents = document.make_stream(b"BT /F1 24 Tf 40 100 Td (%s) Tj ET" % text.encode())
        document.save(made)
    return made.getvalue()


def words(data: bytes, folder: Path) -> list[str]:
    """Of each page, as poppler reads it."""
    path = folder / "read.pdf"
    path.write_bytes(data)
    told = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
    return [page.strip() for page in told.stdout.split("\f")[:-1]]


@pytest.fixture
def run(http):
    """Order and wait for the end."""

    def run(body):
        answer = http.post("/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job, deadline = answer.json(), time.monotonic() + 60
        while job["status"] in {"queued", "running"} and time.monotonic() < deadline:
            job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()
        return job

    return run


@pytest.fixture(scope="module")
def bring(live):
    """Upload a file; gives an input."""

    def bring(data, name="a.pdf"):
        with live.client() as http:
            ticket = http.post("/v1/uploads", json={"filename": name, "bytes": len(data)}).raise_for_status().json()
            http.put(ticket["url"], content=data).raise_for_status()
            http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
            return {"upload": ticket["id"]}

    return bring


@pytest.fixture(scope="module")
def two(bring):
    """Two uploaded PDFs, of two pages and of one."""
    return [bring(pdf("one", "two"), "b.pdf"), bring(pdf("three"), "a.pdf")]


def test_several_uploads_become_one_file(http, run, two, tmp_path):
    job = run({"operation": "merge", "inputs": two})
    assert (job["status"], job["operation"]) == ("succeeded", "merge"), job
    assert [item["name"] for item in job["inputs"]] == ["b.pdf", "a.pdf"]
    assert [item["upload"] for item in job["inputs"]] == [item["upload"] for item in two]
    assert [(hop["engine"], hop["operation"]) for hop in job["route"]] == [("qpdf", "merge")]
    [output] = job["outputs"]
    assert (output["name"], output["pages"]) == ("b-merged.pdf", 3)
    assert words(http.get(output["url"]).content, tmp_path) == ["one", "two", "three"]


def test_a_file_in_parts_comes_as_outputs_and_as_one_zip(http, run, two, tmp_path):
    job = run({"operation": "split", "inputs": two[:1]})
    assert [item["name"] for item in job["outputs"]] == ["b-part-1.pdf", "b-part-2.pdf"]
    assert words(http.get(job["outputs"][1]["url"]).content, tmp_path) == ["two"]
    packed = zipfile.ZipFile(io.BytesIO(http.get(job["links"]["outputs"]).content))
    assert sorted(packed.namelist()) == ["b-part-1.pdf", "b-part-2.pdf"]


def test_the_output_of_an_operation_is_the_input_of_the_next(run, two):
    first = run({"operation": "rotate", "inputs": two[:1]})
    job = run({"operation": "merge", "inputs": [{"job": first["id"], "output": 0}, two[1]]})
    assert job["outputs"][0]["pages"] == 3


def test_a_chain_of_steps_is_one_job(http, run, two, tmp_path):
    steps = [
        {"operation": "split", "options": {"ranges": "2,1"}},
        {"operation": "rotate", "options": {"degrees": 180}},
        {"operation": "merge", "options": {"bookmarks": False}},
    ]
    job = run({"inputs": two[:1], "steps": steps})
    assert (job["status"], job["operation"]) == ("succeeded", "merge"), job
    assert [hop["operation"] for hop in job["route"]] == ["split", "rotate", "merge"]
    assert words(http.get(job["outputs"][0]["url"]).content, tmp_path) == ["two", "one"]
    used = http.get("/v1/me/usage").json()
    assert used


def test_a_dry_run_tells_the_route_and_stores_nothing(http, two):
    before = http.get("/v1/jobs").json()["data"]
    answer = http.post("/v1/jobs", json={"operation": "merge", "inputs": two, "dry_run": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["engine"] == "qpdf"
    assert http.get("/v1/jobs").json()["data"] == before


def test_what_only_the_file_can_tell_fails_the_job_by_the_same_code(run, two):
    job = run({"operation": "split", "inputs": two[:1], "options": {"ranges": "7-9"}})
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_request")
    assert "ranges" in job["error"]["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"operation": "destroy"}, "/operation"),
        ({"operation": ""}, "/operation"),
        ({"operation": None}, "/operation"),
        ({"operation": "x" * 500}, "/operation"),
        ({"operation": "rotate", "options": {"degrees": 45}}, "/options/degrees"),
        ({"operation": "rotate", "options": {"degrees": "90; rm -rf /"}}, "/options/degrees"),
        ({"operation": "rotate", "options": {"degrees": {"$gt": 0}}}, "/options/degrees"),
        ({"operation": "rotate", "options": {"pages": "1-2$(id)"}}, "/options/pages"),
        ({"operation": "rotate", "options": {"pages": "9" * 2000}}, "/options/pages"),
        ({"operation": "rotate", "options": {"speed": 1}}, "/options/speed"),
        ({"operation": "rotate", "options": {"../../etc/passwd": 1}}, "/options/..~1..~1etc~1passwd"),
        ({"operation": "split", "options": {"every": 0}}, "/options/every"),
        ({"operation": "split", "options": {"every": 1e400}}, None),
        ({"operation": "split", "options": {"every": 2, "ranges": "1"}}, "/options/ranges"),
        ({"operation": "rotate", "options": ["degrees"]}, "/options"),
        ({"operation": "merge"}, "/inputs"),
        ({"steps": [{"operation": "nothing"}]}, "/steps/0/operation"),
        ({"steps": [{"operation": "rotate", "options": {"degrees": 1}}]}, "/steps/0/options/degrees"),
        ({"steps": [{"operation": "rotate"}, {"operation": "convert"}]}, "/steps/1/to"),
        ({"steps": [{"operation": "rotate"}] * 11}, "/steps"),
        ({"steps": [{"operation": "rotate", "script": "x"}]}, "/steps/0/script"),
        ({"steps": [{"operation": "rotate"}], "operation": "split"}, "/operation"),
        ({"steps": [{"operation": "rotate"}], "options": {"degrees": 90}}, "/options"),
    ],
)
def test_a_wrong_order_is_pointed_at(http, two, change, pointer):
    body = {"inputs": two[:1], **change}
    content = str(body).replace("'", '"').replace("inf", "1e400").replace("None", "null")
    answer = http.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), answer.text
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_more_files_than_an_operation_takes_are_pointed_at(http, two):
    for operation in ("rotate", "split", "convert"):
        answer = http.post("/v1/jobs", json={"operation": operation, "inputs": two, "to": "pdf"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/inputs"), answer.text
    answer = http.post("/v1/jobs", json={"operation": "merge", "inputs": two * 501})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/inputs")


def test_a_file_that_an_operation_does_not_take_is_unsupported(http, bring, two):
    note = bring(b"hello", "note.txt")
    for body in (
        {"operation": "rotate", "inputs": [note]},
        {"operation": "split", "inputs": [note]},
        {"operation": "merge", "inputs": [two[0], note]},
    ):
        answer = http.post("/v1/jobs", json=body)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_format"), answer.text
    answer = http.post("/v1/jobs", json={"operation": "rotate", "inputs": two[:1], "to": "png"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_conversion")


def test_every_input_must_be_there(http, bring, two):
    gone = bring(pdf("x"))
    assert http.delete(f"/v1/uploads/{gone['upload']}", headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    unknown = {"upload": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"}
    for wrong in (gone, unknown):
        answer = http.post("/v1/jobs", json={"operation": "merge", "inputs": [two[0], wrong]})
        assert answer.status_code in {404, 410}, answer.text
