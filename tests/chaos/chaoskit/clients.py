"""Clients as they should be: each gives every order a key, asks again until it has a definite answer, and notes it all.

A client knows nothing of kills. When no answer comes it waits until the server answers again, and repeats the request
with the same key.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import httpx
from chaoskit.files import Sample
from chaoskit.journal import Accepted, CancelAsked, Deleted, Fetched, Journal, Refused, Seen, Unknown
from chaoskit.server import Server

PATIENCE_SECONDS = 120.0
_LIVE = {"queued", "running"}
_TUS = {"Tus-Resumable": "1.0.0"}
_JOB = re.compile(r"job_[0-9a-z]{26}")


class OutOfPatience(AssertionError):
    """A client did not get a definite answer in all this time."""


class Client:
    """One caller with one connection and one name, from which its keys are made."""

    def __init__(self, server: Server, journal: Journal, name: str, patience: float = PATIENCE_SECONDS) -> None:
        self.name = name
        self._server = server
        self._journal = journal
        self.http = httpx.Client(base_url=server.url, timeout=60)
        self._patience = patience
        self.begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def begin(self) -> None:
        """Its patience counts from now."""
        self._deadline = time.monotonic() + self._patience

    # --- orders --------------------------------------------------------------------------------------------------

    def order(self, sample: Sample, upload: str) -> str:
        """A job for the uploaded file; its id. The tag lets the judge count jobs by key."""
        body = {"inputs": [{"upload": upload}], "to": sample.to, "tag": self.name}
        job: str = self._insist("POST", "/v1/jobs", key=self.name, json=body, expect={202}).json()["id"]
        self._journal.write(Accepted(self.name, job, sample.good))
        return job

    def convert(self, sample: Sample) -> str:
        """The same in one call."""
        answer = self._insist(
            "POST",
            "/v1/convert",
            key=self.name,
            files={"file": (sample.name, sample.data)},
            data={"to": sample.to, "tag": self.name},
            headers={"Prefer": "respond-async"},
            expect={202},
        )
        job: str = answer.json()["id"]
        self._journal.write(Accepted(self.name, job, sample.good))
        return job

    def convert_and_wait(self, sample: Sample) -> str:
        """The same, and the answer is the result, if it does not take too long; the id of the job."""
        answer = self._insist(
            "POST",
            "/v1/convert",
            key=self.name,
            files={"file": (sample.name, sample.data)},
            data={"to": sample.to, "tag": self.name},
            expect={200, 202},
        )
        job = _JOB.search(answer.headers.get("link", "") or answer.headers.get("location", ""))
        assert job is not None, answer.headers
        self._journal.write(Accepted(self.name, job[0], sample.good))
        if answer.status_code == 200:
            self._journal.write(Fetched(job[0], hashlib.sha256(answer.content).hexdigest()))
        elif self.follow(job[0])["status"] == "succeeded":
            self.fetch(job[0])
        return job[0]

    def upload(self, sample: Sample) -> str:
        """In one PUT."""
        body = {"filename": sample.name, "bytes": len(sample.data)}
        ticket = self._insist("POST", "/v1/uploads", key=f"{self.name}-u", json=body, expect={201}).json()
        path = f"/v1/uploads/{ticket['id']}"
        self._insist("PUT", path, content=sample.data, expect={200})
        self._insist("POST", f"{path}/complete", key=f"{self.name}-c", expect={200})
        return str(ticket["id"])

    def upload_in_pieces(self, sample: Sample, pieces: int = 3) -> str:
        """By tus: asks where it stands whenever it does not know."""
        name = base64.b64encode(sample.name.encode()).decode()
        headers = {**_TUS, "Upload-Length": str(len(sample.data)), "Upload-Metadata": f"filename {name}"}
        made = self._insist("POST", "/v1/uploads", key=f"{self.name}-u", headers=headers, expect={201})
        path, size = made.headers["location"], -(-len(sample.data) // pieces)
        while True:
            offset = int(self._insist("HEAD", path, headers=_TUS, expect={200}).headers["upload-offset"])
            if offset == len(sample.data):
                return path.rpartition("/")[2]
            self._try_piece(path, offset, sample.data[offset : offset + size])

    def _try_piece(self, path: str, offset: int, piece: bytes) -> None:
        headers = {**_TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        try:
            self.http.patch(path, content=piece, headers=headers)
        except httpx.TransportError:
            self._journal.write(Unknown(f"PATCH {path}"))

    # --- what becomes of them ------------------------------------------------------------------------------------

    def follow(self, job: str) -> dict[str, Any]:
        """Look until it is over; as it is then."""
        while True:
            view = self.look(job, wait=20)
            if view["status"] not in _LIVE:
                return view

    def follow_until_running(self, job: str) -> dict[str, Any]:
        """Look until work on it has begun, or is over already."""
        answer = self._look(job)
        while answer.json()["status"] == "queued":
            # With the tag of the last look: a change between the two would be waited past otherwise.
            later = self._look(job, wait=20, seen=answer.headers["etag"])
            answer = later if later.status_code == 200 else answer
        return dict(answer.json())

    def look(self, job: str, wait: float = 0) -> dict[str, Any]:
        return dict(self._look(job, wait).json())

    def _look(self, job: str, wait: float = 0, seen: str = "") -> httpx.Response:
        """The job; 304 when it is still as it was `seen`."""
        params = {"wait": wait} if wait else {}
        headers = {"If-None-Match": seen} if seen else {}
        answer = self._insist("GET", f"/v1/jobs/{job}", params=params, headers=headers, expect={200, 304})
        if answer.status_code == 200:
            view = answer.json()
            self._journal.write(Seen(job, view["status"], view["progress"]))
        return answer

    def fetch(self, job: str) -> bytes:
        """The first output."""
        data = self._insist("GET", f"/v1/jobs/{job}/outputs/0", expect={200}).content
        self._journal.write(Fetched(job, hashlib.sha256(data).hexdigest()))
        return data

    def cancel(self, job: str) -> None:
        self._journal.write(CancelAsked(job))
        self._insist("POST", f"/v1/jobs/{job}/cancel", key=f"{self.name}-x", expect={200, 409})

    def delete(self, job: str) -> None:
        self._insist("DELETE", f"/v1/jobs/{job}", expect={204})
        self._journal.write(Deleted(job))

    # --- asking again --------------------------------------------------------------------------------------------

    def _insist(
        self, method: str, path: str, *, expect: set[int], key: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {**more.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
        while time.monotonic() < self._deadline:
            if not self._server.up.wait(max(0.0, self._deadline - time.monotonic())):
                break
            try:
                answer = self.http.request(method, path, headers=headers, **more)
            except httpx.TransportError:
                self._journal.write(Unknown(f"{method} {path}"))
                self._breathe()
                continue
            if answer.status_code >= 500 or ("retry-after" in answer.headers and answer.status_code not in expect):
                code = answer.json().get("code", "") if answer.content else ""
                self._journal.write(Refused(f"{method} {path}", answer.status_code, code))
                self._breathe()
                continue
            assert answer.status_code in expect, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer
        raise OutOfPatience(f"{self.name}: {method} {path}")

    @staticmethod
    def _breathe() -> None:
        """A client that gets no answer does not ask a thousand times a second."""
        threading.Event().wait(0.1)


Errand = Callable[[Client], None]


def plain(sample: Sample) -> Errand:
    """Upload, order, wait, fetch."""

    def run(client: Client) -> None:
        job = client.order(sample, client.upload(sample))
        if client.follow(job)["status"] == "succeeded":
            client.fetch(job)

    return run


def in_pieces(sample: Sample) -> Errand:
    """The same with a resumable upload."""

    def run(client: Client) -> None:
        job = client.order(sample, client.upload_in_pieces(sample))
        if client.follow(job)["status"] == "succeeded":
            client.fetch(job)

    return run


def in_one_call(sample: Sample) -> Errand:
    """The same with one form."""

    def run(client: Client) -> None:
        job = client.convert(sample)
        if client.follow(job)["status"] == "succeeded":
            client.fetch(job)

    return run


def answered(sample: Sample) -> Errand:
    """One call, of which the result is the answer. For files that can be converted."""

    def run(client: Client) -> None:
        client.convert_and_wait(sample)

    return run


def cancelled(sample: Sample) -> Errand:
    """Change one's mind while it runs."""

    def run(client: Client) -> None:
        job = client.order(sample, client.upload(sample))
        client.follow_until_running(job)
        client.cancel(job)
        client.follow(job)

    return run


