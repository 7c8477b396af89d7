"""The queue behind the page, in a real browser on the real service: nothing lost, nothing doubled, nothing untrue."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from filewright.converter.formats.catalogue import FORMATS

MEBIBYTE = 1 << 20
_PIXEL = (
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)
PIXEL = bytes.fromhex(_PIXEL)
NOTES = "# My notes\n\nand thoughts\n"
Begin = Callable[..., Any]


@pytest.fixture
def calm(served, engine: Begin):
    """The engine on the server that all tests share."""
    return engine(served.url)


def large(size: int) -> str:
    """Text that is nowhere like itself, so that no piece can stand for another."""
    line = "0123456789abcdef" * 4
    return "".join(f"{n:010d} {line}\n" for n in range(size // 76 + 1))[:size]


def result(url: str, row: dict[str, Any], n: int = 0) -> bytes:
    return httpx.get(url + row["job"]["outputs"][n]["url"], timeout=60).content


def protected_pdf(folder: Path, password: str) -> bytes:
    plain, locked = folder / "plain.pdf", folder / "locked.pdf"
    page = b"BT /F1 24 Tf 72 700 Td (Secret notes) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, item) for n, item in enumerate(objects, 1))
    plain.write_bytes(b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R>>\n%%EOF\n")
    subprocess.run(
        ["qpdf", "--warning-exit-0", "--encrypt", password, password, "256", "--", plain, locked], check=True
    )
    return locked.read_bytes()


def distinct(items: Sequence[Any]) -> list[Any]:
    """Without repetitions of what came just before."""
    return [item for n, item in enumerate(items) if n == 0 or items[n - 1] != item]


# --- the way of a file ------------------------------------------------------------------------------------------------


def test_a_file_is_known_by_its_name_at_once_and_by_its_content_soon(calm):
    row = calm.page.evaluate(
        """() => {
            const [id] = window.queue.add([{file: new File(['# Notes'], 'a.notes.MD'), path: 'x/a.notes.MD'}]);
            const {file, ...row} = window.queue.get(id);
            return row;
        }"""
    )
    assert (row["format"], row["believed"], row["path"]) == ("md", True, "x/a.notes.MD")
    assert row["target"] == row["suggested"][0]
    assert set(row["suggested"]) <= set(row["targets"]) <= set(FORMATS)
    assert calm.until(row["id"], "row.phase === 'ready'")["believed"] is False


def test_a_file_goes_from_drop_to_result(calm, served):
    row_id = calm.add("notes.md", NOTES)
    calm.do("choose", row_id, "html")
    calm.do("start", row_id)
    row = calm.until(row_id, "row.phase === 'succeeded'")
    assert b"My notes" in result(served.url, row)
    phases = distinct([shown["phase"] for shown in calm.seen(row_id)])
    order = ["uploading", "ready", "starting", "queued", "running", "succeeded"]
    assert [phase for phase in order if phase in phases] == phases, "no phase is gone back to"
    assert calm.page.evaluate("window.queue.summary()")["done"] == 1


def test_progress_is_shown_as_the_service_tells_it_and_never_falls(calm):
    row_id = calm.add("notes.md", NOTES)
    calm.do("start", row_id)
    calm.until(row_id, "row.phase === 'succeeded'")
    for before, after in pairwise(calm.seen(row_id)):
        assert (after["progress"] or 0) >= (before["progress"] or 0)
        assert after["sent"] >= before["sent"]
    assert all(shown["progress"] in {None, 0} for shown in calm.seen(row_id) if shown["phase"] == "queued")


@pytest.mark.long
def test_what_is_chosen_for_one_is_chosen_for_all_of_its_kind(calm):
    first, second, other = calm.add("a.md", "# A"), calm.add("b.md", "# B"), calm.add("c.csv", "a,b\n1,2\n")
    calm.do("choose", first, "docx")
    calm.do("applyToKind", first)
    assert calm.row(second)["target"] == "docx"
    assert calm.row(other)["target"] != "docx"
    calm.do("startAll")
    for row_id in (first, second, other):
        calm.until(row_id, "row.phase === 'succeeded'")
    assert calm.row(second)["job"]["target_format"] == "docx"


def test_the_word_of_the_service_replaces_what_the_name_said(calm):
    row_id = calm.add("picture.gif", PIXEL)
    believed = calm.row(row_id)
    assert (believed["format"], believed["believed"]) == ("gif", True)
    row = calm.until(row_id, "row.phase === 'ready'")
    assert (row["format"], row["believed"]) == ("png", False)
    assert row["target"] in row["targets"]


@pytest.mark.long
def test_a_file_that_is_not_what_its_name_says_is_converted_as_what_it_is(calm, served):
    row_id = calm.add("letter.docx", PIXEL)
    calm.do("choose", row_id, "jpg")
    calm.until(row_id, "row.phase === 'ready'")
    calm.do("choose", row_id, "jpg")
    calm.do("start", row_id)
    row = calm.until(row_id, "row.problem?.code === 'type_mismatch'")
    assert row["phase"] == "failed"
    calm.do("retry", row_id, {"from": row["format"]})
    row = calm.until(row_id, "row.phase === 'succeeded'")
    assert result(served.url, row).startswith(b"\xff\xd8")
    assert calm.count("POST", "/v1/uploads") == 1


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("empty.docx", b"", "empty_input"), ("what.xyz", b"\x01\x02\x03\x00", "unsupported_format")],
)
@pytest.mark.sampled(2)
def test_what_cannot_be_converted_says_so_before_anything_is_started(calm, name: str, content: bytes, code: str):
    row = calm.until(calm.add(name, content), f"row.problem?.code === '{code}'")
    assert row["phase"] == "failed"
    assert row["problem"]["detail"]


def test_a_password_is_given_in_place_and_kept_nowhere(calm, served, tmp_path: Path):
    row_id = calm.add("locked.pdf", protected_pdf(tmp_path, "open-sesame"))
    calm.until(row_id, "row.phase === 'ready'")
    calm.do("choose", row_id, "txt")
    calm.do("start", row_id)
    upload = calm.until(row_id, "row.problem?.code === 'password_required'")["upload"]
    calm.do("retry", row_id, {"password": "wrong-sesame"})
    calm.until(row_id, "row.problem?.code === 'wrong_password'")
    calm.do("retry", row_id, {"password": "open-sesame"})
    row = calm.until(row_id, "row.phase === 'succeeded'")
    assert b"Secret notes" in result(served.url, row)
    assert row["upload"] == upload
    assert calm.count("POST", "/v1/uploads") == 1
    assert row_id in calm.kept()
    assert "sesame" not in calm.kept()


@pytest.mark.long
def test_an_offered_target_can_be_chosen_after_the_first_result(calm):
    row_id = calm.add("notes.md", NOTES)
    calm.do("choose", row_id, "html")
    calm.do("start", row_id)
    first = calm.until(row_id, "row.phase === 'succeeded'")["job"]["id"]
    calm.do("again", row_id)
    assert calm.row(row_id)["phase"] == "ready"
    calm.do("choose", row_id, "docx")
    calm.do("start", row_id)
    second = calm.until(row_id, "row.phase === 'succeeded'")["job"]
    assert (second["target_format"], second["id"] != first) == ("docx", True)
    assert calm.count("POST", "/v1/uploads") == 1


# --- many -------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_three_uploads_go_at_once_and_every_row_gets_one_job(calm, served):
    before = {job["id"] for job in httpx.get(f"{served.url}/v1/jobs?limit=100", timeout=60).json()["data"]}
    rows = calm.page.evaluate(
        """() => {
            window.most = 0;
            window.queue.subscribe(() => {
                const under = window.queue.rows.filter((row) => row.phase === 'uploading' && row.upload);
                window.most = Math.max(window.most, under.length);
            });
            const file = (n) => new File([`a,b\\n${n},2\\n`], `t${n}.csv`);
            return window.queue.add(Array.from({length: 24}, (_, n) => ({file: file(n), path: ''})));
        }"""
    )
    for row_id in rows:
        calm.do("choose", row_id, "json")
    calm.do("startAll")
    for row_id in rows:
        calm.until(row_id, "row.phase === 'succeeded'")
    after = {job["id"] for job in httpx.get(f"{served.url}/v1/jobs?limit=100", timeout=60).json()["data"]} - before
    assert {calm.row(row_id)["job"]["id"] for row_id in rows} == after
    assert len(after) == 24
    assert calm.page.evaluate("window.most") <= 3
    assert [json_of(served.url, calm.row(row_id)) for row_id in rows] == [str(n) for n in range(24)]


def json_of(url: str, row: dict[str, Any]) -> str:
    """The first cell of the row's own result."""
    return str(httpx.get(url + row["job"]["outputs"][0]["url"], timeout=60).json()[0]["a"])


