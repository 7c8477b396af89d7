"""The judge has teeth: a true history passes, and each defect that is put into it is found under its own rule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from chaoskit import clients, files, judge, remains
from chaoskit.clients import Crowd
from chaoskit.journal import Accepted, Deleted, Fetched, Journal, Seen
from chaoskit.judge import History
from chaoskit.launcher import Launcher
from chaoskit.processes import Subreaper
from chaoskit.remains import Object
from chaoskit.server import Leftovers, Server

pytestmark = pytest.mark.alone

Doctoring = Callable[[History], None]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory, orphans: Subreaper, launcher: Launcher) -> History:
    """What really happened in a short and quiet life of a server."""
    folder = tmp_path_factory.mktemp("truth")
    journal = Journal()
    server = Server(folder, orphans, launcher=launcher)
    try:
        assert server.start(), server.tail()
        with Crowd(server, journal) as crowd:
            crowd.send("one", clients.plain(files.markdown(1)))
            crowd.send("two", clients.in_pieces(files.picture(2)))
            crowd.send("bad", clients.plain(files.torn(3)))
            crowd.send("gone", clients.deleted(files.table(4)))
            crowd.all_done()
        assert server.stop() == 0
    finally:
        server.end()
    remains.collect_garbage(server.data, timedelta(minutes=20))
    return History(journal, remains.read(server.data, server.temp), 0, [Leftovers([], [])])


def job(history: History, tag: str = "one") -> dict[str, object]:
    found = next(row for row in history.remains.rows["jobs"] if row["tag"] == tag)
    assert isinstance(found, dict)
    return found


def result(history: History) -> str:
    return next(key for key in history.remains.objects if key.startswith(f"results/{job(history)['id']}/"))


def event(history: History, **more: object) -> None:
    mine = history.remains.of("job_events", str(job(history)["id"]))
    last = max(mine, key=lambda row: row["seq"])
    history.remains.rows["job_events"].append({**last, "seq": last["seq"] + 1, "source": last["target"], **more})


def lose_a_job(history: History) -> None:
    history.remains.rows["jobs"].remove(job(history))


def leave_a_job_running(history: History) -> None:
    job(history)["state"] = "running"


def end_twice(history: History) -> None:
    event(history, target="failed", actor="worker")


def succeed_with_a_bad_file(history: History) -> None:
    entries = history.journal.entries
    entries[:] = [
        Accepted(entry.key, entry.job, good=True) if isinstance(entry, Accepted) and entry.key == "bad" else entry
        for entry in entries
    ]


def lose_an_event(history: History) -> None:
    mine = history.remains.of("job_events", str(job(history)["id"]))
    history.remains.rows["job_events"].remove(mine[1])


def charge_twice(history: History) -> None:
    history.remains.rows["usage"].append(history.remains.of("usage", str(job(history)["id"]))[0])


def forget_the_charge(history: History) -> None:
    history.remains.rows["usage"].remove(history.remains.of("usage", str(job(history)["id"]))[0])


def lose_the_outputs(history: History) -> None:
    for row in history.remains.of("job_outputs", str(job(history)["id"])):
        history.remains.rows["job_outputs"].remove(row)


def make_two_jobs_of_one_key(history: History) -> None:
    history.remains.rows["jobs"].append({**job(history), "id": "job_other"})


def tell_two_jobs_for_one_key(history: History) -> None:
    history.journal.write(Accepted("one", str(job(history, "two")["id"]), good=True))


def damage_the_result(history: History) -> None:
    stored = history.remains.objects[result(history)]
    history.remains.objects[result(history)] = Object(stored.bytes, "0" * 64)


def lose_the_result(history: History) -> None:
    del history.remains.objects[result(history)]


def serve_something_else(history: History) -> None:
    history.journal.write(Fetched(str(job(history)["id"]), "0" * 64))


def run_after_the_end(history: History) -> None:
    event(history, target="running", actor="worker")


def try_without_end(history: History) -> None:
    job(history)["attempt"] = 50


def crash_too_often(history: History) -> None:
    job(history)["crash_count"] = 3


def leave_an_attempt_open(history: History) -> None:
    attempts = history.remains.rows["attempts"]
    attempts[0] = {**attempts[0], "outcome": None}


def leave_an_orphan(history: History) -> None:
    history.remains.objects[f"results/{job(history)['id']}/7/0"] = Object(3, "0" * 64)


def keep_what_was_deleted(history: History) -> None:
    history.journal.write(Deleted(str(job(history)["id"])))


def leave_a_process(history: History) -> None:
    history.leftovers.append(Leftovers([4711], []))


def leave_a_mount(history: History) -> None:
    history.leftovers.append(Leftovers([], ["/data/jobs/x"]))


def leave_a_file(history: History) -> None:
    history.remains.strays.append("/data/jobs/x")


def leave_a_lease(history: History) -> None:
    job(history)["lease_token"] = "t"


def leave_a_password(history: History) -> None:
    history.remains.rows["job_secrets"].append({"job_id": job(history)["id"]})


def leave_a_task(history: History) -> None:
    history.remains.rows["outbox"].append({"task_id": "job_x"})


def forget_a_user(history: History) -> None:
    history.remains.rows["artifacts"].append(
        {**history.remains.rows["artifacts"][0], "sha256": "0" * 64, "shared": True, "erased_at": None}
    )


def count_a_user_that_is_none(history: History) -> None:
    history.remains.rows["file_hashes"].append({"tenant": "t", "sha256": "0" * 64, "uses": 1})


def show_an_end_that_was_none(history: History) -> None:
    history.journal.write(Seen(str(job(history)["id"]), "failed", 100))


def show_less_progress(history: History) -> None:
    history.journal.write(Seen(str(job(history)["id"]), "succeeded", 10))


DEFECTS: tuple[tuple[str, Doctoring], ...] = (
    ("I1", lose_a_job),
    ("I2", leave_a_job_running),
    ("I2", end_twice),
    ("I2", succeed_with_a_bad_file),
    ("I2", lose_an_event),
    ("I3", charge_twice),
    ("I3", forget_the_charge),
    ("I3", lose_the_outputs),
    ("I4", make_two_jobs_of_one_key),
    ("I4", tell_two_jobs_for_one_key),
    ("I5", damage_the_result),
    ("I5", lose_the_result),
    ("I5", serve_something_else),
    ("I6", run_after_the_end),
    ("I7", try_without_end),
    ("I7", crash_too_often),
    ("I7", leave_an_attempt_open),
    ("I8", leave_an_orphan),
    ("I8", lose_the_result),
    ("I8", keep_what_was_deleted),
    ("I9", leave_a_process),
    ("I9", leave_a_mount),
    ("I9", leave_a_file),
    ("I9", leave_a_lease),
    ("I9", leave_a_password),
    ("I9", leave_a_task),
    ("I10", forget_a_user),
    ("I10", count_a_user_that_is_none),
    ("I11", show_an_end_that_was_none),
    ("I11", show_less_progress),
)


def test_a_true_history_passes(truth: History) -> None:
    assert judge.judge(truth) == []
    assert len(truth.journal.all(Accepted)) == 4


@pytest.mark.requirement("F1", "F2")
@pytest.mark.parametrize(("rule", "doctor"), DEFECTS, ids=[f"{rule}-{doctor.__name__}" for rule, doctor in DEFECTS])
def test_each_defect_is_found_under_its_rule(truth: History, rule: str, doctor: Doctoring) -> None:
    history = History(
        Journal(list(truth.journal.entries)), copy.deepcopy(truth.remains), truth.kills, list(truth.leftovers)
    )
    doctor(history)
    assert rule in {breach.rule for breach in judge.judge(history)}


def test_every_rule_is_tried(tmp_path: Path) -> None:
    assert {rule.__name__.partition("_")[0].upper() for rule in judge.RULES} == {rule for rule, _ in DEFECTS}
