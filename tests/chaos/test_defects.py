"""The defects that the history checker is tried with are still defects of this code."""

from __future__ import annotations

import ast

import pytest
from chaoskit.defects import DEFECTS, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_defect_can_be_made_in_the_code_as_it_is(defect: Defect) -> None:
    assert ast.parse(defect.mutated())