def test_listeners_are_called_once_a_frame_however_much_happens(calm):
    told = calm.page.evaluate(
        """async () => {
            const file = (n) => new File(['x'], `${n}.md`);
            const ids = window.queue.add(Array.from({length: 200}, (_, n) => ({file: file(n), path: ''})));
            const told = [];
            window.queue.subscribe((changed) => told.push(changed.size));
            const start = told.length;
            for (let n = 0; n < 50; n += 1) for (const id of ids) window.queue.choose(id, 'html', {n});
            const during = told.length;
            await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
            return {during, first: told[0], after: told.length};
        }"""
    )
    assert told["during"] == 0
    assert told["first"] == 200
    assert told["after"] <= 3, "ten thousand changes are a few calls"


# --- the connection, the page and the server come and go --------------------------------------------------------------


def test_an_upload_goes_on_from_its_offset_after_the_server_was_killed(service, engine: Begin):
    page = engine(service.start("uploads.segment.stored=sigkill@3").url, piece=MEBIBYTE)
    content = large(5 * MEBIBYTE)
    row_id = page.add("long.txt", content)
    page.do("choose", row_id, "html")
    service.died()
    lost = page.until(row_id, "row.offline")
    assert lost["phase"] == "uploading", "a lost connection is no failure"
    assert lost["problem"] is None
    service.start()
    row = page.until(row_id, "row.phase === 'ready'")
    assert row["offline"] is False
    assert service.upload(row["upload"]).json()["sha256"] == hashlib.sha256(content.encode()).hexdigest()
    offsets = [int(sent.headers["upload-offset"]) for sent in page.requests("PATCH", "/v1/uploads/*")]
    assert offsets.count(0) == 1
    assert page.count("POST", "/v1/uploads") == 1