def deleted(sample: Sample) -> Errand:
    """Take the result, then have everything erased."""

    def run(client: Client) -> None:
        job = client.order(sample, client.upload(sample))
        client.follow(job)
        client.delete(job)
        client.look(job)

    return run


def deleted_at_once(sample: Sample) -> Errand:
    """Have everything erased while it runs."""

    def run(client: Client) -> None:
        job = client.order(sample, client.upload(sample))
        client.follow_until_running(job)
        client.delete(job)
        client.look(job)

    return run


class Crowd:
    """Many clients at once. `send` begins an errand, `all_done` waits for the end of all and raises what went wrong.

    `done` counts those that have ended.
    """

    def __init__(
        self, server: Server, journal: Journal, *, at_once: int = 32, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.journal = journal
        self.done = 0
        self._patience = patience
        self._lock = threading.Lock()
        self._server = server
        self._pool = ThreadPoolExecutor(at_once)
        self._errands: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def send(self, name: str, errand: Errand) -> Future[None]:
        def go() -> None:
            with Client(self._server, self.journal, name, self._patience) as client:
                errand(client)

        sent = self._pool.submit(go)
        sent.add_done_callback(self._count)
        self._errands.append(sent)
        return sent

    def all_done(self) -> None:
        for trouble in self.troubles():
            raise trouble

    def troubles(self) -> list[BaseException]:
        """What went wrong, when all are over: how each errand ended that met what its client must not meet."""
        ends = [errand.exception(self._patience + 10) for errand in self._errands]
        self._errands.clear()
        return [end for end in ends if end is not None]

    def _count(self, _: Future[None]) -> None:
        with self._lock:
            self.done += 1
