"""A process killed between the commit and the answer: the same request again finds what was done."""

from __future__ import annotations

import secrets
import signal
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

SERVER = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from httpkit.embedded import serving
from filewright.chassis import failpoints
from filewright.chassis.telemetry.logs import configure_logs
configure_logs("json")
with serving(Path(sys.argv[2])) as live:
    failpoints.arm(sys.argv[3])
    print(live.url, flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def process(tmp_path, warm):
    """Starts a server on the data of this test, which dies where it is told to."""
    kit = str(Path(__file__).parent)
    program, data = tmp_path / "server.py", tmp_path / "data"
    program.write_text(SERVER)
    data.mkdir()

    @contextmanager
    def started(failpoint=""):
        server = warm.start([str(program), kit, str(data), failpoint])
        try:
            with httpx.Client(base_url=server.stdout.readline().strip(), timeout=30) as http:
                yield http
            if failpoint:
                assert server.wait(20) == -signal.SIGKILL
        finally:
            server.kill()
            server.wait(20)
            server.stdout.close()

    return started


@pytest.mark.slow
@pytest.mark.requirement("F1")
def test_an_order_is_found_again_after_a_kill_before_its_answer(process):
    key = {"Idempotency-Key": secrets.token_hex(8)}
    with process("jobs.submit.accepted=sigkill") as http:
        upload = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 2}).json()
        http.put(upload["url"], content=b"hi")
        http.post(f"/v1/uploads/{upload['id']}/complete").raise_for_status()
        body = {"inputs": [{"upload": upload["id"]}], "to": "md"}
        with pytest.raises(httpx.TransportError):
            http.post("/v1/jobs", json=body, headers=key)
    with process() as http:
        answer = http.post("/v1/jobs", json=body, headers=key)
        assert answer.status_code == 202
        assert [job["id"] for job in http.get("/v1/jobs").json()["data"]] == [answer.json()["id"]]


@pytest.mark.slow
@pytest.mark.requirement("F1")
def test_a_conversion_is_finished_after_a_kill_before_its_answer(process):
    key = {"Idempotency-Key": secrets.token_hex(8)}

    def convert(http):
        return http.post("/v1/convert", files={"file": ("a.txt", b"hello")}, data={"to": "md"}, headers=key)

    with process("jobs.submit.accepted=sigkill") as http, pytest.raises(httpx.TransportError):
        convert(http)
    with process() as http:
        answer = convert(http)
        assert (answer.status_code, answer.content) == (200, b"HELLO")
        assert len(http.get("/v1/jobs").json()["data"]) == 1


@pytest.mark.slow
@pytest.mark.requirement("F1")
def test_a_kill_during_an_upload_leaves_no_job_and_the_same_request_succeeds(process):
    key = {"Idempotency-Key": secrets.token_hex(8)}

    def convert(http):
        return http.post("/v1/convert", files={"file": ("a.txt", b"hello")}, data={"to": "md"}, headers=key)

    with process("uploads.complete.before=sigkill") as http, pytest.raises(httpx.TransportError):
        convert(http)
    with process() as http:
        assert http.get("/v1/jobs").json()["data"] == []
        assert convert(http).content == b"HELLO"