@pytest.mark.long
def test_an_upload_goes_on_from_its_offset_after_a_reload(service, engine: Begin):
    page = engine(service.start("uploads.segment.stored=sleep:0.3").url, piece=MEBIBYTE)
    content = large(5 * MEBIBYTE)
    row_id = page.add("long.txt", content)
    page.do("choose", row_id, "html")
    page.do("start", row_id)
    before = page.until(row_id, f"row.sent >= {2 * MEBIBYTE} && row.upload")
    page.asked.clear()
    page.reload()
    row = page.until(row_id, "row.phase === 'succeeded'")
    assert row["upload"] == before["upload"]
    assert service.upload(row["upload"]).json()["sha256"] == hashlib.sha256(content.encode()).hexdigest()
    assert page.count("POST", "/v1/uploads") == 0
    offsets = [int(sent.headers["upload-offset"]) for sent in page.requests("PATCH", "/v1/uploads/*")]
    assert min(offsets) >= MEBIBYTE
    assert row["job"]["target_format"] == "html", "what was wanted before is done"


@pytest.mark.long
def test_an_announced_upload_whose_answer_was_lost_is_not_announced_twice(service, engine: Begin):
    page = engine(service.start("uploads.create.committed=sigkill").url)
    row_id = page.add("notes.md", NOTES)
    service.died()
    service.start()
    row = page.until(row_id, "row.phase === 'ready'")
    keys = {sent.headers["idempotency-key"] for sent in page.requests("POST", "/v1/uploads")}
    assert len(keys) == 1
    assert service.upload(row["upload"]).json()["received"] == len(NOTES)


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.sampled(2)
def test_an_order_whose_answer_was_lost_makes_one_job(service, engine: Begin, reloaded: bool):
    page = engine(service.start("jobs.submit.accepted=sigkill").url)
    row_id = page.add("notes.md", NOTES)
    page.do("choose", row_id, "html")
    page.do("start", row_id)
    service.died()
    service.start()
    if reloaded:
        page.reload()
    row = page.until(row_id, "row.phase === 'succeeded'")
    assert [job["id"] for job in service.jobs()] == [row["job"]["id"]]
    assert [found["id"] for found in page.rows()] == [row_id]


