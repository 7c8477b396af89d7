"""The page `docs/job-states.md`, made from the table in `states.py`."""

from __future__ import annotations

from filewright.converter.jobs.states import MOVES, PUBLIC_STATUS, JobState, is_terminal


def markdown() -> str:
    """The whole page."""
    return "\n".join(["# Job states", "", _INTRODUCTION, "", *_states(), "", "## Moves", "", *_moves(), ""])


_INTRODUCTION = """\
The database row of a job is the truth about it; a message in a queue is only a hint to look. Each move below is one
statement that names the state it leaves, so of two moves that race exactly one happens. A claim hands out an attempt
number and a token; whoever lost the token can change nothing any more."""


def _states() -> list[str]:
    rows = [f"| `{state}` | `{PUBLIC_STATUS[state]}` | {'yes' if is_terminal(state) else ''} |" for state in JobState]
    return ["| stored state | `status` in the API | ended |", "|---|---|---|", *rows]


def _moves() -> list[str]:
    rows = [
        f"| {f'`{move.source}`' if move.source else '(new)'} | `{move.target}` | "
        f"{', '.join(sorted(move.actors))} | {move.why} |"
        for move in MOVES
    ]
    return ["| from | to | made by | why |", "|---|---|---|---|", *rows]
