"""The short storm: every kind of fault once, while jobs of all kinds go through. `scripts/chaos.py` makes long ones."""

from __future__ import annotations

import pytest
from distkit.shape import Shape
from distkit.storm import Storm

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
FAULTS, JOBS, SEED = 9, 60, 20261122


@pytest.mark.requirement("F2", "F5", "F8", "F9", "F11", "F32")
def test_a_storm_of_faults_loses_and_doubles_nothing(shape: Shape) -> None:
    figures = Storm(shape, faults=FAULTS, jobs=JOBS, seed=SEED).run()
    print(figures.table())
    assert figures.breaches == [], figures.table()
    assert figures.accepted == JOBS
    assert figures.faults.total() == FAULTS