@pytest.mark.long
def test_an_order_with_a_password_whose_answer_was_lost_is_found_after_a_reload(service, engine: Begin, tmp_path: Path):
    page = engine(service.start("jobs.submit.accepted=sigkill@2").url)
    row_id = page.add("locked.pdf", protected_pdf(tmp_path, "open-sesame"))
    page.do("choose", row_id, "txt")
    page.do("start", row_id)
    page.until(row_id, "row.problem?.code === 'password_required'")
    page.do("retry", row_id, {"password": "open-sesame"})
    service.died()
    service.start()
    page.reload()
    row = page.until(row_id, "row.phase === 'succeeded'")
    assert b"Secret notes" in result(service.url, row)
    assert len(service.jobs()) == 2


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("point", ["jobs.convert.before", "jobs.commit.after"])
@pytest.mark.sampled(4)
def test_a_job_that_the_server_died_over_is_finished(service, engine: Begin, point: str, reloaded: bool):
    page = engine(service.start(f"{point}=sigkill").url)
    row_id = page.add("notes.md", NOTES)
    page.do("choose", row_id, "html")
    page.do("start", row_id)
    service.died()
    service.start()
    if reloaded:
        page.reload()
    row = page.until(row_id, "row.phase === 'succeeded'")
    assert b"My notes" in result(service.url, row)
    assert len(service.jobs()) == 1


@pytest.mark.long
def test_after_a_loss_the_stream_asks_for_what_follows_the_last_event(service, engine: Begin):
    page = engine(service.start().url)
    row_id = page.add("long.txt", large(2 * MEBIBYTE))
    page.do("choose", row_id, "docx")
    page.do("start", row_id)
    page.until(row_id, "row.phase === 'running'")  # which only the stream can have told
    service.kill()
    service.start()
    page.until(row_id, "row.phase === 'succeeded'")
    assert "last-event-id" in page.requests("GET", "/v1/jobs/events")[-1].all_headers()


def test_every_row_comes_back_after_a_reload_in_its_order_and_its_state(service, engine: Begin):
    page = engine(service.start().url)
    done, failed, ready = page.add("a.md", NOTES), page.add("b.docx", b""), page.add("c.csv", "a,b\n1,2\n")
    page.do("start", done)
    page.until(done, "row.phase === 'succeeded'")
    page.until(failed, "row.problem?.code === 'empty_input'")
    page.until(ready, "row.phase === 'ready'")
    page.do("choose", ready, "json", {"indent": 2})
    before = page.rows()
    page.reload()
    assert [row["id"] for row in before] == [done, failed, ready]
    assert page.rows() == before
    assert page.page.evaluate("(id) => window.queue.get(id).file.text()", ready) == "a,b\n1,2\n"


@pytest.mark.long
def test_without_a_connection_a_row_waits_and_goes_on_by_itself(service, engine: Begin):
    page = engine(service.start("uploads.segment.stored=sleep:0.3").url, piece=MEBIBYTE)
    row_id = page.add("long.txt", large(4 * MEBIBYTE))
    page.until(row_id, f"row.sent >= {MEBIBYTE}")
    page.page.context.set_offline(True)
    row = page.until(row_id, "row.offline")
    assert (row["phase"], row["problem"]) == ("uploading", None)
    later = page.add("later.md", NOTES)
    page.page.context.set_offline(False)
    page.until(row_id, "row.phase === 'ready' && !row.offline")
    page.until(later, "row.phase === 'ready' && !row.offline")


def test_an_upload_that_the_service_has_lost_is_sent_again_from_the_file(calm, served):
    row_id = calm.add("notes.md", NOTES)
    lost = calm.until(row_id, "row.phase === 'ready'")["upload"]
    httpx.delete(f"{served.url}/v1/uploads/{lost}", timeout=60).raise_for_status()
    calm.reload()
    calm.do("choose", row_id, "html")
    calm.do("start", row_id)
    row = calm.until(row_id, "row.phase === 'succeeded'")
    assert row["upload"] != lost
    assert row["job"]["target_format"] == "html"


@pytest.mark.long
def test_a_row_whose_upload_and_file_are_gone_says_so(calm, served):
    row_id = calm.add("notes.md", NOTES)
    lost = calm.until(row_id, "row.phase === 'ready'")["upload"]
    httpx.delete(f"{served.url}/v1/uploads/{lost}", timeout=60).raise_for_status()
    calm.forget()
    calm.reload()
    calm.do("start", row_id)
    row = calm.until(row_id, "row.problem?.code === 'upload_gone'")
    assert row["phase"] == "failed"


@pytest.mark.long
def test_each_page_has_rows_of_its_own_and_a_new_one_takes_over_those_of_a_closed_one(served, engine: Begin):
    first, second = engine(served.url), engine(served.url)
    mine, other = first.add("mine.md", NOTES), second.add("other.md", NOTES)
    first.until(mine, "row.phase === 'ready'")
    second.until(other, "row.phase === 'ready'")
    second.reload()
    assert [row["id"] for row in second.rows()] == [other]
    first.page.close()
    third = engine(served.url)
    assert [row["id"] for row in third.rows()] == [mine]


