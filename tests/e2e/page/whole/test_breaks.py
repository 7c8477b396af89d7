"""A reload and a killed server in the middle of work: every row goes on where it was, and no job is made twice."""

from __future__ import annotations

import random
import wave
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

MEBIBYTE = 1 << 20
Files = Callable[[str], Path]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Noise of two minutes: three pieces of an upload, none of which can stand for another."""
    with wave.open(str(tmp_path / "recording.wav"), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(random.Random(1).randbytes(20 * MEBIBYTE))
    return tmp_path / "recording.wav"


def offsets(visit) -> list[int]:
    """Where each piece began that the page sent."""
    sent = [request for request in visit.asked if request.method == "PATCH"]
    return [int(request.headers["upload-offset"]) for request in sent]


def until_sent(visit, share: int) -> None:
    visit.page.wait_for_function(
        "(share) => document.querySelector('ol.rows [role=progressbar]')?.ariaValueNow >= share",
        arg=share,
    )


def announced(visit) -> int:
    return len([request for request in visit.asked if request.method == "POST" and request.url.endswith("/v1/uploads")])


@pytest.mark.long
def test_an_upload_goes_on_from_where_it_was_after_a_reload(visit, recording: Path, thin_line):
    with thin_line(visit, 6 * MEBIBYTE):
        visit.pick(recording)
        visit.page.keyboard.press("Enter")
        until_sent(visit, 50)
        visit.page.reload()
        visit.ready()
        expect(visit.rows).to_have_count(1)
    visit.until("recording.wav", "succeeded")
    assert announced(visit) == 1
    before, after = offsets(visit)[:2], offsets(visit)[2:]
    assert before == [0, 8 * MEBIBYTE]
    assert after[0] >= 8 * MEBIBYTE
    assert all(one < other for one, other in pairwise(after))


@pytest.mark.long
def test_an_upload_goes_on_from_where_it_was_after_the_server_was_killed(visits, service, recording: Path, thin_line):
    visit = visits(service.start().url).open()
    with thin_line(visit, 6 * MEBIBYTE):
        visit.pick(recording)
        visit.page.keyboard.press("Enter")
        until_sent(visit, 50)
        service.kill()
        expect(visit.rows).to_contain_text("Waiting for a connection")
        service.start()
    visit.until("recording.wav", "succeeded")
    assert announced(visit) == 1
    assert offsets(visit)[:2] == [0, 8 * MEBIBYTE]
    assert all(offset >= 8 * MEBIBYTE for offset in offsets(visit)[1:])
    assert len(service.jobs()) == 1


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.long
def test_no_row_is_lost_and_no_job_doubled_when_the_server_is_killed_at_work(
    visits, service, files: Files, tmp_path: Path, reloaded: bool
):
    names = [f"note {n}.md" for n in range(6)]
    for name in names:
        (tmp_path / name).write_text(f"# {name}\n")
    visit = visits(service.start().url).open()
    visit.pick(*(tmp_path / name for name in names), files("empty.docx"))
    visit.until_all("ready", "failed")
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    visit.until("note 0.md", "succeeded")
    service.kill()
    if reloaded:
        service.start()
        visit.page.reload()
        visit.ready()
    else:
        expect(visit.page.get_by_text("No connection.")).to_be_visible()
        service.start()
    visit.until_all("succeeded", "failed")
    shown = visit.page.locator("ol.rows .name").evaluate_all("(names) => names.map((name) => name.title)")
    assert shown == [*names, "empty.docx"]
    expect(visit.page.locator("li[data-phase=succeeded]")).to_have_count(6)
    jobs = service.jobs()
    assert [job["status"] for job in jobs] == ["succeeded"] * 6, "one for each row that became a job"
    if not reloaded:
        assert any(resumed(request) for request in visit.asked), "the stream of news goes on from the last one"


def resumed(request: Request) -> bool:
    return request.url.endswith("/v1/jobs/events") and "last-event-id" in request.all_headers()


@pytest.mark.long
def test_work_goes_on_while_the_page_is_away(visit, served, files: Files):
    visit.pick(files("lakeside.md"), files("photo.jpg"))
    visit.until_all("ready")
    visit.page.get_by_role("button", name="Convert all", exact=True).click()
    visit.page.reload()
    visit.ready()
    visit.until_all("succeeded")
    expect(visit.rows).to_have_count(2)
    visit.page.goto("about:blank")
    visit.open()
    expect(visit.rows).to_have_count(2)
    visit.until_all("succeeded")
