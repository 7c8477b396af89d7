"""Other troubles than a violent death: an orderly end, a dead engine, a second server, a full disk, a torn disk."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from chaoskit import clients, files, judge, remains
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Journal, Seen
from chaoskit.processes import running_program
from chaoskit.server import Leftovers, Server

from filewright.chassis.sandbox.processes import descendants

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(600)]

OFFICE = "soffice.bin"


def balanced(server: Server, journal: Journal, leftovers: list[Leftovers], kills: int = 0) -> remains.Remains:
    remains.collect_garbage(server.data, timedelta(minutes=20))
    left = remains.read(server.data, server.temp)
    assert judge.judge(judge.History(journal, left, kills, leftovers)) == []
    return left


def the_office(server: Server) -> int:
    """The office program at work, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid = running_program(server.pid, OFFICE)
        if pid is not None:
            return pid
    raise AssertionError("no office program was started")


@pytest.mark.requirement("F28")
def test_sigterm_lets_running_jobs_end_keeps_the_waiting_and_exits_with_0(serve):
    journal = Journal()
    server = serve(slots=1)
    assert server.start(warm=False), server.tail()
    with Crowd(server, journal) as crowd:
        with Client(server, journal, "running") as client:
            job = client.order(files.letter(1), client.upload(files.letter(1)))
            for n in range(3):
                crowd.send(f"waiting-{n}", clients.plain(files.letter(n)))
            client.follow_until_running(job)
        family = set(descendants(server.pid))
        code = server.stop()
        left = server.gone(family)
        assert code == 0, server.tail()
        assert [row["outcome"] for row in remains.read(server.data).of("attempts", job)] == ["succeeded"]
        assert server.start(), server.tail()
        crowd.all_done()
    assert server.stop() == 0
    after = balanced(server, journal, [left])
    assert {row["crash_count"] for row in after.rows["jobs"]} == {0}


@pytest.mark.requirement("F28")
def test_a_job_that_does_not_end_in_time_is_given_back_and_done_by_the_next_server(serve):
    """Its engine is frozen, so that it cannot end; the drain waits for it in vain."""
    journal = Journal()
    server = serve(slots=1)
    assert server.start(), server.tail()
    with Client(server, journal, "frozen") as client:
        job = client.order(files.letter(1), client.upload(files.letter(1)))
        os.kill(the_office(server), signal.SIGSTOP)
        family = set(descendants(server.pid))
        code = server.stop()
        left = server.gone(family)
        assert code == 0, server.tail()
        attempt = remains.read(server.data).of("attempts", job)
        assert [row["outcome"] for row in attempt] == ["queued"]
        assert server.start(), server.tail()
        assert client.follow(job)["status"] == "succeeded"
    assert server.stop() == 0
    after = balanced(server, journal, [left])
    assert [(row["crash_count"], row["attempt"]) for row in after.rows["jobs"]] == [(0, 2)]


@pytest.mark.requirement("F3")
def test_an_engine_that_is_killed_costs_one_attempt_and_nothing_else(serve):
    """Into a form that only this engine writes."""
    journal = Journal()
    server = serve()
    assert server.start(), server.tail()
    sample = replace(files.letter(1), to="fodt")
    with Client(server, journal, "shot") as client:
        job = client.order(sample, client.upload(sample))
        os.kill(the_office(server), signal.SIGKILL)
        assert client.follow(job)["status"] == "succeeded"
        client.fetch(job)
    assert server.stop() == 0
    after = balanced(server, journal, [])
    first, second = sorted(after.of("attempts", job), key=lambda row: row["number"])
    assert (first["outcome"], first["error"]["code"]) == ("retry_wait", "engine_crashed")
    assert second["outcome"] == "succeeded"


def test_a_second_server_on_the_same_data_refuses_with_a_sentence(serve, tmp_path):
    first = serve()
    assert first.start(), first.tail()
    (tmp_path / "second").mkdir()
    second = Server(tmp_path / "second", first._orphans, data=first.data)
    try:
        assert not second.start()
        assert second.exit_code() == 2
    finally:
        second.end()
    assert f"another Filewright serves from {first.data}" in second.tail()
    assert "Traceback" not in second.tail()
    assert httpx.get(f"{first.url}/readyz").status_code == 200
    assert first.stop() == 0


@pytest.mark.requirement("F25")
def test_fifty_equal_requests_at_once_make_one_job(serve):
    journal = Journal()
    server = serve()
    assert server.start(), server.tail()
    key = {"Idempotency-Key": secrets.token_hex(8)}
    with Client(server, journal, "many") as client:
        body = {"inputs": [{"upload": client.upload(files.markdown(1))}], "to": "html", "tag": "many"}

    def send(_: int) -> httpx.Response:
        return httpx.post(f"{server.url}/v1/jobs", json=body, headers=key, timeout=60)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    for answer in answers:
        assert answer.status_code in {202, 409}, answer.text
        if answer.status_code == 202:
            journal.write(Accepted("many", answer.json()["id"], good=True))
    (job,) = {entry.job for entry in journal.all(Accepted)}
    with Client(server, journal, "look") as client:
        client.follow(job)
    assert server.stop() == 0
    assert len(balanced(server, journal, []).rows["jobs"]) == 1