# --- the end ----------------------------------------------------------------------------------------------------------


def gone(url: str, row: dict[str, Any]) -> bool:
    upload = httpx.get(f"{url}/v1/uploads/{row['upload']}", timeout=60).status_code in {404, 410}
    return upload and (
        row["job"] is None or httpx.get(f"{url}/v1/jobs/{row['job']['id']}", timeout=60).json()["status"] == "expired"
    )


def wait_for_debts(page: Any) -> None:
    """Until nothing is owed any more. (`wait_for_function` would take a promise itself for a yes.)"""
    page.page.evaluate(
        """async () => {
            const count = () => new Promise((resolve, reject) => {
                const opening = indexedDB.open('filewright');
                opening.onerror = reject;
                opening.onsuccess = () => {
                    const counting = opening.result.transaction('owed').objectStore('owed').count();
                    counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
                };
            });
            while (await count() > 0) await new Promise(requestAnimationFrame);
        }"""
    )


def test_what_the_person_takes_away_is_erased_on_the_server(calm, served):
    done, ready = calm.add("a.md", NOTES), calm.add("b.md", NOTES)
    calm.do("start", done)
    rows = [calm.until(done, "row.phase === 'succeeded'"), calm.until(ready, "row.phase === 'ready'")]
    calm.do("clearDone")
    assert [row["id"] for row in calm.rows()] == [ready]
    calm.do("remove", ready)
    wait_for_debts(calm)
    assert all(gone(served.url, row) for row in rows)
    calm.reload()
    assert calm.rows() == []


@pytest.mark.long
def test_what_was_taken_away_without_a_connection_is_erased_at_the_next_visit(service, engine: Begin):
    page = engine(service.start().url)
    row_id = page.add("a.md", NOTES)
    page.do("start", row_id)
    row = page.until(row_id, "row.phase === 'succeeded'")
    service.kill()
    page.do("remove", row_id)
    page.page.wait_for_function("(id) => window.seen[id].at(-1) === null || !window.queue.get(id)", arg=row_id)
    service.start()
    page.reload()
    assert page.rows() == []
    wait_for_debts(page)
    assert gone(service.url, row)


def test_an_upload_can_be_stopped_and_taken_up_again(service, engine: Begin):
    page = engine(service.start("uploads.segment.stored=sleep:0.3").url, piece=MEBIBYTE)
    row_id = page.add("long.txt", large(4 * MEBIBYTE))
    page.do("choose", row_id, "html")
    upload = page.until(row_id, f"row.sent >= {MEBIBYTE}")["upload"]
    page.do("cancel", row_id)
    assert page.row(row_id)["phase"] == "cancelled"
    page.do("retry", row_id)
    assert page.until(row_id, "row.phase === 'succeeded'")["upload"] == upload


@pytest.mark.long
def test_a_running_job_is_stopped_and_tried_again_as_the_same_job(service, engine: Begin):
    page = engine(service.start("jobs.fetch.before=sleep:1@1").url)
    row_id = page.add("notes.md", NOTES)
    page.do("choose", row_id, "html")
    page.do("start", row_id)
    job = page.until(row_id, "row.phase === 'queued' || row.phase === 'running'")["job"]["id"]
    page.do("cancel", row_id)
    row = page.until(row_id, "row.phase === 'cancelled'")
    assert row["problem"] is None
    page.do("retry", row_id)
    assert page.until(row_id, "row.phase === 'succeeded'")["job"]["id"] == job
    assert len(service.jobs()) == 1


# --- time left --------------------------------------------------------------------------------------------------------


def test_time_left_follows_the_evidence_without_jumping(calm):
    shown = calm.page.evaluate(
        """async () => {
            const {Pace} = await import('/static/pace.js');
            const pace = new Pace();
            const shown = [pace.left(0)];
            // It said 10 s; then the evidence says 30 s, again and again.
            pace.guess(0, 10);
            shown.push(pace.left(0));
            for (let n = 1; n <= 20; n += 1) { pace.guess(n * 1000, 30); shown.push(pace.left(n * 1000)); }
            return shown;
        }"""
    )
    assert shown[:2] == [None, 10]
    assert all(abs(after - before) <= 6 for before, after in pairwise(shown[1:]))
    assert shown[-1] >= 25
