"""What stands for people who have not shown yet who they are."""

from __future__ import annotations

NOBODY = "nobody"
"""Stands for a person where there is none and the same work has to be done."""
NOT_KNOWN_YET = "who somebody is, is only found out here"
"""Why the system acts where the rows of one person are wanted (`chassis.db.acting`)."""
