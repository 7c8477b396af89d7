"""What a row does, handed over as one call of curl: it works as it is pasted, whatever a file is called."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

_CALL = """async ({name, target, options, outputs, key}) => {
    const {curlFor} = await import('/static/handover.js');
    const row = {name, target, options, job: outputs && {outputs: outputs.map((name) => ({name}))}};
    return curlFor(row, location.origin, {key, endings: [target]});
}"""
_OPEN = """async ({name, target}) => {
    const [{createApi, createCatalogue}, {openHandover}] =
        await Promise.all([import('/static/api.js'), import('/static/handover.js')]);
    const api = createApi();
    const catalogue = createCatalogue(api);
    await catalogue.ready;
    await openHandover({row: {name, target, options: {}, job: null}, api, catalogue});
}"""
HOSTILE = (
    "plain.txt",
    "with space.txt",
    'it\'s "quoted" \\ back\\\\slashed.txt',
    "a;b,c;type=text;filename=x.txt",
    "$(touch pwned) `touch pwned` $HOME ${IFS}.txt",
    "-",
    "-o pwned.txt",
    "@file.txt",
    "<in.txt",
    "!history! !!.txt",
    "100% %s %n \\n.txt",
    "*?[a-z]{b,c}~.txt",
    "#comment & ; touch pwned #.txt",
    "line\nbreak; touch pwned\n.txt",
    "\x03\x1b[201~;touch pwned\r.txt",
    "\u202ecod.exe\u2066.txt",
    "übung 漢字 🦆.txt",
    "a'\u200bb!'%\\.txt",
    ".hidden",
    "no ending",
)
SHELLS = ("bash", "sh")


@pytest.fixture(scope="module")
def context(browser: Browser, served) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=served.url)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    opened = context.new_page()
    opened.goto("/")
    yield opened
    opened.close()


def call_for(page: Page, name: str, target: str = "html", **more: Any) -> str:
    asked = {"name": name, "target": target, "options": {}, "outputs": None, "key": False, **more}
    return str(page.evaluate(_CALL, asked))


def words_of(call: str, shell: str, folder: Path) -> list[str]:
    """What curl would be given as arguments, by a shell in which it only says them."""
    script = 'curl() { for word in "$@"; do printf \'%s\\0\' "$word"; done; }\n' + call
    done = subprocess.run([shell, "-c", script], cwd=folder, capture_output=True, check=True)
    assert done.stderr == b""
    return [word.decode() for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_name_is_one_word_of_the_shell_and_nothing_else_happens(page, shell: str, tmp_path: Path):
    for name in HOSTILE:
        words = words_of(call_for(page, name), shell, tmp_path)
        said = name.replace("\\", "\\\\").replace('"', '\\"')
        assert words[words.index("-F") + 1] == f'file=@"{"./-" if name == "-" else said}"'
        assert len(words) == 10
    assert list(tmp_path.iterdir()) == []


def test_what_is_copied_holds_nothing_that_leads_a_terminal_astray(page):
    for name in HOSTILE:
        call = call_for(page, name)
        assert all(letter == "\n" or letter.isprintable() for letter in call)
        assert all(line.endswith(" \\") for line in call.splitlines()[:-1]), "one command, on lines that go on"


@pytest.mark.parametrize("names", [HOSTILE[start::5] for start in range(5)])
@pytest.mark.sampled(4)
def test_the_call_converts_the_file_of_that_name(page, names: tuple[str, ...], tmp_path: Path):
    for n, name in enumerate(names):
        folder = tmp_path / str(n)
        folder.mkdir()
        (folder / name).write_text("# A heading\n\nand some words\n")
        call = call_for(page, name, target="html")
        done = subprocess.run(["bash", "-c", call], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        [made] = [path for path in folder.iterdir() if path.name != name]
        assert made.name.endswith(".html")
        assert "and some words" in made.read_text()


def test_options_are_said_as_they_are(page, tmp_path: Path):
    options = {"title": 'it\'s; type=text/x "and" @more', "pages": "1-3"}
    words = words_of(call_for(page, "a.pdf", options=options), "bash", tmp_path)
    said = words[words.index("--form-string") + 1]
    assert said == 'options={"title":"it\'s; type=text/x \\"and\\" @more","pages":"1-3"}'


def test_options_reach_the_conversion(page, tmp_path: Path):
    subprocess.run(["convert", "-size", "40x30", "xc:red", str(tmp_path / "a.png")], check=True)
    call = call_for(page, "a.png", target="jpg", options={"width": 20})
    subprocess.run(["bash", "-c", call], cwd=tmp_path, capture_output=True, check=True)
    said = subprocess.run(["identify", "-format", "%m %w", str(tmp_path / "a.jpg")], capture_output=True, check=True)
    assert said.stdout == b"JPEG 20"


def test_several_results_are_called_a_zip(page, tmp_path: Path):
    words = words_of(call_for(page, "a.pdf", target="png", outputs=["a-1.png", "a-2.png"]), "bash", tmp_path)
    assert words[-1] == "a.zip"


def test_one_result_is_called_as_it_was_on_the_page(page, tmp_path: Path):
    words = words_of(call_for(page, "a.tar.gz", target="zip", outputs=["a.zip"]), "bash", tmp_path)
    assert words[-1] == "a.zip"


def test_a_key_is_asked_for_where_only_known_callers_are_served(page, tmp_path: Path):
    call = call_for(page, "a.txt", key=True)
    assert call.startswith("# FILEWRIGHT_API_KEY: ")
    words = words_of("FILEWRIGHT_API_KEY='fw_live_x y'\n" + call, "bash", tmp_path)
    assert "Authorization: Bearer fw_live_x y" in words
    assert "Authorization" not in call_for(page, "a.txt")


def test_the_dialog_shows_the_call_and_copies_it(context: BrowserContext, page: Page, served):
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.url)
    page.evaluate(_OPEN, {"name": "it's.md", "target": "pdf"})
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("it's.md as curl")
    shown = dialog.get_by_role("region", name="Command").inner_text()
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == shown == call_for(page, "it's.md", target="pdf")
    context.clear_permissions()


@pytest.mark.long
def test_without_a_clipboard_the_old_way_copies(page: Page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.evaluate(
        "() => { window.copied = ''; addEventListener('copy', () => { window.copied = String(getSelection()); }); }"
    )
    page.evaluate(_OPEN, {"name": "a.md", "target": "pdf"})
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("window.copied").replace("\r\n", "\n") == call_for(page, "a.md", target="pdf")


@pytest.mark.long
def test_without_any_way_the_call_is_selected_and_that_is_said(page: Page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.evaluate("() => { document.execCommand = () => false; }")
    page.evaluate(_OPEN, {"name": "a.md", "target": "pdf"})
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Selected: copy it with your keyboard")
    assert page.evaluate("String(getSelection())") == call_for(page, "a.md", target="pdf")


def test_the_dialog_leads_to_the_documentation(page: Page, served):
    page.evaluate(_OPEN, {"name": "a.md", "target": "pdf"})
    link = page.get_by_role("dialog").get_by_role("link", name="All of the API")
    assert httpx.get(served.url + str(link.get_attribute("href")), timeout=60).status_code == 200


def test_escape_closes_the_dialog(page: Page):
    page.evaluate(_OPEN, {"name": "a.md", "target": "pdf"})
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
