"""Every point that the code declares: the server dies there, and fails there once; nothing is lost or doubled.

The points are taken from the registry, so a new one is in here as soon as it is declared. One that the ordinary
errands do not reach fails the test, until `PROVOCATIONS` says what leads there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from chaoskit import clients, files, judge, remains
from chaoskit.clients import Crowd, Errand
from chaoskit.journal import Journal, Refused

import filewright.converter.bootstrap
from filewright.chassis import failpoints
from filewright.chassis.audit import copies

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(900)]

REACH_SECONDS = 60.0
AT_ONCE = 4
"""Points that fail in one run of the server: few enough that no job spends all its attempts on them."""


def _ordinary(name: str) -> dict[str, Errand]:
    return {f"{name}-plain": clients.plain(files.picture(len(name)))}


def _torn(name: str) -> dict[str, Errand]:
    return {f"{name}-torn": clients.plain(files.torn(len(name)))}


def _deleted(name: str) -> dict[str, Errand]:
    return {f"{name}-deleted": clients.deleted(files.picture(len(name)))}


def _cancelled(name: str) -> dict[str, Errand]:
    """Of something that still runs when its owner has seen that it does."""
    return {f"{name}-cancelled": clients.cancelled(files.letter(len(name), paragraphs=3000))}


def _in_pieces(name: str) -> dict[str, Errand]:
    return {f"{name}-pieces": clients.in_pieces(files.picture(len(name)))}


def _many(name: str) -> dict[str, Errand]:
    return {f"{name}-many-{n}": clients.plain(files.letter(n)) for n in range(6)}


@dataclass(frozen=True)
class Provocation:
    """What leads to a point: errands, what must fail before in the same run, a run that dies before, after which these
    times are moved into the past.
    """

    errands: Callable[[str], dict[str, Errand]] = _ordinary
    hits: str = ""
    before: str = ""
    first: str = ""
    older: tuple[str, ...] = ()


PROVOCATIONS = {
    "db.commit.before": Provocation(hits="12"),
    "db.commit.after": Provocation(hits="12"),
    "jobs.fail.before": Provocation(_torn),
    "jobs.drop.before": Provocation(_torn),
    "jobs.cancel.asked": Provocation(_cancelled),
    "jobs.delete.marked": Provocation(_deleted),
    "jobs.erase.inside": Provocation(_deleted),
    "jobs.erase.after": Provocation(_deleted),
    "artifacts.erase.marked": Provocation(_deleted),
    "uploads.segment.stored": Provocation(_in_pieces),
    "rescuer.inside": Provocation(before="jobs.fetch.before=raise:EIO@1-1"),
    "pruner.sweep.after": Provocation(older=("attempts.ended_at",)),
    "dispatcher.hint.written": Provocation(_many, first="jobs.claim.after=sigkill@3", older=("jobs.hint_at",)),
}

BETWEEN_PROCESSES = {"leader.elected", "tick.written"}
"""Points that one process alone does not come to: tests/chassis/coordination/test_leader.py kills there."""


WITHOUT_A_TRACE = {"privacy.erase.shredded", "privacy.erase.deleted", "privacy.erase.forgotten"}
"""Points of an erasure, after which no journal can balance: tests/converter/privacy/test_kills.py kills there."""


TOLD_TO_OTHERS = {"webhooks.claimed", "webhooks.sent", "webhooks.settled"}
"""Points of a delivery, for which there must be a receiver: tests/converter/webhooks/test_kills.py kills there."""


def points() -> list[str]:
    assert filewright.converter.bootstrap.build  # importing it declares every point there is
    return sorted(failpoints.REGISTERED.keys() - BETWEEN_PROCESSES - WITHOUT_A_TRACE - TOLD_TO_OTHERS)


def spec(point: str, action: str) -> str:
    how = PROVOCATIONS.get(point, Provocation())
    first = how.hits or "1"
    hits = f"@{first}" if action == "sigkill" else f"@{first}-{first}"
    return ",".join(filter(None, (how.before, f"{point}={action}{hits}")))


def some(every: int, turn: int) -> list[str]:
    """Another part of them with each turn."""
    return points()[turn % every :: every]


@pytest.mark.slow(50)
@pytest.mark.requirement("F1", "F2", "F4", "A2", "B3")
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_a_kill_at_any_point_loses_nothing(serve, every, turn):
    """One after the other on the same data: what dies at one point comes back to die at the next."""
    journal, leftovers = Journal(), []
    server = serve()
    with Crowd(server, journal) as crowd:
        for n, point in enumerate(some(every, turn)):
            how = PROVOCATIONS.get(point, Provocation())
            prepare(server, crowd, how, f"p{n}-first", leftovers)
            up = server.start(spec(point, "sigkill"))
            for name, errand in how.errands(f"p{n}").items() if up else ():
                crowd.send(name, errand)
            assert server.wait(REACH_SECONDS), f"{point} was never reached: say in PROVOCATIONS what leads there"
            assert (server.exit_code(), server.said(f"failpoint {point}: sigkill")) == (-9, True), server.tail()
            leftovers.append(server.gone())
        assert server.start(), server.tail()
        crowd.all_done()
    assert server.stop() == 0
    balance(server, journal, leftovers)


@pytest.mark.slow(40)
@pytest.mark.requirement("F19")
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_an_error_at_any_point_loses_nothing(serve, every, turn):
    """A disk that is full for one moment: whoever asks again is served, and the server lives on."""
    journal, leftovers = Journal(), []
    server = serve()
    waiting = some(every, turn)
    with Crowd(server, journal) as crowd:
        for n in range(0, len(waiting), AT_ONCE):
            group = waiting[n : n + AT_ONCE]
            hows = [PROVOCATIONS.get(point, Provocation()) for point in group]
            for m, how in enumerate(hows):
                prepare(server, crowd, how, f"e{n + m}-first", leftovers)
            assert server.start(",".join(spec(point, "raise:ENOSPC") for point in group)), server.tail()
            for m, how in enumerate(hows):
                for name, errand in how.errands(f"e{n + m}").items():
                    crowd.send(name, errand)
            crowd.all_done()
            missed = [point for point in group if not server.said(f"failpoint {point}: raise")]
            assert not missed, f"{missed} were never reached"
            assert server.stop() == 0
    balance(server, journal, leftovers)
    assert {(entry.status, entry.code) for entry in journal.all(Refused)} <= {
        (503, "storage_unavailable"),
        (409, "conflict"),
    }


def prepare(server, crowd, how, name, leftovers):
    """Bring the data directory to where the point can be reached from."""
    if how.first:
        assert server.start(how.first), server.tail()
        for errand_name, errand in how.errands(name).items():
            crowd.send(errand_name, errand)
        assert server.wait(REACH_SECONDS), f"{how.first} was never reached"
        leftovers.append(server.gone())
    if how.older:
        remains.make_older(server.data, 3600, *how.older)


def balance(server, journal, leftovers):
    remains.collect_garbage(server.data, timedelta(minutes=20))
    left = remains.read(server.data, server.temp)
    assert judge.judge(judge.History(journal, left, len(leftovers), leftovers)) == []
    remains.collect_garbage(server.data, timedelta(hours=60))
    left = remains.read(server.data).objects
    assert [key for key in left if not key.startswith(copies.FOLDER)] == [], "heads of the audit chain stay"
