"""The server is killed again and again in the middle of conversions; clients insist; the books must balance."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from chaoskit import clients, files, judge, remains
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Journal, Refused

from filewright.chassis.audit import copies

pytestmark = [pytest.mark.alone, pytest.mark.slow(40), pytest.mark.timeout(900)]

SEED = 20261122
LONGEST_DELAY = 0.8
ERRANDS = (clients.plain, clients.in_pieces, clients.in_one_call)


@pytest.mark.requirement("F1", "F2", "F4", "F27", "A2", "B3")
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.long)])
def test_no_job_is_lost_or_doubled_when_the_server_is_killed_while_it_converts(serve, tmp_path, kills):
    chance = random.Random(SEED)
    journal, leftovers, hit = Journal(), [], []
    server = serve()
    with Crowd(server, journal) as crowd:
        for kill in range(kills):
            assert server.start(warm=kill % 4 > 0), server.tail()
            make = chance.choice(files.GOOD)
            crowd.send(f"k{kill}-a", chance.choice(ERRANDS)(make(kill)))
            crowd.send(
                f"k{kill}-b", chance.choice([*ERRANDS, clients.cancelled, clients.deleted])(files.markdown(kill))
            )
            if kill % 5 == 0:
                crowd.send(f"k{kill}-c", clients.deleted_at_once(files.letter(kill)))
                crowd.send(f"k{kill}-d", clients.plain(files.torn(kill)))
            hit.append(until_one_runs(server, journal, f"k{kill}-w", files.letter(1000 + kill)))
            threading.Event().wait(chance.uniform(0, LONGEST_DELAY))
            leftovers.append(server.kill())
        assert server.start(), server.tail()
        crowd.all_done()
    with Client(server, journal, "end") as client:
        for job in hit:
            client.follow(job)
    assert server.stop() == 0
    remains.collect_garbage(server.data, timedelta(minutes=20))
    left = remains.read(server.data, server.temp)
    assert judge.judge(judge.History(journal, left, kills, leftovers)) == []
    assert len(journal.all(Accepted)) >= kills * 3
    assert [entry for entry in journal.all(Refused) if entry.status == 500] == []
    results_open(left, tmp_path)
    remains.collect_garbage(server.data, timedelta(hours=60))
    left = remains.read(server.data).objects
    assert [key for key in left if not key.startswith(copies.FOLDER)] == [], "heads of the audit chain stay"


def until_one_runs(server, journal, name: str, sample: files.Sample) -> str:
    """A kill hits the middle of a conversion because the API said that one is running; which, is told."""
    with Client(server, journal, name) as client:
        job = client.order(sample, client.upload(sample))
        client.follow_until_running(job)
    return job


def results_open(left: remains.Remains, folder: Path) -> None:
    """Every result of a kind is opened by a program that did not make it."""
    stored = {row["id"]: row for row in left.rows["artifacts"]}
    for output in left.rows["job_outputs"]:
        artifact = stored[output["artifact_id"]]
        if artifact["erased_at"] is None:
            path = folder / "data" / "objects" / artifact["parts"][0]["key"]
            assert files.is_what_it_says(path, artifact["format"]), artifact["filename"]
