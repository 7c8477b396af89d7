"""A person with the whole page: what they do, what they see, and what must never happen meanwhile.

Every visit is watched from its first byte to its last: a request to another host, a dialog, an error in the console, a
breach of the security policy or an answer of 500 and above fails the test, whatever it is about. `Visit.look` runs
axe-core on what is to be seen, in light and in dark, and takes the pictures that docs/page.md shows.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

_TESTS = str(Path(__file__).resolve().parents[3])
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)

from corpus.cases import from_corpus  # noqa: E402
from corpus.samples import samples  # noqa: E402

PATIENCE = 120_000
"""Milliseconds. Nothing here takes so long; a machine with other work may."""
PICTURES = Path(_TESTS).parent / ".run" / "page"
expect.set_options(timeout=PATIENCE)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
_WATCH = """
addEventListener('securitypolicyviolation', ({violatedDirective, blockedURI}) =>
    console.error(`policy: ${violatedDirective} ${blockedURI}`));
window.ran = () => console.error('a stranger’s script ran');
"""
_EXAMINE = """async () => {
    const rules = {'target-size': {enabled: true}};
    const {violations} = await axe.run(document, {rules, resultTypes: ['violations']});
    return violations.map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
}"""
_SETTLED = """() => Promise.all([
    ...document.getAnimations().map((animation) => animation.finished.catch(() => null)),
    ...Array.from(document.images, (image) => image.complete ? null : image.decode().catch(() => null)),
])"""


class Visit:
    """A browser of one's own on the page, and what a person does with it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_WATCH)
        self.context = context
        self.url = url
        self.asked: list[Request] = []
        self.wrong: list[str] = []
        context.on("request", lambda request: self.asked.append(request))  # noqa: PLW0108 - a built-in cannot be marked
        context.on("console", self._heard)
        context.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        context.on(
            "response", lambda answer: answer.status >= 500 and self.wrong.append(f"{answer.status} {answer.url}")
        )
        self.page: Page = context.new_page()
        self.rows = self.page.get_by_role("list", name="Files").get_by_role("listitem")
        self.search = self.page.locator("dialog [role=combobox]")
        self.marked = self.page.locator("dialog [role=option][aria-selected=true]")

    def _heard(self, message: ConsoleMessage) -> None:
        """A refusal and a lost connection stand in the browser's log, too, but are no error of the page."""
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrong.append(message.text)

    def open(self, path: str = "/") -> Visit:
        self.page.goto(self.url + path)
        self.ready()
        return self

    def ready(self) -> None:
        expect(self.page.locator("#tools select")).to_be_visible()

    # --- files in ---

    def pick(self, *files: Path | dict[str, Any]) -> Locator:
        """By the button, as far as tests can press those of the system."""
        count = self.rows.count()
        with self.page.expect_file_chooser() as chooser:
            self.page.locator("#choose").click()
        chooser.value.set_files(list(files))  # type: ignore[arg-type]
        expect(self.rows).to_have_count(count + len(files))
        return self.rows

    def drag(self, kind: str, *paths: Path) -> None:
        """What the mouse does, as the browser's own input."""
        files = [str(path) for path in paths]
        event = {"type": kind, "x": 300, "y": 300, "data": {"items": [], "files": files, "dragOperationsMask": 1}}
        self.context.new_cdp_session(self.page).send("Input.dispatchDragEvent", event)

    def drop(self, *paths: Path) -> Locator:
        for kind in ("dragEnter", "dragOver", "drop"):
            self.drag(kind, *paths)
        return self.rows

    def paste(self, kind: str, content: bytes, name: str = "") -> None:
        """What Ctrl+V brings: a text, or a file with its bytes."""
        self.page.evaluate(
            """([type, name, latin]) => {
                const data = new DataTransfer();
                const bytes = Uint8Array.from(atob(latin), (letter) => letter.charCodeAt(0));
                if (name) data.items.add(new File([bytes], name, {type}));
                else data.setData(type, new TextDecoder().decode(bytes));
                (document.activeElement ?? document.body).dispatchEvent(
                    new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
            }""",
            [kind, name, base64.b64encode(content).decode()],
        )

    # --- rows ---

    def row(self, name: str) -> Locator:
        return self.rows.filter(has=self.page.locator(f'.name[title="{name}"]'))

    def until(self, name: str, *phases: str) -> Locator:
        """Wait until a row stands so."""
        row = self.row(name)
        found = self.page.locator(",".join(f"li[data-phase={phase}]" for phase in phases))
        expect(row.and_(found)).to_have_count(1)
        return row

    def until_all(self, *phases: str, patience: int = PATIENCE) -> None:
        """Wait until every row stands so."""
        others = "".join(f":not([data-phase={phase}])" for phase in phases)
        expect(self.page.locator(f"ol.rows > li{others}")).to_have_count(0, timeout=patience)

    def convert(self, row: Locator, target: str) -> None:
        """By the chooser and its search, and at once."""
        row.locator(".target").click()
        self.search.fill(target)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("dialog")).to_have_count(0)
        self.page.keyboard.press("Enter")

    def fetch(self, link: Locator) -> bytes:
        with self.page.expect_download() as download:
            link.click()
        return Path(download.value.path()).read_bytes()

    # --- looks ---

    def look(self, name: str, *, full: bool = False) -> None:
        """No violation in light and none in dark; both are kept as pictures."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            self.page.evaluate(_SETTLED)
            self.page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=full)
            assert self.page.evaluate(_EXAMINE) == [], f"{name}, {scheme}"

    def check(self) -> None:
        assert self.wrong == []
        foreign = {
            request.url for request in self.asked if not request.url.startswith((f"{self.url}/", "data:", "blob:"))
        }
        assert foreign == set(), "nothing is asked of another host"


@pytest.fixture
def visits(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens visits, each with a browser profile of its own; what is given goes to the context."""
    opened: list[Visit] = []

    def begin(url: str, **options: Any) -> Visit:
        settings = {"viewport": {"width": 1100, "height": 720}, "locale": "en-GB", **options}
        visit = Visit(browser.new_context(**settings), url)
        opened.append(visit)
        return visit

    yield begin
    for visit in opened:
        visit.context.close()
    for visit in opened:
        visit.check()


