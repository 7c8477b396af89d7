"""The product, as a user meets it: a server process that is given a file over HTTP and answers with the result."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import trees

_START_SECONDS = 60.0
_IDLE_SECONDS = 1.0
_JOB = re.compile(r"/v1/jobs/[\w-]+")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Product:
    """`filewright serve` on a data directory of its own, with these settings, until the context ends."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self._log = data.with_name(f"{data.name}.log")
        began = time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")}
        environment["FILEWRIGHT_RESULT_CACHE"] = "false"  # a file that is converted again is to be converted again
        environment |= {f"FILEWRIGHT_{name}": value for name, value in (settings or {}).items()}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "filewright", "serve", "--port", "0", "--data", str(data)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self._port = self._read_port()
        self._await_answer()
        self.start_seconds = time.perf_counter() - began
        self._root = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def client(self, address: str = "127.0.0.1") -> Client:
        """A connection of its own, from that loopback address."""
        return Client(self._port, address)

    def cpu_seconds(self) -> float:
        """User and system time of the whole tree, ended processes included."""
        return trees.cpu_seconds([self.pid])

    def rss_bytes(self) -> int:
        """Resident memory of the whole tree; pages shared by processes count in each of them."""
        total = 0
        for process in self._tree():
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total

    def _tree(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _read_port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _ADDRESS.search(line):
                return int(found[1])
        raise RuntimeError(f"the server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_START_SECONDS)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.02)
            finally:
                connection.close()
        raise RuntimeError("the server does not answer")


@dataclass(frozen=True)
class Answer:
    """What came back for a form."""

    status: int
    body: bytes
    job: str | None
    """The address of the job that was made of it, if one was."""


class Client:
    """One caller with one connection, which stays open from request to request."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300, source_address=(address, 0))
        self._used = time.monotonic()

    def convert(self, form: Form) -> bytes:
        """The result's bytes; RuntimeError with the server's words when there are none."""
        answer = self.send(form)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.body[:500].decode(errors='replace')}")
        return answer.body

    def send(self, form: Form) -> Answer:
        """Whatever comes back."""
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._connection.close()  # the server may be closing it at this moment; the request opens it anew
        self._connection.request("POST", "/v1/convert", body=form.body, headers=form.headers)
        response = self._connection.getresponse()
        found = _JOB.search(response.headers.get("Link") or "")
        answer = Answer(response.status, response.read(), found[0] if found else None)
        self._used = time.monotonic()
        return answer

    def close(self) -> None:
        self._connection.close()


class Form:
    """An upload, put together once: building it is not what is measured."""

    def __init__(
        self, path: Path, target: str, data: bytes | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """`data` is what is sent, where that is not what the file holds."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="to"\r\n\r\n{target}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="options"\r\n\r\n{json.dumps(options or {})}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        content = path.read_bytes() if data is None else data
        self.body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Prefer": "wait=120"}
