"""Compare what clients were told with what is on disk. One rule is one function; each says every breach that it finds.

I1  every accepted job is there               I6  nothing happens after the end but an erase
I2  it ended, exactly once                    I7  no more attempts than allowed
I3  one result, one charge, one success       I8  no object without a row, no row without its object
I4  one key, one job                          I9  no process, mount, lease, secret or stray file is left
I5  the result is there, whole, as promised   I10 what is counted is the count of what there is
                                              I11 what clients saw never went back
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from chaoskit.journal import Accepted, CancelAsked, Deleted, Fetched, Journal, Seen
from chaoskit.remains import Remains, Row
from chaoskit.server import Leftovers

from filewright.chassis.audit import copies
from filewright.converter.jobs.policy import MAX_CRASHES, MAX_TRANSIENT
from filewright.converter.jobs.states import MOVES, PUBLIC_STATUS, TERMINAL, Actor, JobState

_ALLOWED = {(move.source, move.target, actor) for move in MOVES for actor in move.actors}
_ENDS = TERMINAL - {JobState.ERASED}


@dataclass(frozen=True)
class Breach:
    """A rule that does not hold, and where."""

    rule: str
    what: str


@dataclass
class History:
    """All there is to judge. `kills` is how often the server was killed."""

    journal: Journal
    remains: Remains
    kills: int = 0
    leftovers: list[Leftovers] = field(default_factory=list)

    def of(self, table: str, job: str) -> Sequence[Row]:
        """The rows of a table that belong to a job. What was looked at once is not changed any more."""
        return self._by_job[table].get(job, ())

    @cached_property
    def _by_job(self) -> dict[str, dict[str, list[Row]]]:
        indexed: dict[str, dict[str, list[Row]]] = {}
        for table in ("job_events", "attempts", "job_outputs", "job_secrets"):
            of_job = indexed.setdefault(table, {})
            for row in self.remains.rows[table]:
                of_job.setdefault(row["job_id"], []).append(row)
        return indexed


def judge(history: History) -> list[Breach]:
    """Every breach; none is what we want."""
    return [Breach(rule.__name__.partition("_")[0].upper(), what) for rule in RULES for what in rule(history)]


def i1_accepted_jobs_are_there(history: History) -> Iterator[str]:
    known = {row["id"] for row in history.remains.rows["jobs"]}
    for accepted in history.journal.all(Accepted):
        if accepted.job not in known:
            yield f"{accepted.job} was accepted and is not there"


def i2_each_job_ended_exactly_once(history: History) -> Iterator[str]:
    for job, events in _jobs(history):
        if job["state"] not in TERMINAL:
            yield f"{job['id']} is {job['state']}"
        ends = [event for event in events if event["target"] in _ENDS]
        again = [event for event in events if event["source"] in _ENDS and event["target"] == JobState.QUEUED]
        if len(ends) - len(again) > 1 or not (ends or job["state"] == JobState.ERASED):
            yield f"{job['id']} ended {len(ends)} times"
        yield from _broken_chain(job, events)
    yield from _wrong_ends(history)


def i3_one_result_one_charge(history: History) -> Iterator[str]:
    charged = Counter(row["job_id"] for row in history.remains.rows["usage"])
    for job, events in _jobs(history):
        wins = sum(event["target"] == JobState.SUCCEEDED for event in events)
        tries = sum(row["outcome"] == JobState.SUCCEEDED for row in history.of("attempts", job["id"]))
        outputs = len(history.of("job_outputs", job["id"]))
        if wins > 1 or (wins, wins) != (charged[job["id"]], tries) or bool(outputs) != bool(wins):
            yield (
                f"{job['id']}: {wins} successes, {tries} successful attempts, "
                f"{charged[job['id']]} charges, {outputs} outputs"
            )


def i4_one_key_one_job(history: History) -> Iterator[str]:
    told: dict[str, set[str]] = {}
    for accepted in history.journal.all(Accepted):
        told.setdefault(accepted.key, set()).add(accepted.job)
    for row in history.remains.rows["jobs"]:
        if row["tag"] is not None:
            told.setdefault(row["tag"], set()).add(row["id"])
    for key, jobs in told.items():
        if len(jobs) > 1:
            yield f"{key} made {sorted(jobs)}"


def i5_results_are_whole(history: History) -> Iterator[str]:
    artifacts = {row["id"]: row for row in history.remains.rows["artifacts"]}
    promised: dict[str, set[str]] = {}
    for job, _ in _jobs(history):
        if job["state"] != JobState.SUCCEEDED:
            continue
        for output in history.of("job_outputs", job["id"]):
            artifact = artifacts[output["artifact_id"]]
            promised.setdefault(job["id"], set()).add(artifact["sha256"])
            stored = [history.remains.objects.get(part["key"]) for part in artifact["parts"]]
            if len(stored) != 1 or stored[0] is None:
                yield f"{job['id']}: the result is not there"
            elif (stored[0].bytes, stored[0].sha256) != (artifact["bytes"], artifact["sha256"]):
                yield f"{job['id']}: the result is not what was made"
    for fetched in history.journal.all(Fetched):
        if fetched.job in promised and fetched.sha256 not in promised[fetched.job]:
            yield f"{fetched.job}: a client was given something else"


def i6_the_end_is_the_end(history: History) -> Iterator[str]:
    for job, events in _jobs(history):
        for before, event in itertools.pairwise(events):
            caller_again = event["target"] == JobState.QUEUED and event["actor"] == Actor.CALLER
            if before["target"] in TERMINAL and event["target"] != JobState.ERASED and not caller_again:
                yield f"{job['id']}: {event['target']} after {before['target']}"


def i7_attempts_are_bounded(history: History) -> Iterator[str]:
    for job, _ in _jobs(history):
        attempts = history.of("attempts", job["id"])
        if len(attempts) != job["attempt"]:
            yield f"{job['id']}: {job['attempt']} attempts counted, {len(attempts)} written down"
        if job["crash_count"] > MAX_CRASHES or job["transient_count"] > MAX_TRANSIENT:
            yield f"{job['id']}: {job['crash_count']} crashes, {job['transient_count']} outages"
        if job["attempt"] > MAX_CRASHES + MAX_TRANSIENT + history.kills:
            yield f"{job['id']}: {job['attempt']} attempts"
        if (job["crash_count"] >= MAX_CRASHES) != (_end_of(history, job) == JobState.QUARANTINED):
            yield f"{job['id']}: {job['crash_count']} crashes and {_end_of(history, job)}"
        if any(row["outcome"] is None for row in attempts):
            yield f"{job['id']}: an attempt has no end"


def i8_rows_and_objects_agree(history: History) -> Iterator[str]:
    owned: dict[str, int] = {}
    for artifact in history.remains.rows["artifacts"]:
        if artifact["erased_at"] is None:
            owned |= {part["key"]: part["bytes"] for part in artifact["parts"]}
        elif artifact["parts"]:
            yield f"{artifact['id']} is erased and its objects are still known"
    folders = set()
    for upload in history.remains.rows["uploads"]:
        if upload["artifact_id"] is None:
            owned |= {part["key"]: part["bytes"] for part in upload["parts"]}
        if upload["parts"] or upload["artifact_id"] is None:
            folders.add(f"uploads/{upload['id']}")  # what a killed request left in it goes when the upload goes
    for key in history.remains.objects.keys() - owned.keys():
        if key.rpartition("/")[0] not in folders | {copies.FOLDER}:  # what was signed once is kept for ever
            yield f"{key} belongs to nobody"
    for key, size in owned.items():
        found = history.remains.objects.get(key)
        if found is None or found.bytes != size:
            yield f"{key} is {'missing' if found is None else 'of another size'}"
    for deleted in history.journal.all(Deleted):
        if any(key.startswith(f"results/{deleted.job}/") for key in history.remains.objects):
            yield f"{deleted.job} was deleted and has objects"


def i9_nothing_else_is_left(history: History) -> Iterator[str]:
    for left in history.leftovers:
        if left.processes or left.mounts:
            yield f"processes {left.processes}, mounts {left.mounts}"
    yield from (f"stray: {stray}" for stray in history.remains.strays)
    for job, _ in _jobs(history):
        if job["state"] in TERMINAL and (job["lease_token"] or job["worker"]):
            yield f"{job['id']} is {job['state']} and leased"
        if job["state"] in TERMINAL and history.of("job_secrets", job["id"]):
            yield f"{job['id']} is {job['state']} and its password is kept"
    for row in history.remains.rows["outbox"]:
        yield f"task {row['task_id']} was never published"


def i10_counters_are_right(history: History) -> Iterator[str]:
    living = (row for row in history.remains.rows["artifacts"] if row["shared"] and row["erased_at"] is None)
    there = Counter((row["tenant"], row["sha256"]) for row in living)
    told = {(row["tenant"], row["sha256"]): row["uses"] for row in history.remains.rows["file_hashes"]}
    for content in there.keys() | told.keys():
        if there[content] != told.get(content, 0):
            yield f"a content of {content[0]} has {there[content]} users and {told.get(content, 0)} are counted"


def i11_nothing_went_back(history: History) -> Iterator[str]:
    over = {"succeeded", "failed", "cancelled", "expired"}
    last: dict[str, Seen] = {}
    for seen in history.journal.all(Seen):
        before = last.get(seen.job)
        if before is not None and before.status in over and seen.status not in {before.status, "expired"}:
            yield f"{seen.job} was {before.status} and then {seen.status}"
        if before is not None and seen.progress < before.progress:
            yield f"{seen.job} was at {before.progress} and then at {seen.progress}"
        last[seen.job] = seen
    for job, _ in _jobs(history):
        seen_last = last.get(job["id"])
        status = PUBLIC_STATUS[JobState(job["state"])]
        if seen_last and seen_last.status in over and status not in {seen_last.status, "expired"}:
            yield f"{job['id']} was shown as {seen_last.status} and is {status}"


RULES = (
    i1_accepted_jobs_are_there,
    i2_each_job_ended_exactly_once,
    i3_one_result_one_charge,
    i4_one_key_one_job,
    i5_results_are_whole,
    i6_the_end_is_the_end,
    i7_attempts_are_bounded,
    i8_rows_and_objects_agree,
    i9_nothing_else_is_left,
    i10_counters_are_right,
    i11_nothing_went_back,
)


def _jobs(history: History) -> Iterable[tuple[Row, Sequence[Row]]]:
    for job in history.remains.rows["jobs"]:
        yield job, sorted(history.of("job_events", job["id"]), key=lambda event: event["seq"])


def _broken_chain(job: Row, events: Sequence[Row]) -> Iterator[str]:
    """The events, replayed, must be moves that exist and lead to where the job is."""
    state = None
    for event in events:
        if event["source"] != state:
            yield f"{job['id']}: an event leaves {event['source']}, the job was {state}"
        if (event["source"], event["target"], event["actor"]) not in _ALLOWED:
            yield f"{job['id']}: {event['actor']} may not move {event['source']} to {event['target']}"
        state = event["target"]
    if state != job["state"]:
        yield f"{job['id']} is {job['state']}, its events lead to {state}"


def _end_of(history: History, job: Row) -> str | None:
    ends = [event["target"] for event in history.of("job_events", job["id"]) if event["target"] in _ENDS]
    return ends[-1] if ends else None


def _wrong_ends(history: History) -> Iterator[str]:
    """A good file is converted and a bad one fails, unless its caller or three crashes said otherwise."""
    steered = {entry.job for kind in (CancelAsked, Deleted) for entry in history.journal.all(kind)}
    good = {entry.job: entry.good for entry in history.journal.all(Accepted)}
    for job, _ in _jobs(history):
        if job["id"] in steered or job["id"] not in good:
            continue
        wanted = JobState.SUCCEEDED if good[job["id"]] else JobState.FAILED
        if _end_of(history, job) not in {wanted, JobState.QUARANTINED}:
            yield f"{job['id']} ended as {_end_of(history, job)} ({job['error']}), not as {wanted}"
