"""The statements that every job runs through: accepted, looked at, claimed, held, committed.

Each is one trip to the database (`chassis/db/hot`) and carries its own guard. Who calls them, and what it means when
a guard matched nothing, is in `repository`; moves that few jobs make are written there. Those that accept a job, one
(`accepting.py`) or many (`accepting_many.py`), are called from `ordering` alone.
"""

from filewright.converter.jobs.statements.claiming import CLAIM, CLAIM_SUSPECT
from filewright.converter.jobs.statements.committing import ADD_OUTPUT, COMMIT
from filewright.converter.jobs.statements.holding import BEAT, HELD, REPORT
from filewright.converter.jobs.statements.looking import JOB, MARKS, NOW, NOW_OF_MANY, STATE
from filewright.converter.jobs.statements.made import EVERY_OUTPUT, MOST_OUTPUTS, OUTPUT, OUTPUTS

__all__ = [
    "ADD_OUTPUT",
    "BEAT",
    "CLAIM",
    "CLAIM_SUSPECT",
    "COMMIT",
    "EVERY_OUTPUT",
    "HELD",
    "JOB",
    "MARKS",
    "MOST_OUTPUTS",
    "NOW",
    "NOW_OF_MANY",
    "OUTPUT",
    "OUTPUTS",
    "REPORT",
    "STATE",
]
