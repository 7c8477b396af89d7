"""The laws of the table of moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.converter.jobs.states import (
    LIVE,
    MOVES,
    PUBLIC_STATUS,
    TERMINAL,
    Actor,
    JobState,
    PublicStatus,
    is_terminal,
    sources_of,
    stored_states,
)
from filewright.converter.jobs.states_doc import markdown

MACHINES = {Actor.WORKER, Actor.RESCUER}


def moves_from(state):
    return [move for move in MOVES if move.source is state]


@given(st.data())
@pytest.mark.requirement("F2", "F5")
def test_no_sequence_of_moves_by_machines_leaves_an_ended_state(data):
    state = JobState.QUEUED
    for _ in range(data.draw(st.integers(0, 30))):
        move = data.draw(st.sampled_from(moves_from(state) or [None]))
        if move is None:
            break
        if is_terminal(state):
            assert not move.actors & MACHINES
            assert move.target in {JobState.ERASED, JobState.QUEUED}
            assert move.target is JobState.ERASED or move.actors <= {Actor.CALLER, Actor.OPERATOR}
        state = move.target


def test_nothing_leaves_an_erased_job():
    assert moves_from(JobState.ERASED) == []


def test_success_and_malware_are_never_tried_again_and_what_is_in_quarantine_by_an_operator_only():
    again = {move.source: move.actors for move in MOVES if move.target is JobState.QUEUED}
    assert not set(again) & {JobState.SUCCEEDED, JobState.INFECTED}
    assert again[JobState.QUARANTINED] == {Actor.OPERATOR}


def test_each_move_has_an_actor_and_a_reason_and_is_listed_once():
    assert all(move.actors and move.why.endswith(".") for move in MOVES)
    pairs = [(move.source, move.target) for move in MOVES]
    assert len(pairs) == len(set(pairs))


def test_every_state_can_be_reached_and_every_live_one_can_end():
    reached, ends = {JobState.QUEUED}, set(TERMINAL)
    for _ in JobState:
        reached |= {move.target for move in MOVES if move.source in reached}
        ends |= {move.source for move in MOVES if move.target in ends and move.source}
    assert reached == set(JobState)
    assert ends >= LIVE


def test_every_live_state_ends_without_its_worker():
    """Whoever died, the rescuer alone brings any job to an end or back to the queue."""
    for state in LIVE:
        assert any(Actor.RESCUER in move.actors for move in moves_from(state)), state


def test_a_caller_sees_every_stored_state_under_exactly_one_status():
    assert set(PUBLIC_STATUS) == set(JobState)
    assert {state for status in PublicStatus for state in stored_states(status)} == set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_ended_states_have_ended_statuses(state):
    assert is_terminal(state) is (PUBLIC_STATUS[state] not in {PublicStatus.QUEUED, PublicStatus.RUNNING})


def test_only_a_worker_brings_success_and_only_from_running():
    assert sources_of(JobState.SUCCEEDED, Actor.WORKER) == {JobState.RUNNING}
    assert not sources_of(JobState.SUCCEEDED, Actor.CALLER) | sources_of(JobState.SUCCEEDED, Actor.RESCUER)


def test_the_page_names_every_state_and_every_reason():
    page = markdown()
    assert all(f"`{state}`" in page for state in JobState)
    assert all(move.why in page for move in MOVES)
