"""What can go wrong with a stack, as sentences for the operator.

StackProblem        it cannot be done; the message says why and what to do
  ProgramMissing    a program is not installed; the message has the line that installs it
"""

from __future__ import annotations


class StackProblem(Exception):
    """What was asked cannot be done."""


class ProgramMissing(StackProblem):
    """Something has to be installed first."""