@pytest.fixture
def visit(visits: Callable[..., Visit], served) -> Visit:
    """On the server that all tests share, at the page."""
    return visits(served.url).open()


PACED_SERVICE = Path(__file__).resolve().parents[4] / "benchmarks" / "paced.py"


@contextmanager
def _paced(data: Path, *more: str) -> Iterator[str]:
    """A service whose jobs get on by the clock and never end, until they are cancelled; its address."""
    with (data / "log").open("w") as log:
        command = [sys.executable, str(PACED_SERVICE), "--data", str(data / "data"), "--every", "1", *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            found = re.search(r"http://[\d.:]+", process.stdout.readline())
            assert found, (data / "log").read_text()
            yield found.group(0)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture(scope="module")
def paced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As many jobs at once as there may be."""
    with _paced(tmp_path_factory.mktemp("paced")) as url:
        yield url


@pytest.fixture
def paced_by_two(tmp_path: Path) -> Iterator[str]:
    """Two jobs at once; others wait."""
    with _paced(tmp_path, "--slots", "2") as url:
        yield url


@pytest.fixture
def thin_line() -> Callable[[Visit, int], AbstractContextManager[None]]:
    """Within it, so many bytes a second leave the browser."""
    return _thin_line


@contextmanager
def _thin_line(visit: Visit, bytes_a_second: int) -> Iterator[None]:
    session = visit.context.new_cdp_session(visit.page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": bytes_a_second})
    yield
    session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
    session.detach()


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files lie that are made once."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def files(shelf: Path) -> Callable[[str], Path]:
    """A file by its name; see `_MAKERS` and the samples of the corpus's tests."""
    made = {case.name.split("/")[1]: case for case in samples()}

    def find(name: str) -> Path:
        if name in _MAKERS:
            if not (shelf / name).exists():
                _MAKERS[name](shelf / name)
            return shelf / name
        placed = made[name].place(shelf)
        plain = shelf / name
        if not plain.exists():
            plain.hardlink_to(placed)
        return plain

    return find


@pytest.fixture(scope="session")
def mixture(files: Callable[[str], Path]) -> Sequence[Path]:
    """Thirty files of all families, each under a name of its own: of the corpus where there is one."""
    corpus = os.environ.get("FILEWRIGHT_CORPUS")
    if not corpus:
        names = [case.name.split("/")[1] for case in samples() if not case.refused_for]
        return [files(name) for name in names][:30]
    chosen: dict[str, Path] = {}
    by_family: dict[str, list[Path]] = {}
    for case in from_corpus(Path(corpus)):
        path = case.place(Path(corpus))
        if not case.refused_for and path.stat().st_size < 1 << 20:
            by_family.setdefault(case.family, []).append(path)
    for turn in range(30):
        for paths in by_family.values():
            if turn < len(paths) and len(chosen) < 30:
                chosen.setdefault(paths[turn].name, paths[turn])
    return list(chosen.values())


def _photo(path: Path) -> None:
    """Hills under a sky."""
    sky = Image.linear_gradient("L").resize((960, 640))
    picture = Image.merge("RGB", [sky.point(lambda v, low=low: low + v // 3) for low in (90, 140, 170)])
    draw = ImageDraw.Draw(picture)
    for n, colour in enumerate(((86, 120, 130), (66, 98, 92), (40, 66, 56))):
        tops = [(x, 330 + n * 90 + ((x * (n + 2) * 7919) % 960) // (9 - n)) for x in range(0, 1061, 106)]
        draw.polygon([(0, 640), *tops, (960, 640)], fill=colour)
    draw.ellipse((700, 90, 790, 180), fill=(255, 240, 200))
    picture.save(path, quality=92)


def _table(path: Path) -> None:
    lines = [f"{n},Person {n},{'Genève' if n % 2 else 'Łódź'},{n * 3.25:.2f}" for n in range(1, 400)]
    path.write_text("\n".join(["no,name,place,sum", *lines, '400,=1+cmd|"/c calc"!A1,<script>ran()</script>,0']) + "\n")


def _film(path: Path) -> None:
    """Long enough to be still at work when somebody looks: ten seconds, fifteen times."""
    part = path.with_suffix(".part.mp4")
    source = ("-f", "lavfi", "-i", "testsrc2=duration=10:size=960x540:rate=30")
    ffmpeg = ("ffmpeg", "-v", "error", "-y")
    subprocess.run([*ffmpeg, *source, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "40", part], check=True)
    subprocess.run([*ffmpeg, "-stream_loop", "14", "-i", part, "-c", "copy", path], check=True)
    part.unlink()


_MAKERS: dict[str, Callable[[Path], None]] = {
    "photo.jpg": _photo,
    "people.csv": _table,
    "long film.mp4": _film,
    "lakeside.md": lambda path: path.write_text("# By the lake\n\nIt is *quiet* there.\n\n" * 12) and None,
}
