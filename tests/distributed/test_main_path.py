"""What a user sees is the same whichever process answers: orders, news, results, changes of mind."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaoskit import clients, files
from chaoskit.clients import Client
from chaoskit.files import Sample
from chaoskit.journal import Journal
from distkit.shape import Shape, eventually
from PIL import Image

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.timeout(600),
]
TUS = {"Tus-Resumable": "1.0.0"}


def photo() -> Sample:
    made = io.BytesIO()
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save(made, "JPEG")
    return Sample("photo.jpg", made.getvalue(), "webp")


def opens(data: bytes, to: str, folder: Path) -> bool:
    match to:
        case "webp":
            with Image.open(io.BytesIO(data)) as picture:
                return (picture.format, picture.size) == ("WEBP", (64, 48))
        case "json":
            return [row["name"] for row in json.loads(data)] == ["Ada", "Émile"]
    path = folder / f"result.{to}"
    path.write_bytes(data)
    return files.is_what_it_says(path, to)


SAMPLES = (files.letter(1), photo(), Sample("people.csv", "id,name\n1,Ada\n2,Émile\n".encode(), "json"))


@pytest.mark.parametrize("way", ["whole", "pieces"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.name}-{sample.to}")
@pytest.mark.sampled(3)
def test_a_file_comes_in_is_converted_and_goes_out(
    shape: Shape, journal: Journal, tmp_path: Path, sample: Sample, way: str
) -> None:
    with Client(shape, journal, f"main-{way}-{sample.name}") as client:
        upload = client.upload(sample) if way == "whole" else client.upload_in_pieces(sample)
        job = client.order(sample, upload)
        assert client.follow(job)["status"] == "succeeded"
        assert opens(client.fetch(job), sample.to, tmp_path)


def place(http: httpx.Client, sample: Sample, **headers: str) -> dict[str, Any]:
    """A job, as it was accepted by this very process."""
    answer = http.post(
        "/v1/convert",
        files={"file": (sample.name, sample.data)},
        data={"to": sample.to},
        headers={"Prefer": "respond-async", **headers},
    )
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def finished(http: httpx.Client, sample: Sample) -> dict[str, Any]:
    job = place(http, sample)
    while job["status"] in {"queued", "running"}:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 20}).raise_for_status().json()
    assert job["status"] == "succeeded", job
    return job


def test_a_process_that_did_not_take_the_order_tells_of_it_live(
    shape: Shape, replicas: tuple[httpx.Client, httpx.Client]
) -> None:
    taker, other = replicas
    with shape.frozen(*shape.names("worker")):
        job = place(taker, files.markdown(1))
        heard: list[str] = []
        listening, worked = threading.Event(), threading.Event()

        def listen() -> None:
            with other.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
                for line in stream.iter_lines():
                    heard.append(line)
                    listening.set()
            worked.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert listening.wait(30)
        assert not [line for line in heard if '"succeeded"' in line], "nobody can have worked on it"
    assert worked.wait(60)
    listener.join()
    names = [line.removeprefix("event: ") for line in heard if line.startswith("event: ")]
    assert names[-1] == "done"
    ids = [int(line.removeprefix("id: ")) for line in heard if line.startswith("id: ")]
    assert ids == sorted(ids)
    assert [line for line in heard if '"succeeded"' in line]


def test_a_process_that_did_not_take_the_order_answers_when_it_is_done(
    shape: Shape, replicas: tuple[httpx.Client, httpx.Client]
) -> None:
    taker, other = replicas
    with shape.frozen(*shape.names("worker")), ThreadPoolExecutor(1) as pool:
        job = place(taker, files.markdown(2))
        path = f"/v1/jobs/{job['id']}"
        waiting = pool.submit(other.get, path, params={"wait": 60})
        with httpx.Client(base_url=shape.url) as front:
            assert front.get(path).json()["status"] == "queued"
        assert not waiting.done()
        for name in shape.names("worker"):
            shape.thaw(name)
        view = waiting.result(60).json()
    assert view["status"] in {"running", "succeeded"}


def test_a_result_is_served_in_ranges_and_alike_by_all(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, two = replicas
    url = finished(one, photo())["outputs"][0]["url"]
    whole = one.get(url).raise_for_status()
    digest = hashlib.sha256(whole.content).digest()
    assert whole.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    half = len(whole.content) // 2
    halves = [one.get(url, headers={"Range": f"bytes=0-{half - 1}"}), two.get(url, headers={"Range": f"bytes={half}-"})]
    assert [part.status_code for part in halves] == [206, 206]
    assert b"".join(part.content for part in halves) == whole.content
    assert two.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert one.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.requirement("F25")
def test_fifty_equal_orders_at_two_processes_are_one_job(
    shape: Shape, replicas: tuple[httpx.Client, httpx.Client]
) -> None:
    upload = None
    with Client(shape, Journal(), "fifty") as client:
        upload = client.upload(files.markdown(50))
    body = {"inputs": [{"upload": upload}], "to": "html", "tag": "fifty equal orders"}
    together = threading.Barrier(50)

    def order(n: int) -> httpx.Response:
        together.wait(30)
        return replicas[n % 2].post("/v1/jobs", json=body, headers={"Idempotency-Key": "fifty-equal"})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(order, range(50)))
    taken = [answer for answer in answers if answer.status_code == 202]
    assert taken
    assert len({answer.json()["id"] for answer in taken}) == 1
    busy = [answer for answer in answers if answer.status_code != 202]
    assert all((answer.status_code, "retry-after" in answer.headers) == (409, True) for answer in busy)
    again = [http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "fifty-equal"}) for http in replicas]
    assert [answer.json()["id"] for answer in again] == [taken[0].json()["id"]] * 2
    assert len(shape.rows("SELECT id FROM jobs WHERE tag = %s", body["tag"])) == 1
    other = replicas[1].post("/v1/jobs", json={**body, "to": "pdf"}, headers={"Idempotency-Key": "fifty-equal"})
    assert other.status_code in {409, 422}


def test_a_job_is_cancelled_by_another_process_than_took_it(
    shape: Shape, replicas: tuple[httpx.Client, httpx.Client]
) -> None:
    taker, other = replicas
    job = place(taker, files.letter(7))
    eventually(lambda: shape.stage(job["id"]) == "converting")
    assert other.post(f"/v1/jobs/{job['id']}/cancel").status_code in {200, 409}
    shape.settle()
    states = {http.get(f"/v1/jobs/{job['id']}").json()["status"] for http in replicas}
    assert states in ({"cancelled"}, {"succeeded"})


def test_a_deleted_job_leaves_nothing_in_the_bucket(shape: Shape, replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, two = replicas
    job = finished(one, photo())
    own = lambda: [key for key, _ in shape.bucket.objects() if job["id"] in key]  # noqa: E731
    assert own()
    assert two.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert own() == []
    assert one.get(f"/v1/jobs/{job['id']}").json()["status"] == "expired"
    assert one.get(job["outputs"][0]["url"]).status_code == 410


def test_the_books_of_a_quiet_life_balance(shape: Shape, journal: Journal) -> None:
    with clients.Crowd(shape, journal, at_once=4) as crowd:
        crowd.send("quiet-bad", clients.plain(files.torn(1)))
        crowd.send("quiet-gone", clients.deleted(files.table(2)))
        crowd.send("quiet-one", clients.in_one_call(files.tone(3)))
        crowd.all_done()
    assert shape.breaches(journal) == []