@pytest.mark.requirement("F24")
def test_clients_that_hang_up_leave_no_job_no_file_and_no_open_descriptor(serve):
    journal = Journal()
    server = serve()
    assert server.start(), server.tail()
    with Client(server, journal, "stays") as client:
        job = client.order(files.letter(1), client.upload(files.letter(1)))
        client.follow(job)
        before = descriptors(server)
        for n in range(10):
            hang_up_while_sending(server, n)
            hang_up_while_reading(server, job)
        client.fetch(job)
        assert len(httpx.get(f"{server.url}/v1/jobs").json()["data"]) == 1
    wait_until(lambda: descriptors(server) <= before + 1)
    assert server.stop() == 0
    balanced(server, journal, [])


def hang_up_while_sending(server: Server, n: int) -> None:
    def half() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n# half a fi'
        raise ConnectionAbortedError(n)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(ConnectionAbortedError):
        httpx.post(f"{server.url}/v1/convert", content=half(), headers=headers)


def hang_up_while_reading(server: Server, job: str) -> None:
    with httpx.stream("GET", f"{server.url}/v1/jobs/{job}/outputs/0") as answer:
        assert next(answer.iter_raw(16))


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def wait_until(holds) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline


@pytest.mark.requirement("F26")
def test_a_cancel_that_races_the_end_gives_one_of_the_two(serve):
    journal = Journal()
    server = serve()
    assert server.start(), server.tail()
    with Crowd(server, journal) as crowd:
        for n in range(20):
            crowd.send(f"race-{n}", clients.cancelled(files.markdown(n)))
        crowd.all_done()
    assert server.stop() == 0
    balanced(server, journal, [])
    ends = [entry.status for entry in journal.all(Seen) if entry.status not in {"queued", "running"}]
    assert set(ends) <= {"cancelled", "succeeded"}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 24 MiB. Only the superuser can mount one."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to mount a file system")
    with tempfile.TemporaryDirectory(prefix="filewright-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_told_as_such_and_all_goes_on_when_there_is_room(serve, small_disk):
    journal = Journal()
    server = serve(data=small_disk / "data")
    assert server.start(), server.tail()
    with Client(server, journal, "before") as client:
        job = client.order(files.picture(1), client.upload(files.picture(1)))
        client.follow(job)
        ballast = small_disk / "ballast"
        fill(ballast)
        for refused in (upload_in_one_go(server), announce(server)):
            assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable"), refused.text
            assert refused.headers["retry-after"]
        assert client.fetch(job)
        ballast.unlink()
    with Client(server, journal, "after") as client:
        later = client.convert(files.picture(2))
        assert client.follow(later)["status"] == "succeeded"
        client.fetch(later)
    assert server.stop() == 0
    assert len(balanced(server, journal, []).rows["jobs"]) == 2


def fill(path: Path) -> None:
    """Until nothing fits any more, to the last block."""
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def upload_in_one_go(server: Server) -> httpx.Response:
    sample = files.picture(3)
    return httpx.post(
        f"{server.url}/v1/convert", files={"file": (sample.name, sample.data)}, data={"to": sample.to}, timeout=60
    )


def announce(server: Server) -> httpx.Response:
    """Until the database needs a new block."""
    for n in range(500):
        answer = httpx.post(f"{server.url}/v1/uploads", json={"filename": "x" * 4000 + str(n), "bytes": 10}, timeout=60)
        if answer.status_code != 201:
            return answer
    return answer


@pytest.mark.requirement("F1")
def test_half_written_files_do_not_keep_the_server_from_starting(serve):
    journal = Journal()
    server = serve()
    assert server.start(), server.tail()
    with Client(server, journal, "kept") as client:
        job = client.order(files.picture(1), client.upload(files.picture(1)))
        client.follow(job)
    left = server.kill()
    tear(server.data)
    assert server.start(), server.tail()
    with Client(server, journal, "kept") as client:
        client.fetch(job)
    with Client(server, journal, "new") as client:
        client.fetch(client.follow(client.order(files.markdown(1), client.upload(files.markdown(1))))["id"])
    assert server.stop() == 0
    (server.data / "objects" / "not a key").unlink()  # whose it is nobody knows, so nobody removes it
    balanced(server, journal, [left], kills=1)


def tear(data: Path) -> None:
    """What a power failure may leave, and what a careless person may."""
    with (data / "filewright.db-wal").open("ab") as log:
        log.write(secrets.token_bytes(5000))
    (data / "filewright.db-shm").write_bytes(b"torn")
    (data / "lock").write_bytes(b"\xff\xfe not text")
    (data / "secret.new").write_bytes(b"half a se")
    for name in ("work/job/in", "work/job/out", "scratch/x"):
        (data / name).mkdir(parents=True)
    (data / "work/job/in/input").write_bytes(b"half a fi")
    (data / "work/job/out").chmod(0)
    (data / "work/link").symlink_to("/etc")
    (data / "scratch/upl_x-1").write_bytes(b"half an upl")
    (data / "objects/.incoming/0123").write_bytes(b"half an obj")
    (data / "objects/not a key").write_bytes(b"a stranger")
