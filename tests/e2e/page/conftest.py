"""A browser, a server of one's own that may die and come back, and the page's engine without the page."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request

from filewright.chassis.testing.warm import WarmProcess, WarmPython

PATIENCE = 90_000
"""Milliseconds. Nothing here takes so long; a machine with other work may."""

_ENGINE = """async ({piece, restore}) => {
    const names = ['api', 'uploads', 'events', 'keep', 'queue'];
    const [api, uploads, events, keep, queue] = await Promise.all(names.map((name) => import(`/static/${name}.js`)));
    const calls = api.createApi();
    const catalogue = api.createCatalogue(calls);
    await catalogue.ready;
    window.api = calls;
    window.queue = queue.createQueue({
        api: calls, catalogue, uploads: uploads.createUploads(calls, {piece}), events: events.createEvents(),
        keep: keep.createKeep(),
    });
    window.seen = {};
    window.queue.subscribe((ids) => {
        for (const id of ids) {
            const row = window.queue.get(id);
            const {phase, sent, offline, format, believed, target, problem, job} = row ?? {};
            (window.seen[id] ??= []).push(
                row && {phase, sent, offline, format, believed, target, code: problem?.code, progress: job?.progress});
        }
    });
    if (restore) await window.queue.restore();
}"""


class Service:
    """`filewright serve` with its data, on one address for all its lives."""

    def __init__(self, data: Path, python: WarmPython) -> None:
        self._data = data
        self._python = python
        self._process: WarmProcess | None = None
        self.url = "http://127.0.0.1:0"

    def start(self, failpoints: str = "") -> Service:
        port = self.url.rsplit(":", 1)[1]
        command = ["-m", "filewright", "serve", "--port", port, "--data", str(self._data)]
        environment = {
            **os.environ,
            "FILEWRIGHT_LEARNED_TARGETS": "false",
            "FILEWRIGHT_RESULT_CACHE": "false",
            "FILEWRIGHT_FAILPOINTS": failpoints,
        }
        with (self._data / "log").open("a") as log:
            self._process = self._python.start(command, environment=environment, stderr=log)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        assert found, f"the server said {line!r} and logged {(self._data / 'log').read_text()}"
        self.url = found.group(0)
        return self

    def died(self) -> None:
        """Wait for the death that a failpoint had in store."""
        assert self._process is not None
        assert self._process.wait(timeout=PATIENCE / 1000) == -signal.SIGKILL
        self._close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def jobs(self) -> list[dict[str, Any]]:
        """All there ever were."""
        return list(httpx.get(f"{self.url}/v1/jobs", params={"limit": 100}, timeout=60).json()["data"])

    def upload(self, upload_id: str) -> httpx.Response:
        return httpx.get(f"{self.url}/v1/uploads/{upload_id}", timeout=60)


class Engine:
    """The modules in a page of the server that is otherwise empty, and what went over the wire."""

    def __init__(self, page: Page, url: str, piece: int) -> None:
        self.page = page
        self.asked: list[Request] = []
        page.on("request", self._asks)
        self._piece = piece
        page.goto(f"{url}/static/mark.svg")
        self._begin()

    def reload(self) -> None:
        self.page.reload()
        self._begin()

    def forget(self) -> None:
        """What the page keeps of files, as if the disk had been full."""
        self.page.evaluate(
            """() => new Promise((resolve) => {
                const opening = indexedDB.open('filewright');
                opening.onsuccess = () => {
                    const transaction = opening.result.transaction('files', 'readwrite');
                    transaction.objectStore('files').clear();
                    transaction.oncomplete = () => { opening.result.close(); resolve(); };
                };
            })"""
        )

    def kept(self) -> str:
        """All that is written down, as text."""
        return str(
            self.page.evaluate(
                """() => new Promise((resolve) => {
                    const opening = indexedDB.open('filewright');
                    opening.onsuccess = () => {
                        const rows = opening.result.transaction('rows').objectStore('rows').getAll();
                        rows.onsuccess = () => { opening.result.close(); resolve(JSON.stringify(rows.result)); };
                    };
                })"""
            )
        )

    def add(self, name: str, content: str | bytes) -> str:
        """A file, as if it had been dropped; the id of its row."""
        raw = content.encode() if isinstance(content, str) else content
        return str(
            self.page.evaluate(
                """([name, latin]) => {
                    const bytes = Uint8Array.from(latin, (letter) => letter.charCodeAt(0));
                    return window.queue.add([{file: new File([bytes], name), path: name}])[0];
                }""",
                [name, raw.decode("latin-1")],
            )
        )

    def row(self, row_id: str) -> dict[str, Any]:
        found = self.page.evaluate("(id) => { const {file, ...row} = window.queue.get(id); return row; }", row_id)
        return dict(found)

    def rows(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => window.queue.rows.map(({file, ...row}) => row)"))

    def seen(self, row_id: str) -> list[dict[str, Any]]:
        """All that whoever listens was shown of a row."""
        return list(self.page.evaluate("(id) => window.seen[id]", row_id))

    def do(self, command: str, *arguments: Any) -> Any:
        return self.page.evaluate(
            "([command, given]) => { window.queue[command](...given); }", [command, list(arguments)]
        )

    def until(self, row_id: str, condition: str) -> dict[str, Any]:
        """Wait until a row is as the expression says, or, where it does not speak of that, has failed."""
        asked = f"""(id) => {{
            const row = window.queue.get(id);
            return row && ({condition} || ('failed' === row.phase && !{str("problem" in condition).lower()}));
        }}"""
        self.page.wait_for_function(asked, arg=row_id, timeout=PATIENCE)
        row = self.row(row_id)
        assert self.page.evaluate(f"(row) => Boolean({condition})", row), row
        return row

    def count(self, method: str, path: str) -> int:
        return len(self.requests(method, path))

    def requests(self, method: str, path: str) -> list[Request]:
        """Those to addresses that end so, or, with a star, begin so."""
        pattern = re.compile(re.escape(path).replace(r"\*", "[^?]*") + r"(\?.*)?$")
        return [item for item in self.asked if item.method == method and pattern.search(item.url)]

    def _asks(self, request: Request) -> None:
        self.asked.append(request)

    def _begin(self) -> None:
        self.page.evaluate(_ENGINE, {"piece": self._piece, "restore": True})


@pytest.fixture
def service(tmp_path: Path, warm: WarmPython) -> Iterator[Service]:
    """A server that a test may kill; it is not started yet."""
    data = tmp_path / "data"
    data.mkdir()
    own = Service(data, warm)
    yield own
    own.kill()


@pytest.fixture(scope="module")
def page_at(browser: Browser, served) -> Iterator[Callable[[str], Page]]:
    """Opens an address of the service in a page in which a test may run the service's scripts by themselves."""
    with ExitStack() as until_the_end:

        def opened(path: str) -> Page:
            page = browser.new_page(bypass_csp=True)
            until_the_end.callback(page.close)
            page.goto(f"{served.url}{path}")
            return page

        yield opened


@pytest.fixture
def engine(browser: Browser) -> Iterator[Callable[..., Engine]]:
    """Opens the engine on a server, in a browser profile that is new in each test and the same for all its pages."""
    context = browser.new_context(bypass_csp=True)
    context.set_default_timeout(PATIENCE)

    def begin(url: str, *, piece: int = 8 << 20) -> Engine:
        return Engine(context.new_page(), url, piece)

    yield begin
    context.close()
