"""Statements that every request or every job needs: built and compiled once, then run on the driver itself.

From a statement to its rows SQLAlchemy costs several times what the driver and the database do together. That is a
fair price for most of the program, and too much for the few statements that run all the time. Those are still written
in SQLAlchemy's language, so that tables and types have one home; only the way at run time is short.

    Look      one question, one trip; also without a unit of work
    Chain     one guarded change and all that follows from it, in one trip: nothing follows when no row matched
    Unit      a unit of work of several chains: on SQLite one trip, too

On PostgreSQL a chain is one statement with common table expressions, on SQLite a few in one visit to its thread. What
follows takes the row that was changed from `moved`, never from the table: on PostgreSQL no part of a statement sees
what another part writes.

A unit of work has said at its beginning for whom it is (`acting.py`). A statement that stands alone says so itself, on
PostgreSQL: its outermost condition sets the parameter that the policies look at. That condition names no column, so the
server asks it once, before it looks at any table ("One-Time Filter" in its plans; a test looks at each).

    speech       what a statement says differently to each kind of database
    compiled     its text, how values go in and how rows come out
    trips        sent by the driver
    statements   the two kinds of them
    units        several chains that are committed together
"""

from filewright.chassis.db.hot.compiled import Rows
from filewright.chassis.db.hot.speech import Speech, given
from filewright.chassis.db.hot.statements import Chain, Change, Look
from filewright.chassis.db.hot.trips import Way
from filewright.chassis.db.hot.units import Unit, make, run_alone

__all__ = ["Chain", "Change", "Look", "Rows", "Speech", "Unit", "Way", "given", "make", "run_alone"]
